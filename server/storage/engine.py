"""What the store lies in: a SQLite file (:mod:`server.storage.engine_sqlite`) or a PostgreSQL database
(:mod:`server.storage.engine_postgres`), and what both have in common."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from server.storage.elsewhere import Changes, Elsewhere
from server.storage.rows import StorageError
from server.storage.schema import VAULT
from server.vault import Vault

WRITES = "visavis_writes"
BACKEND = "visavis_backend"
TOUCHED = "visavis_touched"


class Backend(Protocol):
    """Where the store lies, and what differs there."""

    @property
    def words(self) -> str:
        """The store, for messages."""

    @property
    def shared(self) -> bool:
        """Whether several nodes have it at once, and are told of each other's changes."""

    def prepare(self) -> None:
        """Make what is missing before it can be opened. Raises :class:`StorageError`."""

    def open(self, vault: Vault) -> sa.Engine:
        """Open it, and bring its tables up to date. Raises :class:`StorageError`."""

    def cannot_open(self, error: sa.exc.DatabaseError) -> StorageError:
        """What is wrong, with what to do."""

    def version(self, engine: sa.Engine) -> int:
        """A number that changes when somebody else has written; where it is shared, with every change."""

    def changes(self, told: Callable[[Elsewhere], None]) -> Changes:
        """Follow what others write, where it is shared. Raises ``LookupError`` where it is not."""

    def erase_traces(self, engine: sa.Engine) -> bool:
        """Let nothing be left in logs of what was deleted; whether that could be done."""

    def clean(self, engine: sa.Engine) -> None:
        """Let nothing be left in free space of what was deleted, if something was; the keyring too."""


def writing(engine: sa.Engine) -> Any:
    """A transaction that may write; a context manager that gives its connection. One at a time, whoever else has the
    store open."""
    return engine.execution_options(**{WRITES: True}).begin()


def touch(connection: sa.Connection, people: Collection[str]) -> None:
    """Say whose template this transaction may alter, all of them, so that other nodes read nobody else anew."""
    touched = connection.info.get(TOUCHED)
    if touched is not None:
        touched.name(people)


def erase_traces(engine: sa.Engine) -> bool:
    """See :meth:`Backend.erase_traces`."""
    return backend_of(engine).erase_traces(engine)


def mark_dirty(connection: sa.Connection) -> None:
    """Remember that free space has to be cleared, however the process ends."""
    connection.execute(VAULT.update().values(dirty=True))


def clean(engine: sa.Engine) -> None:
    """See :meth:`Backend.clean`. Left for the next time where another process is in the way."""
    backend_of(engine).clean(engine)


def backend_of(engine: sa.Engine | sa.Connection) -> Backend:
    """Where the store lies that this opens."""
    backend: Backend = engine.get_execution_options()[BACKEND]
    return backend


def migrate(connection: sa.Connection) -> None:
    """Bring the tables up to date."""
    command.upgrade(migrations(connection), "head")


def migrations(connection: sa.Connection) -> Config:
    """The steps, to be taken on this connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations"))
    config.attributes["connection"] = connection
    return config
