"""Sightings and what is told of them, as JSON and as tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from server.sightings.attendance import Attendance
from server.storage.events import Delivery, Event, Webhook
from server.storage.sightings import SeenRow
from server.wording import harmless, stated

SEEN_COLUMNS = ("sighting", "name", "began", "ended", "seconds", "room", "session", "probability", "person")
PRESENT_COLUMNS = ("name", "first", "last", "seconds", "sightings", "person")


def seen_body(row: SeenRow, present: bool) -> dict[str, Any]:
    """One sighting."""
    return {
        "id": row.id,
        "person": None if row.person is None else {"id": row.person, "name": row.name},
        "room": row.room,
        "session": row.session,
        "began": row.began.isoformat(),
        "ended": row.ended.isoformat(),
        "present": present,
        "probability": _probability(row.probability),
        "picture": row.crop,
    }


def attendance_body(row: Attendance) -> dict[str, Any]:
    """One person of a day."""
    return {
        "person": {"id": row.person, "name": row.name},
        "first": row.first.isoformat(),
        "last": row.last.isoformat(),
        "seconds": round(row.total.total_seconds(), 1),
        "sightings": row.sightings,
    }


def event_body(event: Event) -> dict[str, Any]:
    """What webhooks and the stream of events say, with the members that Standard Webhooks asks for."""
    said = event.said
    return {
        "id": said.id,
        "number": event.number,
        "type": said.kind,
        "timestamp": said.at.isoformat(),
        "data": {
            "sighting": said.sighting,
            "person": None if said.person is None else {"id": said.person, "name": event.name},
            "room": said.room,
            "session": said.session,
            "began": said.began.isoformat(),
            "probability": _probability(said.probability),
        },
    }


def webhook_body(hook: Webhook) -> dict[str, Any]:
    """A webhook without its secret."""
    return {
        "id": hook.id,
        "url": hook.url,
        "kinds": list(hook.kinds),
        "room": hook.room,
        "created": hook.created.isoformat(),
        "delivered": hook.delivered,
        "waiting": hook.waiting,
        "given_up": hook.dead,
        "last": None if hook.last is None else hook.last.isoformat(),
        "words": hook.words,
    }


def delivery_body(delivery: Delivery) -> dict[str, Any]:
    """An event that did not arrive."""
    return {"event": event_body(delivery.event), "attempts": delivery.attempts, "words": delivery.words}


def seen_csv(rows: Iterable[SeenRow]) -> str:
    """Sightings as a table."""
    return _table(
        SEEN_COLUMNS,
        (
            (
                row.id, row.name or "", row.began.isoformat(), row.ended.isoformat(),
                round((row.ended - row.began).total_seconds(), 1), row.room or "", row.session,
                "" if row.probability is None else _probability(row.probability), row.person or "",
            )
            for row in rows
        ),
    )  # fmt: skip


def attendance_csv(rows: Iterable[Attendance]) -> str:
    """Attendance as a table."""
    return _table(
        PRESENT_COLUMNS,
        (
            (r.name, r.first.isoformat(), r.last.isoformat(), round(r.total.total_seconds(), 1), r.sightings, r.person)
            for r in rows
        ),
    )


def _probability(value: float | None) -> float | None:
    return None if value is None else round(stated(value), 3)


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([[harmless(cell) if isinstance(cell, str) else cell for cell in row] for row in rows])
    return out.getvalue()
