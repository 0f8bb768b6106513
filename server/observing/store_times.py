"""How long whoever asks the store waits for it, and how often that fails."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import TypeVar

import sqlalchemy as sa

from server.observing.histogram import COARSE, Histogram

T = TypeVar("T")


class StoreTimes:
    """Counted on the event loop; times hold the wait for the store's thread."""

    def __init__(self) -> None:
        self.asked = Histogram(COARSE)
        self.changed = Histogram(COARSE)
        self.faults = 0

    async def of(self, work: Awaitable[T]) -> T:
        """Anything the store does."""
        began = time.perf_counter()
        try:
            return await work
        except (sa.exc.SQLAlchemyError, OSError):
            self.faults += 1
            raise
        finally:
            self.asked.add(time.perf_counter() - began)

    async def of_change(self, work: Awaitable[T]) -> T:
        """A change of people, which is one of these."""
        began = time.perf_counter()
        try:
            return await work
        finally:
            self.changed.add(time.perf_counter() - began)
