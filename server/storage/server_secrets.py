"""Secrets of the server itself that all nodes have to share, sealed with the store's common key: what signs the audit
log, and links. Where the store is a file they lie in the data folder instead. Blocking; one thread owns the store."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from server.storage.engine import writing
from server.storage.schema import METADATA
from server.storage.sealing import opener, seal_row, vault_of

SECRET = sa.Table(
    "server_secret",
    METADATA,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),  # sealed with a key of its own
)


def shared_secret(engine: sa.Engine, name: str, make: Callable[[], bytes]) -> bytes:
    """The secret of this name, made by whichever node comes first. Raises :class:`server.storage.StorageError`."""
    with writing(engine) as connection:
        found = connection.execute(sa.select(SECRET.c.value).where(SECRET.c.name == name)).scalar()
        if found is None:
            secret = make()
            key = vault_of(connection).new_key("common")
            connection.execute(SECRET.insert(), [seal_row(connection, key, SECRET, {"name": name, "value": secret})])
            return secret
        return opener(connection, SECRET.name, "value")(found, name)
