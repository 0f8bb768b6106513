"""How nodes know each other: by a secret they share, kept sealed in their database.

A request that a node hands on bears a *word*: which node it comes from and for which it is, when, and who asked there,
signed with that secret. Nobody else can name another's address. Messages between nodes are sealed with it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HEADER = "Visavis-Node"
LASTS = 60.0  # seconds between the clocks of two nodes, and on the way, at most
LONGEST = 8 * 1024  # characters
_NONCE = 12  # bytes


class NotOurs(Exception):
    """No node of ours said so."""


@dataclass(frozen=True, slots=True)
class Word:
    """Said by the node ``sender`` to the node ``to`` about one request. ``client``, ``scheme`` and ``host`` are of
    whoever asked it; all are empty where the node asks by itself."""

    sender: str
    to: str
    method: str
    path: str  # with the query
    client: str = ""
    scheme: str = ""
    host: str = ""
    gathers: bool = False  # for a list of all nodes: answer with this node's alone
    nonce: str = ""  # of a line between nodes: what is said on it is bound to it


class NodeKey:
    """Made of the secret that all nodes share."""

    def __init__(self, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        self._signing = hmac.digest(secret, b"visavis nodes: words", hashlib.sha256)
        self._cipher = AESGCM(hmac.digest(secret, b"visavis nodes: messages", hashlib.sha256))
        self._clock = clock

    def header(self, word: Word) -> str:
        """A word as it stands in :data:`HEADER`."""
        said = base64.urlsafe_b64encode(json.dumps({**asdict(word), "at": self._clock()}).encode()).decode()
        return f"{said}.{self._mac(said)}"

    def read(self, header: str, me: str, method: str, path: str) -> Word:
        """The word of a request, if it is for this node and this request, and new. Raises :class:`NotOurs`."""
        said, _, mac = header[:LONGEST].partition(".")
        if not hmac.compare_digest(self._mac(said).encode(), mac.encode("utf-8", "replace")):
            raise NotOurs
        try:
            found = json.loads(base64.urlsafe_b64decode(said))
            at = float(found.pop("at"))
            word = Word(**found)
        except (ValueError, TypeError, KeyError, AttributeError, binascii.Error):
            raise NotOurs from None
        if (word.to, word.method, word.path) != (me, method, path) or abs(self._clock() - at) > LASTS:
            raise NotOurs
        return word

    def seal(self, text: str, bound: str) -> bytes:
        """A message, which opens under the same ``bound`` alone."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, text.encode(), bound.encode())

    def open(self, blob: bytes, bound: str) -> str:
        """What :meth:`seal` made. Raises :class:`NotOurs`."""
        try:
            return self._cipher.decrypt(blob[:_NONCE], blob[_NONCE:], bound.encode()).decode()
        except (InvalidTag, ValueError):
            raise NotOurs from None

    def _mac(self, said: str) -> str:
        return hmac.digest(self._signing, said.encode("utf-8", "replace"), hashlib.sha256).hex()
