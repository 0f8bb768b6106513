"""Pictures of a folder or a ZIP by their paths, decoded with the care that strangers' files need."""

from __future__ import annotations

from pathlib import PurePosixPath

from pipeline.frame import Image
from server.evaluation.conditions import Load
from server.people.photos.archive import person_names
from server.people.photos.decoding import SUFFIXES, Unreadable, decode
from server.people.photos.folder import Photos


def load_photos(photos: Photos) -> Load:
    """Pictures by their paths; the loader raises :class:`server.people.photos.decoding.Unreadable`, and for a ZIP that
    gives too much :class:`server.people.photos.archive.BadArchive`."""
    indices = {path: index for index, path in enumerate(photos.paths)}

    def load(name: str) -> Image:
        if name not in indices:
            raise Unreadable("not_a_picture", "There is no such file.")
        data = photos.read(indices[name])
        if isinstance(data, Unreadable):
            raise data
        return decode(data)

    return load


def by_person(photos: Photos) -> dict[str, list[str]]:
    """Whose the pictures are: PERSON/*.jpg; one that lies in no folder is on its own. Other files are nobody's."""
    people: dict[str, list[str]] = {}
    for path, person in zip(photos.paths, person_names(photos.paths), strict=True):
        if PurePosixPath(path).suffix.lower() in SUFFIXES:
            people.setdefault(person, []).append(path)
    return people
