"""What was changed, row by row, so that it can be undone for a while.

Nothing a correction touches is copied: removed rows stay with the time of their removal until :func:`erase_expired`,
and the journal holds what their columns said before and after.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from server.storage.names import unique_key
from server.storage.rows import Change, Kind, NoSuchChange, UndoConflict
from server.storage.schema import CHANGE, CHANGE_ROW, NEGATIVE, PERSON, SAMPLE, SEEN

TABLES = {"person": PERSON, "sample": SAMPLE, "negative": NEGATIVE, "seen": SEEN}
CHUNK = 500  # ids in one question; SQLite allows more, but not without end


class Journal:
    """Writes down one change while it is made; use inside one transaction, end with :meth:`close`."""

    def __init__(self, connection: sa.Connection, kind: Kind, keep: timedelta) -> None:
        self._connection = connection
        self._kind = kind
        self._id = uuid4().hex
        self.now = datetime.now(UTC)
        self._until = self.now + keep
        row = {"id": self._id, "kind": kind, "words": "", "at": self.now, "until": self._until}
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
        """Say what was done; returns the change. ``people`` are the ids of those whose template it may alter."""
        self._connection.execute(CHANGE.update().where(CHANGE.c.id == self._id).values(words=words[:400]))
        return Change(self._id, self._kind, words, self.now, self._until, people=tuple(dict.fromkeys(people)))


def undo(connection: sa.Connection, change_id: str) -> Change:
    """Put every row of a change back. Raises :class:`NoSuchChange` or :class:`UndoConflict`."""
    found = connection.execute(sa.select(CHANGE).where(CHANGE.c.id == change_id)).first()
    if found is None:
        raise NoSuchChange("there is no such change, or it is too old to be undone")
    change = _change(found)
    if change.undone:
        raise UndoConflict("this is undone already")
    if change.until <= datetime.now(UTC):
        raise UndoConflict("the time in which this could be undone is over")
    notes = connection.execute(
        sa.select(CHANGE_ROW).where(CHANGE_ROW.c.change_id == change_id).order_by(CHANGE_ROW.c.number.desc())
    ).all()
    people: set[str] = set()
    for note in notes:
        table = TABLES[note.table]
        columns = [table.c[name] for name in note.after]
        owner = table.c.id if table is PERSON else table.c.person_id
        row = connection.execute(sa.select(owner.label("owner"), *columns).where(table.c.id == note.row)).first()
        if row is None and table is SEEN:
            continue  # sightings are erased by age, whatever was changed of them
        if row is None or {name: _plain(getattr(row, name)) for name in note.after} != note.after:
            raise UndoConflict("something of this has been changed since; undo that first")
        values = {name: _typed(table.c[name], value) for name, value in note.before.items()}
        if table is PERSON and values.get("deleted") is not None:
            values["name_key"] = _removed_key(connection, note.row)  # an enrolment undone blocks no name
        connection.execute(table.update().where(table.c.id == note.row).values(**values))
        people |= {row.owner, *([note.before["person_id"]] if "person_id" in note.before else [])}
    connection.execute(CHANGE.update().where(CHANGE.c.id == change_id).values(undone=datetime.now(UTC)))
    return Change(change.id, change.kind, change.words, change.at, change.until, True, tuple(people))


def _removed_key(connection: sa.Connection, person_id: str) -> str:
    name, room = connection.execute(sa.select(PERSON.c.name, PERSON.c.room).where(PERSON.c.id == person_id)).one()
    return unique_key(name, room, removed=person_id)


def changes(connection: sa.Connection) -> list[Change]:
    """What can still be undone, or was, newest first."""
    now = datetime.now(UTC)
    query = sa.select(CHANGE).where(CHANGE.c.until > now).order_by(CHANGE.c.at.desc(), CHANGE.c.id)
    return [_change(row) for row in connection.execute(query)]


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


def erase_expired(connection: sa.Connection, keep: timedelta, now: datetime) -> bool:
    """Erase for good what was removed longer ago than ``keep``, and the notes of it; returns whether there was any."""
    erased = 0
    for table in (SAMPLE, NEGATIVE, PERSON):
        erased += connection.execute(table.delete().where(table.c.deleted <= now - keep)).rowcount
    erased += connection.execute(CHANGE.delete().where(CHANGE.c.until <= now)).rowcount
    return erased > 0


def chunks(ids: Collection[str]) -> list[list[str]]:
    """Ids in portions that one question may hold."""
    all_ids = list(ids)
    return [all_ids[start : start + CHUNK] for start in range(0, len(all_ids), CHUNK)]


def _change(row: Any) -> Change:
    at, until = row.at.replace(tzinfo=UTC), row.until.replace(tzinfo=UTC)
    return Change(row.id, row.kind, row.words, at, until, row.undone is not None)


def _plain(value: Any) -> Any:
    """As JSON keeps it; times without their zone, as SQLite gives them back."""
    if isinstance(value, datetime):
        return (value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value).isoformat()
    return value


def _typed(column: sa.Column[Any], value: Any) -> Any:
    if isinstance(column.type, sa.DateTime) and isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value
