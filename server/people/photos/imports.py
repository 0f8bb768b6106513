"""The imports going on: who may begin one, how much they may hold, and when an abandoned one is let go."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import IO, TypeVar

from pipeline.face_models import FaceModels
from pipeline.gallery import Gallery, Person
from server.media.decoding import Decode, Unreadable, decode
from server.people import People
from server.people.photos.archive import PhotoArchive, person_names
from server.people.photos.draft import Draft, Entry, Target
from server.people.photos.reading import Photo, content_of, read
from server.people.photos.verdicts import Review
from server.storage import BadName, Change, NewConsent, clean_name, name_key
from tracking import Embedding

T = TypeVar("T")
DRAFTS = 8  # imports at the same time
FILES = 2000  # photos in one import
HELD_BYTES = 128 * 1024 * 1024  # of faces and crops in one import
IDLE = 30 * 60.0  # seconds after which an import nobody touches is let go


class NoSuchImport(LookupError):
    """There is no import of this id, or it has been let go."""


class ImportRefused(ValueError):
    """What was asked of an import cannot be done; the message says why."""


@dataclass(frozen=True, slots=True)
class Committed:
    """Who was saved with how many photos, and the change that undoes it."""

    people: tuple[tuple[Person, int], ...]
    change: Change


@dataclass(slots=True)
class _Running:
    """A draft with what its owner needs: one thing at a time, and an alarm clock."""

    draft: Draft
    models: FaceModels
    lock: asyncio.Lock
    alarm: asyncio.TimerHandle | None = None
    held: int = 0
    gone: bool = False


class Imports:
    """Owns every import of the process. Reading and judging is done in ``executor``, one photo at a time for each;
    ``decode`` decodes what strangers send.

    ``models`` gives those in use now: an import that began with others cannot go on.
    """

    def __init__(
        self,
        people: People,
        models: Callable[[], FaceModels],
        executor: Executor,
        *,
        review: Review,
        keep_crops: bool,
        files: int = FILES,
        decode: Decode = decode,
    ) -> None:
        self.tag = ""  # of this node, for their ids
        self._people = people
        self._models = models
        self._executor = executor
        self._keep_crops = keep_crops
        self._files = files
        self._decode = decode
        self._running: dict[str, _Running] = {}
        self.review: Review = review

    @property
    def held(self) -> int:
        """How many photos all of them hold."""
        return sum(len(running.draft) for running in self._running.values())

    def close(self) -> None:
        """Let all of them go."""
        for id in tuple(self._running):
            self.discard(id)

    def open(self, room: str | None = None, review: Review | None = None, people: int = 0) -> Draft:
        """A new, empty import, part of one of so many ``people``. Raises :class:`ImportRefused` if there are too many
        imports."""
        if len(self._running) >= DRAFTS:
            raise ImportRefused(f"{DRAFTS} imports are going on already; finish or discard one first.")
        models = self._models()
        draft = Draft(models.matcher, room, review or self.review, people, self.tag)
        self._running[draft.id] = _Running(draft, models, asyncio.Lock())
        self._touch(self._running[draft.id])
        return draft

    async def let_go(self, person: str, name: str | None, alike: Callable[[Embedding], bool]) -> int:
        """Drop somebody who is erased from every import; how many faces and photos that were."""
        dropped = 0
        for running in tuple(self._running.values()):
            async with running.lock:
                draft, gallery = running.draft, self._people.gallery_of(running.draft.room)
                if not running.gone and running.models is self._models():
                    work = functools.partial(draft.let_go, person, name, alike, gallery)
                    dropped += await self._compute(work)
        return dropped

    def get(self, id: str) -> Draft:
        """An import by its id. Raises :class:`NoSuchImport`."""
        return self._find(id).draft

    def discard(self, id: str) -> None:
        """Let an import go, with everything in it. Raises :class:`NoSuchImport`."""
        running = self._find(id)
        running.gone = True
        if running.alarm is not None:
            running.alarm.cancel()
        del self._running[id]

    async def add_photo(self, id: str, file: str, name: str, data: bytes | Unreadable) -> Entry:
        """Take one photo in; ``data`` may be the reason why there is none.

        Raises :class:`NoSuchImport`, :class:`ImportRefused`, :class:`server.storage.BadName`.
        """
        name = clean_name(name)
        return await self._alone(id, lambda running: self._add(running, file, name, data))

    async def add_archive(self, id: str, file: IO[bytes], name: str | None) -> list[Entry]:
        """Take in all photos of a ZIP, by folder; ``name`` is whose those are that lie in none, or all in one.

        Raises what :meth:`add_photo` does, and :class:`server.people.photos.archive.BadArchive`.
        """
        if name is not None:
            name = clean_name(name)

        async def work(running: _Running) -> list[Entry]:
            archive = await self._compute(lambda: PhotoArchive(file, self._files))
            self._require_room(running, len(archive.paths))
            names = person_names(archive.paths, name)
            entries = []
            for index, (path, whose) in enumerate(zip(archive.paths, names, strict=True)):
                data = await self._compute(functools.partial(archive.read, index))
                entries.append(await self._add_named(running, path, whose, data))
            await self._reconsider(running)
            return [running.draft.entries[entry.id] for entry in entries]

        return await self._alone(id, work)

    async def correct(self, id: str, change: Callable[[Draft, Gallery], Entry]) -> Entry:
        """Change an entry as a person wishes. Raises what ``change`` does, and :class:`NoSuchImport`."""

        async def work(running: _Running) -> Entry:
            gallery = self._people.gallery_of(running.draft.room)
            return await self._compute(lambda: change(running.draft, gallery))

        return await self._alone(id, work)

    async def reconsider(self, id: str) -> None:
        """Let later photos speak for earlier ones; see :meth:`server.people.photos.draft.Draft.reconsider`."""
        await self._alone(id, self._reconsider)

    async def _reconsider(self, running: _Running) -> None:
        gallery = self._people.gallery_of(running.draft.room)
        await self._compute(lambda: running.draft.reconsider(gallery))

    async def rename(self, id: str, entry: str, name: str) -> Entry:
        """Say whose photo it is. Raises ``KeyError`` besides what :meth:`add_photo` does."""
        name = clean_name(name)

        async def work(running: _Running) -> Entry:
            target = await self._target(running.draft, name)
            gallery = self._people.gallery_of(running.draft.room)
            return await self._compute(lambda: running.draft.rename(entry, target, gallery))

        return await self._alone(id, work)

    @property
    def people(self) -> People:
        """Whom they are saved to."""
        return self._people

    async def commit(self, id: str, consent: NewConsent | None = None, by: str = "server") -> Committed:
        """Save everybody, all or nothing, with why they may be recognised, and end the import.

        Raises :class:`ImportRefused` if there is nothing to save or people have changed so that other photos would be
        used than were shown, and :class:`server.storage.ConsentMissing`; the import then goes on.
        """

        async def work(running: _Running) -> Committed:
            draft = running.draft
            names = [group.name for group in draft.groups.values()]
            targets = {name_key(name): await self._target(draft, name, fresh=True) for name in names}
            known = await self._people.known_contents(draft.contents())
            owners = {content: owner for content, (_, owner) in known.items()}
            gallery = self._people.gallery_of(draft.room)
            if not await self._compute(lambda: draft.refresh(targets, owners, gallery)):
                raise ImportRefused("People have been changed meanwhile: look through the import again, then save it.")
            batch = draft.people()
            if not batch:
                raise ImportRefused("There is no photo to save yet.")
            added = await self._people.enrol(batch, consent, by)
            if not running.gone:
                self.discard(id)
            return Committed(
                tuple((person, len(new.samples)) for person, new in zip(added.people, batch, strict=True)), added.change
            )

        return await self._alone(id, work)

    async def _add_named(self, running: _Running, file: str, whose: str, data: bytes | Unreadable) -> Entry:
        try:
            name = clean_name(whose)
        except BadName as error:
            # Its folder is no name; the file is shown beside a stand-in, and can be sent again with a name.
            return await self._add(running, file, "?", Unreadable("not_a_picture", f"Whose? Here {error}."))
        return await self._add(running, file, name, data)

    async def _add(self, running: _Running, file: str, name: str, data: bytes | Unreadable) -> Entry:
        draft = running.draft
        self._require_room(running, 1)
        owner = None
        if isinstance(data, Unreadable):
            photo = Photo("", problem=data)
        else:
            content = await self._compute(lambda: content_of(data))
            known = await self._people.known_contents([content])
            if content in known:
                owner, photo = known[content][1], Photo(content)
            else:
                photo = await self._compute(lambda: read(running.models, data, self._keep_crops, self._decode))
        running.held += sum(face.held for face in photo.faces)
        target = await self._target(draft, name)
        gallery = self._people.gallery_of(draft.room)
        return await self._compute(lambda: draft.add(file, target, photo, owner, gallery))

    async def _target(self, draft: Draft, name: str, fresh: bool = False) -> Target:
        group = draft.groups.get(name_key(name))
        if group is not None and not fresh:
            return Target(group.name, group.person, group.kept)
        person = await self._people.find(name, draft.room)
        if person is None:
            return Target(name)
        kept = tuple(embedding for _, embedding, _ in await self._people.person_embeddings(person.id))
        return Target(person.name, person, kept)

    def _require_room(self, running: _Running, files: int) -> None:
        if running.gone:
            raise NoSuchImport("This import has been discarded.")
        if len(running.draft) + files > self._files:
            raise ImportRefused(f"An import takes {self._files} photos; save this one and begin another.")
        if running.held > HELD_BYTES:
            raise ImportRefused("This import holds as many faces as fit into it; save it and begin another.")

    async def _alone(self, id: str, work: Callable[[_Running], Awaitable[T]]) -> T:
        running = self._find(id)
        async with running.lock:
            if running.gone:
                raise NoSuchImport("This import has been discarded.")
            if running.models is not self._models():
                raise ImportRefused("The models have been changed meanwhile: discard this import and begin another.")
            self._rest(running)
            try:
                return await work(running)
            finally:
                self._touch(running)

    def _find(self, id: str) -> _Running:
        if id not in self._running:
            raise NoSuchImport("There is no such import, or it was left alone for too long.")
        return self._running[id]

    def _rest(self, running: _Running) -> None:
        """No alarm while something is being done."""
        if running.alarm is not None:
            running.alarm.cancel()
            running.alarm = None

    def _touch(self, running: _Running) -> None:
        self._rest(running)
        if not running.gone:
            running.alarm = asyncio.get_running_loop().call_later(IDLE, self._expire, running.draft.id)

    def _expire(self, id: str) -> None:
        if id in self._running:
            self.discard(id)

    async def _compute(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


def listed(drafted: Draft) -> Sequence[tuple[str, bool, list[Entry]]]:
    """The people of an import: name, whether they are enrolled already, their photos."""
    by_key: dict[str, list[Entry]] = {}
    for entry in drafted.entries.values():
        by_key.setdefault(name_key(entry.name), []).append(entry)
    return [
        (group.name, group.person is not None, by_key[key]) for key, group in drafted.groups.items() if key in by_key
    ]
