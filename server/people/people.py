"""The people everybody on this server is recognised by: one thread owns the store, everyone else reads a snapshot."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from pipeline.gallery import Gallery, Person
from pipeline.templates import person_template
from server.observing.store_times import StoreTimes
from server.people.following import Following, follow
from server.people.galleries import Galleries
from server.people.lapse import Lapse
from server.people.loading import Wanted, load
from server.people.options import PeopleOptions
from server.storage import (
    Added,
    Change,
    Forgotten,
    NewConsent,
    NewPerson,
    NewSample,
    NoSuchPerson,
    PeopleStore,
    PersonDetail,
    PersonRow,
    Recording,
    SampleRow,
    reading,
)
from server.storage.elsewhere import Elsewhere
from server.storage.forgetting import waiting
from server.vault import Vault
from tracking import Embedding

logger = logging.getLogger(__name__)

T = TypeVar("T")
Tables = frozenset[str] | None
"""Names of tables that somebody else wrote in; ``None``: any."""
POLL = 1.0  # seconds between two looks whether another process (visavis people import) has written
TICK, MOMENT = 0.2, 0.005  # seconds between two looks at the clock at most, and at least
ERASE_EVERY = 3600.0  # seconds between two looks for what can no longer be undone


class People:
    """The galleries, kept in step with the store. Open with ``await People.open(…)``, end with :meth:`close`.

    Whatever changes something raises what the method of the same name in :class:`server.storage.PeopleStore` raises.
    """

    def __init__(
        self, store: PeopleStore, thread: ThreadPoolExecutor, digest: str, dimension: int, options: PeopleOptions
    ) -> None:
        self._store = store
        self._thread = thread
        self._digest = digest
        self._dimension = dimension
        self._options = options
        self._listeners: set[Callable[[int], None]] = set()
        self._lock = asyncio.Lock()
        self._changes: set[asyncio.Task[Any]] = set()
        self._following: Following | None = None
        self._foreign: list[Callable[[Tables], Awaitable[None]]] = []
        self._galleries = Galleries(digest, dimension, options.approximate_above, self._lock, self._spawn)
        self._watches: list[asyncio.Task[None]] = []
        self.terms = options.terms
        self.lapse = Lapse(options.clock)
        self.times = StoreTimes()
        self.expired: Callable[[str, int], None] = lambda _what, _count: None
        """Told what was erased because it can no longer be undone."""

    @classmethod
    async def open(cls, path: Path, digest: str, dimension: int, options: PeopleOptions | None = None) -> Self:
        """Open the store and load everybody enrolled with this pack. Raises :class:`server.storage.StorageError`."""
        options = options or PeopleOptions()
        thread = ThreadPoolExecutor(1, thread_name_prefix="people")
        try:
            loop = asyncio.get_running_loop()
            opening = partial(PeopleStore, path, options.undo_days, options.master, database=options.database)
            store = await loop.run_in_executor(thread, opening)
            people = cls(store, thread, digest, dimension, options)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        try:
            people._following = await follow(store, lambda: people._run(store.version))
            await people._reload()
        except BaseException:
            await people.close()
            raise
        people._watches = [
            asyncio.create_task(people._watching(), name="people: watch the store"),
            asyncio.create_task(people._keeping_time(), name="people: whose time is over"),
        ]
        return people

    async def close(self) -> None:
        """Finish what is being written, then let go of the file."""
        for watch in self._watches:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
        await asyncio.gather(*self._changes, return_exceptions=True)
        if self._following is not None:
            await self._following.close()
        await self._run(self._store.close)
        self._thread.shutdown()

    def ageing(self) -> datetime:
        """The time by which it is reckoned what is old enough to be erased: :mod:`server.storage.ageing`."""
        return self._store.ageing()

    def subscribe(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """Call ``listener`` with the number of everyone's people after every change; the result ends that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def on_foreign_change(self, listener: Callable[[Tables], Awaitable[None]]) -> None:
        """Await ``listener`` when somebody else has written, another node or a command: with the tables it was in, or
        ``None`` for any. Whatever holds a copy of a table reads it anew then."""
        self._foreign.append(listener)

    @property
    def vault(self) -> Vault:
        """The keys of this data folder, for what is kept beside the store."""
        return self._store.vault

    # -- snapshots -------------------------------------------------------------------------------------------------

    @property
    def gallery(self) -> Gallery:
        """Everyone's people."""
        return self.gallery_of(None)

    def gallery_of(self, room: str | None) -> Gallery:
        """Everyone's people and, on top of them, a room's; the same object until something changes."""
        return self._galleries.of(room)

    # -- why they may be recognised --------------------------------------------------------------------------------

    def lawful(self, person_id: str) -> bool:
        """Whether there is a reason in law why somebody may be recognised now; from any thread."""
        return self.lapse.lawful(person_id)

    def consented(self, person_id: str) -> bool:
        """Whether that reason is their own consent; from any thread."""
        return self.lapse.consented(person_id)

    def recording(self, by: str) -> Recording:
        """How whoever asks writes down why somebody may be recognised."""
        return Recording(self.terms.require, by, self.lapse.clock())

    # -- questions -------------------------------------------------------------------------------------------------

    async def list(self) -> Sequence[PersonRow]:
        """Everybody, by name."""
        return await self._run(self._store.people)

    async def person(self, person_id: str) -> PersonDetail | None:
        """Somebody with all samples."""
        found: PersonDetail | None = await self._read(reading.person_detail, person_id)
        return found

    async def find(self, name: str, room: str | None = None) -> Person | None:
        """Who bears this name, as seen from a room."""
        return await self._run(lambda: self._store.find(name, room))

    async def embeddings(self, digest: str) -> Sequence[SampleRow]:
        """Every sample that the pack ``digest`` computed."""
        return await self._run(
            lambda: self._store.read(lambda connection: [*reading.stored_samples(connection, digest=digest)])
        )

    async def person_embeddings(self, person_id: str) -> Sequence[tuple[str, Embedding, bool]]:
        """Somebody's samples of the pack in use: id, embedding, whether a crop is kept."""
        rows = await self._run(
            lambda: self._store.read(
                lambda connection: [*reading.stored_samples(connection, person_id, digest=self._digest)]
            )
        )
        return [(row.id, row.embedding, row.crop) for row in rows]

    async def template_of(self, person_id: str) -> Embedding | None:
        """What somebody is recognised by, or would be, were they not removed; ``None`` where the pack in use has read
        nothing of them."""
        found = await self._read(reading.every_embedding, person_id, self._digest)
        return None if found is None else person_template(found[0], found[1], self._options.max_samples)

    async def known_contents(self, contents: Collection[str]) -> dict[str, tuple[str, str]]:
        """Which photos (SHA-256) are somebody's already: {content: (person's id, name)}."""
        found: dict[str, tuple[str, str]] = await self._read(reading.known_contents, contents)
        return found

    async def crop(self, sample_id: str) -> bytes | None:
        """A sample's picture (JPEG), if one is kept."""
        found = await self._read(reading.crop, sample_id)
        return None if found is None else found[0]

    async def changes(self) -> Sequence[Change]:
        """What can be undone, or was, newest first."""
        return await self._run(self._store.changes)

    async def target(self, room: str | None) -> float | None:
        """The share of strangers that may get a name (FPIR), if one was chosen for this gallery."""
        return self._galleries.target(room)

    # -- changes ---------------------------------------------------------------------------------------------------

    async def enrol(self, batch: Sequence[NewPerson], consent: NewConsent | None = None, by: str = "server") -> Added:
        """Enrol people and add samples: all of it or nothing. ``consent`` is of whoever brings none of their own."""
        batch = [new if new.consent else replace(new, consent=consent) for new in batch]
        how = self.recording(by)
        return await self._change(
            lambda: self._store.enrol(batch, self._digest, how), lambda added: [person.id for person in added.people]
        )

    async def add_person(
        self,
        name: str,
        samples: Sequence[NewSample],
        room: str | None = None,
        consent: NewConsent | None = None,
        by: str = "server",
    ) -> Person:
        """Enrol somebody new."""
        return (await self.enrol([NewPerson(name, tuple(samples), room)], consent, by)).people[0]

    async def add_samples(
        self, person_id: str, samples: Sequence[NewSample], consent: NewConsent | None = None, by: str = "server"
    ) -> bool:
        """Add samples to somebody; ``False`` if they are gone."""
        try:
            await self.enrol([NewPerson("", tuple(samples), id=person_id)], consent, by)
        except NoSuchPerson:
            return False
        return True

    async def rename(self, person_id: str, name: str) -> Change:
        """Rename somebody."""
        return await self._correct(lambda: self._store.rename(person_id, name))

    async def set_room(self, person_id: str, room: str | None) -> Change:
        """Let somebody belong to a room, or with ``None`` to everyone."""
        return await self._correct(lambda: self._store.set_room(person_id, room))

    async def remove_person(self, person_id: str) -> Change:
        """Take somebody away for now."""
        return await self._correct(lambda: self._store.remove_person(person_id))

    async def merge(self, source: str, target: str, same_face: float = 1.0) -> Change:
        """Give everything of one person to another. Marks 'not this person' of either that resemble the other by
        ``same_face`` (cosine) contradict it, and go. Raises ``ValueError`` where one of them may be recognised and the
        other may not."""
        if self.lapse.allows(source) != self.lapse.allows(target) and self.lapse.of(source) and self.lapse.of(target):
            raise ValueError("one of them may not be recognised any more: renew that, or forget them, before merging")
        return await self._correct(
            lambda: self._store.merge(
                source, target, self._store.read(reading.contradicted, source, target, self._digest, same_face)
            )
        )

    async def split(
        self,
        person_id: str,
        samples: Collection[str],
        name: str,
        consent: NewConsent | None = None,
        by: str = "server",
    ) -> tuple[Person, Change]:
        """Make somebody new of some of a person's samples."""
        how = self.recording(by)
        return await self._change(
            lambda: self._store.split(person_id, samples, name, consent, how), lambda result: result[1].people
        )

    async def move_sample(self, sample_id: str, person_id: str) -> Change:
        """Give a sample to somebody else."""
        return await self._correct(lambda: self._store.move_sample(sample_id, person_id))

    async def remove_sample(self, sample_id: str) -> Change:
        """Take a sample away for now."""
        return await self._correct(lambda: self._store.remove_sample(sample_id))

    async def add_negative(self, person_id: str, embedding: Embedding) -> Change:
        """Note a face that is not this person's."""
        return await self._correct(lambda: self._store.add_negative(person_id, embedding, self._digest))

    async def remove_negative(self, negative_id: str) -> Change:
        """Take such a note away."""
        return await self._correct(lambda: self._store.remove_negative(negative_id))

    async def undo(self, change_id: str) -> Change:
        """Take a change back."""
        return await self._correct(lambda: self._store.undo(change_id))

    async def forget(self, person_id: str) -> Forgotten | None:
        """Erase somebody for good; ``None`` if they are gone already."""
        return await self._change(lambda: self._store.forget(person_id), lambda _done: [person_id])

    async def set_target(self, room: str | None, one_in: float | None) -> None:
        """One wrong name in how many strangers a gallery may give; ``None``: what the pack advises."""
        await self._change(lambda: self._store.set_target(room, one_in), None)

    async def change_pack(self, digest: str, dimension: int, work: Callable[[PeopleStore], T] | None = None) -> None:
        """Recognise with another pack's embeddings from now on, after ``work`` on the store."""

        def exchange() -> None:
            if work is not None:
                work(self._store)

        await self._change(exchange, None, (digest, dimension))

    async def run(self, work: Callable[[PeopleStore], T]) -> T:
        """Work with the store in its thread, for parts that have tables of their own."""
        return await self._run(lambda: work(self._store))

    async def change(self, work: Callable[[PeopleStore], T], person_id: str) -> T:
        """The same for what changes whether somebody is recognised."""
        return await self._change(lambda: work(self._store), lambda _done: [person_id])

    # -- keeping in step -------------------------------------------------------------------------------------------

    async def _correct(self, work: Callable[[], Change]) -> Change:
        return await self._change(work, lambda change: change.people)

    async def _change(
        self,
        work: Callable[[], T],
        touched: Callable[[T], Collection[str]] | None,
        pack: tuple[str, int] | None = None,
    ) -> T:
        # What is written is seen by all, even if whoever asked for it has gone in the meantime.
        return await asyncio.shield(self._spawn(self._write(work, touched, pack), "people: change"))

    def _spawn(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        task = asyncio.create_task(work, name=name)
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        return task

    async def _write(
        self, work: Callable[[], T], touched: Callable[[T], Collection[str]] | None, pack: tuple[str, int] | None
    ) -> T:
        # One change at a time, so that snapshots follow each other in the order of the writes.
        async with self._lock:
            result = await self.times.of_change(self._run(work))
            if touched is None:
                await self._reload(pack)
            else:
                await self._refresh(touched(result))
        self._tell()
        return result

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener(len(self.gallery))

    async def _reload(self, pack: tuple[str, int] | None = None) -> None:
        """Everything from the store, from now on as another pack sees it if one is named."""
        digest, dimension = pack or (self._digest, self._dimension)
        what = Wanted(digest, dimension, self._options.max_samples, self.lapse.clock())
        found, targets = await self._run(lambda: (load(self._store, what), self._store.targets()))
        await self._galleries.exchange(found, what, targets)
        # At once with the galleries, so that nobody sees one pack's people with another's numbers.
        self._digest, self._dimension = digest, dimension
        self.lapse.replace(found.records, what.at)
        self._keep_time()

    async def _refresh(self, ids: Collection[str]) -> None:
        """Some people from the store."""
        what = Wanted(self._digest, self._dimension, self._options.max_samples, self.lapse.clock())
        found = await self._run(lambda: load(self._store, what, ids))
        self._galleries.take_up(ids, found.entries)
        self.lapse.update(ids, found.records, what.at)
        self._keep_time()

    def _keep_time(self) -> None:
        """Leave out whose time is over, at once and whatever the store is doing; take back in whose is not any more."""
        over, back = self.lapse.settle()
        self._galleries.leave_out(over)
        if back:
            self._spawn(self._write(lambda: None, lambda _nothing: back, None), "people: take back in")
        if over:
            self._tell()

    async def _watching(self) -> None:
        """Follow what others write, and erase what can no longer be undone."""
        assert self._following is not None
        loop = asyncio.get_running_loop()
        due = loop.time() + ERASE_EVERY
        missed: Elsewhere | None = None  # what could not be taken up, and is tried again
        while True:
            try:
                found = await self._following.next(POLL)
                missed = missed.with_(found) if missed and found else missed or found
                if missed is not None:
                    await self._take_up(missed)
                    missed = None
                if loop.time() >= due:
                    due = loop.time() + ERASE_EVERY
                    self.expired("changes", await self._run(self._erase_expired))
            except Exception as error:  # a full disk today must not end following for ever
                logger.error("people: the store could not be read: %s", type(error).__name__)

    async def _take_up(self, elsewhere: Elsewhere) -> None:
        await self._run(self._store.vault.refresh)
        if elsewhere.people is None:
            async with self._lock:
                await self._reload()
            self._tell()
        elif elsewhere.people:
            async with self._lock:
                await self._refresh(elsewhere.people)
            self._tell()
        for listener in tuple(self._foreign):
            await listener(elsewhere.tables)

    async def _keeping_time(self) -> None:
        """Look at the clock when the next one's time is over, and now and then in case it was set."""
        while True:
            await asyncio.sleep(max(MOMENT, self.lapse.wait(TICK)))
            try:
                self._keep_time()
            except Exception as error:  # whatever fails once must not let everybody be named for ever
                logger.error("people: whose time is over could not be left out: %s", type(error).__name__)

    def _erase_expired(self) -> int:
        before: int = self._store.read(waiting)
        self._store.erase_expired()
        after: int = self._store.read(waiting)
        return before - after

    async def _read(self, question: Callable[..., Any], *arguments: Any) -> Any:
        return await self._run(lambda: self._store.read(question, *arguments))

    async def _run(self, work: Callable[[], T]) -> T:
        return await self.times.of(asyncio.get_running_loop().run_in_executor(self._thread, work))
