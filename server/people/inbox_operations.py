"""What the routes of the inbox of strangers do; the routes are in :mod:`server.people.inbox_routes`."""

from __future__ import annotations

from server.api.operations import Operation
from server.api.schemas import COUNT, FLAG, ID, NAME, ROOM, SHARE, TEXT, TIME, listed, maybe, record
from server.people.consent_operations import MAY_CONSENT
from server.people.operations import JPEG

BASE = "/api/v1/inbox"
SEEN = record("InboxSighting", session=TEXT, began=TIME, ended=TIME)
STRANGER = record(
    "Stranger",
    id=ID,
    seen=COUNT,
    first=TIME,
    last=TIME,
    room=maybe(ROOM),
    crop=FLAG,
    quality=SHARE,
    sightings=listed(SEEN),
)

OPERATIONS = {
    f"GET {BASE}": Operation(
        "The strangers that are remembered",
        "strangers",
        "read",
        {200: record("Inbox", enabled=FLAG, keeps=TEXT, days=COUNT, strangers=listed(STRANGER))},
    ),
    f"DELETE {BASE}": Operation(
        "Forget every stranger",
        "strangers",
        "people",
        {204: None},
        errors=(404,),
        erases=True,
    ),
    f"GET {BASE}/{{id}}/crop": Operation("A stranger's picture", "strangers", "read", {200: JPEG}),
    f"POST {BASE}/{{id}}/name": Operation(
        "Say who a stranger is",
        "strangers",
        "people",
        {200: record("NamedStranger", person=record(id=ID, name=NAME, room=maybe(ROOM)), seen=COUNT)},
        body=record(None, {"room": maybe(ROOM), **MAY_CONSENT}, name=NAME),
    ),
    f"DELETE {BASE}/{{id}}": Operation("Forget a stranger", "strangers", "people", {204: None}, erases=True),
    "GET /api/v1/people/{id}/sightings": Operation(
        "When somebody was seen before they were named",
        "strangers",
        "read",
        {200: record("InboxSightings", sightings=listed(SEEN))},
    ),
}
