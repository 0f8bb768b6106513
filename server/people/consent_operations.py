"""What the routes about consent take and answer; the routes are in :mod:`server.people.consent_routes`."""

from __future__ import annotations

from server.api.operations import Operation
from server.api.schemas import DAY, TEXT, TIME, listed, maybe, one_of, record
from server.storage.consent_values import LAWFUL, MAX_PURPOSE

BASE = "/api/v1/people/{id}/consents"
CONSENT = record(
    "Consent",
    purpose=TEXT,
    basis=one_of(*LAWFUL, "not_recorded"),
    given=DAY,
    expires=maybe(TIME),
    withdrawn=maybe(TIME),
    recorded=TIME,
    recorded_by=TEXT,
    state=one_of("holds", "over", "withdrawn", "not_recorded"),
)
_EXPIRES = {
    "anyOf": [DAY, TIME, {"type": "null"}],
    "description": "The last day, or a time; null: never. Where it is missing the setting consent_days says",
}
NEW_CONSENT = record(
    "NewConsent",
    {"given": {**DAY, "description": "Today, where it is missing"}, "expires": _EXPIRES},
    purpose={"type": "string", "minLength": 1, "maxLength": MAX_PURPOSE},
    basis=one_of(*LAWFUL),
)
MAY_CONSENT = {"consent": maybe(NEW_CONSENT)}
"""The field of every message that may make somebody known."""
RECORDED = record("ConsentRecorded", consent=CONSENT)

OPERATIONS = {
    f"GET {BASE}": Operation(
        "Why somebody may be recognised: every record, the newest first",
        "people",
        "read",
        {200: record("Consents", consents=listed(CONSENT))},
    ),
    f"POST {BASE}": Operation(
        "Record anew why somebody may be recognised",
        "people",
        "people",
        {201: RECORDED},
        words="The newest record counts; those before it stay as they are. Whoever was left out is recognised again.",
        body=NEW_CONSENT,
    ),
    f"POST {BASE}/withdraw": Operation(
        "Withdraw somebody's consent",
        "people",
        "people",
        {200: RECORDED},
        words="They are not recognised from then on, and erased after the days of the setting consent_grace_days.",
    ),
}
