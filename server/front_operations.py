"""What the routes at the front of the server do: its configuration, joining, and beginning a live session."""

from __future__ import annotations

from server.api.operations import Media, Operation, Parameter
from server.api.schemas import COUNT, FLAG, NUMBER, ROOM, TEXT, listed, record
from server.sdp import MAX_SDP
from server.storage.names import MAX_NAME

_LIVE = {"id": Parameter("A session's id", TEXT)}
_SDP = Media(("application/sdp",), "A description of a session (RFC 8866)", MAX_SDP, text=True)
_CANDIDATES = Media(("application/trickle-ice-sdpfrag",), "Candidates (RFC 8840)", MAX_SDP, text=True)

OPERATIONS = {
    "GET /api/v1/config": Operation(
        "What this server is, and how it is to be called",
        "server",
        "read",
        {
            200: record(
                "Config",
                version=TEXT,
                protocol=COUNT,
                iceServers=listed({"type": "object"}),
                pack=record(name=TEXT, licence=TEXT),
                video=record(width=COUNT, height=COUNT, frameRate=NUMBER, maxBitrate=COUNT),
                people=COUNT,
                guest=FLAG,
                invited=FLAG,
                secure=FLAG,
                retention=TEXT,
                consent=record(required=FLAG, days=COUNT, grace=COUNT, purpose=TEXT),
            )
        },
    ),
}
WHIP_OPERATIONS = {
    "POST /api/v1/whip": Operation(
        "Begin a live session",
        "live",
        "recognise",
        {201: _SDP},
        errors=(503,),
        query={
            "room": Parameter("The room it joins", {"anyOf": [ROOM, {"const": ""}]}),
            "guest": Parameter("Whether what it adds goes when it ends", {"enum": ["0", "1"]}),
            "name": Parameter("What the camera is called in its room", {"type": "string", "maxLength": MAX_NAME}),
            "resume": Parameter(
                "The secret that `hello` gave, within a minute after the connection broke: the session goes on",
                {"type": "string", "maxLength": 64},
            ),
        },
        body=_SDP,
        words="Signalling as in WHIP (RFC 9725); `Location` is the session, to be patched and deleted.",
    ),
    "OPTIONS /api/v1/whip": Operation("What may be sent here", "live", "recognise", {204: None}),
    "OPTIONS /api/v1/whip/{id}": Operation("What may be done here", "live", "recognise", {204: None}, path=_LIVE),
    "PATCH /api/v1/whip/{id}": Operation(
        "Add candidates", "live", "recognise", {204: None}, errors=(412, 428), path=_LIVE, body=_CANDIDATES
    ),
    "DELETE /api/v1/whip/{id}": Operation("End a live session", "live", "recognise", {200: None}, path=_LIVE),
}
