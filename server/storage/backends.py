"""Which of the two the store lies in."""

from __future__ import annotations

from pathlib import Path

from server.database import Database
from server.storage.engine import Backend
from server.storage.engine_postgres import PostgresDatabase
from server.storage.engine_sqlite import SqliteFile


def database_for(path: Path, url: str) -> Database | None:
    """The database of this address; ``None`` for an empty one: the file at ``path`` then."""
    return Database(url) if url else None


def backend_for(path: Path, database: Database | None) -> Backend:
    """A file, or a database."""
    return SqliteFile(path) if database is None else PostgresDatabase(database)


def is_made(path: Path, url: str) -> bool:
    """Whether there may be people yet: a database is looked into when it is opened."""
    return bool(url) or path.is_file()
