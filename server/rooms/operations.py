"""What the routes of rooms do."""

from __future__ import annotations

from server.access.operations import DEVICES_SCHEMA, MINUTES_SCHEMA
from server.access.roles import ACCOUNTS, HOSTS
from server.api.operations import Media, Operation, Parameter
from server.api.schemas import COUNT, FLAG, NAME, NUMBER, ROOM, SHARE, TEXT, TIME, listed, maybe, one_of, record
from server.passes import ROLES
from server.sdp import MAX_SDP

_ROOM = {"room": Parameter("A room's name", ROOM)}
_CAMERA = {**_ROOM, "id": Parameter("The id of the camera's session")}
_INVITED = {**_ROOM, "id": Parameter("The invitation's id", {"type": "string", "pattern": "^[0-9a-f]{8}$"})}
_VIEWER = {"id": Parameter("A viewer's id")}
_SDP = Media(("application/sdp",), "A description of a session (RFC 8866)", MAX_SDP, text=True)
_CANDIDATES = Media(("application/trickle-ice-sdpfrag",), "Candidates (RFC 8840)", MAX_SDP, text=True)

_SUMMARY = {"name": ROOM, "opened": maybe(TIME), "open": FLAG, "consent_mode": FLAG, "cameras": COUNT, "viewers": COUNT}
SUMMARY = record("RoomSummary", **_SUMMARY)
CAMERA = record(
    "RoomCamera",
    id=TEXT,
    number=COUNT,
    name=maybe(NAME),
    way=maybe(one_of("webrtc", "websocket", "source")),
    state=one_of("connecting", "live", "silent", "away", "retrying"),
    since=TIME,
    width=COUNT,
    height=COUNT,
    rate=NUMBER,
    latency_p95_ms=maybe(NUMBER),
    codec=maybe(one_of("VP8", "H264")),
    viewers=COUNT,
    recognising=FLAG,
    guest=FLAG,
    faces=COUNT,
)
PRESENT = record(
    "Present",
    key=TEXT,
    identity=one_of("known", "uncertain", "unknown"),
    person=maybe(TEXT),
    name=maybe(TEXT),
    probability=maybe(SHARE),
    since=TIME,
    views=listed(record(camera=TEXT, track=COUNT)),
)
STATE = record("Room", **{**_SUMMARY, "role": one_of(*ROLES), "cameras": listed(CAMERA), "present": listed(PRESENT)})
_INVITATION = {
    "id": _INVITED["id"].schema,
    "role": one_of(*ROLES),
    "label": maybe(NAME),
    "created": TIME,
    "expires": TIME,
    "devices": maybe(COUNT),
}

ROOM_OPERATIONS = {
    "GET /api/v1/rooms": Operation(
        "The rooms there are", "rooms", "read", {200: record("Rooms", rooms=listed(SUMMARY))}
    ),
    "POST /api/v1/rooms": Operation(
        "Open a room",
        "rooms",
        "admin",
        {200: SUMMARY, 201: SUMMARY},
        errors=(409,),
        body=record(None, {"consent_mode": FLAG}, name=ROOM),
        words="With `consent_mode`, whoever is not enrolled with a consent that holds is blurred in it.",
        roles=HOSTS,
    ),
    "GET /api/v1/rooms/{room}": Operation(
        "A room's cameras, and who is before them", "rooms", "read", {200: STATE}, path=_ROOM
    ),
    "PATCH /api/v1/rooms/{room}": Operation(
        "Turn consent mode on or off",
        "rooms",
        "admin",
        {200: SUMMARY},
        path=_ROOM,
        roles=HOSTS,
        body=record(None, None, consent_mode=FLAG),
        words="Once it is answered, nobody who has not consented is seen in any picture that is handed on.",
    ),
    "DELETE /api/v1/rooms/{room}": Operation(
        "Close a room",
        "rooms",
        "admin",
        {204: None},
        path=_ROOM,
        roles=HOSTS,
        words="Its cameras and viewers are ended, its invitations void; its people stay.",
    ),
    "GET /api/v1/rooms/{room}/events": Operation(
        "A room's state whenever it changes",
        "rooms",
        "read",
        {
            200: Media(
                ("text/event-stream",), "Server-sent events: `room` with the state, `closed` at the end", text=True
            )
        },
        errors=(503,),
        path=_ROOM,
    ),
    "PATCH /api/v1/rooms/{room}/cameras/{id}": Operation(
        "Rename a camera, or pause its recognition",
        "rooms",
        "admin",
        {200: CAMERA},
        path=_CAMERA,
        roles=HOSTS,
        body={**record(None, {"name": NAME, "recognising": FLAG}), "minProperties": 1},
    ),
    "DELETE /api/v1/rooms/{room}/cameras/{id}": Operation(
        "End a camera", "rooms", "admin", {204: None}, path=_CAMERA, roles=HOSTS
    ),
    "GET /api/v1/rooms/{room}/invitations": Operation(
        "The invitations that are not over",
        "rooms",
        "admin",
        {200: record("Invitations", invitations=listed(record("Invitation", **_INVITATION, used=maybe(TIME))))},
        path=_ROOM,
        roles=HOSTS,
    ),
    "POST /api/v1/rooms/{room}/invitations": Operation(
        "Invite somebody",
        "rooms",
        "admin",
        {201: record("NewInvitation", **_INVITATION, url=TEXT, qr=TEXT, trust_url=maybe(TEXT))},
        errors=(409,),
        path=_ROOM,
        roles=HOSTS,
        body=record(
            None,
            {"label": maybe(NAME), "devices": DEVICES_SCHEMA},
            role=one_of(*ROLES),
            minutes=MINUTES_SCHEMA,
        ),
        secret=True,
        words="`url` and `qr` are shown in this answer and never again. `devices`: how many may come by it.",
    ),
    "DELETE /api/v1/rooms/{room}/invitations/{id}": Operation(
        "Revoke an invitation",
        "rooms",
        "admin",
        {204: None},
        path=_INVITED,
        roles=HOSTS,
        words="Cameras and viewers that came by it are ended.",
    ),
}
WATCH_OPERATIONS = {
    "OPTIONS /api/v1/rooms/{room}/cameras/{id}/whep": Operation(
        "What may be sent here", "rooms", "read", {204: None}, path=_CAMERA
    ),
    "POST /api/v1/rooms/{room}/cameras/{id}/whep": Operation(
        "Watch a camera",
        "rooms",
        "read",
        {201: _SDP},
        errors=(503,),
        path=_CAMERA,
        body=_SDP,
        roles=ACCOUNTS,
        words="The camera's own encoded video, in consent mode a masked one; what its session says comes on the data "
        "channel `results`.",
    ),
    "OPTIONS /api/v1/whep/{id}": Operation("What may be done here", "rooms", "read", {204: None}, path=_VIEWER),
    "PATCH /api/v1/whep/{id}": Operation(
        "Add candidates",
        "rooms",
        "read",
        {204: None},
        errors=(412, 428),
        path=_VIEWER,
        body=_CANDIDATES,
        roles=ACCOUNTS,
    ),
    "DELETE /api/v1/whep/{id}": Operation("Stop watching", "rooms", "read", {200: None}, path=_VIEWER, roles=ACCOUNTS),
}
