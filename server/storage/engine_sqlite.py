"""The store as a SQLite file: opened with owner-only rights, brought up to date by Alembic, every change in a real
transaction.

The keyring follows each: keys it made are on the disk before what they seal, and keys it destroys are gone before the
rows are. So whatever ends the process, nothing acknowledged is without its key, and :func:`server.storage.settling.
settle` finishes at the next start what was begun.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.util.exc import CommandError

from server.storage.elsewhere import Changes, Elsewhere
from server.storage.engine import BACKEND, WRITES, migrate, writing
from server.storage.faults import damage, fault
from server.storage.rows import StorageError
from server.storage.schema import VAULT
from server.storage.sealing import MISSING, OPTION, vault_of
from server.vault import Vault
from server.vault.keyring import FILE as KEYRING

logger = logging.getLogger(__name__)

PRAGMAS = ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL", "secure_delete=ON", "busy_timeout=5000")
_ROOM = 64 * 1024  # bytes that SQLite needs beside the store to open it
_RESTORE = "restore a backup, or move it away to begin anew"


class SqliteFile:
    """One file. What the methods do stands at :class:`server.storage.engine.Backend`."""

    shared = False
    words = "people.sqlite3"

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self) -> None:
        """Make the file and its folder where they are missing, with owner-only rights. Raises
        :class:`StorageError`, also for a store whose keyring is missing: a new one would open nothing of it."""
        path = self.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600, exist_ok=True)
            path.chmod(0o600)
        except OSError as error:
            raise StorageError(f"cannot open {path}: {error.strerror}; see the setting data_dir") from error
        if not (path.parent / KEYRING).exists() and _is_sealed(path):
            raise StorageError(f"cannot open {path}: {MISSING}")

    def open(self, vault: Vault) -> sa.Engine:
        """Open the file that :meth:`prepare` made. Raises :class:`StorageError`."""
        path = self.path
        # Parameters are names and embeddings: an error must not carry them into a log. One thread owns the store, so
        # one connection is enough, and what it did not write itself (PRAGMA data_version) another process wrote.
        made = sa.create_engine(f"sqlite:///{path}", hide_parameters=True, pool_size=1, max_overflow=0)
        engine = made.execution_options(**{OPTION: vault, BACKEND: self})
        sa.event.listen(engine, "connect", _configure)
        sa.event.listen(engine, "begin", _begin)
        sa.event.listen(engine, "commit", _commit)
        sa.event.listen(engine, "rollback", _rollback)
        try:
            with engine.connect() as connection:
                wrong = damage(connection)
            if wrong is not None:
                engine.dispose()
                raise StorageError(f"cannot open {path}: it is damaged ({wrong}); {_RESTORE}")
            with writing(engine) as connection:
                migrate(connection)
        except sa.exc.DatabaseError as error:
            engine.dispose()
            raise self.cannot_open(error) from error
        except CommandError as error:
            engine.dispose()
            raise StorageError(f"cannot open {path}: it was made by a newer version of Visavis") from error
        except BaseException:
            engine.dispose()
            raise
        return engine

    def cannot_open(self, error: sa.exc.DatabaseError) -> StorageError:
        """What SQLite said of a file, with what to do."""
        path = self.path
        found = fault(error)
        advice = _RESTORE if found is not None and not found.passes else "check its rights and free space"
        # Without room for its shared memory SQLite says "disk I/O error" alone.
        reason = "the disk is full" if shutil.disk_usage(path.parent).free < _ROOM else error.orig
        return StorageError(f"cannot open {path}: {reason}; {advice}")

    def version(self, engine: sa.Engine) -> int:
        """A number that changes when another process has written."""
        with engine.connect() as connection:
            return int(connection.exec_driver_sql("PRAGMA data_version").scalar_one())

    def changes(self, told: Callable[[Elsewhere], None]) -> Changes:
        """A file tells nothing: whoever wants to know asks for its version."""
        raise LookupError("a file is not shared")

    def erase_traces(self, engine: sa.Engine) -> bool:
        """Empty the write-ahead log into the file: what was deleted is then gone from both (``secure_delete``). Returns
        whether it went; not while another process reads."""
        with engine.connect() as connection:
            busy = _driver(connection).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            return not busy

    def clean(self, engine: sa.Engine) -> None:
        """Write the file anew without its free pages, if something was erased since; the keyring too.

        Left for the next time where another process is in the way.
        """
        with engine.connect() as connection:
            if not connection.execute(sa.select(VAULT.c.dirty)).scalar():
                return
        with contextlib.suppress(sqlite3.OperationalError):
            with engine.connect() as connection:
                _driver(connection).execute("VACUUM")
            vault_of(connection).keyring.vacuum()
            if self.erase_traces(engine):
                with writing(engine) as connection:
                    connection.execute(VAULT.update().values(dirty=False))
                self.erase_traces(engine)
                return
        logger.info("another process reads the store: traces in its free pages are cleared later")


def _is_sealed(path: Path) -> bool:
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database,
    ):
        return bool(database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [VAULT.name]).fetchone())
    return False  # opening it says what is wrong with it


def _driver(connection: sa.Connection) -> Any:
    return connection.connection.driver_connection


def _configure(connection: Any, _record: Any) -> None:
    # The driver's own transactions leave changes of the schema out; ours begin where SQLAlchemy says.
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: sa.Connection) -> None:
    # A transaction that read first could not be sure to be let write: another process may have come between.
    kind = "BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITES) else "BEGIN"
    connection.exec_driver_sql(kind)


def _commit(connection: sa.Connection) -> None:
    vault = vault_of(connection)
    if not vault.pending:
        return
    driver = _driver(connection)
    (mark,) = driver.execute("SELECT mark FROM vault_state").fetchone()
    driver.execute("UPDATE vault_state SET mark = ?", [vault.flush(mark)])


def _rollback(connection: sa.Connection) -> None:
    vault_of(connection).drop()
