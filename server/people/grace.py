"""Whose time is over is erased some days later, unless it was renewed until then."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from server.people.people import People

logger = logging.getLogger(__name__)

EVERY = 60.0  # seconds between two looks
STEADY = 600.0  # seconds for which the clock has to have gone evenly before anybody is erased by it
DRIFT = 5.0  # seconds that it may gain or lose between two looks


class Grace:
    """Erases with ``erase``, given a person's id and why (``expired``, ``withdrawn``), after ``days``. End it with
    :meth:`close`.

    A clock that was set wrong must not erase anybody: it has to agree for ten minutes with the one that only counts
    seconds (``monotonic``). A computer just started may have the time of its last battery change.
    """

    def __init__(
        self,
        people: People,
        days: int,
        erase: Callable[[str, str], Awaitable[object]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lapse = people.lapse
        self._days = timedelta(days=days)
        self._erase = erase
        self._monotonic = monotonic
        self.mine: Callable[[], bool] = lambda: True
        """Whether this node erases now: where there are several, one does."""
        self._seen: tuple[datetime, float] | None = None  # both clocks at the last look
        self._steady_since = monotonic()
        self._task = asyncio.create_task(self._work(), name="people: erase whose time is over")

    async def close(self) -> None:
        """No more looks."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def look(self) -> int:
        """Erase who is due, if the clock can be trusted; how many."""
        if not self._trusted() or not self.mine():
            return 0
        now, erased = self._lapse.clock(), 0
        for person_id in [id for id, since in self._lapse.ended() if now - since >= self._days]:
            if not self._lapse.allows(person_id):  # or renewed while another was erased
                record = self._lapse.of(person_id)
                withdrawn = record is not None and record.withdrawn is not None
                await self._erase(person_id, "withdrawn" if withdrawn else "expired")
                erased += 1
        return erased

    def _trusted(self) -> bool:
        now, counted = self._lapse.clock(), self._monotonic()
        if self._seen is not None:
            wall, count = self._seen
            if abs((now - wall).total_seconds() - (counted - count)) > DRIFT:
                self._steady_since = counted
        self._seen = (now, counted)
        return counted - self._steady_since >= STEADY

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                if erased := await self.look():
                    logger.info("people: %d erased whose time was over", erased)
            except Exception as error:  # a full disk today must not end this for ever
                logger.error("people: somebody could not be erased: %s", type(error).__name__)
