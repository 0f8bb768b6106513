"""The nodes that share this database, as each says of itself. Blocking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from server.storage.schema import METADATA

_SECONDS = sa.Double  # since 1970, by the database's clock: what is compared is never another's
NODE = sa.Table(
    "node",
    METADATA,
    sa.Column("tag", sa.String(6), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("url", sa.String(255), nullable=False),
    sa.Column("version", sa.String(32), nullable=False),
    sa.Column("sessions", sa.Integer, nullable=False),
    sa.Column("draining", sa.Boolean, nullable=False),
    sa.Column("started", _SECONDS, nullable=False),
    sa.Column("seen", _SECONDS, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A node; ``up`` and ``silent`` are seconds since it started and since it was last seen."""

    tag: str
    name: str
    url: str
    version: str
    sessions: int
    draining: bool
    up: float
    silent: float


def beat(engine: sa.Engine, row: Mapping[str, Any], *, started: bool, dead: float, forget: float) -> tuple[Row, ...]:
    """Say that a node lives, or has just started; all there are. One not seen for ``dead`` seconds starts anew, for
    the others; one not seen for ``forget`` seconds is erased."""
    with engine.begin() as connection:
        now = _now(connection)
        since = now if started else sa.case((NODE.c.seen <= now - dead, now), else_=NODE.c.started)
        tag = NODE.c.tag == row["tag"]
        if not connection.execute(NODE.update().where(tag).values(**row, seen=now, started=since)).rowcount:
            connection.execute(NODE.insert(), [{**row, "seen": now, "started": now}])
        connection.execute(NODE.delete().where(NODE.c.seen < now - forget))
        return _rows(connection, now)


def read(engine: sa.Engine) -> tuple[Row, ...]:
    """All there are, by name."""
    with engine.connect() as connection:
        return _rows(connection, _now(connection))


def leave(engine: sa.Engine, tag: str) -> None:
    """A node has gone."""
    with engine.begin() as connection:
        connection.execute(NODE.delete().where(NODE.c.tag == tag))


def _rows(connection: sa.Connection, now: float) -> tuple[Row, ...]:
    found = connection.execute(sa.select(NODE).order_by(NODE.c.name)).mappings()
    return tuple(
        Row(
            one["tag"], one["name"], one["url"], one["version"], one["sessions"], one["draining"],
            max(0.0, now - one["started"]), max(0.0, now - one["seen"]),
        )
        for one in found
    )  # fmt: skip


def _now(connection: sa.Connection) -> float:
    if connection.dialect.name == "sqlite":
        return float(connection.exec_driver_sql("SELECT (julianday('now') - 2440587.5) * 86400").scalar_one())
    return float(connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())").scalar_one())
