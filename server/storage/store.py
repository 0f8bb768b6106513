"""People and their samples, and every way to correct them.

All methods block: :mod:`server.people` calls them from the one thread that owns the store. Each that changes something
does so in one transaction and returns a :class:`Change`, which :meth:`PeopleStore.undo` can take back for a while;
:meth:`PeopleStore.forget` alone is for good.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import sqlalchemy as sa

from pipeline.gallery import Person
from server.storage import consents, reading
from server.storage.ageing import Ageing
from server.storage.backends import backend_for, database_for
from server.storage.changing import ChangeTransaction, name_taken
from server.storage.consent_values import NewConsent
from server.storage.consents import AS_TOLD, Recording
from server.storage.engine import clean, mark_dirty, touch, writing
from server.storage.events import EVENT
from server.storage.inbox import SIGHTING
from server.storage.journal import Journal, changes, erase_expired, forget_changes, forget_words, undo
from server.storage.names import clean_name, clean_room
from server.storage.new_rows import sample_rows, sealed_name
from server.storage.rows import (
    Change,
    Forgotten,
    Kind,
    NameTaken,
    NewPerson,
    NewSample,
    NoSuchPerson,
    NoSuchSample,
    PersonRow,
)
from server.storage.schema import GALLERY_SETTING, NEGATIVE, PERSON, SAMPLE, SEEN
from server.storage.sealing import (
    blind_name,
    key_of,
    keys_of_people,
    open_name,
    reindex,
    seal_row,
    vault_of,
)
from server.storage.server_secrets import shared_secret
from server.storage.settling import settle
from server.vault import MasterSource, open_vault
from server.vault.lock import FolderLock
from tracking import Embedding

logger = logging.getLogger(__name__)

UNDO_DAYS = 7.0


@dataclass(frozen=True, slots=True)
class Added:
    """Who was enrolled or got samples, in the order given, and the change that did it."""

    people: tuple[Person, ...]
    change: Change


class PeopleStore:
    """The people of one server. ``path`` is the SQLite file; it and its folder are made with owner-only rights. Beside
    it lies the keyring, whose master key comes from ``master`` or the folder. With a ``database``
    (``postgresql+psycopg://…``) both lie there, and the folder holds what is this node's own.

    What was removed stays for ``undo_days``. ``lock``: whoever opens it has the folder alone. Opening raises
    :class:`server.storage.StorageError` and :class:`server.vault.VaultError`.
    """

    def __init__(
        self,
        path: Path,
        undo_days: float = UNDO_DAYS,
        master: MasterSource | None = None,
        lock: FolderLock | None = None,
        database: str = "",
    ) -> None:
        self.path = path
        self._keep = timedelta(days=undo_days)
        self.database = database_for(path, database)
        self.backend = backend_for(path, self.database)
        self.backend.prepare()
        self.vault = open_vault(path.parent, master, lock, self.database)
        try:
            self.engine = self.backend.open(self.vault)
        except BaseException:
            self.vault.close()
            raise
        self.ageing = Ageing(path.with_name("clock"))
        try:
            with writing(self.engine) as connection:
                if erased := settle(connection):
                    logger.warning("the store held %d rows that had been erased before: they are gone again", erased)
            self.erase_expired()
        except BaseException as error:
            self.close()
            if isinstance(error, sa.exc.DatabaseError):
                raise self.backend.cannot_open(error) from error
            raise

    def close(self) -> None:
        """Let go of the files; may be called twice."""
        self.engine.dispose()
        self.vault.close()

    def shared_secret(self, name: str, make: Callable[[], bytes]) -> bytes | None:
        """A secret of the server that all its nodes have; ``None`` where the store is one node's own, and so are its
        secrets."""
        return shared_secret(self.engine, name, make) if self.backend.shared else None

    # -- reading ---------------------------------------------------------------------------------------------------

    def read(self, question: Callable[..., Any], *arguments: Any) -> Any:
        """Ask a question of :mod:`server.storage.reading`."""
        with self.engine.connect() as connection:
            return question(connection, *arguments)

    def people(self) -> list[PersonRow]:
        """Everybody, by name."""
        return list(self.read(reading.list_people))

    def find(self, name: str, room: str | None = None) -> Person | None:
        """Who bears this name, compared without case."""
        found: Person | None = self.read(reading.find_person, name, room)
        return found

    def version(self) -> int:
        """A number that changes when another process has written; in a database, when anybody has."""
        self.vault.refresh()
        return self.backend.version(self.engine)

    def changes(self) -> list[Change]:
        """What can be undone, or was, newest first."""
        return list(self.read(changes))

    # -- enrolling -------------------------------------------------------------------------------------------------

    def enrol(self, batch: Sequence[NewPerson], digest: str, how: Recording = AS_TOLD) -> Added:
        """Enrol people and add samples to some who are enrolled: all of it or nothing, with why they may be recognised.

        Raises :class:`BadName`, :class:`NameTaken`, :class:`NoSuchPerson`, :class:`ConsentMissing`, and ``ValueError``
        for somebody without samples.
        """
        if not batch or any(not new.samples for new in batch):
            raise ValueError("a person needs at least one sample")
        known = any(new.id is not None for new in batch)
        with self._change("add_samples" if known else "enrol") as (connection, journal):
            people = []
            for new in batch:
                if new.id is None:
                    people.append(_insert_person(connection, journal, new.name, new.room))
                else:
                    people.append(_person(connection, new.id))
                consents.settle(connection, people[-1].id, people[-1].name, new.consent, how, new=new.id is None)
                rows = sample_rows(connection, people[-1].id, new.samples, digest, journal.now)
                journal.insert(SAMPLE, rows)
            words = _enrolled(people, sum(len(new.samples) for new in batch))
            return Added(tuple(people), journal.close(words, [person.id for person in people]))

    def add_person(self, name: str, samples: Sequence[NewSample], digest: str, room: str | None = None) -> Person:
        """Enrol somebody new, all samples or none. Raises :class:`BadName` or :class:`NameTaken`."""
        return self.enrol([NewPerson(name, tuple(samples), room)], digest).people[0]

    # -- corrections -----------------------------------------------------------------------------------------------

    def rename(self, person_id: str, name: str) -> Change:
        """Give somebody another name. Raises :class:`BadName`, :class:`NameTaken` or :class:`NoSuchPerson`."""
        name = clean_name(name)
        with self._change("rename") as (connection, journal):
            person = _person(connection, person_id)
            _require_free(connection, name, person.room, person_id)
            _describe(connection, journal, Person(person_id, name, person.room))
            return journal.close(f"{person.name} renamed to {name}", [person_id])

    def set_room(self, person_id: str, room: str | None) -> Change:
        """Let somebody belong to a room, or with ``None`` to everyone. Raises as :meth:`rename` does."""
        room = clean_room(room)
        with self._change("room") as (connection, journal):
            person = _person(connection, person_id)
            _require_free(connection, person.name, room, person_id)
            _describe(connection, journal, Person(person_id, person.name, room))
            return journal.close(f"{person.name} belongs to {f'room {room}' if room else 'everyone'}", [person_id])

    def remove_person(self, person_id: str) -> Change:
        """Take somebody away for now. Raises :class:`NoSuchPerson`."""
        with self._change("remove_person") as (connection, journal):
            person = _person(connection, person_id)
            _remove(journal, person)
            return journal.close(f"{person.name} removed", [person_id])

    def merge(self, source: str, target: str, contradicted: Collection[str] = ()) -> Change:
        """Give all samples, marks and sightings of ``source`` to ``target``, and remove who is left without.

        ``contradicted`` are marks that say of one what the other is: they go. Raises :class:`NoSuchPerson`, and
        ``ValueError`` if both are the same.
        """
        if source == target:
            raise ValueError("somebody cannot be merged with themselves")
        with self._change("merge") as (connection, journal):
            one, other = _person(connection, source), _person(connection, target)
            journal.remove(NEGATIVE, contradicted)
            for table in (SAMPLE, NEGATIVE):
                journal.update(table, _owned(connection, table, source), person_id=target)
            seen = connection.execute(sa.select(SEEN.c.id).where(SEEN.c.person_id == source)).scalars().all()
            journal.update(SEEN, seen, person_id=target)
            _remove(journal, one)
            return journal.close(f"{one.name} merged into {other.name}", [source, target])

    def split(
        self,
        person_id: str,
        samples: Collection[str],
        name: str,
        consent: NewConsent | None = None,
        how: Recording = AS_TOLD,
    ) -> tuple[Person, Change]:
        """Make somebody new of some of a person's samples; why the one may be recognised says nothing of the other.

        Raises :class:`BadName`, :class:`NameTaken`, :class:`NoSuchPerson`, :class:`NoSuchSample`,
        :class:`ConsentMissing`, and ``ValueError`` if none or all are named.
        """
        with self._change("split") as (connection, journal):
            person = _person(connection, person_id)
            owned = set(_owned(connection, SAMPLE, person_id))
            chosen = set(samples)
            if chosen - owned:
                raise NoSuchSample(f"a picture that was chosen is not of {person.name} any more")
            if not chosen or chosen == owned:
                raise ValueError("choose some of the pictures, not none and not all")
            other = _insert_person(connection, journal, name, person.room)
            consents.settle(connection, other.id, other.name, consent, how, new=True)
            journal.update(SAMPLE, sorted(chosen), person_id=other.id)
            words = f"{_pictures(len(chosen))} of {person.name} split off as {other.name}"
            return other, journal.close(words, [person_id, other.id])

    def move_sample(self, sample_id: str, person_id: str) -> Change:
        """Give a sample to somebody else. Raises :class:`NoSuchPerson`, :class:`NoSuchSample`, and ``ValueError`` if it
        is the only one."""
        with self._change("move_sample") as (connection, journal):
            person, owner = _person(connection, person_id), _owner(connection, SAMPLE, sample_id)
            if owner.id != person.id:
                _require_more(connection, owner)
                journal.update(SAMPLE, [sample_id], person_id=person.id)
            return journal.close(f"A picture of {owner.name} moved to {person.name}", [owner.id, person.id])

    def remove_sample(self, sample_id: str) -> Change:
        """Take a sample away for now. Raises :class:`NoSuchSample`, and ``ValueError`` if it is the only one."""
        with self._change("remove_sample") as (connection, journal):
            owner = _owner(connection, SAMPLE, sample_id)
            _require_more(connection, owner)
            journal.remove(SAMPLE, [sample_id])
            return journal.close(f"A picture of {owner.name} removed", [owner.id])

    def add_negative(self, person_id: str, embedding: Embedding, digest: str) -> Change:
        """Note a face that is not this person's. Raises :class:`NoSuchPerson`."""
        with self._change("add_negative") as (connection, journal):
            person = _person(connection, person_id)
            row = {
                "id": uuid4().hex,
                "person_id": person_id,
                "pack_digest": digest,
                "embedding": np.asarray(embedding, "<f4").tobytes(),
                "created": journal.now,
            }
            journal.insert(NEGATIVE, [seal_row(connection, key_of(connection, person_id), NEGATIVE, row)])
            return journal.close(f"Marked a face as not {person.name}", [person_id])

    def remove_negative(self, negative_id: str) -> Change:
        """Take such a note away. Raises :class:`NoSuchSample`."""
        with self._change("remove_negative") as (connection, journal):
            owner = _owner(connection, NEGATIVE, negative_id)
            journal.remove(NEGATIVE, [negative_id])
            return journal.close(f"A mark 'not {owner.name}' removed", [owner.id])

    def undo(self, change_id: str) -> Change:
        """Take a change back. Raises :class:`NoSuchChange`, :class:`UndoConflict` or :class:`NameTaken`."""
        try:
            with writing(self.engine) as connection:
                change = undo(connection, change_id)
                touch(connection, change.people)
                return change
        except sa.exc.IntegrityError as error:
            raise name_taken(error) from error

    # -- for good --------------------------------------------------------------------------------------------------

    def forget(self, person_id: str) -> Forgotten | None:
        """Erase somebody with everything kept of them, also what was removed and could still be undone, from the file's
        free pages and its log too, and destroy their keys; ``None`` if they are gone already.

        It is done once the keys are gone: interrupted after that, the next start erases what they sealed.
        """
        with writing(self.engine) as connection:
            rows = {person_id}
            for table in (SAMPLE, NEGATIVE):
                rows |= set(connection.execute(sa.select(table.c.id).where(table.c.person_id == person_id)).scalars())
            if connection.execute(sa.select(PERSON.c.id).where(PERSON.c.id == person_id)).first() is None:
                return None
            erased = _counted(connection, person_id)
            # Whoever was merged into them is the same person under another name.
            touched, changed = forget_changes(connection, rows)
            merged = sa.and_(PERSON.c.id.in_(touched), PERSON.c.deleted.is_not(None))
            has_samples = sa.exists().where(SAMPLE.c.person_id == PERSON.c.id)
            these = sa.or_(PERSON.c.id == person_id, sa.and_(merged, ~has_samples))
            people = set(connection.execute(sa.select(PERSON.c.id).where(these)).scalars())
            keys = list(keys_of_people(connection, people).values())
            changed += forget_words(connection, keys)
            connection.execute(PERSON.delete().where(these))
            vault_of(connection).destroy(keys, rows | people)
            reindex(connection)
            mark_dirty(connection)
            touch(connection, [person_id])
        clean(self.engine)
        return replace(erased, changes=changed, keys=tuple(sorted(key.hex() for key in keys)))

    def erase_expired(self) -> None:
        """Erase for good what was removed so long ago that it cannot be undone any more."""
        with writing(self.engine) as connection:
            if erase_expired(connection, self._keep, self.ageing()):
                mark_dirty(connection)
            touch(connection, [])  # nobody was recognised by it any more
        clean(self.engine)

    # -- settings of a gallery -------------------------------------------------------------------------------------

    def targets(self) -> dict[str, float]:
        """One wrong name in how many strangers was chosen, by room; under the empty name for everyone's gallery."""
        with self.engine.connect() as connection:
            query = sa.select(GALLERY_SETTING.c.room, GALLERY_SETTING.c.one_in)
            return {row.room: row.one_in for row in connection.execute(query)}

    def set_target(self, room: str | None, one_in: float | None) -> None:
        """Choose that; ``None``: what the pack advises."""
        with writing(self.engine) as connection:
            connection.execute(GALLERY_SETTING.delete().where(GALLERY_SETTING.c.room == (room or "")))
            if one_in is not None:
                connection.execute(GALLERY_SETTING.insert(), [{"room": room or "", "one_in": one_in}])

    def _change(self, kind: Kind) -> ChangeTransaction:
        return ChangeTransaction(self.engine, kind, self._keep)


def _counted(connection: sa.Connection, person_id: str) -> Forgotten:
    """What the tables hold of somebody."""

    def count(table: sa.Table, where: sa.ColumnElement[bool] | None = None) -> int:
        query = sa.select(sa.func.count()).select_from(table).where(table.c.person_id == person_id)
        return int(connection.execute(query if where is None else query.where(where)).scalar_one())

    return Forgotten(
        person_id,
        samples=count(SAMPLE),
        crops=count(SAMPLE, SAMPLE.c.crop.is_not(None)) + count(SEEN, SEEN.c.crop.is_not(None)),
        negatives=count(NEGATIVE),
        sightings=count(SEEN) + count(SIGHTING),
        events=count(EVENT),
    )


def _person(connection: sa.Connection, person_id: str) -> Person:
    query = sa.select(PERSON.c.id, PERSON.c.name, PERSON.c.room)
    row = connection.execute(query.where(PERSON.c.id == person_id, PERSON.c.deleted.is_(None))).first()
    if row is None:
        raise NoSuchPerson("nobody of this id is enrolled")
    return Person(row.id, open_name(connection, row.name, row.id), row.room)


def _require_free(connection: sa.Connection, name: str, room: str | None, but: str | None = None) -> None:
    """In a room, nobody may bear the name of somebody who is everyone's: both could be seen there."""
    found = reading.find_person(connection, name, room)
    if found is not None and found.id != but:
        raise NameTaken("somebody of this name is enrolled already")


def _insert_person(connection: sa.Connection, journal: Journal, name: str, room: str | None) -> Person:
    name, room = clean_name(name), clean_room(room)
    _require_free(connection, name, room)
    person = Person(uuid4().hex, name, room)
    key = vault_of(connection).new_key("person")
    row = {
        "id": person.id,
        "name": sealed_name(connection, key, person.id, name),
        "name_key": blind_name(connection, name, room),
        "created": journal.now,
        "room": room,
    }
    journal.insert(PERSON, [row])
    return person


def _describe(connection: sa.Connection, journal: Journal, person: Person) -> None:
    """Name and room, noted together: neither can be undone once the other was changed."""
    name = sealed_name(connection, key_of(connection, person.id), person.id, person.name)
    journal.update(PERSON, [person.id], name=name, room=person.room, deleted=None)


def _remove(journal: Journal, person: Person) -> None:
    journal.update(PERSON, [person.id], deleted=journal.now)


def _owned(connection: sa.Connection, table: sa.Table, person_id: str) -> list[str]:
    query = sa.select(table.c.id).where(table.c.person_id == person_id, table.c.deleted.is_(None))
    return list(connection.execute(query).scalars())


def _owner(connection: sa.Connection, table: sa.Table, row_id: str) -> Person:
    query = sa.select(PERSON.c.id, PERSON.c.name, PERSON.c.room).join(table)
    live = (table.c.deleted.is_(None), PERSON.c.deleted.is_(None))
    row = connection.execute(query.where(table.c.id == row_id, *live)).first()
    if row is None:
        raise NoSuchSample("this is not there any more")
    return Person(row.id, open_name(connection, row.name, row.id), row.room)


def _require_more(connection: sa.Connection, owner: Person) -> None:
    if len(_owned(connection, SAMPLE, owner.id)) < 2:
        raise ValueError(f"this is the only picture of {owner.name}: remove {owner.name} instead, or merge")


def _pictures(count: int) -> str:
    return "One picture" if count == 1 else f"{count} pictures"


def _enrolled(people: Sequence[Person], samples: int) -> str:
    who = people[0].name if len(people) == 1 else f"{len(people)} people"
    return f"{_pictures(samples)} of {who} added"
