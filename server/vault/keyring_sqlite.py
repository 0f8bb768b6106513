"""The keyring as a file beside the store: ``keyring.sqlite3``.

Keys are written before what they seal, in the same moment as other keys are destroyed: one transaction for each of the
store. ``mark`` is a random word that both files get with it, so that after a crash it can be told whether the store
came as far as the keyring did. What the methods do stands at :class:`server.vault.keyring.Keyring`.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.vault.errors import VaultError
from server.vault.keyring import (
    VERSION,
    Destroyed,
    Keyring,
    NewKey,
    Why,
    check_of,
    hash_of_row,
    is_master,
    wrap,
)

_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "busy_timeout=5000")
_TABLES = """
CREATE TABLE ring (one INTEGER PRIMARY KEY CHECK (one = 1), master BLOB NOT NULL, made TEXT NOT NULL,
  wrapped_at TEXT NOT NULL, mark BLOB, before BLOB);
CREATE TABLE key (id BLOB PRIMARY KEY, kind TEXT NOT NULL, wrapped BLOB, made TEXT NOT NULL, gone TEXT, why TEXT,
  mark BLOB, old INTEGER NOT NULL DEFAULT 0);
CREATE TABLE erased (row BLOB PRIMARY KEY, at TEXT NOT NULL);
"""


class SqliteKeyring(Keyring):
    """The keys of one data folder. Any thread may call. Raises :class:`VaultError` if it cannot be opened."""

    def __init__(self, path: Path, master: bytes) -> None:
        super().__init__(str(path), master)
        self.path = path
        self._version = -1
        try:
            path.touch(mode=0o600)
            path.chmod(0o600)
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise VaultError(f"{path}: cannot be opened ({_reason(error)}); see the setting data_dir") from None
        try:
            for pragma in _PRAGMAS:
                self._database.execute(f"PRAGMA {pragma}").close()
            self._prepare()
            self.refresh()
        except sqlite3.DatabaseError as error:
            self.close()
            damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
            advice = "put back your copy of it" if damaged else "check its rights and the free space"
            raise VaultError(f"{path}: cannot be opened ({error}); {advice}") from error
        except VaultError:
            self.close()
            raise

    def close(self) -> None:
        with self._lock:
            self._database.close()

    # -- looking ---------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        with self._lock:
            version = int(self._database.execute("PRAGMA data_version").fetchone()[0])
            if version == self._version:
                return
            self._version = version
            self._wrapped, self._gone = {}, {}
            for id, kind, wrapped, gone, why in self._database.execute("SELECT id, kind, wrapped, gone, why FROM key"):
                if wrapped is None:
                    self._gone[id] = Destroyed(why, datetime.fromisoformat(gone))
                else:
                    self._wrapped[id] = (kind, wrapped)

    def count(self) -> dict[str, int]:
        with self._lock:
            rows = self._database.execute("SELECT kind, count(*) FROM key WHERE wrapped IS NOT NULL GROUP BY kind")
            return dict(rows.fetchall())

    def wrapped_at(self) -> datetime:
        with self._lock:
            (at,) = self._database.execute("SELECT wrapped_at FROM ring").fetchone()
            return datetime.fromisoformat(at)

    def notes_rows(self) -> bool:
        with self._lock:
            return self._database.execute("SELECT 1 FROM erased LIMIT 1").fetchone() is not None

    def erased_rows(self, rows: Collection[str]) -> set[str]:
        with self._lock:
            erased = {row for (row,) in self._database.execute("SELECT row FROM erased")}
        return {row for row in rows if hash_of_row(row) in erased}

    # -- changing --------------------------------------------------------------------------------------------------

    def write(
        self,
        new: Sequence[NewKey] = (),
        destroyed: Mapping[bytes, Why] | None = None,
        rows: Collection[str] = (),
        readmitted: Collection[str] = (),
        marks: tuple[bytes | None, bytes] | None = None,
        within: Any = None,
    ) -> None:
        now, destroyed = datetime.now(UTC), destroyed or {}
        wrapped = {key.id: (key.kind, wrap(self._master, key.id, key.kind, key.raw)) for key in new}
        mark = marks[1] if marks else None
        stale: list[bytes] = []
        with self._lock, self._transaction():
            self._require_master()
            if marks:
                stale = self._reconcile(marks[0])
                self._database.execute("UPDATE ring SET mark = ?, before = ?", [mark, marks[0]])
            self._database.executemany(
                "INSERT INTO key (id, kind, wrapped, made, mark) VALUES (?, ?, ?, ?, ?)",
                [(id, kind, blob, now.isoformat(), mark) for id, (kind, blob) in wrapped.items()],
            )
            # Overwritten in its place first: what SQLite frees is zeroed, but a shorter row may be put elsewhere.
            ids = [(id,) for id in destroyed]
            self._database.executemany("UPDATE key SET wrapped = zeroblob(length(wrapped)) WHERE id = ?", ids)
            self._database.executemany(
                "UPDATE key SET wrapped = NULL, gone = ?, why = ? WHERE id = ? AND gone IS NULL",
                [(now.isoformat(), why, id) for id, why in destroyed.items()],
            )
            self._database.executemany(
                "INSERT OR IGNORE INTO erased VALUES (?, ?)", [(hash_of_row(row), now.isoformat()) for row in rows]
            )
            self._database.executemany("DELETE FROM erased WHERE row = ?", [(hash_of_row(row),) for row in readmitted])
        with self._lock:
            for id in stale:
                self._wrapped.pop(id, None)
            self._wrapped.update(wrapped)
            for id, why in destroyed.items():
                if self._wrapped.pop(id, None):
                    self._gone[id] = Destroyed(why, now)
            if destroyed:
                self.empty_log()

    def reconcile(self, mark: bytes | None) -> None:
        with self._lock:
            with self._transaction():
                gone = self._reconcile(mark)
            for id in gone:
                self._wrapped.pop(id, None)

    def exchange_master(self, master: bytes) -> None:
        cipher = AESGCM(master)
        with self._lock, self._transaction():
            self._require_master()
            self.refresh()
            rows = [(wrap(cipher, id, kind, self.raw(id)), id) for id, (kind, _) in self._wrapped.items()]
            self._database.executemany("UPDATE key SET wrapped = ? WHERE id = ?", rows)
            now = datetime.now(UTC).isoformat()
            self._database.execute("UPDATE ring SET master = ?, wrapped_at = ?", [check_of(cipher), now])
        with self._lock:
            self._master = cipher
            self._wrapped = {id: (self._wrapped[id][0], blob) for blob, id in rows}
            self.vacuum()

    def begin_replacing(self) -> None:
        with self._lock, self._transaction():
            if not self.old():
                query = "UPDATE key SET old = 1 WHERE wrapped IS NOT NULL AND kind <> 'video'"
                self._database.execute(query)

    def old(self) -> set[bytes]:
        with self._lock:
            rows = self._database.execute("SELECT id FROM key WHERE old = 1 AND wrapped IS NOT NULL")
            return {id for (id,) in rows}

    def empty_log(self) -> None:
        """Empty the write-ahead log into the file, so that destroyed keys are in neither."""
        with self._lock:
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()

    def vacuum(self) -> None:
        """Write the file anew without what was deleted."""
        with self._lock:
            self._database.execute("VACUUM")
            self.empty_log()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        with self._transaction():
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise VaultError(f"{self.path}: it was made by a newer version of Visavis")
            if version == 0:
                for statement in _TABLES.split(";"):
                    self._database.execute(statement)
                now = datetime.now(UTC).isoformat()
                row = [check_of(self._master), now, now]
                self._database.execute("INSERT INTO ring (one, master, made, wrapped_at) VALUES (1, ?, ?, ?)", row)
                self._database.execute(f"PRAGMA user_version = {VERSION}")
            self._require_master()

    def _require_master(self) -> None:
        (check,) = self._database.execute("SELECT master FROM ring").fetchone()
        if not is_master(self._master, check):
            raise self._wrong_master()

    def _reconcile(self, mark: bytes | None) -> list[bytes]:
        last, before = self._database.execute("SELECT mark, before FROM ring").fetchone()
        if last is None or mark == last or mark != before:
            return []  # it came about; or this is another store, of which nothing can be said
        gone = [id for (id,) in self._database.execute("SELECT id FROM key WHERE mark = ?", [last])]
        self._database.execute("DELETE FROM key WHERE mark = ? AND gone IS NULL", [last])
        self._database.execute("UPDATE ring SET mark = before")
        return gone

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            yield
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo()
            raise VaultError(f"{self.path}: cannot be written ({error}); check its rights and free space") from error
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")


def _reason(error: Exception) -> str:
    return str(error.strerror) if isinstance(error, OSError) else str(error)


def opens(path: Path, master: bytes) -> bool:
    """Whether this master key opens a keyring; the file is only read. Raises :class:`VaultError`."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            (check,) = database.execute("SELECT master FROM ring").fetchone()
    except (sqlite3.Error, TypeError) as error:
        raise VaultError(f"{path}: cannot be read ({error}); put back your copy of it") from None
    return is_master(AESGCM(master), check)
