"""What a node began and left when it died is finished by another."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

logger = logging.getLogger(__name__)

EVERY = 30.0  # seconds between two looks
LEFT_ALONE = timedelta(minutes=10)  # what was begun within them may still be under way


class Unfinished:
    """Looks now and then where ``mine`` says that it is this node's to do, and calls ``resume`` with the time before
    which something was begun that nobody works on any more. End it with :meth:`close`."""

    def __init__(self, mine: Callable[[], bool], resume: Callable[[datetime], Awaitable[object]]) -> None:
        self._mine = mine
        self._resume = resume
        self._task = asyncio.create_task(self._work(), name="nodes: finish what was left")

    async def close(self) -> None:
        """No more looks."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                if self._mine():
                    await self._resume(datetime.now(UTC) - LEFT_ALONE)
            except Exception as error:  # a database that is away must not end this
                logger.error("nodes: what was left could not be finished: %s", type(error).__name__)
