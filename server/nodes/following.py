"""What other nodes wrote, brought to whoever here holds a copy of it in memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.people import People

logger = logging.getLogger(__name__)

Follow = Callable[[], Awaitable[object]]
APART = 0.2  # seconds between two times that the same is read anew
AGAIN = 1.0  # … after which what could not be read is read again


class Followers:
    """Each reads anew when one of its tables was written elsewhere, one at a time and at once or a moment later. End it
    with :meth:`close`."""

    def __init__(self, people: People, followers: Mapping[Follow, frozenset[str]]) -> None:
        self._due = {follow: asyncio.Event() for follow in followers}
        self._followers = followers
        self._tasks = [asyncio.create_task(self._work(follow), name="nodes: follow") for follow in followers]
        people.on_foreign_change(self._changed)

    async def close(self) -> None:
        """Follow no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _changed(self, tables: frozenset[str] | None) -> None:
        for follow, mine in self._followers.items():
            if tables is None or tables & mine:
                self._due[follow].set()

    async def _work(self, follow: Follow) -> None:
        due = self._due[follow]
        while True:
            await due.wait()
            due.clear()
            try:
                await follow()
            except Exception as error:  # a database that is away must not end following
                logger.error("nodes: what others wrote could not be read: %s", type(error).__name__)
                due.set()
                await asyncio.sleep(AGAIN)
            await asyncio.sleep(APART)
