"""By what time it is old enough to be erased.

Much is erased by its age, and for good. A clock that suddenly says it is years later (an empty battery, a typing error,
a bad time server) would have everything erased at once. So the newest time that was believed is kept beside the store.
A clock that is more than ``LEAP`` further on than it can be is not believed until it has said so for ``DOUBT`` without
a break; until then nothing grows older than it would have by the time that has passed since. A clock that goes back
makes everything younger, and erases less: it is believed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from server.private_files import write_private
from server.settings import StartError

logger = logging.getLogger(__name__)

LEAP = timedelta(days=30)
DOUBT = timedelta(hours=24)
NOTED_EVERY = timedelta(hours=1)


class Ageing:
    """The time by which ages are reckoned; called for it. ``path`` keeps it over restarts, where it can be written."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._clock, self._steady = path, clock, steady
        self._noted = _read(path)
        self._believed = self._noted or clock()
        self._at = steady()
        self._doubted: float | None = None

    def __call__(self) -> datetime:
        """Now, or what it can be at most."""
        said, steady = self._clock(), self._steady()
        expected = self._believed + timedelta(seconds=steady - self._at)
        if said > expected + LEAP:
            if self._doubted is None:
                self._doubted = steady
                logger.warning(
                    "the clock says %s, %d days later than it can be: nothing is erased by its age for %d hours",
                    f"{said:%Y-%m-%d}",
                    (said - expected).days,
                    DOUBT / timedelta(hours=1),
                )
            if steady - self._doubted < DOUBT.total_seconds():
                return expected
        self._doubted = None
        if said > expected or self._noted is None:
            self._believed, self._at = said, steady
        self._note(max(said, expected))
        return said

    def _note(self, now: datetime) -> None:
        if self._noted is not None and now - self._noted < NOTED_EVERY:
            return
        try:
            write_private(self._path, f"{now.isoformat()}\n".encode())
        except StartError:
            return  # the disk is full or read-only: later
        self._noted = now


def _read(path: Path) -> datetime | None:
    try:
        found = datetime.fromisoformat(path.read_text("ascii").strip())
    except (OSError, ValueError):
        return None
    return found if found.tzinfo is not None else None
