"""An import before it is saved: photos, whose they are and what becomes of each. In memory only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

from pipeline.gallery import Gallery, Person
from pipeline.matcher import Matcher
from server.nodes.tags import plain_id
from server.people.photos.reading import Photo
from server.people.photos.verdicts import Group, Judgement, Review, Scene, Verdict, judge_face, judge_photo
from server.storage import NewPerson, name_key
from tracking import Embedding


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a name means: the person of that name, if there is one, with the embeddings kept of them."""

    name: str
    person: Person | None = None
    kept: tuple[Embedding, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One photo of an import. ``face`` is the index of the one that counts, ``owner`` who has this very photo
    already, ``accepted`` whether it is to be used all the same."""

    id: str
    file: str
    name: str
    photo: Photo
    judgement: Judgement
    face: int | None
    owner: str | None = None
    accepted: bool = False

    @property
    def verdict(self) -> Verdict:
        """What becomes of it."""
        return self.judgement.verdict


class Draft:
    """Photos in the order they came, each judged against those before it and against who is enrolled."""

    def __init__(self, matcher: Matcher, room: str | None, review: Review, people: int = 0, tag: str = "") -> None:
        self.id = plain_id(tag)
        self.room = room
        self.review = review
        self.entries: dict[str, Entry] = {}
        self.groups: dict[str, Group] = {}
        self._matcher = matcher
        self._people = people  # who will be enrolled when all is done, where that is known

    def __len__(self) -> int:
        return len(self.entries)

    def contents(self) -> set[str]:
        """The SHA-256 of every photo."""
        return {entry.photo.content for entry in self.entries.values()}

    def add(self, file: str, target: Target, photo: Photo, owner: str | None, gallery: Gallery) -> Entry:
        """Take a photo in and say what becomes of it."""
        group = self._group(target)
        entry = Entry(uuid4().hex, file, group.name, photo, Judgement(Verdict.NO_FACE, ""), photo.main, owner)
        self.entries[entry.id] = entry
        return self._judge(entry, gallery)

    def choose(self, id: str, face: int, gallery: Gallery) -> Entry:
        """Say which face of a photo counts. Raises ``KeyError`` and ``IndexError``."""
        entry = self.entries[id]
        if not 0 <= face < len(entry.photo.faces):
            raise IndexError(face)
        return self._change(replace(entry, face=face), gallery)

    def accept(self, id: str, gallery: Gallery) -> Entry:
        """Use a photo all the same. Raises ``KeyError``."""
        return self._change(replace(self.entries[id], accepted=True), gallery)

    def rename(self, id: str, target: Target, gallery: Gallery) -> Entry:
        """Say whose photo it is. Raises ``KeyError``."""
        return self._change(replace(self.entries[id], name=self._group(target).name, accepted=False), gallery)

    def drop(self, id: str, gallery: Gallery) -> Entry:
        """Take a photo out. Raises ``KeyError``."""
        entry = self.entries.pop(id)
        self._judge_all(gallery)
        return entry

    def let_go(self, person: str, name: str | None, alike: Callable[[Embedding], bool], gallery: Gallery) -> int:
        """Drop the photos of somebody who is erased, and their face from photos of others; how many faces and photos
        that were."""
        mine = {key for key, group in self.groups.items() if group.person is not None and group.person.id == person}
        dropped = 0
        for id, entry in tuple(self.entries.items()):
            kept = [index for index, face in enumerate(entry.photo.faces) if not alike(face.embedding)]
            dropped += len(entry.photo.faces) - len(kept)
            owned = name is not None and entry.owner == name
            if owned or name_key(entry.name) in mine or (entry.face is not None and entry.face not in kept):
                del self.entries[id]
                dropped += not entry.photo.faces
            elif len(kept) < len(entry.photo.faces):
                faces = tuple(entry.photo.faces[index] for index in kept)
                main = kept.index(entry.photo.main) if entry.photo.main in kept else None
                photo = replace(entry.photo, faces=faces, main=main)
                face = None if entry.face is None else kept.index(entry.face)
                self.entries[id] = replace(entry, photo=photo, face=face)
        used = {name_key(entry.name) for entry in self.entries.values()}
        self.groups = {key: group for key, group in self.groups.items() if key in used and key not in mine}
        self._judge_all(gallery)
        return dropped

    def refresh(self, targets: Mapping[str, Target], owners: Mapping[str, str], gallery: Gallery) -> bool:
        """Judge anew, as people may have changed meanwhile; returns whether the same photos are used as before.

        ``targets`` by name key, ``owners`` by content.
        """
        before = {entry.id for entry in self.entries.values() if entry.verdict is Verdict.USED}
        for key, target in targets.items():
            self.groups[key] = Group(target.name, target.person, target.kept)
        for entry in self.entries.values():
            # A photo that was known has not been read: it stays out even if its owner has gone.
            self.entries[entry.id] = replace(entry, owner=owners.get(entry.photo.content, entry.owner))
        self._judge_all(gallery)
        return before == {entry.id for entry in self.entries.values() if entry.verdict is Verdict.USED}

    def reconsider(self, gallery: Gallery) -> None:
        """Judge those once more who resembled somebody else: their person's later photos may speak for them."""
        before = -1
        while before != (before := sum(e.verdict is Verdict.USED for e in self.entries.values())):
            for entry in tuple(self.entries.values()):
                if entry.verdict is Verdict.LOOKS_LIKE:
                    self._judge(entry, gallery)

    def people(self) -> list[NewPerson]:
        """What would be saved: everybody with at least one photo that is used."""
        people = []
        for key, group in self.groups.items():
            used = [e for e in self.entries.values() if e.verdict is Verdict.USED and name_key(e.name) == key]
            samples = tuple(e.photo.faces[e.face].sample(e.photo.content) for e in used if e.face is not None)
            if samples:
                id = group.person.id if group.person else None
                people.append(NewPerson(group.name, samples, self.room, id))
        return people

    def _group(self, target: Target) -> Group:
        return self.groups.setdefault(name_key(target.name), Group(target.name, target.person, target.kept))

    def _change(self, entry: Entry, gallery: Gallery) -> Entry:
        self.entries[entry.id] = entry
        self._judge_all(gallery)
        return self.entries[entry.id]

    def _judge_all(self, gallery: Gallery) -> None:
        # One photo's fate hangs on those before it: the first of two copies is used, the second is a duplicate.
        for group in self.groups.values():
            group.clear()
        for entry in tuple(self.entries.values()):
            self._judge(entry, gallery)

    def _judge(self, entry: Entry, gallery: Gallery) -> Entry:
        group = self.groups[name_key(entry.name)]
        judgement = judge_photo(entry.photo, entry.face, entry.owner) or self._twin(entry)
        if judgement is None:
            assert entry.face is not None
            face = entry.photo.faces[entry.face]
            scene = Scene(self._matcher, gallery, self.review, self._people)
            judgement = judge_face(face, entry.accepted, group, self.groups.values(), scene)
            if judgement.verdict is Verdict.USED:
                group.take(face)
        self.entries[entry.id] = entry = replace(entry, judgement=judgement)
        return entry

    def _twin(self, entry: Entry) -> Judgement | None:
        """The same bytes a second time, unless a person chose another face of them."""
        for other in self.entries.values():
            if other.id == entry.id:
                return None
            if other.photo.content == entry.photo.content and other.face == entry.face:
                return Judgement(Verdict.DUPLICATE, f"The same photo is here already, as {other.file}.")
        return None
