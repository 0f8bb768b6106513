"""The people everybody on this server is recognised by: one thread owns the store, everyone else reads a snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar

from pipeline.gallery import Gallery, Person
from server.storage import NewSample, PeopleStore, PersonRow

T = TypeVar("T")


class People:
    """The gallery, kept in step with the store. Open with ``await People.open(…)``, end with :meth:`close`."""

    def __init__(self, store: PeopleStore, thread: ThreadPoolExecutor, digest: str, dimension: int) -> None:
        self._store = store
        self._thread = thread
        self._digest = digest
        self._dimension = dimension
        self._listeners: set[Callable[[int], None]] = set()
        self._lock = asyncio.Lock()
        self._changes: set[asyncio.Task[Any]] = set()
        self.gallery = Gallery.empty(dimension, digest)

    @classmethod
    async def open(cls, path: Path, digest: str, dimension: int) -> Self:
        """Open the store and load everybody enrolled with this pack. Raises :class:`server.storage.StorageError`."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="people")
        try:
            store = await asyncio.get_running_loop().run_in_executor(thread, PeopleStore, path)
            people = cls(store, thread, digest, dimension)
            await people._reload()
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return people

    async def close(self) -> None:
        """Finish what is being written, then let go of the file."""
        await asyncio.gather(*self._changes, return_exceptions=True)
        await self._run(self._store.close)
        self._thread.shutdown()

    def subscribe(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """Call ``listener`` with the number of people after every change; the result ends that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    async def list(self) -> list[PersonRow]:
        """Everybody, by name."""
        return await self._run(self._store.people)

    async def find(self, name: str) -> Person | None:
        """Who bears this name."""
        return await self._run(lambda: self._store.find(name))

    async def add_person(self, name: str, samples: Sequence[NewSample]) -> Person:
        """Enrol somebody new. Raises :class:`server.storage.BadName` or :class:`server.storage.NameTaken`."""
        return await self._change(lambda: self._store.add_person(name, samples, self._digest))

    async def add_samples(self, person_id: str, samples: Sequence[NewSample]) -> bool:
        """Add samples to somebody; ``False`` if they are gone."""
        return await self._change(lambda: self._store.add_samples(person_id, samples, self._digest))

    async def rename(self, person_id: str, name: str) -> bool:
        """Rename somebody; ``False`` if they are gone."""
        return await self._change(lambda: self._store.rename(person_id, name))

    async def forget(self, person_id: str) -> bool:
        """Erase somebody; ``False`` if they are gone already."""
        return await self._change(lambda: self._store.forget(person_id))

    async def _change(self, work: Callable[[], T]) -> T:
        # What is written is seen by all, even if whoever asked for it has gone in the meantime.
        change = asyncio.create_task(self._write(work), name="people: change")
        self._changes.add(change)
        change.add_done_callback(self._changes.discard)
        return await asyncio.shield(change)

    async def _write(self, work: Callable[[], T]) -> T:
        # One change at a time, so that snapshots follow each other in the order of the writes.
        async with self._lock:
            result = await self._run(work)
            await self._reload()
        for listener in tuple(self._listeners):
            listener(len(self.gallery))
        return result

    async def _reload(self) -> None:
        version = self.gallery.version + 1
        self.gallery = await self._run(lambda: self._store.gallery(self._digest, self._dimension, version))

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
