"""What the routes of videos take and answer, for the document."""

from __future__ import annotations

from server.api.operations import Media, Operation, Parameter, Schema
from server.api.schemas import (
    COUNT,
    CURSOR,
    FLAG,
    ID,
    LIMIT,
    NAME,
    NUMBER,
    SHARE,
    TEXT,
    TIME,
    listed,
    maybe,
    one_of,
    page_of,
    record,
)
from server.people.consent_operations import MAY_CONSENT
from server.videos import limits

BASE = "/api/v1/videos"
ONE = BASE + "/{id}"
MAX_FILE_NAME = 400
MAX_TRACK = 999_999_999

VIDEO = record(
    "Video",
    id=ID,
    file=TEXT,
    bytes=COUNT,
    created=TIME,
    state=one_of("waiting", "running", "done", "failed"),
    words={**TEXT, "description": "Why it failed"},
    seconds={**maybe(NUMBER), "description": "How long it is, once it is done"},
    done={**maybe(NUMBER), "description": "Seconds of it that are done, while it runs"},
    total=maybe(NUMBER),
    left={**maybe(NUMBER), "description": "Seconds until it is done, as far as that can be told"},
    playable={**FLAG, "description": "Whether a browser may play it"},
)
_SOMEBODY = record(None, None, id=ID, name=TEXT)
_PICTURE = record(None, None, picture=TEXT, time=NUMBER, quality=SHARE)
_INTERVAL: Schema = {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2}
RESULT = record(
    "VideoResult",
    video=ID,
    width=COUNT,
    height=COUNT,
    seconds=maybe(NUMBER),
    people=listed(
        record(
            "VideoPerson",
            number={**COUNT, "description": "Their first track"},
            person=maybe(_SOMEBODY),
            perhaps={**maybe(_SOMEBODY), "description": "Whom they resemble, but not surely"},
            probability=maybe(SHARE),
            label={**TEXT, "description": "A name, or Unknown and a number"},
            seconds=NUMBER,
            intervals={**listed(_INTERVAL), "description": "From and to, in seconds"},
            tracks=listed(COUNT),
            best=maybe(record(None, None, picture=TEXT, frame=maybe(TEXT), time=NUMBER)),
            sheet=listed(_PICTURE),
        )
    ),
)
_POINT: Schema = {
    "type": "array",
    "items": NUMBER,
    "minItems": 5,
    "maxItems": 5,
    "description": "time, x, y, width, height; the sides of the picture are 1",
}
BOXES = record(
    "VideoBoxes",
    longest={**NUMBER, "description": "Two points further apart have nothing between them"},
    tracks={"type": "object", "additionalProperties": listed(_POINT)},
)
_LIMITS = record(None, None, file_bytes=COUNT, seconds=NUMBER, pixels=COUNT)
_TIME = {"type": "number", "minimum": 0}
_JPEG = Media(("image/jpeg",), "The picture")
_TRACK = Parameter("Any track of theirs", {"type": "integer", "minimum": 0, "maximum": MAX_TRACK})

OPERATIONS = {
    f"GET {BASE}": Operation(
        "Every video, the newest first",
        "videos",
        "read",
        {200: page_of(VIDEO, limits=_LIMITS, days={**COUNT, "description": "Days they are kept; 0: until deleted"})},
        query={"limit": LIMIT, "cursor": CURSOR},
    ),
    f"POST {BASE}": Operation(
        "Send a video",
        "videos",
        "recognise",
        {201: VIDEO},
        errors=(408, 409),
        query={
            "file": Parameter("Its name", {"type": "string", "minLength": 1, "maxLength": MAX_FILE_NAME}, required=True)
        },
        body=Media(("application/octet-stream", "video/*"), "The file as it is", limits.FILE_BYTES),
        words="It is looked through in the background, one video at a time. Ask for it until its state is done.",
    ),
    f"GET {ONE}": Operation("Where a video stands", "videos", "read", {200: VIDEO}),
    f"DELETE {ONE}": Operation(
        "Cancel a video, or erase it with all that was found", "videos", "recognise", {204: None}
    ),
    f"GET {ONE}/file": Operation(
        "The video itself",
        "videos",
        "read",
        {200: Media(("video/*", "application/octet-stream"), "The file"), 206: Media(("video/*",), "A part of it")},
        errors=(409, 416),
        words="Takes a `Range`.",
    ),
    f"GET {ONE}/result": Operation("Who was seen, and when", "videos", "read", {200: RESULT}, errors=(409,)),
    f"GET {ONE}/boxes": Operation(
        "Where the faces are, over a time",
        "videos",
        "read",
        {200: BOXES},
        errors=(409,),
        query={"from": Parameter("Seconds", _TIME), "to": Parameter("Seconds, at most 600 later", _TIME)},
        words="By track: points to be joined by straight lines.",
    ),
    f"GET {ONE}/pictures/{{picture}}": Operation(
        "A picture of the result",
        "videos",
        "read",
        {200: _JPEG},
        errors=(409,),
        path={
            "picture": Parameter("As the result names it", {"type": "string", "pattern": r"^\d{1,9}(-\d{1,2})?\.jpg$"})
        },
    ),
    f"GET {ONE}/export.{{kind}}": Operation(
        "The result for other programs",
        "videos",
        "read",
        {200: Media(("text/csv", "application/json", "text/vtt"), "A table, JSON, or subtitles")},
        errors=(409,),
        query={"download": Parameter("Subtitles as a file to keep", TEXT)},
        path={"kind": Parameter("What is wanted", one_of("csv", "json", "vtt"))},
    ),
    f"POST {ONE}/tracks/{{track}}/name": Operation(
        "Say who somebody unknown in a video is",
        "videos",
        "people",
        {200: record(None, None, person=_SOMEBODY, result=RESULT)},
        path={"track": _TRACK},
        body=record(None, MAY_CONSENT, name=NAME),
    ),
}
