"""Notes sightings beside the live sessions: they only tell it what they show, and never wait for it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from pipeline.matcher import Matcher
from pipeline.results import Face
from server.live.strangers import Portrait
from server.people import People
from server.sightings.watch import Changes, SessionWatch
from server.storage import sightings as table
from server.storage.events import EVENT, Event, events_after, newest_event
from tracking import Embedding

logger = logging.getLogger(__name__)

EVERY = timedelta(seconds=0.25)  # between two looks at a session's faces
TICK = 0.5  # seconds between two writes of what happened
MOVED_ON = timedelta(seconds=10)  # between two writes of sightings that only go on
TIDY = timedelta(hours=1)
EVENTS_KEPT = timedelta(days=1)  # for readers that were away
MOST_PENDING = 5000  # sightings that wait for a store that cannot be written; then the oldest are lost, and it is said
BATCH = 500

Clock = Callable[[], datetime]


@dataclass(slots=True)
class _Watched:
    watch: SessionWatch
    looked: datetime
    written: datetime


class Recorder:
    """Open with ``await Recorder.open(…)``, end with :meth:`close`. ``days``: how long sightings are kept."""

    def __init__(
        self, people: People, matcher: Callable[[], Matcher], *, enabled: bool, days: int, crops: bool, clock: Clock
    ) -> None:
        self.enabled = enabled
        self.days = days
        self.crops = enabled and crops
        self._people = people
        self._matcher = matcher
        self._clock = self.ageing = clock
        self._watched: dict[str, _Watched] = {}
        self._ended: list[SessionWatch] = []
        self._pending = Changes()
        self._writing = asyncio.Lock()
        self._tidied = datetime.min.replace(tzinfo=UTC)
        self._failing = False
        self._told = 0  # number of the newest event that listeners were told of
        self._listeners: set[Callable[[Sequence[Event]], None]] = set()
        self._task: asyncio.Task[None] | None = None
        self.expired: Callable[[str, int], None] = lambda _what, _count: None
        """Told what was erased because it was too old."""

    @classmethod
    async def open(
        cls,
        people: People,
        matcher: Callable[[], Matcher],
        *,
        enabled: bool,
        days: int,
        crops: bool = False,
        clock: Clock = lambda: datetime.now(UTC),
        ageing: Clock | None = None,
        expired: Callable[[str, int], None] = lambda _what, _count: None,
    ) -> Recorder:
        """Erase what is too old, and begin. ``ageing`` says by what time it is, where that is not the clock's."""
        recorder = cls(people, matcher, enabled=enabled, days=days, crops=crops, clock=clock)
        recorder.ageing = ageing or clock
        recorder.expired = expired
        recorder._told = await people.run(lambda store: newest_event(store.engine))
        await recorder._tidy()
        recorder._task = asyncio.create_task(recorder._work(), name="sightings: note")
        return recorder

    async def close(self) -> None:
        """Write what is left."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for session in tuple(self._watched):
            self.left(session)
        await self.settle()

    def subscribe(self, listener: Callable[[Sequence[Event]], None]) -> Callable[[], None]:
        """Call ``listener`` with events once they are written, in order; the result ends that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    @property
    def present(self) -> frozenset[str]:
        """Ids of the sightings that go on."""
        return frozenset(id for watched in self._watched.values() for id in watched.watch.present)

    @property
    def pending(self) -> int:
        """Sightings and events that are told and not written yet."""
        return len(self._pending.seen) + len(self._pending.events)

    # -- what sessions tell ------------------------------------------------------------------------------------------

    def observe(self, session: str, room: str | None, faces: Sequence[Face]) -> None:
        """What a session shows now; costs it microseconds."""
        if not self.enabled:
            return
        now = self._clock()
        watched = self._of(session, room)
        if now - watched.looked >= EVERY or now < watched.looked:
            watched.looked = now
            watched.watch.see(now, faces)

    def pictured(self, session: str, room: str | None, pictures: Sequence[tuple[int, Portrait]]) -> None:
        """Good looks at faces of a session, by track."""
        if self.crops:
            watch = self._of(session, room).watch
            for track, portrait in pictures:
                watch.picture(track, portrait.jpeg, portrait.quality)

    def left(self, session: str) -> None:
        """A session is over."""
        watched = self._watched.pop(session, None)
        if watched is not None:
            watched.watch.end()
            self._ended.append(watched.watch)

    def _of(self, session: str, room: str | None) -> _Watched:
        watched = self._watched.get(session)
        if watched is None:
            now = self._clock()
            watched = self._watched[session] = _Watched(SessionWatch(session, room, self._same), now - EVERY, now)
        return watched

    async def erase(self, id: str | None = None) -> bool:
        """Erase one sighting, or all; who stays in the picture is noted anew. Whether there was any."""
        async with self._writing:
            self._gather(everything=True)
            for watched in self._watched.values():
                if id is None or id in watched.watch.present:
                    watched.watch.drop()
            if id is None:
                self._pending = Changes()
            else:
                self._pending.seen = [row for row in self._pending.seen if row.id != id]
                self._pending.events = [event for event in self._pending.events if event.sighting != id]
            return await self._people.run(lambda store: table.erase(store.engine, id))

    async def let_go(self, person: str, alike: Callable[[Embedding], bool]) -> int:
        """Forget what goes on of somebody who is erased, and what waits to be written; how many sightings of them as
        a stranger were erased from the store."""
        async with self._writing:
            gone = [id for watched in self._watched.values() for id in watched.watch.let_go(person, alike)]
            self._gather(everything=True)
            pending = self._pending
            pending.seen = [row for row in pending.seen if row.person != person and row.id not in gone]
            pending.events = [told for told in pending.events if told.person != person and told.sighting not in gone]
            erased = 0
            for id in gone:
                erased += await self._people.run(lambda store, id=id: table.erase(store.engine, id))  # type: ignore[misc]
            return erased

    # -- writing -----------------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Write everything that has been told so far. Raises ``sqlalchemy.exc.SQLAlchemyError``; nothing is lost
        then."""
        async with self._writing:
            self._gather(everything=True)
            await self._write()

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            now = self._clock()
            for watched in self._watched.values():
                watched.watch.tick(now)
            try:
                async with self._writing:
                    self._gather()
                    await self._write()
                if abs(now - self._tidied) >= TIDY:
                    await self._tidy()
                self._failing = False
            except sa.exc.SQLAlchemyError as error:
                if not self._failing:
                    logger.error("sightings could not be written: %s; trying again", type(error).__name__)
                self._failing = True

    def _gather(self, everything: bool = False) -> None:
        now = self._clock()
        ready = [*self._ended]
        self._ended = []
        for watched in self._watched.values():
            if everything or watched.watch.eventful or abs(now - watched.written) >= MOVED_ON:
                watched.written = now
                ready.append(watched.watch)
        for watch in ready:
            changes = watch.take()
            self._pending.seen += changes.seen
            self._pending.gone += changes.gone
            self._pending.events += changes.events
        if len(self._pending.seen) > MOST_PENDING:
            logger.error("sightings are lost: the store cannot be written")
            self._pending.seen = self._pending.seen[-MOST_PENDING:]
            self._pending.events = self._pending.events[-MOST_PENDING:]

    async def _write(self) -> None:
        pending = self._pending
        if not (pending.seen or pending.gone or pending.events):
            return
        await self._people.run(lambda store: table.write(store.engine, pending.seen, pending.gone, pending.events))
        self._pending = Changes()
        if pending.events:
            await self._tell()

    async def written_elsewhere(self, tables: frozenset[str] | None) -> None:
        """Another node noted something: listeners here hear of it too."""
        if tables is None or EVENT.name in tables:
            async with self._writing:
                await self._tell()

    async def _tell(self) -> None:
        while events := await self._people.run(lambda store: events_after(store.engine, self._told, BATCH)):
            self._told = events[-1].number
            for listener in tuple(self._listeners):
                listener(events)

    async def _tidy(self) -> None:
        now = self._clock()
        self._tidied = now
        aged = self.ageing()
        kept = aged - timedelta(days=self.days)
        erased = await self._people.run(lambda store: table.erase_before(store.engine, kept, aged - EVENTS_KEPT))
        self.expired("sightings", erased)

    def _same(self, one: Embedding, other: Embedding) -> bool:
        matcher = self._matcher()
        return one.shape == other.shape and matcher.similarity(one, other) >= matcher.threshold(1)
