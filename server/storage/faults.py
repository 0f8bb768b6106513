"""What is wrong with the store or its disk, in words a person can do something with. No words of a library: they may
hold what was being written."""

from __future__ import annotations

import errno
import sqlite3
from dataclasses import dataclass

import sqlalchemy as sa

from server.vault import VaultError

_FULL = "The disk of the data folder is full, so nothing was saved. Make room on it, and try again."
_READ_ONLY = (
    "The data folder cannot be written, so nothing was saved. Give this user the right to, or mount it writable."
)
_DAMAGED = (
    "The store is damaged on the disk, so this could not be done. What can still be read is served; end Visavis, and "
    "restore a backup."
)
_DISK = "The disk of the data folder failed to read or write, so nothing was saved. Look at the disk before going on."
_BUSY = "Another program holds the store, so nothing was saved. Try again in a moment."
_AWAY = "The database cannot be reached; try again in a moment."
_DATABASE_FULL = "The disk of the database is full, so nothing was saved. Make room on it, and try again."
_STANDBY = "The database takes no changes, so nothing was saved: it is a copy, or read-only. Name the one that does."
_OTHER_NODE = "Another node holds the store, so nothing was saved. Try again in a moment."
_REFUSED = "The database refuses this user, so this could not be done. See the setting database, and its user's rights."
_DATABASE_DAMAGED = "The database is damaged, so this could not be done. End Visavis, and put a backup of it back."
_DATABASE_DISK = "The disk of the database failed, so nothing was saved. Look at it before going on."
# By SQLSTATE, or the class that its first two letters are.
_BY_STATE = {
    "08": _AWAY,
    "57": _AWAY,  # it is being stopped, or started
    "53": _AWAY,  # it has no connection, or memory, left
    "53100": _DATABASE_FULL,
    "25006": _STANDBY,
    "55P03": _OTHER_NODE,
    "40": _OTHER_NODE,
    "25P03": _AWAY,
    "28": _REFUSED,
    "42501": _REFUSED,
    "3D": _REFUSED,
    "58": _DATABASE_DISK,
    "XX": _DATABASE_DAMAGED,
}
_BY_CODE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _READ_ONLY,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_IOERR: _DISK,
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
}
_BY_ERRNO = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EIO: _DISK,
}
CHECKED_UP_TO = 256 * 1024 * 1024  # bytes of a store that are read at each start, within about a second


@dataclass(frozen=True, slots=True)
class Fault:
    """Something outside the program; ``passes``: it may be over in a moment, or once somebody has made room."""

    words: str
    passes: bool

    @property
    def soon(self) -> bool:
        """Whether it is worth trying again within seconds, as somebody else mends it."""
        return self.words in (_AWAY, _OTHER_NODE)


def fault(error: BaseException) -> Fault | None:
    """What is wrong outside, or ``None`` where the error is of another kind."""
    words = None
    if isinstance(error, sa.exc.TimeoutError):  # another of our own threads waits for the one connection
        return Fault(_AWAY, True)
    if isinstance(error, VaultError) and error.__cause__ is not None:  # the keyring lies on the same disk
        error = error.__cause__
    origin = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if type(origin).__module__.partition(".")[0] == "psycopg":
        words = _said_by_postgres(error, origin)
    elif isinstance(origin, sqlite3.Error):
        code = getattr(origin, "sqlite_errorcode", None)
        words = _BY_CODE.get(code & 0xFF) if code is not None else None
    elif isinstance(error, OSError) and error.errno is not None:
        words = _BY_ERRNO.get(error.errno)
    return None if words is None else Fault(words, words not in (_DAMAGED, _DATABASE_DAMAGED))


def _said_by_postgres(error: BaseException, origin: BaseException | None) -> str | None:
    state = getattr(origin, "sqlstate", None)
    if state is None:  # nobody answered, or the connection broke
        lost = isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated
        return _AWAY if lost or type(origin).__name__ in ("OperationalError", "ConnectionTimeout") else None
    return _BY_STATE.get(state) or _BY_STATE.get(state[:2])


def damage(connection: sa.Connection) -> str | None:
    """What SQLite's quick look over all pages finds wrong, in one line; ``None`` if nothing, or the store is too large
    to be looked over at each start."""
    pages, size = (connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("page_count", "page_size"))
    if pages * size > CHECKED_UP_TO:
        return None
    found = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
    return None if found == "ok" else " ".join(found.replace("*** in database main ***", "").split())
