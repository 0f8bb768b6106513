"""What is kept: the data folder, its store, and the keys that open it. Nothing is written, and no key is shown."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from alembic.script import ScriptDirectory

import server.migrations
from server.doctor.database import database
from server.doctor.finding import Finding, Patient
from server.storage.faults import CHECKED_UP_TO
from server.vault import MasterSource, VaultError
from server.vault.keyring import FILE as KEYRING
from server.vault.keyring_sqlite import opens
from server.vault.lock import FILE as LOCK
from server.vault.master_key import read_master_key

STORE = "people.sqlite3"
LITTLE_DISK, TOO_LITTLE = 2 << 30, 100 << 20  # bytes free
_ADVICE = "visavis restore FILE --replace, with your newest backup"


def kept(patient: Patient) -> Iterator[Finding]:
    """The folder first: where there is none yet, nothing more can be looked at."""
    folder = patient.settings.data_dir
    yield from disk(folder)
    if not folder.is_dir():
        cure = f"sudo install -d -m 700 -o $USER {folder}"
        there = next(parent for parent in folder.parents if parent.exists())
        if not os.access(there, os.W_OK | os.X_OK):
            yield Finding("data folder", "broken", f"{folder} is not there, and {there} cannot be written", cure)
        else:
            yield Finding("data folder", "good", f"{folder} is made at the first start")
        return
    yield from rights(folder)
    yield Finding("use", "good", "a Visavis has the folder open" if in_use(folder) else "nobody has the folder open")
    if patient.settings.database:
        yield from database(patient.settings.database, folder, MasterSource.of(patient.settings))
        return
    yield from store(folder / STORE, patient.settings.approximate_above)
    yield from keys(folder, MasterSource.of(patient.settings))


def disk(folder: Path, free: int | None = None) -> Iterator[Finding]:
    """Whether there is room."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free if free is None else free
    said = f"{free / 2**30:.1f} GiB free in {there}"
    cure = f"make room, or move the folder to another disk: visavis --data-dir PATH (now {folder})"
    if free < TOO_LITTLE:
        yield Finding("disk", "broken", f"{said}: the store cannot be written safely", cure)
    elif free < LITTLE_DISK:
        yield Finding("disk", "worth a look", f"{said}: videos need more", cure)
    else:
        yield Finding("disk", "good", said)


def rights(folder: Path) -> Iterator[Finding]:
    """Whether this user can write the folder, and nobody else can read it."""
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        user = "$USER" if not hasattr(os, "getuid") else str(os.getuid())
        yield Finding("rights", "broken", f"{folder} cannot be written by this user", f"sudo chown -R {user} {folder}")
        return
    try:
        read_only = bool(os.statvfs(folder).f_flag & os.ST_RDONLY) if hasattr(os, "statvfs") else False
    except OSError:
        read_only = False
    if read_only:
        yield Finding("rights", "broken", f"{folder} is mounted read-only", f"sudo mount -o remount,rw {folder}")
        return
    if os.name == "posix":
        found = folder.stat()
        if found.st_uid != os.getuid() and os.getuid() != 0:
            cure = f"sudo chown -R {os.getuid()} {folder}"
            yield Finding("rights", "worth a look", f"{folder} belongs to user {found.st_uid}", cure)
            return
        if stat.S_IMODE(found.st_mode) & 0o077:
            yield Finding(
                "rights", "worth a look", f"others on this computer may look into {folder}", f"chmod 700 {folder}"
            )
            return
    yield Finding("rights", "good", f"{folder} is this user's alone")


def in_use(folder: Path) -> bool:
    """Whether a server, or another command, has the folder open."""
    if not (folder / LOCK).exists():
        return False
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_open(folder / LOCK, "rw")) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            return getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")
        lock.execute("ROLLBACK")
    return False


def store(path: Path, approximate_above: int) -> Iterator[Finding]:
    """Whether it is whole and of this version; no key is needed for that."""
    if not path.exists():
        yield Finding("store", "good", "it is made at the first start")
        return
    try:
        with contextlib.closing(_open(path, "ro")) as database:
            size = path.stat().st_size
            if size <= CHECKED_UP_TO:
                (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
                if found != "ok":
                    yield Finding("store", "broken", f"{path} is damaged: {' '.join(found.split())}", _ADVICE)
                    return
            (revision,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
            (people,) = database.execute("SELECT count(*) FROM person").fetchone()
    except (sqlite3.Error, TypeError) as error:
        yield Finding("store", "broken", f"{path} cannot be read ({error})", _ADVICE)
        return
    known = [
        script.revision for script in ScriptDirectory(str(Path(server.migrations.__file__).parent)).walk_revisions()
    ]
    said = f"{size / 2**20:.1f} MiB, {people} people" + (", whole" if size <= CHECKED_UP_TO else "")
    if revision not in known:
        cure = "pip install --upgrade visavis, or visavis restore with a backup of before"
        yield Finding("store", "broken", f"{said}; made by a newer version of Visavis ({revision})", cure)
    elif revision != known[0]:
        words = f"{said}; of an older version ({revision}), which the next start brings up to {known[0]}"
        cure = "visavis backup FILE, before that start: the way back is the backup"
        yield Finding("store", "worth a look", words, cure)
    else:
        yield Finding("store", "good", said)
    if people > approximate_above and find_spec("faiss") is None:
        cure = "pip install 'visavis[large]'"
        yield Finding(
            "large gallery", "broken", f"{people} people are more than approximate_above, without faiss", cure
        )


def keys(folder: Path, source: MasterSource) -> Iterator[Finding]:
    """Whether there is a keyring, and the master key opens it."""
    path = folder / KEYRING
    if not path.exists():
        if (folder / STORE).exists():
            yield Finding(
                "keys", "broken", f"{path} is missing, and nobody in the store can be read without it",
                f"cp YOUR-COPY {path}",
            )  # fmt: skip
        else:
            yield Finding("keys", "good", "they are made at the first start")
        return
    try:
        right = opens(path, read_master_key(source, folder, make=False))
    except VaultError as error:
        yield Finding("keys", "broken", str(error), "visavis vault status, once the right key is back")
        return
    if right:
        where = "in the data folder" if source.is_file and source.file is None else "kept elsewhere"
        yield Finding("keys", "good", f"the master key ({where}) opens the keyring")
    else:
        yield Finding(
            "keys", "broken", f"the master key is not the one {path} was wrapped with",
            "give the right one (master_key, master_key_command, master_key_file), or put back its keyring",
        )  # fmt: skip


def _open(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=0.2, isolation_level=None)
