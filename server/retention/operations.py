"""What the routes about data that is held, and about the audit log, answer."""

from __future__ import annotations

from server.api.operations import Operation, Parameter
from server.api.schemas import (
    COUNT,
    CURSOR,
    FLAG,
    LIMIT,
    NUMBER,
    ROOM,
    TEXT,
    TIME,
    listed,
    maybe,
    one_of,
    page_of,
    record,
)
from server.people.receipt_operations import HASH
from server.retention.kinds import KINDS, RULES

KIND = record(
    "HeldData",
    id=one_of(*(kind.id for kind in KINDS)),
    count=maybe(COUNT),
    bytes=maybe(COUNT),
    oldest=maybe(TIME),
    rule={
        **one_of(*RULES),
        "description": "How long: " + "; ".join(f"`{rule}`: {words}" for rule, words in RULES.items()),
    },
    amount={**maybe(NUMBER), "description": "Days, or minutes; 0 days: until somebody deletes it"},
    setting={**maybe(TEXT), "description": "The setting that says how long"},
    switch={**maybe(TEXT), "description": "The setting that says whether any of it is kept"},
    on=FLAG,
    page={**maybe(TEXT), "description": "Where to look at it and to erase it"},
)
ROW = record(
    "AuditRow",
    number=COUNT,
    at=TIME,
    actor={**TEXT, "description": "`account:ID`, `link:ID`, `key:ID`, `local`, `nobody`, `command line` or `server`"},
    action=TEXT,
    subject={**TEXT, "description": "An id, or empty"},
    room=maybe(ROOM),
    count=COUNT,
    detail=TEXT,
    hash=HASH,
)
CHAIN = record(
    "AuditChain",
    holds=FLAG,
    rows=COUNT,
    broken={**maybe(COUNT), "description": "The first row that does not hold"},
    words=TEXT,
    checked=TIME,
    fingerprint={**HASH, "description": "SHA-256 of the public key that signs"},
    public={**TEXT, "description": "That key (Ed25519), base64"},
    days={**COUNT, "description": "How long rows are kept"},
)
_MOMENT = {"type": "string", "format": "date-time"}
OPERATIONS = {
    "GET /api/v1/data": Operation(
        "What is held today, and for how long",
        "data",
        "admin",
        {200: record("DataHeld", kinds=listed(KIND), folder=TEXT)},
    ),
    "GET /api/v1/audit": Operation(
        "The audit log, the newest first",
        "data",
        "admin",
        {200: page_of(ROW)},
        errors=(400,),
        query={
            "action": Parameter("Only this action, or all that begin with it where it ends with a point (`person.`)"),
            "subject": Parameter("Only about this id"),
            "actor": Parameter("Only by this visitor"),
            "from": Parameter("At this time or later (RFC 3339)", _MOMENT),
            "to": Parameter("Before this time (RFC 3339)", _MOMENT),
            "limit": LIMIT,
            "cursor": CURSOR,
        },
        words="No name is in it.",
    ),
    "GET /api/v1/audit/chain": Operation(
        "Whether the audit log holds",
        "data",
        "admin",
        {200: CHAIN},
        words="Every row is walked over, at most once a minute.",
    ),
}
