"""Imports a folder or a ZIP of photos person by person: each is saved whole or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from server.media.decoding import FILE_BYTES, Unreadable
from server.people import People
from server.people.photos.archive import JUNK, BadArchive, PhotoArchive, person_names
from server.people.photos.draft import Entry
from server.people.photos.imports import Imports
from server.people.photos.verdicts import Review
from server.storage import BadName, ConsentMissing, NewConsent, clean_name

FILES = 100_000


class Photos(Protocol):
    """Photos at paths, read by their index."""

    paths: list[str]

    def read(self, index: int) -> bytes | Unreadable:
        """The bytes of one, or why it has none."""


class PhotoFolder:
    """The files of a folder on the disk, by name. Hidden files are nobody's."""

    def __init__(self, folder: Path) -> None:
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        self._folder = folder
        self.paths = [
            path.relative_to(folder).as_posix()
            for path in found
            if not any(part.startswith(".") for part in path.relative_to(folder).parts) and path.name not in JUNK
        ]

    def read(self, index: int) -> bytes | Unreadable:
        """See :class:`Photos`."""
        path = self._folder / self.paths[index]
        try:
            if path.stat().st_size > FILE_BYTES:
                return Unreadable("too_large", f"The file has more than {FILE_BYTES // 2**20} MB.")
            return path.read_bytes()
        except OSError as error:
            return Unreadable("not_a_picture", f"The file cannot be read: {error.strerror}.")


@contextlib.contextmanager
def open_photos(source: Path) -> Iterator[Photos]:
    """The photos of a folder or a ZIP. Raises :class:`server.people.photos.archive.BadArchive`."""
    if source.is_dir():
        yield PhotoFolder(source)
        return
    try:
        file = source.open("rb")
    except OSError as error:
        raise BadArchive(f"{source}: {error.strerror}") from error
    with file:
        yield PhotoArchive(file, FILES)


@dataclass(frozen=True, slots=True)
class Saved:
    """Who has been saved, with how many photos."""

    name: str
    added: int
    id: str


@dataclass(frozen=True, slots=True)
class BadFolder:
    """A file whose folder is nobody's name, and why."""

    file: str
    words: str


async def import_photos(
    imports: Imports,
    photos: Photos,
    *,
    room: str | None,
    review: Review | None,
    save: bool,
    read: Callable[[], None],
    said: Callable[[Entry | BadFolder], None],
    consent: NewConsent | None = None,
    by: str = "command line",
) -> list[Saved]:
    """Take in photos person by person: ``read`` hears of each file, ``said`` what became of it once its person is
    done. Without ``save`` nothing is kept; ``consent`` says why all of them may be recognised.

    Raises :class:`server.storage.ConsentMissing` before any photo is read."""
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(person_names(photos.paths)):
        groups.setdefault(name, []).append(index)
    if save and consent is None:
        await _require_consent(imports.people, groups, room)
    saved: list[Saved] = []
    draft = imports.open(room, review, len(groups))
    for name, files in groups.items():
        try:
            name = clean_name(name)
        except BadName as error:
            for index in files:
                read()
                said(BadFolder(photos.paths[index], f"Whose? Here {error}."))
            continue
        entries = []
        for index in files:
            data = await asyncio.to_thread(photos.read, index)
            entries.append(await imports.add_photo(draft.id, photos.paths[index], name, data))
            read()
        await imports.reconsider(draft.id)
        for entry in entries:
            said(draft.entries[entry.id])
        if save:
            if draft.people():
                committed = await imports.commit(draft.id, consent, by)
                saved += [Saved(person.name, added, person.id) for person, added in committed.people]
            else:
                imports.discard(draft.id)
            draft = imports.open(room, review, len(groups))
    imports.discard(draft.id)
    return saved


async def _require_consent(people: People, names: Iterable[str], room: str | None) -> None:
    require = people.terms.require
    for name in names:
        with contextlib.suppress(BadName):
            known = await people.find(clean_name(name), room)
            if require if known is None else people.lapse.wants_consent(known.id, require):
                raise ConsentMissing(f"say why {name} may be recognised: --basis consent, or another, and --purpose")
