"""What others wrote into the store, other nodes or commands, for whoever holds some of it in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from server.storage import PeopleStore, StorageError
from server.storage.elsewhere import ANYTHING, Elsewhere

BEGIN = 5.0  # seconds that the first connection is waited for


class Following(Protocol):
    """Tells what was written elsewhere."""

    async def next(self, seconds: float) -> Elsewhere | None:
        """What was written since the last time; ``None``: nothing within these seconds."""

    async def close(self) -> None:
        """End it."""


class Polled:
    """Of a file: SQLite says that somebody wrote, and not what."""

    def __init__(self, version: Callable[[], Awaitable[int]], seen: int) -> None:
        self._version, self._seen = version, seen

    async def next(self, seconds: float) -> Elsewhere | None:
        """Looks once, when the time is over."""
        await asyncio.sleep(seconds)
        version = await self._version()
        if version == self._seen:
            return None
        self._seen = version
        return ANYTHING

    async def close(self) -> None:
        """Nothing is open."""


class Told:
    """Of a database that several nodes have: each change is told, with whom it may concern."""

    def __init__(self, store: PeopleStore) -> None:
        self._loop = asyncio.get_running_loop()
        self._come = asyncio.Event()
        self._waiting: Elsewhere | None = None
        self._changes = store.backend.changes(self._tell)

    async def begin(self) -> None:
        """Hear before anything is read, so that nothing falls between. Raises :class:`StorageError`."""
        if not await asyncio.to_thread(self._changes.wait, BEGIN):
            await self.close()
            raise StorageError("the database does not let us listen (LISTEN); connect without a pooler in between")

    async def next(self, seconds: float) -> Elsewhere | None:
        """At once, when something is told."""
        try:
            async with asyncio.timeout(seconds):
                await self._come.wait()
        except TimeoutError:
            return None
        self._come.clear()
        found, self._waiting = self._waiting, None
        return found

    async def close(self) -> None:
        """Listen no more."""
        await asyncio.to_thread(self._changes.close)

    def _tell(self, elsewhere: Elsewhere) -> None:
        self._loop.call_soon_threadsafe(self._add, elsewhere)

    def _add(self, elsewhere: Elsewhere) -> None:
        self._waiting = elsewhere if self._waiting is None else self._waiting.with_(elsewhere)
        self._come.set()


async def follow(store: PeopleStore, version: Callable[[], Awaitable[int]]) -> Following:
    """Begin to follow; whatever is read from the store after this is followed from there on."""
    if not store.backend.shared:
        return Polled(version, await version())
    told = Told(store)
    await told.begin()
    return told
