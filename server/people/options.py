"""How people are kept, as the settings say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from pipeline.gallery import APPROXIMATE_ABOVE
from server.people.consent import Terms
from server.settings import Settings
from server.storage import UNDO_DAYS
from server.vault import MasterSource

ASKING = Terms()
"""Whoever says nothing of it is asked and not refused; the server itself goes by its settings."""


def utc_now() -> datetime:
    """What time it is, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class PeopleOptions:
    """How people are kept: samples in a template, days in which a correction can be undone, people above whom the
    search is approximate, what is asked of whoever enrols somebody, where the master key comes from (``None``: the data
    folder), what time it is (UTC), and the address of the database (empty: a file)."""

    max_samples: int = 16
    undo_days: float = UNDO_DAYS
    approximate_above: int = APPROXIMATE_ABOVE
    terms: Terms = ASKING
    master: MasterSource | None = None
    clock: Callable[[], datetime] = utc_now
    database: str = field(default="", repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What the settings say."""
        terms = Terms(settings.consent == "require", settings.consent_days)
        return cls(
            settings.max_samples, settings.undo_days, settings.approximate_above, terms, MasterSource.of(settings),
            database=settings.database,
        )  # fmt: skip
