"""The kinds of data there are. Every table of the store and everything in the data folder belongs to one: a test says
so, and whoever adds a table decides here how long it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Rule = Literal["forgotten", "days", "deleted", "revoked", "minutes", "session", "kept", "measured", "none"]
RULES: dict[Rule, str] = {
    "forgotten": "until the person is forgotten",
    "days": "for so many days",
    "deleted": "until somebody deletes it",
    "revoked": "until it is revoked, or over",
    "minutes": "in memory, for so many minutes after somebody touched it last, and no longer than the server runs",
    "session": "in memory, until the session ends",
    "kept": "for good",
    "measured": "until the measurement is done, and no longer than the server runs",
    "none": "not at all",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of data. ``tables`` and ``files`` (names in the data folder) are what it lies in, the first table is
    what is counted, ``since`` its column of times, ``only`` the columns that count, where those of a table are of two
    kinds (then ``without`` is for the other). ``setting`` says how long, ``switch`` whether at all; ``page``: where to
    look and to erase."""

    id: str
    rule: Rule
    tables: tuple[str, ...] = ()
    since: str = "created"
    where: str = ""
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    setting: str | None = None
    switch: str | None = None
    amount: float | None = None
    """Days or minutes, where no setting says."""
    page: str | None = None


STORE = ("people.sqlite3", "people.sqlite3-wal", "people.sqlite3-shm")
"""Where all tables lie."""
_KEYRING = ("keyring.sqlite3", "keyring.sqlite3-wal", "keyring.sqlite3-shm")
KINDS: Sequence[Kind] = (
    Kind("people", "forgotten", ("person",), where="deleted IS NULL", page="/people"),
    Kind("samples", "forgotten", ("sample", "other_embedding"), without=("crop", "crop_landmarks"), page="/people"),
    Kind(
        "crops", "forgotten", ("sample",), where="crop IS NOT NULL", only=("crop", "crop_landmarks"),
        switch="keep_crops", page="/people",
    ),
    Kind("consents", "forgotten", ("consent",), since="recorded", page="/people"),
    Kind("negatives", "forgotten", ("negative",), page="/people"),
    Kind("changes", "days", ("change", "change_row"), since="at", setting="undo_days", page="/people"),
    Kind(
        "strangers", "days", ("stranger",), since="first", setting="inbox_days", switch="inbox",
        page="/people#strangers",
    ),
    Kind(
        "sightings", "days", ("seen", "sighting"), since="began", without=("crop",), setting="sightings_days",
        switch="sightings", page="/sightings",
    ),
    Kind(
        "sighting_crops", "days", ("seen",), since="began", where="crop IS NOT NULL", only=("crop",),
        setting="sightings_days", switch="sightings_crops", page="/sightings",
    ),
    Kind("events", "days", ("event",), since="at", amount=1, page="/sightings"),
    Kind("webhooks", "deleted", ("webhook", "delivery"), page="/sightings"),
    Kind("films", "days", files=("videos",), setting="video_days", page="/videos"),
    Kind("video_results", "days", setting="video_days", page="/videos"),
    Kind("drafts", "minutes", amount=60, page="/people#add"),
    Kind("live", "session", page="/"),
    Kind("evaluation", "measured", files=("evaluation",), page="/evaluate"),
    Kind("audit", "days", ("audit", "audit_mark"), since="at", setting="audit_days"),
    Kind("receipts", "kept", ("receipt", "forgetting"), since="at"),
    Kind("accounts", "deleted", ("account", "passkey"), page="/access"),
    Kind("signed_in", "days", ("account_session",), setting="session_days", page="/access"),
    Kind("one_time_links", "days", ("one_time_link",), amount=7, page="/access"),
    Kind("keys", "revoked", ("api_key",), page="/api"),
    Kind("links", "revoked", ("invitation", "invitation_device"), page="/access"),
    Kind("rooms", "deleted", ("room", "room_reading", "room_consent_mode"), page="/rooms"),
    Kind("sources", "deleted", ("source",), page="/rooms"),
    Kind(
        "choices", "kept",
        (
            "gallery_setting", "threshold_choice", "pack_choice", "vault_state", "store_change", "server_secret",
            "node", "alembic_version",
        ),
        since="",
    ),
    Kind("vault", "kept", files=(*_KEYRING, "master-key")),
    Kind("secrets", "kept", files=("signing-key", "link-key", "tls")),
    Kind("bookkeeping", "kept", files=("in-use.lock", "clock", "node-tag", "node-name")),
    Kind("logs", "none"),
)  # fmt: skip
