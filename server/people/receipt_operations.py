"""What the routes about receipts, and about everything held of one person, answer."""

from __future__ import annotations

from server.api.operations import Media, Operation
from server.api.schemas import COUNT, CURSOR, ID, LIMIT, TEXT, TIME, listed, maybe, one_of, page_of, record

HASH = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
RECEIPT = record(
    "Receipt",
    format=one_of("visavis-receipt"),
    version=COUNT,
    id=ID,
    at=TIME,
    asked={**TIME, "description": "When it was asked for"},
    by={**TEXT, "description": "Who asked, as the audit log has it; no name"},
    reason={**TEXT, "description": "asked, expired or withdrawn"},
    person=ID,
    erased=listed(record("Erased", what=TEXT, count=COUNT)),
    keys=record(
        "DestroyedKeys",
        count={**maybe(COUNT), "description": "`null`: the server was interrupted as it destroyed them"},
        ids=listed(TEXT),
    ),
    remains=listed(record("Remaining", what=TEXT, where=TEXT, until=TEXT)),
    software=TEXT,
    key=record("SigningKey", algorithm=one_of("Ed25519"), public=TEXT, fingerprint=HASH),
    signature={**TEXT, "description": "Ed25519, base64, over all the rest as JSON: keys sorted, no spaces, ASCII"},
)
OPERATIONS = {
    "GET /api/v1/people/{id}/export": Operation(
        "Everything about this person",
        "people",
        "people",
        {200: Media(("application/zip",), "`person.json`, which explains itself, the numbers, and every picture")},
        words="For whoever asks what is held of them. Made in memory; nothing of it is kept.",
    ),
    "GET /api/v1/receipts": Operation(
        "Receipts of who was forgotten, the newest first",
        "data",
        "admin",
        {200: page_of(RECEIPT)},
        errors=(400,),
        query={"limit": LIMIT, "cursor": CURSOR},
        words="No name is in them.",
    ),
    "GET /api/v1/receipts/{id}": Operation("One receipt", "data", "admin", {200: RECEIPT}, errors=(404,)),
}
