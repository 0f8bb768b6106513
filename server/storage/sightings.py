"""Who was seen in which session, from when to when. All of it blocks; one thread owns the store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa

from server.storage.engine import erase_traces, writing
from server.storage.events import EVENT, NewEvent, add_events, erase_events
from server.storage.schema import PERSON, SEEN
from server.storage.sealing import key_in, keys_of_people, name_opener, opener, seal_row, vault_of

Who = Literal["named", "unknown"]
LASTING = ("id", "room", "session")  # of a sighting, however long it goes on


@dataclass(frozen=True, slots=True)
class Seen:
    """Somebody in a session, from and to (UTC). ``person`` is an id, ``None`` for a stranger; ``probability`` the
    highest while it lasted; ``crop`` a JPEG of the best look, where it was kept."""

    id: str
    person: str | None
    room: str | None
    session: str
    began: datetime
    ended: datetime
    probability: float | None
    crop: bytes | None = None
    crop_quality: float = 0.0


@dataclass(frozen=True, slots=True)
class SeenRow:
    """A sighting as it is shown: with the person's name as it is now, and whether there is a picture."""

    id: str
    person: str | None
    name: str | None
    room: str | None
    session: str
    began: datetime
    ended: datetime
    probability: float | None
    crop: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sightings: those that overlap from–to, of a person, a room (empty: outside any), a session."""

    person: str | None = None
    who: Who | None = None
    room: str | None = None
    session: str | None = None
    begin: datetime | None = None
    end: datetime | None = None


def write(
    engine: sa.Engine, seen: Sequence[Seen], gone: Collection[str], events: Sequence[NewEvent]
) -> list[tuple[int, str]]:
    """Write sightings as they are now, take away those ``gone`` into others, and note events for webhooks, in one
    transaction. Whoever has been forgotten is left out. Returns number and id of each event that was noted."""
    latest = {row.id: row for row in seen}  # one that was waiting to be written may have gone on meanwhile
    with writing(engine) as connection:
        people = {row.person for row in seen if row.person} | {event.person for event in events if event.person}
        query = sa.select(PERSON.c.id).where(PERSON.c.id.in_(people))
        alive = {None, *connection.execute(query).scalars()}
        keys = keys_of_people(connection, alive - {None})
        unnamed = _unnamed_keys(connection, SEEN.c.id.in_([*gone, *latest]))
        connection.execute(SEEN.delete().where(SEEN.c.id.in_(gone)))
        rows = []
        for row in latest.values():
            if row.person in alive:
                rows.append(_sealed(connection, row, keys[row.person] if row.person else unnamed.pop(row.id, None)))
            elif row.id in unnamed:  # it stays as it is
                del unnamed[row.id]
        _upsert(connection, rows)
        vault_of(connection).destroy(unnamed.values())
        return add_events(connection, [event for event in events if event.person in alive])


def _unnamed_keys(connection: sa.Connection, where: sa.ColumnElement[bool]) -> dict[str, bytes]:
    """The keys of sightings that are nobody's, by sighting; one without a picture has none."""
    query = sa.select(SEEN.c.id, SEEN.c.crop).where(where, SEEN.c.person_id.is_(None), SEEN.c.crop.is_not(None))
    return {row.id: key_in(row.crop) for row in connection.execute(query)}


def _sealed(connection: sa.Connection, row: Seen, key: bytes | None) -> dict[str, Any]:
    """The row as it is written."""
    if row.crop is None and key is not None and row.person is None:
        vault_of(connection).destroy([key])
    elif row.crop is not None and key is None:
        key = vault_of(connection).new_key("seen")
    values: dict[str, Any] = {
        "id": row.id, "person_id": row.person, "room": row.room, "session": row.session, "began": row.began,
        "ended": row.ended, "probability": row.probability, "crop": row.crop, "crop_quality": row.crop_quality,
    }  # fmt: skip
    return values if key is None else seal_row(connection, key, SEEN, values)


def _upsert(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Two statements for all of them: every node waits for whoever writes."""
    there = set(connection.execute(sa.select(SEEN.c.id).where(SEEN.c.id.in_([row["id"] for row in rows]))).scalars())
    if old := [
        {"_id": row["id"], **{name: row[name] for name in row if name not in LASTING}}
        for row in rows
        if row["id"] in there
    ]:
        connection.execute(SEEN.update().where(SEEN.c.id == sa.bindparam("_id")), old)
    if new := [row for row in rows if row["id"] not in there]:
        connection.execute(SEEN.insert(), new)


def find(engine: sa.Engine, wanted: Wanted, limit: int, after: tuple[float, str] | None = None) -> list[SeenRow]:
    """Sightings, the newest first; ``after`` is :func:`place` of the one they follow."""
    query = _query(wanted).order_by(SEEN.c.began.desc(), SEEN.c.id).limit(limit)
    if after is not None:
        began = datetime.fromtimestamp(-after[0], UTC)
        query = query.where(sa.or_(SEEN.c.began < began, sa.and_(SEEN.c.began == began, SEEN.c.id > after[1])))
    with engine.connect() as connection:
        name_of = name_opener(connection)
        return [_row(row, name_of) for row in connection.execute(query)]


def place(row: SeenRow) -> tuple[float, str]:
    """The sort key of a sighting, rising as they are listed."""
    return -row.began.timestamp(), row.id


def get_crop(engine: sa.Engine, id: str) -> bytes | None:
    """The picture of a sighting; ``None`` where there is none, or no such sighting."""
    with engine.connect() as connection:
        query = sa.select(SEEN.c.crop).join(PERSON, isouter=True).where(SEEN.c.id == id, PERSON.c.deleted.is_(None))
        crop: bytes | None = connection.execute(query).scalar()
        return None if crop is None else opener(connection, SEEN.name, "crop")(crop, id)


def erase(engine: sa.Engine, id: str | None = None) -> bool:
    """Erase one sighting, or all of them, with what was to be told of it; whether there was any."""
    with writing(engine) as connection:
        every = sa.true() if id is None else SEEN.c.id == id
        vault_of(connection).destroy(_unnamed_keys(connection, every).values())
        erased = connection.execute(SEEN.delete().where(every)).rowcount
        connection.execute(EVENT.delete().where(sa.true() if id is None else EVENT.c.sighting == id))
    if erased:
        erase_traces(engine)
    return bool(erased)


def erase_before(engine: sa.Engine, time: datetime, events: datetime) -> int:
    """Erase sightings that ended before a time, and events older than another one; how many sightings."""
    with writing(engine) as connection:
        vault_of(connection).destroy(_unnamed_keys(connection, SEEN.c.ended < time).values())
        erased = int(connection.execute(SEEN.delete().where(SEEN.c.ended < time)).rowcount)
        told = erase_events(connection, events)
    if erased or told:
        erase_traces(engine)
    return erased


def _query(wanted: Wanted) -> sa.Select[Any]:
    columns = [column for column in SEEN.c if column is not SEEN.c.crop]
    query = sa.select(*columns, PERSON.c.name, SEEN.c.crop.is_not(None).label("pictured"))
    query = query.select_from(SEEN.join(PERSON, isouter=True)).where(PERSON.c.deleted.is_(None))
    if wanted.person is not None:
        query = query.where(SEEN.c.person_id == wanted.person)
    if wanted.who is not None:
        query = query.where(SEEN.c.person_id.is_(None) if wanted.who == "unknown" else SEEN.c.person_id.is_not(None))
    if wanted.room is not None:
        query = query.where(SEEN.c.room == wanted.room if wanted.room else SEEN.c.room.is_(None))
    if wanted.session is not None:
        query = query.where(SEEN.c.session == wanted.session)
    if wanted.begin is not None:
        query = query.where(SEEN.c.ended >= wanted.begin)
    if wanted.end is not None:
        query = query.where(SEEN.c.began < wanted.end)
    return query


def _row(row: Any, name_of: Callable[[bytes, str], str]) -> SeenRow:
    name = None if row.name is None else name_of(row.name, row.person_id)
    began, ended = row.began.replace(tzinfo=UTC), row.ended.replace(tzinfo=UTC)
    probability, pictured = row.probability, bool(row.pictured)
    return SeenRow(row.id, row.person_id, name, row.room, row.session, began, ended, probability, pictured)
