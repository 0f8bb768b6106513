"""Passwords: which will do, and their hashes (Argon2id), made two at a time beside everything else."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import argon2

T = TypeVar("T")
SHORTEST, LONGEST = 12, 256  # characters
OWN = 6  # characters that must be left when what everybody would guess is taken away
WAITING = 32  # hashes that may wait: each takes 64 MiB and a tenth of a second
AT_ONCE = 2
_BETWEEN = re.compile(r"[\W_]+")
_SPELT = str.maketrans("0134578", "oleastb")  # 'p4ssw0rd'
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm")
# What passwords are most often made of: our own short list, in English and German.
_COMMON = frozenset(
    {
        *(
            "password",
            "passwort",
            "passwd",
            "passphrase",
            "letmein",
            "welcome",
            "willkommen",
            "hello",
            "hallo",
            "login",
        ),
        *("iloveyou", "ichliebedich", "schatz", "sunshine", "princess", "prinzessin", "dragon", "monkey", "master"),
        *(
            "football",
            "fussball",
            "baseball",
            "shadow",
            "superman",
            "batman",
            "trustno",
            "qazwsx",
            "changeme",
            "secret",
        ),
        *(
            "hallo",
            "secret",
            "admin",
            "administrator",
            "root",
            "user",
            "guest",
            "default",
            "testing",
            "test",
            "geheim",
            "computer",
        ),
        *("visavis", "camera", "kamera", "server", "internet", "correcthorsebatterystaple", "abc", "monday", "january"),
        *("spring", "summer", "sommer", "autumn", "herbst", "winter"),
    }
)


class WeakPassword(ValueError):
    """A password that will not do; the message says why."""


class TooBusy(Exception):
    """As many sign in at this moment as can wait."""


def normalise(password: str) -> str:
    """The same text however a keyboard composes it (RFC 8265: NFC)."""
    return unicodedata.normalize("NFC", password)


def check_new(password: object, name: str) -> str:
    """A new password of somebody of this name, as it is hashed. Raises :class:`WeakPassword`."""
    if not isinstance(password, str):
        raise WeakPassword("a password is text")
    password = normalise(password)
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword(f"a password has {SHORTEST} to {LONGEST} characters; this one has {len(password)}")
    if len(_own_part(password.casefold(), name.casefold())) < OWN:
        raise WeakPassword(
            "this password is among the first that are tried; take some words that have to do with nothing"
        )
    return password


def _own_part(password: str, name: str) -> str:
    """What is left of a password without the name, common words, rows of the keyboard or alphabet, years and
    repetitions."""
    names = [re.sub(_BETWEEN, "", word) for word in (name, *name.split())]
    words = sorted((word for word in (*names, *_COMMON) if len(word) > 2), key=len, reverse=True)
    plain = re.sub(_BETWEEN, "", password)
    return min((_without(text, words) for text in (plain, plain.translate(_SPELT))), key=len)


def _without(text: str, words: list[str]) -> str:
    for word in words:
        text = text.replace(word, " ")
    text = re.sub(r"(.+?)\1+", r"\1", text)  # 'abcabc' is no more than 'abc'
    text = re.sub(r"(19|20)\d\d", " ", text)
    for row in (*_ROWS, *(row[::-1] for row in _ROWS)):
        for length in range(len(row), 2, -1):
            for start in range(len(row) - length + 1):
                text = text.replace(row[start : start + length], " ")
    return re.sub(r"(.)\1+", r"\1", text.replace(" ", ""))


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
        password = normalise(password)
        possible = kept is not None and len(password) <= LONGEST

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
