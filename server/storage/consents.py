"""Why somebody may be recognised: records that are never changed, only followed by newer ones. The newest counts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from server.storage.chunks import chunks
from server.storage.consent_values import (
    MAX_PURPOSE,
    MAX_RECORDER,
    UNSAID,
    Consent,
    ConsentMissing,
    NewConsent,
    missing,
)
from server.storage.engine import touch, writing
from server.storage.rows import NoSuchPerson
from server.storage.schema import METADATA, PERSON, TIME

CONSENT = sa.Table(
    "consent",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    sa.Column("person_id", sa.String(32), sa.ForeignKey("person.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("purpose", sa.String(MAX_PURPOSE), nullable=False),
    sa.Column("basis", sa.String(24), nullable=False),
    sa.Column("given", sa.Date, nullable=False),
    sa.Column("expires", TIME),  # NULL: never
    sa.Column("withdrawn", TIME),
    sa.Column("recorded", TIME, nullable=False),  # never earlier than that of the record before
    sa.Column("recorded_by", sa.String(MAX_RECORDER), nullable=False),
    sqlite_autoincrement=True,  # of two that were recorded at one time, the higher number is the newer
)


@dataclass(frozen=True, slots=True)
class Recording:
    """How records are made: whether one has to be said, who does it (at most 80 characters) and when."""

    require: bool = False
    by: str = "server"
    at: datetime | None = None  # now

    @property
    def now(self) -> datetime:
        """When, UTC."""
        return self.at or datetime.now(UTC)


AS_TOLD = Recording()
"""Where somebody says why it is written down, and where nobody does, that."""


def settle(
    connection: sa.Connection, person_id: str, name: str, said: NewConsent | None, how: Recording, *, new: bool
) -> None:
    """Write down why somebody who is being enrolled, or given more samples, may be recognised.

    Whoever may be recognised already needs no further record. Raises :class:`ConsentMissing`.
    """
    before = None if new else newest(connection, [person_id]).get(person_id)
    if said is not None:
        add(connection, person_id, said, how)
    elif before is not None and not before.allows(how.now):
        raise ConsentMissing(f"{name} may not be recognised any more: say anew why they may be, with a basis")
    elif how.require and (before is None or before.basis == "not_recorded"):
        raise ConsentMissing(missing(name))
    elif before is None:
        add(connection, person_id, NewConsent(UNSAID, "not_recorded", how.now.date()), how)


def record(engine: sa.Engine, person_id: str, said: NewConsent, how: Recording = AS_TOLD) -> Consent:
    """Note why somebody may be recognised from now on. Raises :class:`server.storage.NoSuchPerson`."""
    with writing(engine) as connection:
        _name(connection, person_id)
        touch(connection, [person_id])
        return add(connection, person_id, said, how)


def withdraw(engine: sa.Engine, person_id: str, how: Recording = AS_TOLD) -> Consent:
    """Note that somebody must not be recognised any more. Raises :class:`server.storage.NoSuchPerson`, and
    ``ValueError`` if that is noted already."""
    with writing(engine) as connection:
        name = _name(connection, person_id)
        touch(connection, [person_id])
        last = newest(connection, [person_id])[person_id]
        if last.withdrawn is not None:
            raise ValueError(f"{name} is not recognised any more: the consent is withdrawn already")
        return add(connection, person_id, NewConsent(last.purpose, last.basis, last.given, last.expires), how, how.now)


def add(
    connection: sa.Connection,
    person_id: str,
    said: NewConsent,
    how: Recording,
    withdrawn: datetime | None = None,
) -> Consent:
    """A further record of somebody, who is there."""
    last = sa.select(sa.func.max(CONSENT.c.recorded)).where(CONSENT.c.person_id == person_id)
    before = connection.execute(last).scalar()
    recorded = how.now if before is None else max(how.now, before.replace(tzinfo=UTC))
    made = Consent(
        uuid4().hex, person_id, said.purpose, said.basis, said.given, said.expires, withdrawn, recorded,
        how.by[:MAX_RECORDER],
    )  # fmt: skip
    put(connection, made)
    return made


def put(connection: sa.Connection, record: Consent) -> None:
    """Write a record as it is."""
    row = {name: getattr(record, name) for name in _FIELDS}
    connection.execute(CONSENT.insert(), [{**row, "person_id": record.person}])


def restore(connection: sa.Connection, person_id: str, records: Collection[Consent]) -> None:
    """Put back the records of somebody that are not there, the oldest first."""
    for chunk in chunks([record.id for record in records]):
        there = set(connection.execute(sa.select(CONSENT.c.id).where(CONSENT.c.id.in_(chunk))).scalars())
        records = [record for record in records if record.id not in there]
    # Both lists that come here are newest first: of two of one time the later one stays the newer.
    ordered = list({record.id: record for record in records}.values())[::-1]
    for record in sorted(ordered, key=_when):
        put(connection, replace(record, person=person_id))


def newest(connection: sa.Connection, ids: Collection[str] | None = None) -> dict[str, Consent]:
    """The record that counts, by person: of all, or of some, who are enrolled."""
    found: dict[str, Consent] = {}
    for chunk in [None] if ids is None else chunks(ids):
        ranked = _ranked(chunk)
        query = sa.select(ranked).where(ranked.c.rank == 1)
        found |= {row.person_id: _consent(row) for row in connection.execute(query)}
    return found


def history(connection: sa.Connection, person_id: str) -> list[Consent]:
    """Every record of somebody, the newest first."""
    query = sa.select(CONSENT).where(CONSENT.c.person_id == person_id)
    return [_consent(row) for row in connection.execute(query.order_by(*_NEWEST_FIRST))]


def left_out(connection: sa.Connection, at: datetime, ids: Collection[str] | None = None) -> set[str]:
    """Who must not be recognised at a time (UTC): among all, or some of them."""
    found: set[str] = set()
    for chunk in [None] if ids is None else chunks(ids):
        ranked = _ranked(chunk)
        ended = sa.or_(ranked.c.withdrawn.is_not(None), ranked.c.expires <= at)
        found |= set(connection.execute(sa.select(ranked.c.person_id).where(ranked.c.rank == 1, ended)).scalars())
    return found


_FIELDS = ("id", "purpose", "basis", "given", "expires", "withdrawn", "recorded", "recorded_by")
_NEWEST_FIRST = (CONSENT.c.recorded.desc(), CONSENT.c.number.desc())


def _ranked(ids: Collection[str] | None) -> sa.Subquery:
    rank = sa.func.row_number().over(partition_by=CONSENT.c.person_id, order_by=_NEWEST_FIRST).label("rank")
    query = sa.select(CONSENT, rank).join(PERSON).where(PERSON.c.deleted.is_(None))
    return (query if ids is None else query.where(CONSENT.c.person_id.in_(ids))).subquery()


def _consent(row: Any) -> Consent:
    return Consent(
        row.id, row.person_id, row.purpose, row.basis, row.given, _utc(row.expires), _utc(row.withdrawn),
        row.recorded.replace(tzinfo=UTC), row.recorded_by,
    )  # fmt: skip


def _name(connection: sa.Connection, person_id: str) -> str:
    query = sa.select(PERSON.c.name).where(PERSON.c.id == person_id, PERSON.c.deleted.is_(None))
    name: str | None = connection.execute(query).scalar()
    if name is None:
        raise NoSuchPerson("nobody of this id is enrolled")
    return name


def _when(record: Consent) -> datetime:
    return record.recorded


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)
