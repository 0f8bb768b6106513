"""A copy of the store in one file, made while a server runs, and put back again.

It holds sealed rows and neither keyring nor master key: it opens with the keyring of the day it is put back, in which
the keys of whoever was forgotten meanwhile are no more.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from server import __version__
from server.storage.rows import StorageError
from server.storage.schema import VAULT
from server.storage.store import UNDO_DAYS, PeopleStore
from server.vault import MasterSource
from server.vault.keyring import FILE as KEYRING
from server.vault.lock import FolderLock

FORMAT, VERSION = "visavis-backup", 1
STORE, MANIFEST = "people.sqlite3", "manifest.json"
MANIFEST_BYTES = 64 * 1024
CHUNK = 1 << 20


class BadBackup(ValueError):
    """A file that is no backup, or cannot be written or put back; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Put:
    """What was put back: when it was made, and how many people it holds now."""

    made: datetime
    people: int


def back_up(store: Path, target: Path, replace: bool = False) -> int:
    """Copy a store, whole and as it is at one moment, into one file; returns its size. Raises :class:`BadBackup`."""
    if not store.is_file():
        raise BadBackup(f"{store.parent}: nobody has been enrolled here; see the setting data_dir")
    if target.exists() and not replace:
        raise BadBackup(f"{target}: the file is there already; choose another name, or say --replace")
    copy, whole = (target.with_name(f".{target.name}.{os.getpid()}.{end}") for end in ("store", "part"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in (copy, whole):
            path.touch(mode=0o600)
        revision = _copy(store, copy)
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "visavis": __version__,
            "schema": revision,
            "bytes": copy.stat().st_size,
            "sha256": _digest(copy),
        }
        # Sealed bytes do not get smaller.
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
            archive.write(copy, STORE)
        with whole.open("rb") as file:
            os.fsync(file.fileno())
        whole.replace(target)
        return target.stat().st_size
    except OSError as error:
        raise BadBackup(f"{target}: cannot be written ({error.strerror})") from error
    except sqlite3.Error as error:
        raise BadBackup(f"{store}: cannot be read ({error})") from error
    finally:
        for path in (copy, whole):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def put_back(
    source: Path, store: Path, replace: bool = False, undo_days: float = UNDO_DAYS, master: MasterSource | None = None
) -> Put:
    """Make a backup the store; whoever was forgotten since is erased from it before anybody can look.

    Nothing is changed unless the keyring opens it. Raises :class:`BadBackup`, :class:`StorageError` and
    :class:`server.vault.VaultError`, the last also while anybody has the folder open.
    """
    folder = store.parent
    if store.exists() and not replace:
        raise BadBackup(f"{store}: there are people here already; say --replace to put the backup in their place")
    if not (folder / KEYRING).exists():
        raise StorageError(
            f"{folder / KEYRING}: the keyring is missing, and a backup opens with it alone; put back your copy of it"
        )
    lock = FolderLock(folder, alone=True)
    part = folder / f".{STORE}.put-back"
    try:
        _remove(part)
        manifest = _extract(source, part)
        with contextlib.closing(PeopleStore(part, undo_days, master, lock)) as opened:
            people = len(opened.people())
        _settle_log(store)
        part.replace(store)
        return Put(datetime.fromisoformat(manifest["made"]), people)
    except OSError as error:
        raise BadBackup(f"{error.filename or source}: {error.strerror}") from error
    finally:
        _remove(part)
        lock.close()


def _copy(store: Path, copy: Path) -> str:
    """Copy the database and check it; returns the version of its schema."""
    with (
        contextlib.closing(sqlite3.connect(f"{store.resolve().as_uri()}?mode=ro", uri=True)) as one,
        contextlib.closing(sqlite3.connect(copy)) as other,
    ):
        if not one.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [VAULT.name]).fetchone():
            raise BadBackup(f"{store}: it was never opened by this version; start the server once, which seals it")
        one.backup(other)
        other.execute("PRAGMA journal_mode=DELETE").close()  # the copy is one file
        if other.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            raise BadBackup(f"{store}: the file is damaged; restore a backup (visavis restore)")
        return str(other.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def _extract(source: Path, target: Path) -> dict[str, Any]:
    """The store in a backup, checked against its manifest."""
    try:
        with zipfile.ZipFile(source) as archive:
            manifest: dict[str, Any] = json.loads(_read(archive, MANIFEST, MANIFEST_BYTES))
            if manifest["format"] != FORMAT or manifest["version"] != VERSION:
                raise BadBackup(f"{source}: this was made by another version of Visavis")
            datetime.fromisoformat(manifest["made"])
            size = archive.getinfo(STORE).file_size
            if size != manifest["bytes"] or size > shutil.disk_usage(target.parent).free:
                raise BadBackup(f"{source}: the file is damaged, or does not fit on the disk")
            target.touch(mode=0o600)
            with archive.open(STORE) as packed, target.open("r+b") as file:
                shutil.copyfileobj(packed, file, CHUNK)
                file.flush()
                os.fsync(file.fileno())
        if _digest(target) != manifest["sha256"]:
            raise BadBackup(f"{source}: the file is damaged")
        with contextlib.closing(sqlite3.connect(target)) as database:
            # Of this copy the keyring knows nothing: no key is swept for it.
            database.execute("UPDATE vault_state SET mark = ?, dirty = 1", [os.urandom(16)])
            database.commit()
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, sqlite3.Error) as error:
        if isinstance(error, BadBackup):
            raise
        raise BadBackup(f"{source}: this is no backup, or it is damaged") from error
    return manifest


def _read(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    with archive.open(name) as file:
        return file.read(most)


def _settle_log(store: Path) -> None:
    """No log of the store that goes may be taken for one of the store that comes."""
    if store.exists():
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(store)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    for end in ("-wal", "-shm"):
        store.with_name(store.name + end).unlink(missing_ok=True)


def _remove(part: Path) -> None:
    for end in ("", "-wal", "-shm", "-journal"):
        part.with_name(part.name + end).unlink(missing_ok=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
