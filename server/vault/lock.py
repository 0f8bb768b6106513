"""Who has a data folder open: many at once, or one alone while keys are exchanged or a backup is put back.

SQLite's own file locks are used, for they are the same on every system and end with the process, however it ends.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from server.vault.errors import VaultError

FILE = "in-use.lock"
WAIT = 5.0  # seconds until somebody who starts, or is just ending, is out of the way


class FolderLock:
    """A lock on a folder, held until :meth:`close`. Raises :class:`VaultError` if others have it.

    ``alone``: nobody else may have the folder open.
    """

    def __init__(self, folder: Path, alone: bool = False, wait: float | None = None) -> None:
        path = folder / FILE
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            timeout = WAIT if wait is None else wait
            self._connection = sqlite3.connect(path, timeout, isolation_level=None, check_same_thread=False)
            self._connection.execute("BEGIN EXCLUSIVE" if alone else "BEGIN")
            if not alone:
                self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            self.close()
            if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
                raise VaultError(_IN_USE if alone else _CHANGING) from None
            raise VaultError(f"{path}: cannot be used ({error})") from None
        except sqlite3.DatabaseError as error:
            self.close()
            raise VaultError(f"{path}: cannot be used ({error}); delete it") from None
        except OSError as error:
            raise VaultError(f"{path}: cannot be used ({error.strerror}); see the setting data_dir") from None

    def close(self) -> None:
        """Let go; may be called twice."""
        with contextlib.suppress(AttributeError):
            self._connection.close()


_IN_USE = "a server, or another command, is running on this data folder; stop it first"
_CHANGING = "the keys of this data folder are just being exchanged, or a backup put back; try again when that is over"
