"""What the command line did, in the audit log."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from server.audit import SigningKey
from server.audit.actions import checked
from server.storage import PeopleStore
from server.storage.audit import Noted, append, append_in

COMMAND_LINE = "command line"
"""Who does it."""


def noted(
    store: PeopleStore, action: str, subject: str = "", *, room: str = "", count: int = 1, detail: str = ""
) -> None:
    """Write down what was done; it stands in the store when this returns. Raises
    :class:`server.settings.StartError`."""
    entry = checked(Noted(COMMAND_LINE, action, subject, room, count, detail))
    append(store.engine, SigningKey.of(store), [entry])


def noted_unopened(path: Path, action: str) -> None:
    """The same of a store of today's version that is not to be opened, as nothing that is sealed in it matters. Raises
    ``sqlalchemy.exc.SQLAlchemyError`` too."""
    key = SigningKey.open(path.parent)
    with _unopened(path) as connection:
        append_in(connection, key, [checked(Noted(COMMAND_LINE, action))])


@contextlib.contextmanager
def _unopened(path: Path) -> Iterator[sa.Connection]:
    engine = sa.create_engine(f"sqlite:///{path}", hide_parameters=True, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=5000")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.exec_driver_sql("COMMIT")
    finally:
        engine.dispose()
