"""Shares the processors among the live sessions, twice a second and whenever one comes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.metrics import percentile
from server.load.allotment import Allotment
from server.load.budget import Budget
from server.load.meter import Meter
from server.load.share import Demand

logger = logging.getLogger(__name__)

EVERY = 0.5  # seconds between two measurements
BEAT = 0.1  # … and between two looks at whether the event loop keeps time
SOONEST = 0.1  # seconds between two sharings, however many sessions come
WAIT = 5  # seconds that the first who finds the server full is asked to wait; those after it longer …
LONGEST_WAIT = 60  # … so that they do not all come back at once
REFUSED_WITHIN = 30.0  # seconds that count for that


class Served(Protocol):
    """A live session."""

    @property
    def allotment(self) -> Allotment:
        """What it gets."""

    def demand(self, now: float) -> Demand:
        """What it could use; ``now``: monotonic seconds."""


@dataclass(frozen=True, slots=True)
class LoadState:
    """How the server does: processors there are, used by it and by others; milliseconds of a processor that a picture
    costs; pictures a second that can be shared and that were answered; how late answers are, in milliseconds; sessions
    now and how many would get the least there is; how many were turned away since the start."""

    processors: float
    own: float
    others: float
    cost_ms: float
    budget_fps: float
    answered_fps: float
    late_ms: float
    sessions: int
    most: int
    refused: int


class FairLoad:
    """Owns the budget. ``limit``: sessions at the same time at most, ``0``: as many as the budget serves."""

    def __init__(self, sessions: Callable[[], Sequence[Served]], meter: Meter, budget: Budget, limit: int = 0) -> None:
        self._sessions, self._meter, self._budget, self._limit = sessions, meter, budget, limit
        self._came = asyncio.Event()
        self._lags: deque[float] = deque(maxlen=round(EVERY / BEAT) * 2)
        self._refused: deque[float] = deque(maxlen=1000)
        self._turned_away = 0
        self._state = LoadState(meter.processors, 0, 0, budget.cost * 1e3, budget.rate, 0, 0, 0, self.most, 0)
        self._tasks = [
            asyncio.create_task(self._sharing(), name="load: share"),
            asyncio.create_task(self._beating(), name="load: event loop"),
        ]

    async def close(self) -> None:
        """Share nothing any more."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @property
    def most(self) -> int:
        """How many sessions there may be."""
        return min(self._budget.most, self._limit) if self._limit else self._budget.most

    def state(self) -> LoadState:
        """As it was at the last measurement."""
        return self._state

    def wait(self, sessions: int) -> int | None:
        """Whether somebody may come where so many are: ``None``, or how many seconds they should wait."""
        if sessions < self.most:
            self._came.set()
            return None
        now = time.monotonic()
        while self._refused and now - self._refused[0] > REFUSED_WITHIN:
            self._refused.popleft()
        self._refused.append(now)
        self._turned_away += 1
        return min(LONGEST_WAIT, WAIT + len(self._refused) // 2)

    async def _sharing(self) -> None:
        measured = time.monotonic()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self._came.wait()
                    await asyncio.sleep(SOONEST)
            self._came.clear()
            try:
                now = time.monotonic()
                if now - measured >= EVERY:
                    measured = now
                    self._measure()
                self._share(now)
            except Exception as error:  # whatever fails once must not leave everybody with what they had
                logger.error("load: could not be shared: %s", type(error).__name__)

    async def _beating(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(BEAT)
            self._lags.append(max(0.0, time.monotonic() - before - BEAT))

    def _measure(self) -> None:
        pictures = 0
        ages: list[float] = []
        for session in self._sessions():
            answered, waited = session.allotment.take()
            pictures += answered
            ages += waited
        # Packets wait where the loop is late, before anybody notes when they came.
        late = (percentile(ages, 90) if ages else 0.0) + (percentile(list(self._lags), 90) if self._lags else 0.0)
        seen = self._meter.read(pictures, late)
        self._budget.learn(seen)
        self._state = LoadState(
            processors=seen.processors,
            own=round(seen.own, 3),
            others=round(seen.others, 3),
            cost_ms=round(self._budget.cost * 1e3, 2),
            budget_fps=round(self._budget.rate, 1),
            answered_fps=round(pictures / seen.seconds, 1),
            late_ms=round(late * 1e3, 1),
            sessions=len(self._sessions()),
            most=self.most,
            refused=self._turned_away,
        )

    def _share(self, now: float) -> None:
        sessions = self._sessions()
        shares = self._budget.share([session.demand(now) for session in sessions])
        for session, share in zip(sessions, shares, strict=True):
            session.allotment.give(share, len(sessions), now)
