"""What was changed, row by row, so that it can be undone for a while.

Nothing a correction touches is copied: removed rows stay with the time of their removal until :func:`erase_expired`,
and the journal holds what their columns said before and after: names sealed, as they were in the row.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from server.storage.chunks import chunks
from server.storage.engine import touch
from server.storage.rows import Change, Kind, NoSuchChange, UndoConflict
from server.storage.schema import CHANGE, CHANGE_ROW, NEGATIVE, PERSON, SAMPLE, SEEN, VAULT
from server.storage.sealing import (
    SEALED,
    Opener,
    keys_of_people,
    opener,
    refresh_name_keys,
    reindex,
    reseal_owned,
    vault_of,
)
from server.vault.seal import about, keys_of

TABLES = {"person": PERSON, "sample": SAMPLE, "negative": NEGATIVE, "seen": SEEN}
MOST_NAMED = 2  # people whose names are in the words of a change; more are counted instead


class Journal:
    """Writes down one change while it is made; use inside one transaction, end with :meth:`close`."""

    def __init__(self, connection: sa.Connection, kind: Kind, keep: timedelta) -> None:
        self._connection = connection
        self._kind = kind
        self._id = uuid4().hex
        self.now = datetime.now(UTC)
        self._until = self.now + keep
        row = {"id": self._id, "kind": kind, "words": b"", "at": self.now, "until": self._until}
        connection.execute(CHANGE.insert(), [row])

    def update(self, table: sa.Table, ids: Collection[str], **values: Any) -> None:
        """Set columns of rows, and note what they were."""
        columns = [table.c.id, *(table.c[name] for name in values)]
        after = {name: _plain(value) for name, value in values.items()}
        for chunk in chunks(ids):
            before = self._connection.execute(sa.select(*columns).where(table.c.id.in_(chunk))).all()
            self._connection.execute(table.update().where(table.c.id.in_(chunk)).values(**values))
            self._note(
                table,
                [
                    (row.id, {name: _plain(value) for name, value in zip(values, row[1:], strict=True)}, after)
                    for row in before
                ],
            )
        if "person_id" in values:
            reseal_owned(self._connection, table, ids)
        if table is PERSON:
            refresh_name_keys(self._connection, ids)

    def remove(self, table: sa.Table, ids: Collection[str]) -> None:
        """Take rows away for now."""
        self.update(table, ids, deleted=self.now)

    def insert(self, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows; undone, they are taken away."""
        if rows:
            self._connection.execute(table.insert(), list(rows))
        state = {"deleted": _plain(self.now)}
        self._note(table, [(row["id"], dict(state), {"deleted": None}) for row in rows])

    def _note(self, table: sa.Table, rows: Sequence[tuple[str, dict[str, Any], dict[str, Any]]]) -> None:
        if rows:
            notes = [
                {"change_id": self._id, "table": table.name, "row": id, "before": before, "after": after}
                for id, before, after in rows
            ]
            self._connection.execute(CHANGE_ROW.insert(), notes)

    def close(self, words: str, people: Collection[str]) -> Change:
        """Say what was done; returns the change. ``people`` are the ids of those whose template it may alter, and
        whose names may be in the words if they are two at most."""
        touch(self._connection, people)
        sealed = _sealed_words(self._connection, self._id, words[:400], people)
        self._connection.execute(CHANGE.update().where(CHANGE.c.id == self._id).values(words=sealed))
        return Change(self._id, self._kind, words, self.now, self._until, people=tuple(dict.fromkeys(people)))


def undo(connection: sa.Connection, change_id: str) -> Change:
    """Put every row of a change back. Raises :class:`NoSuchChange` or :class:`UndoConflict`."""
    found = connection.execute(sa.select(CHANGE).where(CHANGE.c.id == change_id)).first()
    if found is None:
        raise NoSuchChange("there is no such change, or it is too old to be undone")
    change = _change(found, opener(connection, CHANGE.name, "words"))
    if change.undone:
        raise UndoConflict("this is undone already")
    if change.until <= datetime.now(UTC):
        raise UndoConflict("the time in which this could be undone is over")
    notes = connection.execute(
        sa.select(CHANGE_ROW).where(CHANGE_ROW.c.change_id == change_id).order_by(CHANGE_ROW.c.number.desc())
    ).all()
    people: set[str] = set()
    moved: dict[str, list[str]] = {}
    named: list[str] = []
    for note in notes:
        table = TABLES[note.table]
        columns = [table.c[name] for name in note.after]
        owner = table.c.id if table is PERSON else table.c.person_id
        row = connection.execute(sa.select(owner.label("owner"), *columns).where(table.c.id == note.row)).first()
        if row is None and table is SEEN:
            continue  # sightings are erased by age, whatever was changed of them
        if row is None or not _unchanged(connection, table, note, row):
            raise UndoConflict("something of this has been changed since; undo that first")
        values = {name: _typed(table.c[name], value) for name, value in note.before.items()}
        connection.execute(table.update().where(table.c.id == note.row).values(**values))
        people |= {row.owner, *([note.before["person_id"]] if "person_id" in note.before else [])}
        if table is PERSON:
            named.append(note.row)
        if "person_id" in note.before:
            moved.setdefault(table.name, []).append(note.row)
    for name, ids in moved.items():
        reseal_owned(connection, TABLES[name], ids)
    refresh_name_keys(connection, named)  # an enrolment undone blocks no name
    connection.execute(CHANGE.update().where(CHANGE.c.id == change_id).values(undone=datetime.now(UTC)))
    return Change(change.id, change.kind, change.words, change.at, change.until, True, tuple(people))


def _unchanged(connection: sa.Connection, table: sa.Table, note: Any, row: Any) -> bool:
    """Whether a row still says what the change left; two seals of one thing are never the same bytes."""
    for name, after in note.after.items():
        now = getattr(row, name)
        if name in SEALED[table.name] and now is not None and after is not None:
            open_cell = opener(connection, table.name, name)
            if open_cell(now, note.row) != open_cell(base64.b64decode(after), note.row):
                return False
        elif _plain(now) != after:
            return False
    return True


def _sealed_words(connection: sa.Connection, id: str, words: str, people: Collection[str]) -> bytes:
    vault, bound = vault_of(connection), about("change.words", id)
    keys = [*keys_of_people(connection, people).values()] if len(set(people)) <= MOST_NAMED else []
    if not keys:
        keys = [connection.execute(sa.select(VAULT.c.common_key)).scalar_one()]
    data = words.encode()
    return vault.seal(keys[0], data, bound) if len(keys) == 1 else vault.seal_together(keys, data, bound)


def changes(connection: sa.Connection) -> list[Change]:
    """What can still be undone, or was, newest first."""
    now = datetime.now(UTC)
    query = sa.select(CHANGE).where(CHANGE.c.until > now).order_by(CHANGE.c.at.desc(), CHANGE.c.id)
    words = opener(connection, CHANGE.name, "words")
    return [_change(row, words) for row in connection.execute(query)]


def forget_changes(connection: sa.Connection, ids: Collection[str]) -> tuple[set[str], int]:
    """Erase every change that touched one of these rows; returns the people those changes touched, and how many
    changes there were."""
    touched: set[str] = set()
    for chunk in chunks(ids):
        touched |= set(
            connection.execute(sa.select(CHANGE_ROW.c.change_id).where(CHANGE_ROW.c.row.in_(chunk))).scalars()
        )
    people: set[str] = set()
    for chunk in chunks(touched):
        about = sa.and_(CHANGE_ROW.c.change_id.in_(chunk), CHANGE_ROW.c.table == PERSON.name)
        people |= set(connection.execute(sa.select(CHANGE_ROW.c.row).where(about)).scalars())
        connection.execute(CHANGE.delete().where(CHANGE.c.id.in_(chunk)))
    return people, len(touched)


def forget_words(connection: sa.Connection, keys: Collection[bytes]) -> int:
    """Erase every change whose words name the owner of one of these keys; returns how many there were."""
    wanted = set(keys)
    rows = connection.execute(sa.select(CHANGE.c.id, CHANGE.c.words)).all()
    found = [row.id for row in rows if wanted.intersection(keys_of(row.words))]
    for chunk in chunks(found):
        connection.execute(CHANGE.delete().where(CHANGE.c.id.in_(chunk)))
    return len(found)


def erase_expired(connection: sa.Connection, keep: timedelta, now: datetime) -> bool:
    """Erase for good what was removed longer ago than ``keep``, the notes of it and the keys of people who were;
    returns whether there was any."""
    vault = vault_of(connection)
    erased, keys = 0, list[bytes]()
    for table in (SAMPLE, NEGATIVE, PERSON):
        gone = table.c.deleted <= now - keep
        ids = list(connection.execute(sa.select(table.c.id).where(gone)).scalars())
        if table is PERSON:
            keys = list(keys_of_people(connection, ids).values())
            vault.destroy(keys, ids)
            forget_words(connection, keys)
        else:
            vault.destroy([], ids)
        erased += connection.execute(table.delete().where(gone)).rowcount
    erased += connection.execute(CHANGE.delete().where(CHANGE.c.until <= now)).rowcount
    if keys:
        reindex(connection)
    return erased > 0


def _change(row: Any, words: Opener) -> Change:
    at, until = row.at.replace(tzinfo=UTC), row.until.replace(tzinfo=UTC)
    return Change(row.id, row.kind, words(row.words, row.id).decode(), at, until, row.undone is not None)


def _plain(value: Any) -> Any:
    """As JSON keeps it; times without their zone, as SQLite gives them back; what is sealed as base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return (value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value).isoformat()
    return value


def _typed(column: sa.Column[Any], value: Any) -> Any:
    if isinstance(column.type, sa.DateTime) and isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    if isinstance(column.type, sa.LargeBinary) and isinstance(value, str):
        return base64.b64decode(value)
    return value
