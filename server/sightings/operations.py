"""What the routes of sightings, events and webhooks take and answer, for the document."""

from __future__ import annotations

from server.api.operations import Media, Operation, Parameter, Schema
from server.api.schemas import (
    COUNT,
    CURSOR,
    FLAG,
    ID,
    LIMIT,
    NUMBER,
    ROOM,
    SHARE,
    TEXT,
    TIME,
    listed,
    maybe,
    one_of,
    page_of,
    record,
)
from server.people.operations import JPEG
from server.storage.events import KINDS, MAX_URL

SIGHTINGS = "/api/v1/sightings"
ATTENDANCE = "/api/v1/attendance"
EVENTS = "/api/v1/events"
WEBHOOKS = "/api/v1/webhooks"
CSV = Media(("text/csv",), "A table", text=True)

_SOMEBODY = maybe(record(None, None, id=ID, name=TEXT))
SEEN = record(
    "Sighting",
    id=ID,
    person={**_SOMEBODY, "description": "`null`: nobody who is known"},
    room=maybe(ROOM),
    session=TEXT,
    began=TIME,
    ended={**TIME, "description": "When they were last in the picture"},
    present={**FLAG, "description": "Whether it goes on"},
    probability={**maybe(SHARE), "description": "Of the name, the highest while it lasted"},
    picture={**FLAG, "description": "Whether a picture is kept"},
)
PRESENT = record(
    "Attendance",
    person=record(None, None, id=ID, name=TEXT),
    first=TIME,
    last=TIME,
    seconds={**NUMBER, "description": "In the picture altogether; a moment counts once, however many cameras saw it"},
    sightings=COUNT,
)
_KIND = one_of(*KINDS)
EVENT = record(
    "Event",
    id={**ID, "description": "The same however often it is sent"},
    number={**maybe(COUNT), "description": "Its place in the stream of events"},
    type=one_of(*KINDS, "test"),
    timestamp=TIME,
    data=record(
        None,
        None,
        sighting=ID,
        person=_SOMEBODY,
        room=maybe(ROOM),
        session=TEXT,
        began=TIME,
        probability=maybe(SHARE),
    ),
)
_URL: Schema = {"type": "string", "minLength": 8, "maxLength": MAX_URL}
_KINDS: Schema = {"type": "array", "items": _KIND, "minItems": 1, "maxItems": len(KINDS), "uniqueItems": True}
_HOOK: dict[str, Schema] = {
    "id": ID,
    "url": TEXT,
    "kinds": listed(_KIND),
    "room": maybe(ROOM),
    "created": TIME,
    "delivered": COUNT,
    "waiting": COUNT,
    "given_up": COUNT,
    "last": {**maybe(TIME), "description": "When it was last tried"},
    "words": {**TEXT, "description": "Why that did not arrive"},
}
WEBHOOK = record("Webhook", **_HOOK)
NEW_WEBHOOK = record("NewWebhook", **_HOOK, secret={**TEXT, "description": "Shown this once"})
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_FROM = Parameter("Seen at this time or later (RFC 3339)", _MOMENT)
_TO = Parameter("Seen before this time (RFC 3339)", _MOMENT)
_ROOM = Parameter("In this room; empty: outside any", {"anyOf": [ROOM, {"const": ""}]})
FILTERS = {
    "person": Parameter("Of this person", ID),
    "who": Parameter("Only people who are known, or only who is not", one_of("named", "unknown")),
    "room": _ROOM,
    "session": Parameter("In this session", {"type": "string", "maxLength": 64}),
    "from": _FROM,
    "to": _TO,
}
_SPAN = {"from": _FROM, "to": _TO, "room": _ROOM}
_TODAY = "Without `from` and `to` it is today, as the clock of the server's place has it; at most 366 days."

OPERATIONS = {
    f"GET {SIGHTINGS}": Operation(
        "Who was seen, the newest first",
        "sightings",
        "read",
        {200: page_of(SEEN, enabled=FLAG, days=COUNT, pictures=FLAG, keeps=TEXT)},
        errors=(400,),
        query={**FILTERS, "limit": LIMIT, "cursor": CURSOR},
    ),
    f"GET {SIGHTINGS}.csv": Operation(
        "The same as a table",
        "sightings",
        "read",
        {200: CSV},
        errors=(400,),
        query=FILTERS,
        words="The newest 100,000.",
    ),
    f"GET {SIGHTINGS}/{{id}}/crop": Operation("The picture of a sighting", "sightings", "read", {200: JPEG}),
    f"DELETE {SIGHTINGS}/{{id}}": Operation(
        "Erase a sighting", "sightings", "people", {204: None}, errors=(404,), erases=True
    ),
    f"DELETE {SIGHTINGS}": Operation("Erase every sighting", "sightings", "people", {204: None}, erases=True),
    f"GET {ATTENDANCE}": Operation(
        "Who was there: first, last, and how long",
        "sightings",
        "read",
        {200: record(None, {"from": TIME, "to": TIME}, items=listed(PRESENT), unknown=COUNT)},
        errors=(400,),
        query=_SPAN,
        words=_TODAY,
    ),
    f"GET {ATTENDANCE}.csv": Operation(
        "The same as a table", "sightings", "read", {200: CSV}, errors=(400,), query=_SPAN, words=_TODAY
    ),
    f"GET {EVENTS}": Operation(
        "Who is seen, as it happens",
        "sightings",
        "read",
        {200: Media(("text/event-stream",), "Server-sent events: `event` is the kind, `data` an Event", text=True)},
        errors=(400, 503),
        query={
            "kinds": Parameter("Some of named, unknown and left, with commas between; all of them without it"),
            "room": _ROOM,
            "after": Parameter("Begin after the event of this number, as Last-Event-ID does"),
        },
        words="It does not end by itself. Events of the last day are there for who comes back with `Last-Event-ID`.",
    ),
    f"GET {WEBHOOKS}": Operation(
        "Webhooks", "sightings", "admin", {200: record("Webhooks", items=listed(WEBHOOK), enabled=FLAG)}
    ),
    f"POST {WEBHOOKS}": Operation(
        "Add a webhook",
        "sightings",
        "admin",
        {201: NEW_WEBHOOK},
        errors=(400, 409),
        body=record(None, {"room": maybe(ROOM)}, url=_URL, kinds=_KINDS),
        words="Each event is sent as JSON, signed after Standard Webhooks, at least once and in order.",
        secret=True,
    ),
    f"DELETE {WEBHOOKS}/{{id}}": Operation(
        "Remove a webhook", "sightings", "admin", {204: None}, errors=(404,)
    ),
    f"POST {WEBHOOKS}/{{id}}/test": Operation(
        "Send a test event",
        "sightings",
        "admin",
        {200: record("WebhookTest", arrived=FLAG, words=TEXT)},
        errors=(404,),
    ),
    f"GET {WEBHOOKS}/{{id}}/given-up": Operation(
        "Events that did not arrive",
        "sightings",
        "admin",
        {200: record("GivenUp", items=listed(record("Undelivered", event=EVENT, attempts=COUNT, words=TEXT)))},
        errors=(404,),
        words="The newest 200. They are kept for a day.",
    ),
    f"POST {WEBHOOKS}/{{id}}/retry": Operation(
        "Send again what did not arrive",
        "sightings",
        "admin",
        {200: record("Retried", events=COUNT)},
        errors=(404,),
    ),
}  # fmt: skip
