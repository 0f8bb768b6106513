"""The keyring: every key wrapped with the master key; of destroyed ones only id and date stay.

What all keyrings have in common: what is held in memory, and how a key is wrapped. Where it lies is
:mod:`server.vault.keyring_sqlite` (a file beside the store) or :mod:`server.vault.keyring_postgres` (a schema of its
own in the store's database).
"""

from __future__ import annotations

import abc
import hashlib
import os
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.vault.errors import KeyDestroyed, KeyUnknown, VaultError
from server.vault.seal import KEY_BYTES, NONCE_BYTES

FILE = "keyring.sqlite3"
VERSION = 1
Kind = Literal["person", "stranger", "seen", "source", "webhook", "video", "index", "common"]
Why = Literal["erased", "replaced"]  # what they sealed is gone for good; it was sealed anew with others
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


class Keyring(abc.ABC):
    """The keys of one store. Any thread may call. ``origin`` names where they lie, for messages."""

    follows_store = False
    """Whether it is written in the store's own transaction: both come about, or neither does."""

    def __init__(self, origin: str, master: bytes) -> None:
        self.origin = origin
        self._master = AESGCM(master)
        self._lock = threading.RLock()
        self._wrapped: dict[bytes, tuple[Kind, bytes]] = {}
        self._gone: dict[bytes, Destroyed] = {}

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of it; may be called twice."""

    # -- looking ---------------------------------------------------------------------------------------------------

    @abc.abstractmethod
    def refresh(self) -> None:
        """Read what another process has written since."""

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
                raise VaultError(f"{self.origin}: a key in it is damaged; put back your copy of it") from None

    def has(self, id: bytes) -> bool:
        """Whether there is such a key."""
        return id in self._wrapped

    def gone(self, id: bytes) -> Destroyed | None:
        """What became of a key that there was."""
        return self._gone.get(id)

    def destroyed(self) -> int:
        """How many were destroyed."""
        return len(self._gone)

    @abc.abstractmethod
    def count(self) -> dict[str, int]:
        """How many keys there are, by kind."""

    @abc.abstractmethod
    def wrapped_at(self) -> datetime:
        """When the master key was last exchanged, or the keyring made."""

    @abc.abstractmethod
    def notes_rows(self) -> bool:
        """Whether any row was ever erased for good."""

    @abc.abstractmethod
    def erased_rows(self, rows: Collection[str]) -> set[str]:
        """Which of some rows' ids are those of rows that were erased for good."""

    # -- changing --------------------------------------------------------------------------------------------------

    @abc.abstractmethod
    def write(
        self,
        new: Sequence[NewKey] = (),
        destroyed: Mapping[bytes, Why] | None = None,
        rows: Collection[str] = (),
        readmitted: Collection[str] = (),
        marks: tuple[bytes | None, bytes] | None = None,
        within: Any = None,
    ) -> None:
        """Keep new keys, destroy others (and why) and note rows that are erased for good, all at once; it is on the
        disk then. Rows that are ``readmitted`` may be there again.

        ``marks`` are the store's now and the one it is about to get; ``within``: its connection, for a keyring that
        follows the store.
        """

    @abc.abstractmethod
    def reconcile(self, mark: bytes | None) -> None:
        """Take away keys that were made for a change of the store which never came about; ``mark`` is the store's."""

    @abc.abstractmethod
    def exchange_master(self, master: bytes) -> None:
        """Wrap every key with another master key, in one transaction."""

    @abc.abstractmethod
    def begin_replacing(self) -> None:
        """Note that every key of the store is to be replaced, unless that was begun before and is not over."""

    @abc.abstractmethod
    def old(self) -> set[bytes]:
        """The keys that are still to be replaced."""

    @abc.abstractmethod
    def vacuum(self) -> None:
        """Leave nothing behind of what was deleted, as far as that can be done from here."""

    # -- inside ----------------------------------------------------------------------------------------------------

    def _wrong_master(self) -> VaultError:
        return VaultError(
            f"{self.origin}: the master key is not the one this keyring was wrapped with; give the right one (see "
            "the settings master_key, master_key_command or master_key_file), or put back its keyring"
        )


def new_key(kind: Kind) -> NewKey:
    """A random one."""
    return NewKey(os.urandom(16), kind, os.urandom(KEY_BYTES))


def wrap(cipher: AESGCM, id: bytes, kind: Kind, raw: bytes) -> bytes:
    """A key as it is kept: nonce, and the key sealed with the master key."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, raw, _bound(id, kind))


def hash_of_row(row: str) -> bytes:
    """Ids are random enough that nobody finds them from this; so that they are in no file any more either."""
    return hashlib.sha256(row.encode()).digest()


def check_of(cipher: AESGCM) -> bytes:
    """What tells later whether a master key is the right one."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, _CHECK, b"check")


def is_master(cipher: AESGCM, check: bytes) -> bool:
    """Whether this master key made that check."""
    try:
        return cipher.decrypt(check[:NONCE_BYTES], check[NONCE_BYTES:], b"check") == _CHECK
    except (InvalidTag, ValueError):
        return False


def _bound(id: bytes, kind: Kind) -> bytes:
    return b"key\x1f" + kind.encode() + b"\x1f" + id
