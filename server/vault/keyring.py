"""The keyring: ``keyring.sqlite3``, every key wrapped with the master key; of destroyed ones only id and date stay.

Keys are written before what they seal, in the same moment as other keys are destroyed: one transaction for each of the
store. ``mark`` is a random word that both files get with it, so that after a crash it can be told whether the store
came as far as the keyring did.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.vault.errors import KeyDestroyed, KeyUnknown, VaultError
from server.vault.seal import KEY_BYTES, NONCE_BYTES

FILE = "keyring.sqlite3"
VERSION = 1
Kind = Literal["person", "stranger", "seen", "source", "webhook", "video", "index", "common"]
Why = Literal["erased", "replaced"]  # what they sealed is gone for good; it was sealed anew with others
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "busy_timeout=5000")
_TABLES = """
CREATE TABLE ring (one INTEGER PRIMARY KEY CHECK (one = 1), master BLOB NOT NULL, made TEXT NOT NULL,
  wrapped_at TEXT NOT NULL, mark BLOB, before BLOB);
CREATE TABLE key (id BLOB PRIMARY KEY, kind TEXT NOT NULL, wrapped BLOB, made TEXT NOT NULL, gone TEXT, why TEXT,
  mark BLOB, old INTEGER NOT NULL DEFAULT 0);
CREATE TABLE erased (row BLOB PRIMARY KEY, at TEXT NOT NULL);
"""
_CHECK = b"visavis: this is the master key"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that is not yet kept."""

    id: bytes
    kind: Kind
    raw: bytes


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What is known of a key that is gone: why, and when (UTC)."""

    why: Why
    at: datetime


class Keyring:
    """The keys of one data folder. Any thread may call. Raises :class:`VaultError` if it cannot be opened."""

    def __init__(self, path: Path, master: bytes) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._wrapped: dict[bytes, tuple[Kind, bytes]] = {}
        self._gone: dict[bytes, Destroyed] = {}
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
            self._prepare(master)
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
        """Let go of the file; may be called twice."""
        with self._lock:
            self._database.close()

    # -- looking ---------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read what another process has written since."""
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

    def raw(self, id: bytes) -> bytes:
        """A key. Raises :class:`KeyUnknown` and :class:`KeyDestroyed`."""
        with self._lock:
            if id not in self._wrapped:
                self.refresh()
            if id in self._gone:
                raise KeyDestroyed("its key has been destroyed")
            if id not in self._wrapped:
                raise KeyUnknown("the keyring does not know its key")
            kind, wrapped = self._wrapped[id]
            try:
                return self._master.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _bound(id, kind))
            except InvalidTag:
                raise VaultError(f"{self.path}: a key in it is damaged; put back your copy of the file") from None

    def has(self, id: bytes) -> bool:
        """Whether there is such a key."""
        return id in self._wrapped

    def gone(self, id: bytes) -> Destroyed | None:
        """What became of a key that there was."""
        return self._gone.get(id)

    def count(self) -> dict[str, int]:
        """How many keys there are, by kind."""
        with self._lock:
            rows = self._database.execute("SELECT kind, count(*) FROM key WHERE wrapped IS NOT NULL GROUP BY kind")
            return dict(rows.fetchall())

    def destroyed(self) -> int:
        """How many were destroyed."""
        return len(self._gone)

    def wrapped_at(self) -> datetime:
        """When the master key was last exchanged, or the keyring made."""
        with self._lock:
            (at,) = self._database.execute("SELECT wrapped_at FROM ring").fetchone()
            return datetime.fromisoformat(at)

    def notes_rows(self) -> bool:
        """Whether any row was ever erased for good."""
        with self._lock:
            return self._database.execute("SELECT 1 FROM erased LIMIT 1").fetchone() is not None

    def erased_rows(self, rows: Collection[str]) -> set[str]:
        """Which of some rows' ids are those of rows that were erased for good."""
        with self._lock:
            erased = {row for (row,) in self._database.execute("SELECT row FROM erased")}
        return {row for row in rows if _hash(row) in erased}

    # -- changing --------------------------------------------------------------------------------------------------

    def write(
        self,
        new: Sequence[NewKey] = (),
        destroyed: Mapping[bytes, Why] | None = None,
        rows: Collection[str] = (),
        readmitted: Collection[str] = (),
        marks: tuple[bytes | None, bytes] | None = None,
    ) -> None:
        """Keep new keys, destroy others (and why) and note rows that are erased for good, all at once; it is on the
        disk then. Rows that are ``readmitted`` may be there again.

        ``marks`` are the store's now and the one it is about to get.
        """
        now, destroyed = datetime.now(UTC), destroyed or {}
        wrapped = {key.id: (key.kind, self._wrap(self._master, key.id, key.kind, key.raw)) for key in new}
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
                "INSERT OR IGNORE INTO erased VALUES (?, ?)", [(_hash(row), now.isoformat()) for row in rows]
            )
            self._database.executemany("DELETE FROM erased WHERE row = ?", [(_hash(row),) for row in readmitted])
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
        """Take away keys that were made for a change of the store which never came about; ``mark`` is the store's."""
        with self._lock:
            with self._transaction():
                gone = self._reconcile(mark)
            for id in gone:
                self._wrapped.pop(id, None)

    def exchange_master(self, master: bytes) -> None:
        """Wrap every key with another master key, in one transaction."""
        cipher = AESGCM(master)
        with self._lock, self._transaction():
            self._require_master()
            self.refresh()
            rows = [(self._wrap(cipher, id, kind, self.raw(id)), id) for id, (kind, _) in self._wrapped.items()]
            self._database.executemany("UPDATE key SET wrapped = ? WHERE id = ?", rows)
            now = datetime.now(UTC).isoformat()
            self._database.execute("UPDATE ring SET master = ?, wrapped_at = ?", [_check_of(cipher), now])
        with self._lock:
            self._master = cipher
            self._wrapped = {id: (self._wrapped[id][0], blob) for blob, id in rows}
            self.vacuum()

    def begin_replacing(self) -> None:
        """Note that every key of the store is to be replaced, unless that was begun before and is not over."""
        with self._lock, self._transaction():
            if not self.old():
                query = "UPDATE key SET old = 1 WHERE wrapped IS NOT NULL AND kind <> 'video'"
                self._database.execute(query)

    def old(self) -> set[bytes]:
        """The keys that are still to be replaced."""
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

    def _prepare(self, master: bytes) -> None:
        self._master = AESGCM(master)
        with self._transaction():
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise VaultError(f"{self.path}: it was made by a newer version of Visavis")
            if version == 0:
                for statement in _TABLES.split(";"):
                    self._database.execute(statement)
                now = datetime.now(UTC).isoformat()
                row = [_check_of(self._master), now, now]
                self._database.execute("INSERT INTO ring (one, master, made, wrapped_at) VALUES (1, ?, ?, ?)", row)
                self._database.execute(f"PRAGMA user_version = {VERSION}")
            self._require_master()

    def _require_master(self) -> None:
        (check,) = self._database.execute("SELECT master FROM ring").fetchone()
        if not _is_master(self._master, check):
            raise VaultError(
                f"{self.path}: the master key is not the one this keyring was wrapped with; give the right one (see "
                "the settings master_key, master_key_command or master_key_file), or put back its keyring"
            )

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

    def _wrap(self, cipher: AESGCM, id: bytes, kind: Kind, raw: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + cipher.encrypt(nonce, raw, _bound(id, kind))


def new_key(kind: Kind) -> NewKey:
    """A random one."""
    return NewKey(os.urandom(16), kind, os.urandom(KEY_BYTES))


def opens(path: Path, master: bytes) -> bool:
    """Whether this master key opens a keyring; the file is only read. Raises :class:`VaultError`."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            (check,) = database.execute("SELECT master FROM ring").fetchone()
    except (sqlite3.Error, TypeError) as error:
        raise VaultError(f"{path}: cannot be read ({error}); put back your copy of it") from None
    return _is_master(AESGCM(master), check)


def _hash(row: str) -> bytes:
    """Ids are random enough that nobody finds them from this; so that they are in no file any more either."""
    return hashlib.sha256(row.encode()).digest()


def _bound(id: bytes, kind: Kind) -> bytes:
    return b"key\x1f" + kind.encode() + b"\x1f" + id


def _check_of(cipher: AESGCM) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, _CHECK, b"check")


def _is_master(cipher: AESGCM, check: bytes) -> bool:
    try:
        return cipher.decrypt(check[:NONCE_BYTES], check[NONCE_BYTES:], b"check") == _CHECK
    except (InvalidTag, ValueError):
        return False


def _reason(error: Exception) -> str:
    return str(error.strerror) if isinstance(error, OSError) else str(error)
