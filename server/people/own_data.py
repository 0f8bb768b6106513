"""Everything held of one person, for whoever asks: a ZIP with a file that explains itself, numbers, and pictures.

Each part of the server that holds something of people gives a section; a new one is added to the list that
:mod:`server.services` makes. The archive is made in memory.
"""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from server import __version__
from server.people.people import People
from server.storage import NoSuchPerson

FILE = "person.json"
ABOUT = (
    "This is everything that this Visavis server holds of one person, as asked for.",
    "Each section says under 'what' what it is, under 'fields' what each field means, and under 'held' what is held.",
    "Pictures lie beside this file, each under the path that its entry names. 'numbers.json' holds what the models "
    "computed from the face: somebody is recognised by comparing such numbers, so keep them as you keep the pictures.",
    "Times are UTC (ISO 8601). Parts and probabilities run from 0 to 1.",
)


@dataclass(frozen=True, slots=True)
class Section:
    """What one part holds of somebody. ``fields`` explains each field of ``held``; ``files`` go beside, by path;
    ``numbers`` are embeddings, by what they are of."""

    name: str
    what: str
    fields: Mapping[str, str]
    held: Any
    files: Mapping[str, bytes] = field(default_factory=dict)
    numbers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


Exporter = Callable[[str], Awaitable[Section]]
"""Gives the section about somebody, by their id."""


class OwnData:
    """Puts the sections together."""

    def __init__(self, people: People, exporters: Sequence[Exporter]) -> None:
        self._people = people
        self.exporters = list(exporters)

    async def archive(self, person: str) -> bytes:
        """The ZIP. Raises :class:`server.storage.NoSuchPerson`."""
        if await self._people.person(person) is None:
            raise NoSuchPerson("nobody of this id is enrolled")
        sections = [await exporter(person) for exporter in self.exporters]
        return await asyncio.to_thread(_zipped, sections)


def _zipped(sections: Sequence[Section]) -> bytes:
    said: dict[str, Any] = {"about": list(ABOUT), "made": datetime.now(UTC).isoformat(timespec="seconds")}
    said["software"] = f"Visavis {__version__}"
    for section in sections:
        said[section.name] = {"what": section.what, "fields": dict(section.fields), "held": section.held}
    numbers = {name: dict(vectors) for section in sections for name, vectors in section.numbers.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(FILE, json.dumps(said, ensure_ascii=False, indent=1))
        archive.writestr("numbers.json", json.dumps(numbers))
        for section in sections:
            for path, data in section.files.items():
                archive.writestr(zipfile.ZipInfo(path), data)  # JPEGs do not get smaller
    return out.getvalue()
