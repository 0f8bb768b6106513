"""Files nobody else on this computer may read: keys, and what signs."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import IO

from server.settings import StartError


def write_private(path: Path, content: bytes) -> None:
    """Write a file only this user can read, whole or not at all; its folder is made where it is missing.

    Raises :class:`server.settings.StartError`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            _write(file, content)
        temporary.replace(path)
        _keep_entry(path.parent)
    except OSError as error:
        raise StartError(f"{path}: cannot be written ({error.strerror}); see the setting data_dir") from None


def write_private_once(path: Path, content: bytes) -> None:
    """The same, but whoever comes first stays: what another process has just written is left alone.

    Raises :class:`server.settings.StartError`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    write_private(temporary, content)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
        temporary.unlink()
        _keep_entry(path.parent)
    except OSError as error:
        raise StartError(f"{path}: cannot be written ({error.strerror}); see the setting data_dir") from None


def _write(file: IO[bytes], content: bytes) -> None:
    """Write so that it is there after a power cut: what keys open may be lost with them."""
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def _keep_entry(folder: Path) -> None:
    """Let the file's name outlast a power cut too, where folders can be synced."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
