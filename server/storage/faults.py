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


def fault(error: BaseException) -> Fault | None:
    """What is wrong outside, or ``None`` where the error is of another kind."""
    words = None
    origin = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if isinstance(error, VaultError):  # the keyring lies on the same disk
        origin = error.__cause__
    if isinstance(origin, sqlite3.Error):
        code = getattr(origin, "sqlite_errorcode", None)
        words = _BY_CODE.get(code & 0xFF) if code is not None else None
    elif isinstance(error, OSError) and error.errno is not None:
        words = _BY_ERRNO.get(error.errno)
    return None if words is None else Fault(words, words is not _DAMAGED)


def damage(connection: sa.Connection) -> str | None:
    """What SQLite's quick look over all pages finds wrong, in one line; ``None`` if nothing, or the store is too large
    to be looked over at each start."""
    pages, size = (connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("page_count", "page_size"))
    if pages * size > CHECKED_UP_TO:
        return None
    found = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
    return None if found == "ok" else " ".join(found.replace("*** in database main ***", "").split())
