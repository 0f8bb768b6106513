"""Keys of other programs: what they may do and the hash of each, never the key. Blocking; one thread owns the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from server.storage.engine import writing
from server.storage.names import MAX_NAME
from server.storage.schema import METADATA, TIME

MAX_KEYS = 100
TABLE = sa.Table(
    "api_key",
    METADATA,
    sa.Column("id", sa.String(8), primary_key=True),
    sa.Column("name", sa.String(MAX_NAME), nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),  # SHA-256 of the key, which is random enough for it
    sa.Column("created", TIME, nullable=False),
    sa.Column("used", TIME),
)


class TooManyKeys(ValueError):
    """There are as many keys as there may be."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key; ``used`` to within some minutes."""

    id: str
    name: str
    scopes: tuple[str, ...]
    hash: str
    created: datetime
    used: datetime | None = None


def read_keys(engine: sa.Engine) -> list[ApiKey]:
    """All keys, the oldest first."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(TABLE).order_by(TABLE.c.created, TABLE.c.id)).all()
    return [
        ApiKey(row.id, row.name, tuple(row.scopes), row.hash, _utc(row.created), row.used and _utc(row.used))
        for row in rows
    ]


def add_key(engine: sa.Engine, key: ApiKey) -> None:
    """Keep a new one. Raises :class:`TooManyKeys`."""
    with writing(engine) as connection:
        if connection.execute(sa.select(sa.func.count()).select_from(TABLE)).scalar_one() >= MAX_KEYS:
            raise TooManyKeys(f"there are {MAX_KEYS} keys already; revoke one first")
        row = {"id": key.id, "name": key.name, "scopes": list(key.scopes), "hash": key.hash, "created": key.created}
        connection.execute(TABLE.insert(), [row])


def delete_key(engine: sa.Engine, id: str) -> bool:
    """Revoke one; whether there was one."""
    with writing(engine) as connection:
        return bool(connection.execute(TABLE.delete().where(TABLE.c.id == id)).rowcount)


def note_use(engine: sa.Engine, id: str, at: datetime) -> None:
    """A key was used."""
    with writing(engine) as connection:
        connection.execute(TABLE.update().where(TABLE.c.id == id).values(used=at))


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC)
