"""The SQLite file: opened with owner-only rights, brought up to date by Alembic, every change in a real transaction."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError

from server.storage.faults import damage, fault
from server.storage.rows import StorageError

PRAGMAS = ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL", "secure_delete=ON", "busy_timeout=5000")
_WRITES = "visavis_writes"
_ROOM = 64 * 1024  # bytes that SQLite needs beside the store to open it
_RESTORE = "restore a backup, or move it away to begin anew"


def open_engine(path: Path) -> sa.Engine:
    """Open or make the file. Raises :class:`StorageError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600, exist_ok=True)
        path.chmod(0o600)
    except OSError as error:
        raise StorageError(f"cannot open {path}: {error.strerror}; see the setting data_dir") from error
    # Parameters are names and embeddings: an error must not carry them into a log. One thread owns the store, so one
    # connection is enough, and what it did not write itself (PRAGMA data_version) another process wrote.
    engine = sa.create_engine(f"sqlite:///{path}", hide_parameters=True, pool_size=1, max_overflow=0)
    sa.event.listen(engine, "connect", _configure)
    sa.event.listen(engine, "begin", _begin)
    try:
        with engine.connect() as connection:
            wrong = damage(connection)
        if wrong is not None:
            engine.dispose()
            raise StorageError(f"cannot open {path}: it is damaged ({wrong}); {_RESTORE}")
        with writing(engine) as connection:
            _migrate(connection)
    except sa.exc.DatabaseError as error:
        engine.dispose()
        found = fault(error)
        advice = _RESTORE if found is not None and not found.passes else "check its rights and free space"
        # Without room for its shared memory SQLite says "disk I/O error" alone.
        full = shutil.disk_usage(path.parent).free < _ROOM
        reason = "the disk is full" if full else error.orig
        raise StorageError(f"cannot open {path}: {reason}; {advice}") from error
    except CommandError as error:
        engine.dispose()
        raise StorageError(f"cannot open {path}: it was made by a newer version of Visavis") from error
    return engine


def writing(engine: sa.Engine) -> Any:
    """A transaction that may write; a context manager that gives its connection."""
    return engine.execution_options(**{_WRITES: True}).begin()


def erase_traces(engine: sa.Engine) -> None:
    """Empty the write-ahead log into the file: what was deleted is then gone from both (``secure_delete``)."""
    with engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]


def _configure(connection: Any, _record: Any) -> None:
    # The driver's own transactions leave changes of the schema out; ours begin where SQLAlchemy says.
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: sa.Connection) -> None:
    # A transaction that read first could not be sure to be let write: another process may have come between.
    kind = "BEGIN IMMEDIATE" if connection.get_execution_options().get(_WRITES) else "BEGIN"
    connection.exec_driver_sql(kind)


def _migrate(connection: sa.Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
