"""The key this server signs with, Ed25519 (RFC 8032): the newest row of the audit log, and receipts."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from server.private_files import write_private
from server.settings import StartError
from server.storage import PeopleStore

FILE = "signing-key"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Open with :meth:`open`; ``public`` is the public key's 32 bytes in base64."""

    _private: Ed25519PrivateKey
    public: str

    @classmethod
    def open(cls, folder: Path) -> SigningKey:
        """The key of this data folder, made at first use. Raises :class:`server.settings.StartError`."""
        path = folder / FILE
        if not path.exists():
            _make(path)
        try:
            return cls._read(path.read_bytes(), str(path))
        except OSError as error:
            raise StartError(f"{path}: cannot be read ({error.strerror}); see the setting data_dir") from None

    @classmethod
    def of(cls, store: PeopleStore) -> SigningKey:
        """The key of a store: where several nodes share it, one of all of them. Blocking; raises as :meth:`open`
        does."""
        text = store.shared_secret(FILE, _new)
        return cls.open(store.path.parent) if text is None else cls._read(text, store.backend.words)

    @classmethod
    def _read(cls, text: bytes, origin: str) -> SigningKey:
        try:
            private = load_pem_private_key(text, None)
        except ValueError:
            raise StartError(f"{origin}: this is no key; put back the file that was there") from None
        if not isinstance(private, Ed25519PrivateKey):
            raise StartError(f"{origin}: this is a key of another kind; put back the file that was there")
        return cls(private, _public(private))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key, hexadecimal: for people to compare."""
        return fingerprint(self.public)

    def sign(self, message: bytes) -> str:
        """The signature, base64."""
        return base64.b64encode(self._private.sign(message)).decode()


def fingerprint(public: str) -> str:
    """SHA-256 of a public key in base64. Raises ``ValueError``."""
    return hashlib.sha256(base64.b64decode(public, validate=True)).hexdigest()


def signed_by(public: str, message: bytes, signature: str) -> bool:
    """Whether this is the signature of that public key (both base64) under a message."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public, validate=True))
        key.verify(base64.b64decode(signature, validate=True), message)
    except (InvalidSignature, ValueError, binascii.Error, TypeError):
        return False
    return True


def _make(path: Path) -> None:
    """Whole or not at all; where another process is quicker, its key counts."""
    fresh = path.with_name(f".{FILE}.{uuid4().hex}")
    write_private(fresh, _new())
    try:
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
    except OSError:  # no links here
        fresh.replace(path)
    fresh.unlink(missing_ok=True)


def _new() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public(private: Ed25519PrivateKey) -> str:
    return base64.b64encode(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
