"""The vault of a data folder: seals and opens, and keeps the keyring in step with each transaction of the store."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.database import Database
from server.vault.errors import VaultError
from server.vault.keyring import FILE, Destroyed, Keyring, Kind, NewKey, Why, new_key
from server.vault.keyring_postgres import PostgresKeyring, is_there
from server.vault.keyring_sqlite import SqliteKeyring
from server.vault.lock import FolderLock
from server.vault.master_key import MasterSource, read_key_file, read_master_key
from server.vault.seal import ONE, keys_of, seal, seal_together, unseal, unseal_together

logger = logging.getLogger(__name__)

NEXT = ".new"  # the master key to come, beside the one that is used


class Vault:
    """Keys and what can be done with them. Seals are opened from any thread; the rest is the store's thread's.

    Keys made and destroyed during a transaction of the store are kept in mind until :meth:`flush`, which comes right
    before it is committed, or :meth:`drop`, when it is not.
    """

    def __init__(self, keyring: Keyring, lock: FolderLock | None = None) -> None:
        self.keyring = keyring
        self._lock = lock
        self._ciphers: dict[bytes, AESGCM] = {}
        self._new: dict[bytes, NewKey] = {}
        self._destroyed: dict[bytes, Why] = {}
        self._rows: set[str] = set()
        self._readmitted: set[str] = set()

    def close(self) -> None:
        """Let go of the keyring and of the folder; may be called twice."""
        self._ciphers.clear()
        self.keyring.close()
        if self._lock is not None:
            self._lock.close()

    # -- sealing ---------------------------------------------------------------------------------------------------

    def seal(self, key: bytes, data: bytes, bound: bytes) -> bytes:
        """Seal with the key of this id; ``bound`` says what it is (:func:`server.vault.seal.about`)."""
        return seal(self._cipher(key), key, data, bound)

    def open(self, blob: bytes, bound: bytes) -> bytes:
        """Open what was sealed. Raises :class:`server.vault.errors.SealError`."""
        cipher = self._ciphers.get(blob[1:17]) if blob[:1] == b"\x01" else None
        if cipher is not None:
            return unseal(cipher, blob, bound)
        keys = keys_of(blob)
        if blob[0] == ONE:
            return unseal(self._cipher(keys[0]), blob, bound)
        return unseal_together(self._raw, blob, bound)

    def seal_together(self, keys: Sequence[bytes], data: bytes, bound: bytes) -> bytes:
        """Seal so that it cannot be opened once any of some keys is destroyed."""
        return seal_together(self._raw, keys, data, bound)

    def blind(self, key: bytes, kind: str, text: str) -> str:
        """What a text is found by, without saying it: HMAC-SHA-256 under a key of the keyring."""
        return hmac.digest(self._raw(key), f"{kind}\x1f{text}".encode(), hashlib.sha256).hex()

    # -- keys ------------------------------------------------------------------------------------------------------

    def new_key(self, kind: Kind) -> bytes:
        """A key for this transaction's rows; its id."""
        made = new_key(kind)
        self._new[made.id] = made
        return made.id

    def keep_key(self, kind: Kind) -> tuple[bytes, bytes]:
        """A key that is kept at once, for what lies outside of the store; its id and itself. Blocks."""
        made = new_key(kind)
        self.keyring.write([made])
        return made.id, made.raw

    def raw(self, key: bytes) -> bytes:
        """A key itself, to be handed to a process of ours. Raises :class:`server.vault.errors.SealError`."""
        return self._raw(key)

    def destroy(self, keys: Collection[bytes], rows: Collection[str] = (), why: Why = "erased") -> None:
        """Let keys be destroyed with this transaction, and never again take rows of these ids for somebody's."""
        self._destroyed.update(dict.fromkeys(keys, why))
        self._rows.update(rows)

    def readmit(self, rows: Collection[str]) -> None:
        """Let rows of these ids, erased before, be somebody's again: whoever put them back meant to."""
        self._readmitted.update(rows)

    def destroy_now(self, keys: Collection[bytes]) -> None:
        """Destroy keys of what lies outside of the store. Blocks."""
        self.keyring.write(destroyed=dict.fromkeys(keys, "erased"))
        self._forget(keys)

    def state(self, key: bytes) -> Destroyed | bool:
        """Whether a key is there, or what became of it; ``False``: it is unknown."""
        if key in self._new or self.keyring.has(key):
            return True
        return self.keyring.gone(key) or False

    def refresh(self) -> None:
        """Take notice of what other processes did to the keyring."""
        self.keyring.refresh()
        self._ciphers = {id: cipher for id, cipher in self._ciphers.items() if self.keyring.has(id)}

    @property
    def pending(self) -> bool:
        """Whether the transaction made or destroyed keys."""
        return bool(self._new or self._destroyed or self._rows or self._readmitted)

    def flush(self, mark: bytes | None, within: Any = None) -> bytes:
        """Keep and destroy what the transaction asked for; ``mark`` is the store's, the result is its next one;
        ``within``: its connection, for a keyring that follows the store."""
        following = os.urandom(16)
        gone = {key: why for key, why in self._destroyed.items() if key not in self._new}
        new = [key for key in self._new.values() if key.id not in self._destroyed]
        try:
            self.keyring.write(new, gone, self._rows, self._readmitted, (mark, following), within)
        except Exception:
            self.drop()  # or the next transaction would go on with this one's keys
            raise
        for key in new:
            self._ciphers[key.id] = AESGCM(key.raw)
        self._forget(self._destroyed)
        self.drop()
        return following

    def drop(self) -> None:
        """The transaction did not come about: its keys neither."""
        self._new, self._destroyed, self._rows, self._readmitted = {}, {}, set(), set()

    def _forget(self, keys: Collection[bytes]) -> None:
        for key in keys:
            self._ciphers.pop(key, None)

    def _raw(self, key: bytes) -> bytes:
        return self._new[key].raw if key in self._new else self.keyring.raw(key)

    def _cipher(self, key: bytes) -> AESGCM:
        cipher = self._ciphers.get(key)
        if cipher is None:
            cipher = AESGCM(self._raw(key))
            if key not in self._new:  # it may not come about
                self._ciphers[key] = cipher
        return cipher


def open_vault(
    folder: Path, source: MasterSource | None = None, lock: FolderLock | None = None, database: Database | None = None
) -> Vault:
    """The vault of a data folder, or of a database; keyring and, where the settings name none, master key are made
    where there is neither. Raises :class:`VaultError`.

    ``lock`` is held already by whoever has the folder alone.
    """
    source = source or MasterSource()
    held = lock or FolderLock(folder)
    try:
        keyring = _open_keyring(folder, source, lock is not None, database)
    except BaseException:
        if lock is None:
            held.close()
        raise
    return Vault(keyring, held if lock is None else None)


def keyring_is_there(folder: Path, database: Database | None) -> bool:
    """Whether there are keys yet. Raises :class:`VaultError`."""
    return (folder / FILE).exists() if database is None else is_there(database)


def _open_keyring(folder: Path, source: MasterSource, alone: bool, database: Database | None) -> Keyring:
    def opened(master: bytes) -> Keyring:
        return SqliteKeyring(folder / FILE, master) if database is None else PostgresKeyring(database, master, alone)

    make = not keyring_is_there(folder, database)
    path = source.path(folder)
    following = path.with_name(path.name + NEXT)
    if database is not None and source.is_file and not path.exists():
        if not make:
            raise VaultError(
                f"{path}: the master key is missing, and another node made the keyring in {database.words}; copy its "
                "file to here, or name the key with the setting master_key, master_key_command or master_key_file"
            )
        logger.warning("%s: a new master key is made; copy it to every other node before it starts", path)
    master = read_master_key(source, folder, make)
    if not (source.is_file and following.exists()):
        return opened(master)
    # The exchange of the master key was interrupted: the keyring says how far it came.
    newer = read_key_file(following)
    try:
        keyring = opened(newer)
    except VaultError:
        keyring = opened(master)
        following.unlink()
        return keyring
    following.replace(path)
    return keyring
