"""Everything that can stand in the audit log. What is not in these lists cannot be noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from server.storage.audit import BEGAN, PRUNED, RESEALED, Noted

Kind = Literal["view", "change"]
AGAIN = 600.0  # seconds in which the same view by the same visitor is one

CHANGE: Kind = "change"  # in the log before it is answered
VIEW: Kind = "view"  # within a second, and once in ten minutes
ACTIONS: Mapping[str, Kind] = {
    BEGAN: CHANGE,
    RESEALED: CHANGE,
    PRUNED: CHANGE,
    # who comes in, and by what
    "access.refused": VIEW,
    "access.joined": VIEW,
    "access.owned": CHANGE,
    "access.signed_in": CHANGE,
    "access.signed_out": CHANGE,
    "access.password_changed": CHANGE,
    "access.passkey_added": CHANGE,
    "access.passkey_removed": CHANGE,
    "access.session_ended": CHANGE,
    "access.reset": CHANGE,
    "account.viewed": VIEW,
    "account.made": CHANGE,
    "account.changed": CHANGE,
    "account.removed": CHANGE,
    "link.made": CHANGE,
    "link.revoked": CHANGE,
    # who is known
    "people.listed": VIEW,
    "people.exported": CHANGE,
    "person.viewed": VIEW,
    "person.pictured": VIEW,
    "person.exported": CHANGE,
    "person.enrolled": CHANGE,
    "person.added": CHANGE,
    "person.changed": CHANGE,
    "person.removed": CHANGE,
    "person.merged": CHANGE,
    "person.split": CHANGE,
    "person.forgotten": CHANGE,
    "consent.recorded": CHANGE,
    "consent.withdrawn": CHANGE,
    "sample.moved": CHANGE,
    "sample.removed": CHANGE,
    "negative.added": CHANGE,
    "negative.removed": CHANGE,
    "changes.viewed": VIEW,
    "change.undone": CHANGE,
    # drafts
    "import.viewed": VIEW,
    "import.filled": CHANGE,
    "import.discarded": CHANGE,
    "album.viewed": VIEW,
    "album.pictured": VIEW,
    "album.filled": CHANGE,
    "album.discarded": CHANGE,
    # strangers and sightings
    "inbox.viewed": VIEW,
    "inbox.emptied": CHANGE,
    "stranger.pictured": VIEW,
    "stranger.named": CHANGE,
    "stranger.forgotten": CHANGE,
    "sightings.viewed": VIEW,
    "sightings.exported": CHANGE,
    "sightings.erased": CHANGE,
    "sighting.pictured": VIEW,
    "sighting.erased": CHANGE,
    "attendance.viewed": VIEW,
    "attendance.exported": CHANGE,
    "events.followed": VIEW,
    "webhook.added": CHANGE,
    "webhook.removed": CHANGE,
    "webhook.retried": CHANGE,
    "webhook.viewed": VIEW,
    # live pictures, photos and videos
    "live.listed": VIEW,
    "live.viewed": VIEW,
    "live.asked": VIEW,
    "live.forgotten": CHANGE,
    "camera.began": VIEW,
    "camera.ended": CHANGE,
    "camera.changed": CHANGE,
    "camera.watched": VIEW,
    "photo.recognised": VIEW,
    "videos.listed": VIEW,
    "video.received": CHANGE,
    "video.viewed": VIEW,
    "video.played": VIEW,
    "video.pictured": VIEW,
    "video.exported": CHANGE,
    "video.named": CHANGE,
    "video.erased": CHANGE,
    "evaluation.filled": CHANGE,
    "evaluation.viewed": VIEW,
    "evaluation.discarded": CHANGE,
    # who may do what, and with what
    "key.made": CHANGE,
    "key.revoked": CHANGE,
    "room.opened": CHANGE,
    "room.changed": CHANGE,
    "room.closed": CHANGE,
    "room.viewed": VIEW,
    "invitation.made": CHANGE,
    "invitation.revoked": CHANGE,
    "source.added": CHANGE,
    "source.removed": CHANGE,
    "reading.changed": CHANGE,
    "threshold.changed": CHANGE,
    "models.changed": CHANGE,
    "master_key.changed": CHANGE,
    "people.rekeyed": CHANGE,
    "backup.made": CHANGE,
    "backup.restored": CHANGE,
    # this page
    "data.viewed": VIEW,
    "audit.viewed": VIEW,
    "receipt.viewed": VIEW,
    "retention.erased": CHANGE,
}
DETAILS = frozenset(
    {
        "", "key", "mark", "retention",
        "401", "403",
        "owner", "account", "device", "password", "passkey",
        "live", "visit", "photos", "inbox", "group", "video", "restored",
        "sightings", "strangers", "videos", "changes",
        "asked", "expired", "withdrawn", "resumed",
    }
)  # fmt: skip
"""Words beside an action: how it came about, or what of."""
COUNTED = frozenset({"access.refused"})  # what is repeated within ten minutes is one more row, with its number


def checked(entry: Noted) -> Noted:
    """The same. Raises ``ValueError`` for what is in no list, or says more than an id."""
    if entry.action not in ACTIONS:
        raise ValueError(f"there is no action {entry.action!r}: server/audit/actions.py lists them")
    if entry.detail not in DETAILS:
        raise ValueError(f"there is no detail {entry.detail!r}: server/audit/actions.py lists them")
    if " " in entry.subject or len(entry.subject) > 64 or not entry.subject.isascii():
        raise ValueError("the subject of a row is an id")
    return entry
