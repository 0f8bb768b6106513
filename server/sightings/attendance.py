"""Who was there, from when to when, and for how long altogether."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from server.storage.sightings import SeenRow


@dataclass(frozen=True, slots=True)
class Attendance:
    """One person in a span of time (UTC). ``total`` counts a moment once, however many cameras saw them."""

    person: str
    name: str
    first: datetime
    last: datetime
    total: timedelta
    sightings: int


def attendance(rows: Iterable[SeenRow], begin: datetime, end: datetime) -> list[Attendance]:
    """Everybody named in these sightings, each clipped to the span, whoever came first first."""
    spans: dict[str, list[tuple[datetime, datetime]]] = {}
    names: dict[str, str] = {}
    for row in rows:
        if row.person is not None and row.name is not None:
            names[row.person] = row.name
            spans.setdefault(row.person, []).append((max(row.began, begin), min(row.ended, end)))
    found = [
        Attendance(
            person, names[person], min(b for b, _ in own), max(e for _, e in own), covered(own), len(own)
        )
        for person, own in spans.items()
    ]  # fmt: skip
    return sorted(found, key=lambda a: (a.first, a.name, a.person))


def covered(spans: Iterable[tuple[datetime, datetime]]) -> timedelta:
    """How long at least one of them lasts."""
    total, reached = timedelta(0), None
    for begin, end in sorted(spans):
        start = begin if reached is None else max(begin, reached)
        if end > start:
            total += end - start
        reached = end if reached is None else max(reached, end)
    return total
