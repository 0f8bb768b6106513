"""The inbox of strangers: who was seen and not recognised, the same stranger once, until somebody says who it is.

Grouping is conservative: two strangers in one entry would give one of them the other's name, while one stranger in two
entries only has to be named twice. A face joins an entry when it resembles its template so much that one stranger in a
thousand would among that many people, and never the entry of somebody who stands beside it in the same picture.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Self, TypeVar
from uuid import uuid4

import numpy as np
import sqlalchemy as sa

from pipeline.gallery import Person
from pipeline.matcher import Matcher
from pipeline.templates import choose_samples, fuse_template
from server.live.strangers import Noticed, StrangerSighting
from server.people import People
from server.people.known_template import known_template
from server.storage import NewConsent, NewPerson, NewSample, clean_name
from server.storage import inbox as table
from server.storage.inbox import Sighting, Stranger
from tracking import Embedding

logger = logging.getLogger(__name__)

SAME_FPIR = 0.001  # of strangers, the share that may join somebody else's entry
MAX_STRANGERS = 500  # those not seen for longest go
MAX_SAMPLES = 8  # of one stranger
MAX_SIGHTINGS = 50  # of one stranger, the newest
PER_SIGHTING = 3  # samples of one track
SAME_SIGHTING = timedelta(seconds=60)  # away for less is no new sighting
WAITING = 256  # looks not yet taken in; the oldest are dropped
TRACKS = 4_096  # whose entry is remembered
TIDY_EVERY = timedelta(hours=1)  # between two looks for what has expired

FORGOTTEN = ""  # instead of an entry: this face is not to be remembered again while it stays
Key = tuple[str, int]  # session, track
T = TypeVar("T")


class NoSuchStranger(LookupError):
    """There is no entry of this id: forgotten, expired, named meanwhile."""


class DifferentPerson(ValueError):
    """Somebody of the name given looks different."""


def keeps(days: int) -> str:
    """What the inbox keeps, in words."""
    return (
        "Of faces that nobody here has named: one small picture each, numbers computed from the face, and when and in "
        f"which session they were seen. All of it is erased after {days} days without a sighting, when you forget an "
        "entry, and when the inbox is switched off."
    )


def _now() -> datetime:
    return datetime.now(UTC)


async def erase_inbox(people: People) -> None:
    """With the inbox off nothing of it is kept: erase what an earlier run left."""
    await people.run(lambda store: table.erase_all(store.engine))


class Inbox:
    """The entries, kept in step with the store. Open with ``await Inbox.open(…)``, end with :meth:`close`."""

    def __init__(
        self, people: People, matcher: Matcher, digest: str, days: int, keep_crops: bool, clock: Callable[[], datetime]
    ) -> None:
        self.days = days
        self._people = people
        self._matcher = matcher
        self._digest = digest
        self._keep_crops = keep_crops
        self._clock = self._ageing = clock
        self._entries: dict[str, Stranger] = {}
        self._saved: dict[str, Stranger] = {}  # as the store has them
        self._templates: dict[str, Embedding] = {}
        self._by_track: dict[Key, str] = {}  # the entry of a face that is or was in the picture; FORGOTTEN
        self._samples: dict[Key, int] = {}
        self._waiting: deque[tuple[datetime, str, str | None, Noticed | None]] = deque(maxlen=WAITING)
        self._come = asyncio.Event()
        self._lock = asyncio.Lock()  # entries change only under it, together with the store
        self._elsewhere = False  # somebody else has written entries that were not read yet
        self._tidied = clock()
        self._worker: asyncio.Task[None] | None = None
        self._expired: Callable[[str, int], None] = lambda _what, _count: None

    @classmethod
    async def open(
        cls,
        people: People,
        matcher: Matcher,
        digest: str,
        *,
        days: int,
        keep_crops: bool = False,
        clock: Callable[[], datetime] = _now,
        ageing: Callable[[], datetime] | None = None,
        expired: Callable[[str, int], None] = lambda _what, _count: None,
    ) -> Self:
        """Load what is kept of the pack ``digest``. ``keep_crops``: pictures stay with samples when a stranger is
        named. ``ageing`` says by what time entries are too old, where that is not the clock's; ``expired`` is told what
        was erased for it."""
        inbox = cls(people, matcher, digest, days, keep_crops, clock)
        inbox._ageing = ageing or clock
        inbox._expired = expired
        await inbox._load()
        inbox._worker = asyncio.create_task(inbox._work(), name="inbox")
        return inbox

    async def close(self) -> None:
        """Take in what waits, then stop; may be called twice."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            await self.settle()

    def observe(self, session: str, room: str | None, noticed: Noticed) -> None:
        """Take in what a look of a session found, soon. Returns at once."""
        if noticed:
            self._put(session, room, noticed)

    def left(self, session: str) -> None:
        """A session has ended."""
        self._put(session, None, None)

    def strangers(self) -> list[Stranger]:
        """All entries, the newest sighting first."""
        since = self._since()
        return sorted((s for s in self._entries.values() if s.last >= since), key=lambda s: s.last, reverse=True)

    def get(self, id: str) -> Stranger:
        """One entry. Raises :class:`NoSuchStranger`."""
        entry = self._entries.get(id)
        if entry is None or entry.last < self._since():
            raise NoSuchStranger("this entry is no longer in the inbox")
        return entry

    async def written_elsewhere(self, tables: frozenset[str] | None) -> None:
        """Somebody else wrote: entries are read anew, soon."""
        if tables is None or table.STRANGER.name in tables:
            self._elsewhere = True
            self._come.set()

    async def settle(self) -> None:
        """Take in whatever was observed until now."""
        async with self._lock:
            if self._elsewhere:
                await self._catch_up()
            await self._take_all()

    async def name(
        self,
        id: str,
        name: object,
        room: str | None = None,
        consent: NewConsent | None = None,
        by: str = "server",
    ) -> tuple[Person, int]:
        """Say who a stranger is: their samples become a person's, new or the one of that name, and the past sightings
        take the name. Without ``room`` it is the one they were seen in. Returns the person and the number of sightings.

        Raises :class:`NoSuchStranger`, :class:`DifferentPerson`, and what :meth:`People.enrol` raises.
        """
        name = clean_name(name)
        async with self._lock:
            await self._take_all()
            entry = self.get(id)
            room = entry.room if room is None else room
            same = await self._people.find(name, room)
            if same is not None:
                template = await known_template(self._people, same)
                alike = None if template is None else self._matcher.similarity(template, self._templates[id])
                if alike is not None and alike < self._matcher.threshold(1):
                    raise DifferentPerson(f"there is a {same.name} already who looks different; choose another name")
            samples = tuple(self._new_samples(entry))
            new = NewPerson(name, samples, room) if same is None else NewPerson(same.name, samples, same.room, same.id)
            (person,) = (await self._people.enrol([new], consent, by)).people
            await self._given(entry, person.id)
            return person, entry.seen

    async def forget(self, id: str) -> None:
        """Erase an entry: picture, numbers and times. The face is not noticed again while it stays in the picture.

        Raises :class:`NoSuchStranger`.
        """
        async with self._lock:
            await self._take_all()
            self.get(id)
            keys = [key for key, entry in self._by_track.items() if entry == id]
            self._drop(id)
            self._by_track |= dict.fromkeys(keys, FORGOTTEN)
            await self._save()

    def resembling(self, alike: Callable[[Embedding], bool]) -> list[str]:
        """The entries that show a face, by what each looks like as a whole or by any of its samples."""
        found = self._entries.items()
        return [id for id, entry in found if any(alike(face) for face in (self._templates[id], *entry.embeddings))]

    async def let_go(self, alike: Callable[[Embedding], bool], tracks: Collection[Key] = ()) -> int:
        """Erase every entry of somebody who is forgotten; their face is not noticed again on these ``tracks``, nor on
        those that led to an entry. How many entries that were."""
        async with self._lock:
            await self._take_all()
            ids = self.resembling(alike)
            keys = [*tracks, *(key for key, entry in self._by_track.items() if entry in ids)]
            for id in ids:
                self._drop(id)
            self._by_track |= dict.fromkeys(keys, FORGOTTEN)
            await self._save()
            return len(ids)

    async def forget_all(self) -> None:
        """Erase every entry, and the sightings of those who were named."""
        async with self._lock:
            await self._take_all()
            keys = tuple(self._by_track)
            for id in tuple(self._entries):
                self._drop(id)
            self._by_track = dict.fromkeys(keys, FORGOTTEN)
            await self._run(table.erase_all)
            self._saved = {}

    async def change_models(self, matcher: Matcher, digest: str) -> None:
        """Another pack is used from now on: its numbers cannot be compared with the kept ones, which are erased."""
        async with self._lock:
            self._matcher, self._digest = matcher, digest
            self._waiting.clear()
            self._by_track.clear()
            self._samples.clear()
            await self._load()

    # -- taking in -----------------------------------------------------------------------------------------------

    def _put(self, session: str, room: str | None, noticed: Noticed | None) -> None:
        self._waiting.append((self._clock(), session, room, noticed))
        self._come.set()

    async def _work(self) -> None:
        while True:
            try:
                async with asyncio.timeout(TIDY_EVERY.total_seconds()):
                    await self._come.wait()
            except TimeoutError:
                pass
            self._come.clear()
            try:
                await self.settle()
            except sa.exc.SQLAlchemyError as error:
                logger.error("the inbox could not be written: %s", type(error).__name__)

    async def _take_all(self) -> None:
        """Group what waits and write it, in one transaction; under the lock."""
        while self._waiting:
            now, session, room, noticed = self._waiting.popleft()
            if noticed is None:
                for key in [key for key in self._by_track if key[0] == session]:
                    del self._by_track[key]
                    self._samples.pop(key, None)
            elif noticed.digest == self._digest:
                for sighting in noticed.strangers:
                    self._take(now, session, room, sighting, noticed.visible)
                for track, person in noticed.named:
                    await self._named(session, track, person)
        self._tidy()
        await self._save()
        if self._clock() - self._tidied >= TIDY_EVERY:
            self._tidied, since = self._clock(), self._since()
            await self._run(lambda engine: table.erase_before(engine, since))

    async def _save(self) -> None:
        changed = [entry for id, entry in self._entries.items() if self._saved.get(id) is not entry]
        gone = [id for id in self._saved if id not in self._entries]
        if changed or gone:
            kept = self._saved.keys()
            for id in await self._run(lambda engine: table.save(engine, changed, gone, kept)):
                self._drop(id)
            self._saved = dict(self._entries)

    async def _catch_up(self) -> None:
        """Take up what another node wrote; under the lock, when nothing of ours is unsaved."""
        self._elsewhere, digest = False, self._digest
        found = {entry.id: entry for entry in await self._run(lambda engine: table.read(engine, digest))}
        for id in self._saved.keys() - found.keys():
            self._drop(id)
        for id, entry in found.items():
            if id not in self._entries or (entry.seen, entry.last) > (self._entries[id].seen, self._entries[id].last):
                self._keep(entry)
        self._saved = dict(self._entries)

    def _take(
        self, now: datetime, session: str, room: str | None, seen: StrangerSighting, visible: frozenset[int]
    ) -> None:
        key = (session, seen.track)
        if self._by_track.get(key) == FORGOTTEN:
            return
        current = self._entries.get(self._by_track.get(key, FORGOTTEN))
        beside = {self._by_track.get((session, track)) for track in visible - {seen.track}}
        # An entry that only this track has made may turn out to be an older one once there is more to go by.
        if current is None or current.seen == 1:
            rivals = [s for s in self._entries.values() if s.room == room and s.id not in beside and s is not current]
            older = self._same(rivals, seen.template)
            if older is not None and current is not None:
                self._drop(current.id)
                self._samples.pop(key, None)
            current = older or current
        taken = self._samples.get(key, 0)
        entry = current or _new(room, self._digest, now)
        if taken < PER_SIGHTING:
            self._samples[key] = taken + 1
            entry = _with_sample(entry, seen.template, seen.quality)
        if seen.portrait is not None and seen.portrait.quality > entry.crop_quality:
            picture = seen.portrait
            entry = replace(entry, crop=picture.jpeg, crop_landmarks=picture.landmarks, crop_quality=picture.quality)
        self._keep(_seen(entry, session, now))
        self._by_track[key] = entry.id
        while len(self._by_track) > TRACKS:
            first = next(iter(self._by_track))
            del self._by_track[first]
            self._samples.pop(first, None)

    def _same(self, entries: list[Stranger], template: Embedding) -> Stranger | None:
        """The entry that this face belongs to, if one resembles it enough among so many."""
        if not entries:
            return None
        similarities = self._matcher.similarities(template[None], np.stack([self._templates[s.id] for s in entries]))[0]
        best = int(similarities.argmax())
        return entries[best] if similarities[best] >= self._matcher.threshold(len(entries), SAME_FPIR) else None

    async def _named(self, session: str, track: int, person: str) -> None:
        entry = self._entries.get(self._by_track.get((session, track), FORGOTTEN))
        if entry is not None:
            await self._given(entry, person)

    async def _given(self, entry: Stranger, person: str) -> None:
        await self._run(lambda engine: table.give_name(engine, entry, person))
        self._drop(entry.id)
        self._saved.pop(entry.id, None)

    def _new_samples(self, entry: Stranger) -> Iterable[NewSample]:
        best = int(np.argmax(entry.qualities))
        for index, (embedding, quality) in enumerate(zip(entry.embeddings, entry.qualities, strict=True)):
            if index == best and self._keep_crops and entry.crop is not None:
                yield NewSample(embedding, quality, "inbox", crop=entry.crop, crop_landmarks=entry.crop_landmarks)
            else:
                yield NewSample(embedding, quality, "inbox")

    # -- entries -------------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        since, digest = self._since(), self._digest
        self._entries, self._templates = {}, {}
        for stranger in await self._run(lambda engine: table.load(engine, digest, since)):
            self._keep(stranger)
        self._saved = dict(self._entries)

    def _keep(self, stranger: Stranger) -> None:
        self._entries[stranger.id] = stranger
        self._templates[stranger.id] = fuse_template(stranger.embeddings, stranger.qualities)

    def _drop(self, id: str) -> None:
        self._entries.pop(id, None)
        self._templates.pop(id, None)
        for key in [key for key, entry in self._by_track.items() if entry == id]:
            del self._by_track[key]
            self._samples.pop(key, None)

    def _tidy(self) -> None:
        """Let go of what has expired, and of what is too much."""
        since = self._since()
        oldest_first = sorted(self._entries.values(), key=lambda s: s.last)
        surplus = len(oldest_first) - MAX_STRANGERS
        old = [s for index, s in enumerate(oldest_first) if index < surplus or s.last < since]
        for stranger in old:
            self._drop(stranger.id)
        self._expired("strangers", len(old))

    def _since(self) -> datetime:
        return self._ageing() - timedelta(days=self.days)

    async def _run(self, work: Callable[[sa.Engine], T]) -> T:
        return await self._people.run(lambda store: work(store.engine))


def _new(room: str | None, digest: str, now: datetime) -> Stranger:
    return Stranger(uuid4().hex, room, digest, 0, now, now, (), (), None, None, 0.0, ())


def _with_sample(entry: Stranger, template: Embedding, quality: float) -> Stranger:
    embeddings, qualities = (*entry.embeddings, template), (*entry.qualities, quality)
    if len(embeddings) > MAX_SAMPLES:
        kept = choose_samples(np.stack(embeddings), np.asarray(qualities, np.float32), MAX_SAMPLES)
        embeddings = tuple(embeddings[int(i)] for i in kept)
        qualities = tuple(qualities[int(i)] for i in kept)
    return replace(entry, embeddings=embeddings, qualities=qualities)


def _seen(entry: Stranger, session: str, now: datetime) -> Stranger:
    """Lengthen the sighting that goes on, or begin another."""
    last = entry.sightings[-1] if entry.sightings else None
    if last is not None and last.session == session and now - last.ended <= SAME_SIGHTING:
        return replace(entry, last=now, sightings=(*entry.sightings[:-1], replace(last, ended=now)))
    sighting = Sighting(uuid4().hex, session, now, now)
    return replace(entry, last=now, seen=entry.seen + 1, sightings=(*entry.sightings, sighting)[-MAX_SIGHTINGS:])
