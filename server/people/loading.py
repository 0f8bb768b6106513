"""From the store to galleries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from pipeline.gallery import Entry, Gallery
from server.storage import Consent, PeopleStore, consents, reading


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose numbers are wanted: those of a pack, of so many samples of each at most, of whoever may be recognised at a
    time (UTC)."""

    digest: str
    dimension: int
    max_samples: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Loaded:
    """Who may be recognised, and of everybody why they may or may not."""

    entries: list[Entry]
    records: Mapping[str, Consent]


def load(store: PeopleStore, what: Wanted, ids: Collection[str] | None = None) -> Loaded:
    """Everybody, or some. Blocks."""
    entries = store.read(reading.gallery_entries, what.digest, what.dimension, what.max_samples, ids, what.at)
    return Loaded(entries, store.read(consents.newest, ids))


def build(found: Loaded, what: Wanted, version: int, above: int) -> dict[str | None, Gallery]:
    """A gallery of everyone's people and one for each room that has some; the search is approximate above so many.
    Takes seconds for many."""
    rooms: dict[str | None, list[Entry]] = {None: []}
    for entry in found.entries:
        rooms.setdefault(entry[0].room, []).append(entry)
    return {room: Gallery.build(some, what.dimension, what.digest, version, above) for room, some in rooms.items()}
