"""What the routes of live sessions and of reading faces do; the routes are in ``routes`` and ``reading``."""

from __future__ import annotations

from server.access.roles import HOSTS
from server.api.operations import Media, Operation, Parameter
from server.api.schemas import BOX, COUNT, FLAG, ID, IN_ROOM, NUMBER, ROOM, SHARE, TEXT, listed, maybe, one_of, record

READING = record("Reading", distance=FLAG, gender=FLAG, age=FLAG)
_SESSION = {"id": TEXT, "room": maybe(ROOM), "guest": FLAG}
_LIVE = {"id": Parameter("A session's id", TEXT)}
FACE = {
    "title": "LiveFace",
    "type": "object",
    "description": "A face in the picture and why it bears its name, as in the message `why` of the protocol",
    "properties": {
        "track": COUNT,
        "box": BOX,
        "detection": SHARE,
        "identity": one_of("pending", "known", "uncertain", "unknown", "unreadable"),
        "person": maybe(ID),
        "name": maybe(TEXT),
        "probability": maybe(SHARE),
        "words": TEXT,
    },
    "required": ["track", "box", "detection", "identity", "person", "name", "probability", "words"],
}
SESSION = {
    "title": "LiveSession",
    "type": "object",
    "description": "A session with its statistics and the faces in its picture now",
    "properties": {
        **_SESSION,
        "seconds": NUMBER,
        "frames": COUNT,
        "reading": READING,
        "faces": listed(FACE),
    },
    "required": ["id", "room", "guest", "seconds", "frames", "reading", "faces"],
}

SESSION_OPERATIONS = {
    "GET /api/v1/sessions": Operation(
        "The live sessions",
        "live",
        "admin",
        {200: record("Sessions", sessions=listed(record(**_SESSION)))},
        words="Who has a session's id may watch and end it.",
        roles=HOSTS,
    ),
    "GET /api/v1/sessions/{id}": Operation(
        "One live session, and who is in its picture", "live", "read", {200: SESSION}, path=_LIVE
    ),
    "GET /api/v1/sessions/{id}/events": Operation(
        "A live session's results as they come",
        "live",
        "read",
        {200: Media(("text/event-stream",), "Server-sent events: `event` is a message's type, `data` it", text=True)},
        errors=(503,),
        path=_LIVE,
        words="For senders without a data channel. A slow reader misses results. It ends with the session.",
    ),
}
READING_OPERATIONS = {
    "GET /api/v1/reading": Operation(
        "What is read of faces beside their names", "settings", "read", {200: READING}, query={"room": IN_ROOM}
    ),
    "PUT /api/v1/reading": Operation(
        "Choose what is read of faces",
        "settings",
        "admin",
        {200: READING},
        errors=(503,),
        roles=HOSTS,
        body={
            **record(
                None,
                {
                    "room": maybe({"anyOf": [ROOM, {"const": ""}]}),
                    "distance": FLAG,
                    "gender": FLAG,
                    "age": FLAG,
                },
            ),
            "anyOf": [{"required": ["distance"]}, {"required": ["gender"]}, {"required": ["age"]}],
        },
    ),
}
