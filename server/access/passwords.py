"""Passwords: which will do, and their hashes (Argon2id), made two at a time beside everything else."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import argon2
from zxcvbn import zxcvbn

T = TypeVar("T")
SHORTEST, LONGEST = 12, 256  # characters
WAITING = 32  # hashes that may wait: each takes 64 MiB and a tenth of a second
AT_ONCE = 2
_BETWEEN = re.compile(r"[\W_]+")
STRONG = 3  # of zxcvbn's 0–4: ten thousand million guesses
RATED = 72  # characters that it looks at; a longer one is at least as hard
# What is guessed of a server like this one, beside the English words and names that zxcvbn brings.
_GUESSED = (
    "visavis", "camera", "kamera", "server", "passwort", "willkommen", "hallo", "geheim", "schatz", "prinzessin",
    "fussball", "ichliebedich", "spring", "summer", "autumn", "sommer", "herbst", "winter", "changeme",
    "correcthorsebatterystaple",
)  # fmt: skip


class WeakPassword(ValueError):
    """A password that will not do; the message says why."""


class TooBusy(Exception):
    """As many sign in at this moment as can wait."""


def normalise(password: str) -> str:
    """The same text however a keyboard composes it (RFC 8265: NFC)."""
    return unicodedata.normalize("NFC", password)


def _is_unicode(text: str) -> bool:
    """JSON can spell half a surrogate pair, of which there are no bytes."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def check_new(password: object, name: str) -> str:
    """A new password of somebody of this name, as it is hashed. Raises :class:`WeakPassword`."""
    if not isinstance(password, str):
        raise WeakPassword("a password is text")
    if not _is_unicode(password):
        raise WeakPassword("a password is Unicode text")
    password = normalise(password)
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword(f"a password has {SHORTEST} to {LONGEST} characters; this one has {len(password)}")
    if _is_guessed(password, name):
        raise WeakPassword(
            "this password is among the first that are tried; take some words that have to do with nothing"
        )
    return password


def _is_guessed(password: str, name: str) -> bool:
    """Whether somebody who tries words, names, dates, rows of the keyboard and repetitions comes upon it soon (Wheeler:
    zxcvbn, USENIX Security 2016). What is guessed of this server and this person counts for nothing."""
    words = sorted({_joined(word) for word in (name, *name.split(), *_GUESSED)}, key=len, reverse=True)
    own = _joined(password)
    for word in words:
        own = own.replace(word, "") if len(word) > 2 else own
    rated = password if own == _joined(password) else own
    return not rated or int(zxcvbn(rated[:RATED])["score"]) < STRONG


def _joined(text: str) -> str:
    return _BETWEEN.sub("", text.casefold())


class Passwords:
    """Makes and compares hashes. ``hasher`` decides how strongly: RFC 9106's second recommendation (64 MiB, 3 passes,
    4 lanes)."""

    def __init__(self, hasher: argon2.PasswordHasher | None = None) -> None:
        self._hasher = hasher or argon2.PasswordHasher.from_parameters(argon2.profiles.RFC_9106_LOW_MEMORY)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._waiting = 0
        self._nobodys: str | None = None

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(cancel_futures=True)

    async def hash(self, password: str) -> str:
        """What is kept of one. Raises :class:`TooBusy`."""
        return await self._run(lambda: self._hasher.hash(password))

    async def right(self, kept: str | None, password: str) -> bool:
        """Whether it is the one of this hash. Without a hash it takes the same time, and is not. Raises
        :class:`TooBusy`."""
        if self._nobodys is None:
            self._nobodys = await self.hash("nobody has this one")
        against = kept or self._nobodys
        possible = kept is not None and len(password) <= LONGEST and _is_unicode(password)
        password = normalise(password) if possible else ""

        def compare() -> bool:
            try:
                return self._hasher.verify(against, password[:LONGEST]) and possible
            except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
                return False

        return await self._run(compare)

    def is_old(self, kept: str) -> bool:
        """Whether it was made with other parameters than a new one would be."""
        return self._hasher.check_needs_rehash(kept)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING:
            raise TooBusy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
