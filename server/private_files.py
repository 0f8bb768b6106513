"""Files nobody else on this computer may read: keys and the join token."""

from __future__ import annotations

import os
from pathlib import Path

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
            file.write(content)
        temporary.replace(path)
    except OSError as error:
        raise StartError(f"{path}: cannot be written ({error.strerror}); see the setting data_dir") from None
