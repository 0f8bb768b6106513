"""Cameras that the server fetches: their rooms, names and addresses, passwords included. Blocking; one thread owns the
store."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa

from server.storage.engine import erase_traces, writing
from server.storage.names import MAX_NAME, MAX_ROOM
from server.storage.schema import METADATA, TIME
from server.storage.sealing import key_in, opener, seal_row, vault_of

MAX_URL = 2000
TABLE = sa.Table(
    "source",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("room", sa.String(MAX_ROOM), nullable=False, index=True),
    sa.Column("name", sa.String(MAX_NAME), nullable=False),
    sa.Column("url", sa.LargeBinary, nullable=False),
    sa.Column("created", TIME, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A source as it is kept."""

    id: str
    room: str
    name: str
    url: str = field(repr=False)
    created: datetime


def read_sources(engine: sa.Engine) -> list[Source]:
    """All of them, the oldest first."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(TABLE).order_by(TABLE.c.created, TABLE.c.id)).all()
        url = opener(connection, TABLE.name, "url")
        return [
            Source(row.id, row.room, row.name, url(row.url, row.id).decode(), row.created.replace(tzinfo=UTC))
            for row in rows
        ]


def add_source(engine: sa.Engine, source: Source) -> None:
    """Keep a new one."""
    row = {
        "id": source.id, "room": source.room, "name": source.name, "url": source.url, "created": source.created,
    }  # fmt: skip
    with writing(engine) as connection:
        key = vault_of(connection).new_key("source")
        connection.execute(TABLE.insert(), [seal_row(connection, key, TABLE, row)])


def rename_source(engine: sa.Engine, id: str, name: str) -> None:
    """Call one otherwise."""
    with writing(engine) as connection:
        connection.execute(TABLE.update().where(TABLE.c.id == id).values(name=name))


def delete_source(engine: sa.Engine, id: str) -> bool:
    """Erase one, with the password in its address; whether there was one."""
    with writing(engine) as connection:
        urls = connection.execute(sa.select(TABLE.c.url).where(TABLE.c.id == id)).scalars()
        vault_of(connection).destroy([key_in(url) for url in urls])
        gone = bool(connection.execute(TABLE.delete().where(TABLE.c.id == id)).rowcount)
    erase_traces(engine)
    return gone
