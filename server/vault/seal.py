"""Seals: AES-256-GCM, with the key's id in front and what it is about bound in.

One key: ``1 | key id (16) | nonce (12) | ciphertext | tag (16)``. Several: ``2 | how many | key ids | nonce |
ciphertext | tag``, under a key made of all of them: whoever lacks one cannot open it. ``about`` says what is sealed and
of which row; it is not kept, so that a seal opens in its own place alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from server.vault.errors import SealError

ONE, SEVERAL = 1, 2
ID_BYTES, KEY_BYTES, NONCE_BYTES, TAG_BYTES = 16, 32, 12, 16
OVERHEAD = 1 + ID_BYTES + NONCE_BYTES + TAG_BYTES
MOST_KEYS = 255
_BODY = 1 + ID_BYTES
_TEXT = _BODY + NONCE_BYTES
_APART = "\x1f"


def about(*parts: str) -> bytes:
    """What a seal is bound to: a purpose, and the ids that say which row it is."""
    return _APART.join(parts).encode()


def seal(cipher: AESGCM, key: bytes, data: bytes, bound: bytes) -> bytes:
    """Seal with one key, whose id is ``key``."""
    nonce = os.urandom(NONCE_BYTES)
    return b"\x01" + key + nonce + cipher.encrypt(nonce, data, bound)


def unseal(cipher: AESGCM, blob: bytes, bound: bytes) -> bytes:
    """Open what one key sealed. Raises :class:`SealError`."""
    try:
        return cipher.decrypt(blob[_BODY:_TEXT], blob[_TEXT:], bound)
    except (InvalidTag, ValueError):
        raise SealError(BROKEN) from None


BROKEN = "it was changed, or lies where it does not belong"


def keys_of(blob: bytes) -> tuple[bytes, ...]:
    """The ids of the keys that something is sealed with. Raises :class:`SealError` for what is not sealed."""
    if len(blob) >= OVERHEAD and blob[0] == ONE:
        return (blob[1:_BODY],)
    if len(blob) > 2 and blob[0] == SEVERAL and len(blob) >= _head(blob[1]) + NONCE_BYTES + TAG_BYTES:
        return tuple(blob[start : start + ID_BYTES] for start in range(2, _head(blob[1]), ID_BYTES))
    raise SealError("it is not sealed")


def seal_together(raw: Callable[[bytes], bytes], keys: Sequence[bytes], data: bytes, bound: bytes) -> bytes:
    """Seal so that every one of some keys is needed; ``raw`` gives the key of an id."""
    ids = sorted(set(keys))
    if not 1 <= len(ids) <= MOST_KEYS:
        raise ValueError(f"{len(ids)} keys instead of 1 to {MOST_KEYS}")
    nonce = os.urandom(NONCE_BYTES)
    head = bytes((SEVERAL, len(ids))) + b"".join(ids)
    return head + nonce + _combined(raw, ids).encrypt(nonce, data, head + bound)


def unseal_together(raw: Callable[[bytes], bytes], blob: bytes, bound: bytes) -> bytes:
    """Open what several keys sealed. Raises :class:`SealError`."""
    ids = keys_of(blob)
    start = _head(len(ids))
    try:
        cipher = _combined(raw, ids)
        return cipher.decrypt(blob[start : start + NONCE_BYTES], blob[start + NONCE_BYTES :], blob[:start] + bound)
    except (InvalidTag, ValueError):
        raise SealError(BROKEN) from None


def _head(count: int) -> int:
    return 2 + count * ID_BYTES


def _combined(raw: Callable[[bytes], bytes], ids: Sequence[bytes]) -> AESGCM:
    material = b"".join(raw(id) for id in ids)
    return AESGCM(HKDF(SHA256(), KEY_BYTES, salt=None, info=b"visavis: several keys").derive(material))
