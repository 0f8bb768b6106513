"""Another master key: every key of the keyring is wrapped anew, and whatever ends the process, one of both opens it.

The new key is written beside the old one first, then the keyring is exchanged in one transaction, then the new file
takes the old one's place; :func:`server.vault.vault.open_vault` finishes, or takes back, what was interrupted.
"""

from __future__ import annotations

from pathlib import Path

from server.database import Database
from server.settings import ROWS
from server.vault.errors import VaultError
from server.vault.lock import FolderLock
from server.vault.master_key import MasterSource, decode_key, new_master_key, write_key_file
from server.vault.vault import NEXT, keyring_is_there, open_vault


def exchange_master(
    folder: Path, source: MasterSource, lock: FolderLock, new: str = "", database: Database | None = None
) -> Path | None:
    """Make, or with ``new`` (base64) take, another master key; returns the file it is kept in, if it is kept in one.

    ``lock`` is held on the folder alone; nobody may have the ``database`` open either. Raises :class:`VaultError`.
    """
    if not keyring_is_there(folder, database):
        raise VaultError(f"{folder}: there are no keys here yet; see the setting data_dir")
    key = _next_key(source, new)
    vault = open_vault(folder, source, lock, database)
    try:
        if not source.is_file:
            vault.keyring.exchange_master(key)
            return None
        path = source.path(folder)
        following = path.with_name(path.name + NEXT)
        write_key_file(following, key)
        vault.keyring.exchange_master(key)
        following.replace(path)
        return path
    finally:
        vault.close()


def require_exchangeable(source: MasterSource, new: str) -> None:
    """Raises :class:`VaultError` where the new key has to be given and is not, or is none."""
    _next_key(source, new)


def _next_key(source: MasterSource, new: str) -> bytes:
    row = ROWS["new_master_key"]
    if new:
        return decode_key(new, f"the setting {row.name}")
    if source.is_file:
        return new_master_key()
    raise VaultError(
        f"the master key comes from {source.words}: give the new one in the environment as {row.variable} (openssl "
        "rand -base64 32), and put it in the old one's place when this command has ended"
    )
