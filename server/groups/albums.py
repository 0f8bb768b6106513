"""The albums going on: who may open one, how much they may hold, and when an abandoned one is let go."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import IO, TypeVar

from pipeline.face_models import FaceModels
from pipeline.gallery import Person
from server.groups.album import Album, Group
from server.media.decoding import Decode, Unreadable
from server.people import People
from server.people.photos.archive import PhotoArchive
from server.people.photos.reading import Photo, read
from server.storage import NewConsent
from server.videos.naming import enrol_as
from tracking import Embedding

T = TypeVar("T")
ALBUMS = 4  # at the same time
FILES = 5000  # photos in one
FACES = 10_000  # … and faces
IDLE = 60 * 60.0  # seconds after which one that nobody touches is let go


class NoSuchAlbum(LookupError):
    """There is no album of this id, or it has been let go."""


class AlbumRefused(ValueError):
    """What was asked of an album cannot be done; the message says why."""


@dataclass(slots=True)
class _Open:
    album: Album
    models: FaceModels
    lock: asyncio.Lock
    alarm: asyncio.TimerHandle | None = None


class Albums:
    """Owns every album of the process. Photos are read in ``executor``; ``models`` gives those in use now, and an album
    that was begun with others is let go."""

    def __init__(
        self,
        people: People,
        models: Callable[[], FaceModels],
        executor: Executor,
        decode: Decode,
        *,
        keep_crops: bool,
    ) -> None:
        self.tag = ""  # of this node, for their ids
        self._people = people
        self._models = models
        self._executor = executor
        self._decode = decode
        self._keep_crops = keep_crops
        self._open: dict[str, _Open] = {}

    @property
    def held(self) -> int:
        """How many photos all of them hold."""
        return sum(len(opened.album.files) for opened in self._open.values())

    def close(self) -> None:
        """Let all of them go."""
        for id in tuple(self._open):
            self.discard(id)

    def open(self, room: str | None = None) -> Album:
        """A new, empty one. Raises :class:`AlbumRefused` if there are too many."""
        if len(self._open) >= ALBUMS:
            raise AlbumRefused(f"{ALBUMS} albums are open already; close one first")
        opened = _Open(Album(room, self.tag), self._models(), asyncio.Lock())
        self._open[opened.album.id] = opened
        self._touch(opened)
        return opened.album

    async def let_go(self, alike: Callable[[Embedding], bool]) -> int:
        """Drop somebody who is erased from every album; how many faces that were."""
        dropped = 0
        for opened in tuple(self._open.values()):
            async with opened.lock:
                if opened.models is self._models():
                    dropped += await self._compute(functools.partial(opened.album.let_go, alike))
        return dropped

    def get(self, id: str) -> Album:
        """An album by its id. Raises :class:`NoSuchAlbum`."""
        return self._find(id).album

    def discard(self, id: str) -> None:
        """Let one go with everything in it. Raises :class:`NoSuchAlbum`."""
        opened = self._find(id)
        if opened.alarm is not None:
            opened.alarm.cancel()
        del self._open[id]

    async def add_photo(self, id: str, file: str, data: bytes | Unreadable) -> int:
        """Take a photo in; how many faces it brought. Raises :class:`NoSuchAlbum` and :class:`AlbumRefused`."""
        return await self._alone(id, lambda opened: self._add(opened, file, data))

    async def add_archive(self, id: str, file: IO[bytes]) -> int:
        """Take in all photos of a ZIP. Raises what :meth:`add_photo` does, and
        :class:`server.people.photos.archive.BadArchive`."""

        async def work(opened: _Open) -> int:
            archive = await self._compute(lambda: PhotoArchive(file, FILES))
            faces = 0
            for index, path in enumerate(archive.paths):
                data = await self._compute(functools.partial(archive.read, index))
                faces += await self._add(opened, path, data)
            return faces

        return await self._alone(id, work)

    async def arrange(self, id: str) -> Album:
        """Group the faces that are in no group yet."""

        async def work(opened: _Open) -> Album:
            await self._compute(lambda: opened.album.arrange(opened.models.matcher))
            return opened.album

        return await self._alone(id, work)

    async def merge(self, id: str, groups: Collection[str]) -> Group:
        """As :meth:`Album.merge`."""
        return await self._change(id, lambda album: album.merge(groups))

    async def split(self, id: str, group: str, faces: Collection[str]) -> Group:
        """As :meth:`Album.split`."""
        return await self._change(id, lambda album: album.split(group, faces))

    async def ignore(self, id: str, group: str, ignored: bool) -> Group:
        """As :meth:`Album.ignore`."""
        return await self._change(id, lambda album: album.ignore(group, ignored))

    async def name(
        self, id: str, group: str, name: str, consent: NewConsent | None = None, by: str = "server"
    ) -> tuple[Person, int]:
        """Enrol a group under a name, or add it to whoever bears it; the person and how many faces it had.

        Raises :class:`server.groups.album.NoSuchGroup` and what :func:`server.videos.naming.enrol_as` raises.
        """

        async def work(opened: _Open) -> tuple[Person, int]:
            album = opened.album
            named = album.get(group)
            samples = await self._compute(lambda: named.samples(self._keep_crops))
            person = await enrol_as(self._people, opened.models, samples, name, album.room, consent, by)
            count = len(named.faces)
            album.named(group)
            return person, count

        return await self._alone(id, work)

    # -- one thing at a time -------------------------------------------------------------------------------------

    async def _add(self, opened: _Open, file: str, data: bytes | Unreadable) -> int:
        album = opened.album
        if len(album.files) + len(album.refused) >= FILES:
            raise AlbumRefused(f"an album takes {FILES:,} photos; name these, then open another")
        if len(album.faces) >= FACES:
            raise AlbumRefused(f"an album takes {FACES:,} faces; name these, then open another")
        if isinstance(data, Unreadable):
            return album.add(file, Photo("", problem=data))
        # Crops are wanted to show who is meant; whether they are kept is another question.
        return album.add(file, await self._compute(lambda: read(opened.models, data, True, self._decode)))

    async def _change(self, id: str, change: Callable[[Album], Group]) -> Group:
        async def work(opened: _Open) -> Group:
            return change(opened.album)

        return await self._alone(id, work)

    async def _alone(self, id: str, work: Callable[[_Open], Awaitable[T]]) -> T:
        opened = self._find(id)
        async with opened.lock:
            if self._open.get(id) is not opened:
                raise NoSuchAlbum("this album has been closed")
            if opened.models is not self._models():
                raise AlbumRefused("the models have been changed meanwhile: close this album and open another")
            self._rest(opened)
            try:
                return await work(opened)
            finally:
                self._touch(opened)

    def _find(self, id: str) -> _Open:
        if id not in self._open:
            raise NoSuchAlbum("there is no such album, or it was left alone for too long")
        return self._open[id]

    def _rest(self, opened: _Open) -> None:
        if opened.alarm is not None:
            opened.alarm.cancel()
            opened.alarm = None

    def _touch(self, opened: _Open) -> None:
        self._rest(opened)
        if opened.album.id in self._open:
            opened.alarm = asyncio.get_running_loop().call_later(IDLE, self._expire, opened.album.id)

    def _expire(self, id: str) -> None:
        if id in self._open:
            self.discard(id)

    async def _compute(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)
