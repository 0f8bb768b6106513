"""How late the event loop is, and how long recognition waits for a thread: looked at twice a second."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from concurrent.futures import Executor

from server.observing.histogram import Histogram

EVERY = 0.5  # seconds between two looks
KEPT = 60  # looks: half a minute


class Waits:
    """Begin with :meth:`start`, end with :meth:`close`."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.lag = Histogram()  # of the event loop
        self.queue = Histogram()  # of the threads that recognise
        self._lags: deque[float] = deque(maxlen=KEPT)
        self._waits: deque[float] = deque(maxlen=KEPT)
        self._asked: float | None = None  # perf_counter of a question that no thread has taken yet
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Look from now on."""
        self._tasks = [
            asyncio.create_task(self._follow_loop(), name="observing: event loop"),
            asyncio.create_task(self._follow_threads(), name="observing: threads"),
        ]

    async def close(self) -> None:
        """Look no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def worst_lag(self) -> float:
        """Seconds by which the event loop was late at most in the last half minute."""
        return max(self._lags, default=0.0)

    @property
    def worst_wait(self) -> float:
        """Seconds that something waited for a thread at most in the last half minute, what waits now included."""
        return max(self.age, max(self._waits, default=0.0))

    @property
    def age(self) -> float:
        """Seconds that what was last asked of the threads has been waiting."""
        return 0.0 if self._asked is None else time.perf_counter() - self._asked

    async def _follow_loop(self) -> None:
        while True:
            due = time.perf_counter() + EVERY
            await asyncio.sleep(EVERY)
            late = max(0.0, time.perf_counter() - due)
            self.lag.add(late)
            self._lags.append(late)

    async def _follow_threads(self) -> None:
        """Ask the threads for nothing, as a frame asks for a look: it waits as long as one."""
        loop = asyncio.get_running_loop()
        while True:
            self._asked = asked = time.perf_counter()
            with contextlib.suppress(RuntimeError):  # they end
                taken = await loop.run_in_executor(self._executor, time.perf_counter)
                self.queue.add(taken - asked)
                self._waits.append(taken - asked)
            self._asked = None
            await asyncio.sleep(EVERY)
