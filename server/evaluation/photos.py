"""Pictures of a folder or a ZIP by their paths, decoded with the care that strangers' files need."""

from __future__ import annotations

from pathlib import PurePosixPath

from pipeline.frame import Image
from server.evaluation.conditions import Load
from server.media.decoding import SUFFIXES, Decode, Unreadable, decode
from server.people.photos.archive import person_names
from server.people.photos.folder import Photos


def load_photos(photos: Photos, decode: Decode = decode) -> Load:
    """Pictures by their paths, or by the end of their paths where that is one picture's alone: a table may name files
    relative to any folder.

    The loader raises :class:`server.media.decoding.Unreadable`, and for a ZIP that gives too much
    :class:`server.people.photos.archive.BadArchive`.
    """
    ends: dict[str, int | None] = {}
    for index, path in enumerate(photos.paths):
        parts = path.split("/")
        for start in range(1, len(parts)):
            end = "/".join(parts[start:])
            ends[end] = None if end in ends else index
    ends.update((path, index) for index, path in enumerate(photos.paths))

    def load(name: str) -> Image:
        index = ends.get(name.replace("\\", "/").removeprefix("./"))
        if index is None:
            raise Unreadable("not_a_picture", "There is no such file.")
        data = photos.read(index)
        if isinstance(data, Unreadable):
            raise data
        return decode(data)

    return load


def by_person(photos: Photos) -> dict[str, list[str]]:
    """Whose the pictures are: PERSON/*.jpg; one that lies in no folder is on its own. Other files are nobody's."""
    pictures = [path for path in photos.paths if is_picture(path)]
    people: dict[str, list[str]] = {}
    for path, person in zip(pictures, person_names(pictures), strict=True):
        people.setdefault(person, []).append(path)
    return people


def is_picture(path: str) -> bool:
    """Whether a file's name says that it is a picture."""
    return PurePosixPath(path).suffix.lower() in SUFFIXES
