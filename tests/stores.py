"""Tests of the store on both: a SQLite file, and a PostgreSQL database."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.database import Database
from tests.postgres import Server, server

only_sqlite = pytest.mark.parametrize("either_store", ["sqlite"], indirect=True)
"""For a test that looks into the file itself, or at what only a file can do."""


def postgres() -> Server:
    """The server of this process; without one the test is skipped, saying why."""
    found = server()
    if isinstance(found, str):
        pytest.skip(found)
    return found


@contextlib.contextmanager
def on_postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What names no database gets one all the same: one for each folder that a store would lie in."""
    running = postgres()
    made: dict[Path, str] = {}

    def database_for(path: Path, url: str) -> Database:
        folder = path.parent
        if not url and folder not in made:
            made[folder] = running.database()
        return Database(url or made[folder])

    with monkeypatch.context() as patched:
        patched.setattr("server.storage.store.database_for", database_for)
        yield
    running.drop()
