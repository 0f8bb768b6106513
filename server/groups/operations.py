"""What the routes of groups take and answer, for the document."""

from __future__ import annotations

from server.api.operations import Media, Operation, Parameter
from server.api.schemas import BOX, COUNT, FLAG, ID, IN_ROOM, NAME, ROOM, SHARE, TEXT, listed, maybe, one_of, record
from server.people.consent_operations import MAY_CONSENT
from server.people.operations import JPEG
from server.people.photos.archive import ARCHIVE_BYTES

BASE = "/api/v1/albums"
ONE = BASE + "/{id}"
GROUP = ONE + "/groups/{group}"
MAX_CHOSEN = 10_000
_SOMEBODY = record(None, None, id=ID, name=TEXT)
FACE = record("GroupedFace", id=ID, file=TEXT, box={**BOX, "description": "Parts of the photo"}, quality=SHARE)
GROUPED = record(
    "Group",
    id=ID,
    faces=listed(FACE),
    ignored=FLAG,
    like={**maybe(_SOMEBODY), "description": "Somebody enrolled whom it resembles"},
    sure=one_of("known", "uncertain", "unknown"),
)
ALBUM = record(
    "Album",
    id=ID,
    room=maybe(ROOM),
    photos=COUNT,
    faces=COUNT,
    refused=listed(record(None, None, file=TEXT, words=TEXT)),
    groups=listed(GROUPED),
)
_IDS = {"type": "array", "items": ID, "minItems": 1, "maxItems": MAX_CHOSEN}
_GROUP = {"group": Parameter("The group's id", ID)}

OPERATIONS = {
    f"POST {BASE}": Operation(
        "Open an album of photos to be grouped",
        "groups",
        "people",
        {
            201: record(
                "OpenedAlbum",
                id=ID,
                limits=record(file_bytes=COUNT, archive_bytes=COUNT, pixels=COUNT, files=COUNT, faces=COUNT),
                keeps=TEXT,
            )
        },
        errors=(409,),
        query={"room": IN_ROOM},
        words="It is held in memory, and let go when it is closed or an hour after it was last touched.",
    ),
    f"GET {ONE}": Operation("An album's groups", "groups", "read", {200: ALBUM}),
    f"DELETE {ONE}": Operation("Close an album, with everything in it", "groups", "people", {204: None}),
    f"POST {ONE}/files": Operation(
        "Add a photo, or a ZIP of photos",
        "groups",
        "people",
        {200: record("AddedToAlbum", faces=COUNT, photos=COUNT)},
        errors=(408, 409),
        query={"file": Parameter("The photo's file name", {**TEXT, "minLength": 1, "maxLength": 400}, required=True)},
        body=Media(
            ("application/octet-stream", "image/*", "application/zip"), "A photo or a ZIP of photos", ARCHIVE_BYTES
        ),
        needs_body=False,
    ),
    f"POST {ONE}/arrange": Operation(
        "Group the faces that are in no group yet", "groups", "people", {200: ALBUM}, errors=(409,)
    ),
    f"POST {ONE}/merge": Operation(
        "Make one group of some", "groups", "people", {200: GROUPED}, errors=(404, 409), body=record(groups=_IDS)
    ),
    f"GET {ONE}/faces/{{face}}": Operation(
        "A face's picture", "groups", "read", {200: JPEG}, path={"face": Parameter("The face's id", ID)}
    ),
    f"POST {GROUP}/split": Operation(
        "Make a group of some of its faces",
        "groups",
        "people",
        {200: GROUPED},
        errors=(404, 409),
        path=_GROUP,
        body=record(faces=_IDS),
    ),
    f"PUT {GROUP}/ignored": Operation(
        "Set a group apart, or take that back",
        "groups",
        "people",
        {200: GROUPED},
        path=_GROUP,
        body=record(ignored=FLAG),
    ),
    f"POST {GROUP}/name": Operation(
        "Say who a group is: its best faces are enrolled",
        "groups",
        "people",
        {200: record("NamedGroup", person=record(id=ID, name=NAME, room=maybe(ROOM)), faces=COUNT)},
        errors=(404, 409),
        path=_GROUP,
        body=record(None, MAY_CONSENT, name=NAME),
    ),
}
