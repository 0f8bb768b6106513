"""People without a store: what a live session needs of them, in memory, for tests that are not about storage."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from pipeline.gallery import Entry, Gallery, Person
from pipeline.templates import fuse_template
from server.people.consent import Terms
from server.people.lapse import Lapse
from server.storage import NameTaken, NewSample, name_key
from server.storage.rows import Change, NoSuchPerson
from tracking import Embedding


class MemoryPeople:
    """The facade's promises, kept in dictionaries."""

    def __init__(self, digest: str, dimension: int = 128) -> None:
        self._digest, self._dimension, self._version = digest, dimension, 0
        self._people: dict[str, Person] = {}
        self.samples: dict[str, list[NewSample]] = {}
        self.negatives: dict[str, list[Embedding]] = {}
        self._listeners: set[Callable[[int], None]] = set()
        self.writes = 0
        self._snapshots: dict[str | None, Gallery] = {}
        self.terms, self.lapse = Terms(), Lapse(lambda: datetime.now(UTC))

    @property
    def gallery(self) -> Gallery:
        return self.gallery_of(None)

    def gallery_of(self, room: str | None = None) -> Gallery:
        if room not in self._snapshots:
            entries: list[Entry] = []
            for person in self._people.values():
                if person.room in (None, room):
                    kept = self.samples[person.id]
                    negatives = self.negatives.get(person.id)
                    template = fuse_template([s.embedding for s in kept], [s.quality for s in kept])
                    entries.append((person, template, np.stack(negatives) if negatives else None))
            self._snapshots[room] = Gallery.build(entries, self._dimension, self._digest, self._version)
        return self._snapshots[room]

    def subscribe(self, listener: Callable[[int], None]) -> Callable[[], None]:
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    async def find(self, name: str, room: str | None = None) -> Person | None:
        found = [p for p in self._people.values() if name_key(p.name) == name_key(name) and p.room == room]
        return found[0] if found else None

    async def add_person(
        self, name: str, samples: Sequence[NewSample], room: str | None = None, *_why: object
    ) -> Person:
        if await self.find(name, room) is not None:
            raise NameTaken("taken")
        person = Person(secrets.token_hex(16), name, room)
        self._people[person.id], self.samples[person.id] = person, list(samples)
        return self._changed(person)

    async def add_samples(self, person_id: str, samples: Sequence[NewSample], *_why: object) -> bool:
        if person_id not in self._people:
            return False
        self.samples[person_id] += samples
        return self._changed(True)

    async def rename(self, person_id: str, name: str) -> Change:
        if person_id not in self._people:
            raise NoSuchPerson("nobody")
        self._people[person_id] = Person(person_id, name, self._people[person_id].room)
        return self._changed(_change())

    async def add_negative(self, person_id: str, embedding: Embedding) -> Change:
        if person_id not in self._people:
            raise NoSuchPerson("nobody")
        self.negatives.setdefault(person_id, []).append(embedding)
        return self._changed(_change())

    async def forget(self, person_id: str) -> bool:
        return self._changed(self._people.pop(person_id, None) is not None)

    async def person_embeddings(self, person_id: str) -> list[tuple[str, Embedding, bool]]:
        kept = self.samples.get(person_id, [])
        return [(f"{index:032x}", s.embedding, s.crop is not None) for index, s in enumerate(kept)]

    def _changed(self, result: Any) -> Any:
        self.writes += 1
        self._version += 1
        self._snapshots.clear()
        for listener in tuple(self._listeners):
            listener(len(self.gallery))
        return result


def _change() -> Change:
    now = datetime.now(UTC)
    return Change(secrets.token_hex(16), "add_negative", "words", now, now)
