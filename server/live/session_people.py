"""The people one session knows: everyone's, those of its room, and on top of them its own, which go when it ends."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from pipeline.gallery import Entry, Gallery, Person
from pipeline.templates import fuse_template
from server.audit.live import SILENT, LiveNotes
from server.people import People
from server.people.consent import said_consent
from server.people.known_template import known_template
from server.storage import NameTaken, NewConsent, NewSample, name_key
from server.storage.rows import Change, NoSuchPerson
from tracking import Embedding

Scope = Literal["everyone", "room", "session"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


@dataclass(slots=True)
class _Own:
    """What this session alone knows of somebody: all there is, or, of a shared person, what comes on top."""

    person: Person
    shared: bool
    samples: list[tuple[str, NewSample]] = field(default_factory=list)
    negatives: list[Embedding] = field(default_factory=list)


class SessionPeople:
    """People as one session sees and changes them. A guest's changes never reach the store.

    ``changed`` is called after every change, by whomever; ``by`` is who enrols, as it is written down. :meth:`gallery`
    may be called from any thread, everything else from the loop's.
    """

    def __init__(
        self,
        people: People,
        room: str | None,
        guest: bool,
        changed: Callable[[], None],
        notes: LiveNotes = SILENT,
        by: str = "server",
    ) -> None:
        self._people = people
        self.notes = notes
        self._by = by
        self._room = room
        self._guest = guest
        self._changed = changed
        self._own: dict[str, _Own] = {}
        self._edits = 0
        self._snapshot: tuple[Gallery, int, Gallery] | None = None  # shared, edits → joined; replaced as a whole
        self._entries: tuple[_Own, ...] = ()
        self._digest = ""  # of the pack that computed what is in there
        self._unsubscribe = people.subscribe(lambda _count: changed())

    def end(self) -> None:
        """The session is over: its own people are gone."""
        self._unsubscribe()
        self._own.clear()
        self._entries, self._snapshot = (), None

    def gallery(self) -> Gallery:
        """The newest snapshot; the same object until something changes."""
        shared = self._people.gallery_of(self._room)
        entries, edits = self._entries, self._edits
        if not edits or shared.digest != self._digest:
            return shared
        made = self._snapshot
        if made is None or made[0] is not shared or made[1] != edits:
            made = (shared, edits, _joined(shared, entries, edits))
            self._snapshot = made
        return made[2]

    @property
    def in_room(self) -> bool:
        """Whether the session belongs to a room."""
        return self._room is not None

    def scope(self, wanted: Scope | None) -> Scope:
        """Where an addition goes; a guest's is always its own."""
        return "session" if self._guest else wanted or "everyone"

    async def find(self, name: str, scope: Scope) -> Person | None:
        """Who bears this name: among the session's own if that is the scope, then among those that are kept."""
        if scope == "session":
            key = name_key(name)
            own = next((o.person for o in self._own.values() if name_key(o.person.name) == key), None)
            if own is not None:
                return own
            if self._room is not None and (found := await self._people.find(name, self._room)):
                return found
        return await self._people.find(name, self._place(scope))

    def read_consent(self, body: Mapping[str, Any]) -> NewConsent | None:
        """What a message says of why somebody may be recognised. Raises :class:`server.people.consent.BadConsent`."""
        return said_consent(self._people, body)

    def wants_consent(self, person_id: str | None, scope: Scope) -> bool:
        """Whether it has to be said why somebody (new, without an id) may be recognised; not of what goes with the
        session."""
        if scope == "session" or person_id in self._own:
            return False
        require = self._people.terms.require
        return require if person_id is None else self._people.lapse.wants_consent(person_id, require)

    async def known_template(self, person: Person) -> Embedding | None:
        """What somebody looks like here, also while they must not be recognised."""
        template = self.gallery().template(person.id)
        return await known_template(self._people, person) if template is None else template

    async def add_person(
        self, name: str, samples: Sequence[NewSample], scope: Scope, consent: NewConsent | None = None
    ) -> Person:
        """Enrol somebody new. Raises :class:`server.storage.BadName`, :class:`server.storage.NameTaken` or
        :class:`server.storage.ConsentMissing`."""
        if scope != "session":
            new = await self._people.add_person(name, samples, self._place(scope), consent, self._by)
            await self.notes.change("person.enrolled", new.id)
            return new
        if await self.find(name, scope) is not None:
            raise NameTaken("somebody bears this name already")
        person = Person(secrets.token_hex(16), name)
        self._keep(_Own(person, False, [(secrets.token_hex(16), s) for s in samples]))
        await self.notes.change("person.enrolled", person.id, visit=True)
        return person

    async def add_samples(
        self, person_id: str, samples: Sequence[NewSample], scope: Scope, consent: NewConsent | None = None
    ) -> bool:
        """Add to somebody; ``False`` if they are gone. What the session adds for itself leaves the store alone. Raises
        :class:`server.storage.ConsentMissing`."""
        if scope != "session" and person_id not in self._own:
            added = await self._people.add_samples(person_id, samples, consent, self._by)
            if added:
                await self.notes.change("person.added", person_id)
            return added
        own = self._layer(person_id)
        if own is None:
            return False
        own.samples += [(secrets.token_hex(16), sample) for sample in samples]
        self._keep(own)
        await self.notes.change("person.added", person_id, visit=True)
        return True

    async def rename(self, person_id: str, name: str, scope: Scope) -> bool:
        """Rename somebody; ``False`` if they are gone. Raises :class:`server.storage.NameTaken`."""
        if scope != "session" and person_id not in self._own:
            try:
                await self._people.rename(person_id, name)
            except NoSuchPerson:
                return False
            await self.notes.change("person.changed", person_id)
            return True
        own = self._layer(person_id)
        if own is None:
            return False
        own.person = Person(person_id, name, own.person.room)
        self._keep(own)
        await self.notes.change("person.changed", person_id, visit=True)
        return True

    async def add_negative(self, person_id: str, embedding: Embedding) -> Change | None:
        """Note that a face is not this person's; ``None`` where nothing is kept that could be undone. Raises
        :class:`server.storage.NoSuchPerson`."""
        own = self._layer(person_id) if self._guest or person_id in self._own else None
        if own is None:
            change = await self._people.add_negative(person_id, embedding)
            await self.notes.change("negative.added", person_id)
            return change
        own.negatives.append(embedding)
        self._keep(own)
        await self.notes.change("negative.added", person_id, visit=True)
        return None

    def forget(self, person_id: str) -> bool:
        """Forget one of the session's own, or what it alone knows of a shared person; ``False`` if there is nothing."""
        if self._own.pop(person_id, None) is None:
            return False
        self._publish()
        self.notes.view("live.forgotten", person_id)
        return True

    def let_go(self, person_id: str, alike: Callable[[Embedding], bool]) -> int:
        """Forget what the session alone knows of somebody who is erased, under whatever name; how many that were."""
        gone = [
            id
            for id, own in self._own.items()
            if id == person_id or any(alike(face) for face in (*(s.embedding for _, s in own.samples), *own.negatives))
        ]
        for id in gone:
            del self._own[id]
        if gone:
            self._publish()
        return len(gone)

    def forget_all(self) -> None:
        """Forget all that the session alone knows."""
        if self._own:
            self._own.clear()
            self._publish()

    async def person_embeddings(self, person_id: str) -> list[tuple[str, Embedding, bool]]:
        """Each sample's id, embedding and whether a crop of it can be asked for."""
        own = self._own.get(person_id)
        mine = [] if own is None else [(number, sample.embedding, False) for number, sample in own.samples]
        if own is not None and not own.shared:
            return mine
        return [*await self._people.person_embeddings(person_id), *mine]

    def _place(self, scope: Scope) -> str | None:
        return self._room if scope == "room" else None

    def _layer(self, person_id: str) -> _Own | None:
        """What the session knows of somebody, to be added to."""
        person = self.gallery().person(person_id)
        return None if person is None else self._own.get(person_id) or _Own(person, True)

    def _keep(self, own: _Own) -> None:
        self._own[own.person.id] = own
        self._publish()

    def _publish(self) -> None:
        self._digest = self._people.gallery.digest
        # The executor's threads read these: copies, complete before they can be seen.
        self._entries = tuple(
            _Own(own.person, own.shared, list(own.samples), list(own.negatives)) for own in self._own.values()
        )
        self._edits += 1
        self._changed()


def _joined(shared: Gallery, entries: Sequence[_Own], edits: int) -> Gallery:
    """The session's people on top of the shared ones; each edit makes a higher version."""
    own = [entry for one in entries if (entry := _entry(one, shared)) is not None]
    return shared.joined(Gallery.build(own, shared.dimension, shared.digest, edits))


def _entry(own: _Own, shared: Gallery) -> Entry | None:
    vectors = [sample.embedding for _, sample in own.samples]
    weights = [sample.quality for _, sample in own.samples]
    negatives = np.stack(own.negatives) if own.negatives else None
    if not own.shared:
        return own.person, fuse_template(vectors, weights), negatives
    template, known = shared.template(own.person.id), shared.negatives(own.person.id)
    if template is None:
        return None  # forgotten by everyone
    if vectors:
        # The shared template stands for the samples behind it, of which this session knows none.
        template = fuse_template([template, *vectors], [max(1.0, sum(weights)), *weights])
    if known is not None:
        negatives = known if negatives is None else np.concatenate([known, negatives])
    return own.person, template, negatives
