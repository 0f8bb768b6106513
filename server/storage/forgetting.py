"""What forgetting leaves: the intention, until it is done, and the receipt. Blocking; one thread owns the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa

from server.storage.chunks import chunks
from server.storage.consents import CONSENT
from server.storage.engine import writing
from server.storage.events import DELIVERY, EVENT
from server.storage.inbox import SIGHTING
from server.storage.schema import CHANGE, CHANGE_ROW, METADATA, NEGATIVE, PERSON, SAMPLE, SEEN

Stage = Literal["begun", "looked", "erased"]
FORGETTING = sa.Table(
    "forgetting",
    METADATA,
    sa.Column("person_id", sa.String(32), primary_key=True),
    sa.Column("asked", sa.String(32), nullable=False),  # ISO 8601, UTC
    sa.Column("by", sa.String(80), nullable=False),
    sa.Column("reason", sa.String(24), nullable=False),
    sa.Column("films", sa.Boolean, nullable=False),  # whether videos they are in go as well
    sa.Column("stage", sa.String(16), nullable=False),
    sa.Column("erased", sa.JSON, nullable=False),  # {what: count}, as found before it was erased
    sa.Column("keys", sa.JSON),  # ids of the keys destroyed; NULL: not known
    sa.Column("remains", sa.JSON, nullable=False),
)
RECEIPT = sa.Table(
    "receipt",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("at", sa.String(32), nullable=False, index=True),
    sa.Column("body", sa.Text, nullable=False),  # JSON, as it was signed
)


@dataclass(frozen=True, slots=True)
class Intention:
    """Somebody is to be forgotten. ``erased`` counts what was found before it was erased, so that it is known after an
    interruption; ``keys`` are ``None`` until they are destroyed, or if nobody knows which they were."""

    person: str
    asked: str
    by: str
    reason: str
    films: bool = False
    stage: Stage = "begun"
    erased: Mapping[str, int] = field(default_factory=dict)
    keys: tuple[str, ...] | None = None
    remains: Sequence[Mapping[str, Any]] = ()


def intentions(engine: sa.Engine) -> list[Intention]:
    """What was begun and is not done, the oldest first."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(FORGETTING).order_by(FORGETTING.c.asked, FORGETTING.c.person_id)).all()
    return [
        Intention(
            row.person_id, row.asked, row.by, row.reason, row.films, row.stage, row.erased,
            None if row.keys is None else tuple(row.keys), tuple(row.remains),
        )
        for row in rows
    ]  # fmt: skip


def intend(engine: sa.Engine, intention: Intention) -> None:
    """Note it as it stands."""
    with writing(engine) as connection:
        connection.execute(FORGETTING.delete().where(FORGETTING.c.person_id == intention.person))
        connection.execute(FORGETTING.insert(), [_row(intention)])


def finish(connection: sa.Connection, person: str, receipt: str, at: str, body: str) -> None:
    """It is done: the receipt stays instead; within a transaction that may write."""
    connection.execute(FORGETTING.delete().where(FORGETTING.c.person_id == person))
    connection.execute(RECEIPT.insert(), [{"id": receipt, "at": at, "body": body}])


def receipts(engine: sa.Engine, limit: int, after: tuple[str, str] | None = None) -> list[str]:
    """The bodies of receipts, the newest first; ``after``: time and id of the one they follow."""
    query = sa.select(RECEIPT.c.body).order_by(RECEIPT.c.at.desc(), RECEIPT.c.id).limit(limit)
    if after is not None:
        at, id = after
        query = query.where(sa.or_(RECEIPT.c.at < at, sa.and_(RECEIPT.c.at == at, RECEIPT.c.id > id)))
    with engine.connect() as connection:
        return list(connection.execute(query).scalars())


def receipt(engine: sa.Engine, id: str) -> str | None:
    """The body of one."""
    with engine.connect() as connection:
        return connection.execute(sa.select(RECEIPT.c.body).where(RECEIPT.c.id == id)).scalar()


def exists(connection: sa.Connection, person: str) -> bool:
    """Whether there is somebody of this id, removed or not."""
    return connection.execute(sa.select(PERSON.c.id).where(PERSON.c.id == person)).first() is not None


def held_of(connection: sa.Connection, person: str) -> dict[str, int]:
    """What the tables hold of somebody, by what it is."""

    def count(table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
        query = sa.select(sa.func.count()).select_from(table).where(table.c.person_id == person, *where)
        return int(connection.execute(query).scalar_one())

    waiting = sa.select(sa.func.count()).select_from(DELIVERY.join(EVENT)).where(EVENT.c.person_id == person)
    return {
        "samples": count(SAMPLE),
        "crops": count(SAMPLE, SAMPLE.c.crop.is_not(None)),
        "negatives": count(NEGATIVE),
        "consents": count(CONSENT),
        "changes": len(changes_of(connection, person)),
        "sightings": count(SEEN) + count(SIGHTING),
        "sighting crops": count(SEEN, SEEN.c.crop.is_not(None)),
        "events": count(EVENT),
        "deliveries": int(connection.execute(waiting).scalar_one()),
    }


def waiting(connection: sa.Connection) -> int:
    """How many rows are removed, or noted to be undone, and wait to be erased."""
    counts = [sa.select(sa.func.count()).select_from(CHANGE)]
    counts += [sa.select(sa.func.count()).where(t.c.deleted.is_not(None)) for t in (PERSON, SAMPLE, NEGATIVE)]
    return sum(int(connection.execute(count).scalar_one()) for count in counts)


def changes_of(connection: sa.Connection, person: str) -> set[str]:
    """Ids of the changes, noted to be undone, that touched somebody or something of theirs."""
    rows = [person]
    for table in (SAMPLE, NEGATIVE, SEEN):
        rows += connection.execute(sa.select(table.c.id).where(table.c.person_id == person)).scalars()
    found: set[str] = set()
    for chunk in chunks(rows):
        query = sa.select(CHANGE_ROW.c.change_id).where(CHANGE_ROW.c.row.in_(chunk))
        found |= set(connection.execute(query).scalars())
    return found


def _row(intention: Intention) -> dict[str, Any]:
    return {
        "person_id": intention.person,
        "asked": intention.asked,
        "by": intention.by,
        "reason": intention.reason,
        "films": intention.films,
        "stage": intention.stage,
        "erased": dict(intention.erased),
        "keys": sa.null() if intention.keys is None else list(intention.keys),
        "remains": [dict(one) for one in intention.remains],
    }
