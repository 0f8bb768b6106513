"""Every table there is: each module that has some is loaded, so that ``METADATA`` knows them all."""

from __future__ import annotations

from server.storage import (
    accounts,
    api_keys,
    audit,
    change_number,
    consent_mode,
    consents,
    events,
    forgetting,
    inbox,
    model_change,
    nodes,
    room_reading,
    rooms,
    schema,
    server_secrets,
    sightings,
    sources,
    threshold,
)

__all__ = [
    "accounts",
    "api_keys",
    "audit",
    "change_number",
    "consent_mode",
    "consents",
    "events",
    "forgetting",
    "inbox",
    "model_change",
    "nodes",
    "room_reading",
    "rooms",
    "schema",
    "server_secrets",
    "sightings",
    "sources",
    "threshold",
]
