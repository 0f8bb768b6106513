"""What was recorded when a pack's files were put in place, and whether they are still that.

``lock.json`` in a pack's folder holds each file's size, the SHA-256 of its bytes and the model digest it stands
for. It is written after the file it speaks of, so a pack whose making was cut off is not taken for whole. A user's own
pack has none: its manifest lies beside its files and says all of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from models.errors import ModelError
from models.manifest import FileEntry, PackManifest

LOCK_NAME = "lock.json"


@dataclass(frozen=True, slots=True)
class LockedFile:
    """One file as it was put in place; ``digest`` as in :class:`models.manifest.FileEntry`."""

    size: int
    sha256: str
    digest: str


@dataclass(frozen=True, slots=True)
class FileStatus:
    """Whether a file is as recorded. ``expected`` and ``found`` are SHA-256 of its bytes or ``None``."""

    name: str
    state: Literal["ok", "missing", "damaged"]
    expected: str | None
    found: str | None
    detail: str


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_lock(folder: Path) -> dict[str, LockedFile]:
    """What is recorded in ``folder``, by file name; nothing if there is no lock file or it cannot be understood."""
    try:
        entries = json.loads((folder / LOCK_NAME).read_text("utf-8"))["files"]
        return {name: LockedFile(int(e["size"]), str(e["sha256"]), str(e["digest"])) for name, e in entries.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_lock(folder: Path, files: dict[str, LockedFile]) -> None:
    """Record ``files`` in ``folder``."""
    content = {"files": {name: asdict(file) for name, file in sorted(files.items())}}
    write_atomically(folder / LOCK_NAME, (json.dumps(content, indent=2) + "\n").encode())


def write_atomically(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` so that a reader, or another writer, sees the old file or the new one, never a part."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
        os.replace(part, path)  # noqa: PTH105 - the one call that is atomic on every system
    finally:
        part.unlink(missing_ok=True)


def inspect(manifest: PackManifest, folder: Path) -> list[FileStatus]:
    """Compare every file's bytes with what was recorded. Raises ``OSError`` only where a file cannot be read at all."""
    if manifest.origin == "own":
        return [_inspect_own(entry, folder / entry.name) for entry in manifest.files]
    lock = read_lock(folder)
    return [_inspect_file(entry, folder / entry.name, lock.get(entry.name)) for entry in manifest.files]


def looks_installed(manifest: PackManifest, folder: Path) -> bool:
    """Whether all files are recorded and have their recorded size: a quick look, where :func:`inspect` reads them."""
    if manifest.origin == "own":
        return all((folder / entry.name).is_file() for entry in manifest.files)
    lock = read_lock(folder)
    return all(
        entry.name in lock
        and (folder / entry.name).is_file()
        and (folder / entry.name).stat().st_size == lock[entry.name].size
        for entry in manifest.files
    )


def names(statuses: Iterable[FileStatus]) -> str:
    """The files' names and what is the matter with them, for a message."""
    return ", ".join(f"{status.name} ({status.detail})" for status in statuses)


def unwritable(folder: Path, error: OSError) -> ModelError:
    """What to say when the cache folder refuses."""
    reason = error.strerror or type(error).__name__
    return ModelError(f"cannot keep models in {folder}: {reason}; make it writable or choose another with --cache-dir")


def _inspect_own(entry: FileEntry, path: Path) -> FileStatus:
    if not path.is_file():
        return FileStatus(entry.name, "missing", entry.digest, None, "not there")
    found = file_sha256(path)
    if found == entry.digest:
        return FileStatus(entry.name, "ok", entry.digest, found, "as the manifest says")
    return FileStatus(entry.name, "damaged", entry.digest, found, "not the file the manifest speaks of")


def _inspect_file(entry: FileEntry, path: Path, locked: LockedFile | None) -> FileStatus:
    expected = locked.sha256 if locked else None
    if not path.is_file():
        return FileStatus(entry.name, "missing", expected, None, "not there")
    found = file_sha256(path)
    if locked is None:
        detail = "nothing is recorded about it"
    elif entry.digest is not None and locked.digest != entry.digest:
        detail = "made by another version"
    elif found != locked.sha256:
        size = path.stat().st_size
        detail = "content has changed" if size == locked.size else f"{size} bytes instead of {locked.size}"
    else:
        return FileStatus(entry.name, "ok", expected, found, "as recorded")
    return FileStatus(entry.name, "damaged", expected, found, detail)
