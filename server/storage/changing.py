"""The transaction that one correction is made in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from server.storage.engine import writing
from server.storage.journal import Journal
from server.storage.rows import Kind, NameTaken


class ChangeTransaction:
    """A transaction with its journal; a name that is taken is said as :class:`NameTaken`."""

    def __init__(self, engine: sa.Engine, kind: Kind, keep: timedelta) -> None:
        self._transaction = writing(engine)
        self._kind: Kind = kind
        self._keep = keep

    def __enter__(self) -> tuple[sa.Connection, Journal]:
        connection = self._transaction.__enter__()
        return connection, Journal(connection, self._kind, self._keep)

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._transaction.__exit__(kind, error, trace)
        if isinstance(error, sa.exc.IntegrityError):
            raise name_taken(error) from error


def name_taken(error: sa.exc.IntegrityError) -> Exception:
    """What an error says where it is that somebody bears the name already; else itself."""
    codes = (getattr(error.orig, name, None) for name in ("sqlite_errorname", "sqlstate"))
    unique = any(code in ("SQLITE_CONSTRAINT_UNIQUE", "23505") for code in codes)
    return NameTaken("somebody of this name is enrolled already") if unique else error
