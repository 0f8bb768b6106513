"""Keys of other programs: made once, shown once, kept as a hash, limited to scopes."""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa
from aiohttp import web

from server.access.secrets import hash_of
from server.api.operations import SCOPES
from server.storage import api_keys as table
from server.storage.api_keys import ApiKey
from server.storage.names import clean_name

if TYPE_CHECKING:
    from server.people import People

API_KEY = web.RequestKey("api_key", ApiKey)
"""The key that a request came with, once it was let in by it."""
SHAPE = re.compile(r"visavis_([0-9a-f]{8})_.*", re.ASCII)
FRESH = 1.0  # seconds until another process's keys (visavis keys) are looked for again
NOTED_EVERY = timedelta(minutes=10)


class BadScope(ValueError):
    """No such scope, or none at all; the message says which there are."""


def new_key(name: object, scopes: object) -> tuple[ApiKey, str]:
    """What is kept of a new key, and the key itself (256 random bits). Raises :class:`BadScope` and
    :class:`server.storage.BadName`."""
    id = secrets.token_hex(4)
    token = f"visavis_{id}_{secrets.token_urlsafe(32)}"
    return ApiKey(id, clean_name(name), clean_scopes(scopes), hash_of(token), datetime.now(UTC)), token


def clean_scopes(scopes: object) -> tuple[str, ...]:
    """The scopes, in the usual order. Raises :class:`BadScope`."""
    if not isinstance(scopes, Sequence) or isinstance(scopes, str) or not scopes:
        raise BadScope(f"scopes is a list of at least one of {', '.join(SCOPES)}")
    if any(not isinstance(scope, str) or scope not in SCOPES for scope in scopes):
        raise BadScope(f"the scopes are {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in scopes)


class Keys:
    """The keys of this server, in its store; a revoked one does not open anything a second later, whoever revoked
    it."""

    def __init__(self, people: People, now: Callable[[], float] = time.monotonic) -> None:
        self._people = people
        self._now = now
        self._known: dict[str, ApiKey] = {}
        self._looked = float("-inf")

    async def all(self) -> list[ApiKey]:
        """All keys, the oldest first."""
        keys: list[ApiKey] = await self._people.run(lambda store: table.read_keys(store.engine))
        self._known, self._looked = {key.id: key for key in keys}, self._now()
        return keys

    async def make(self, name: object, scopes: object) -> tuple[ApiKey, str]:
        """A new key, and what of it is shown this once. Raises what :func:`new_key` does and
        :class:`server.storage.api_keys.TooManyKeys`."""
        key, token = new_key(name, scopes)
        await self._people.run(lambda store: table.add_key(store.engine, key))
        self._looked = float("-inf")
        return key, token

    async def revoke(self, id: str) -> bool:
        """Make a key worthless; whether there was one of this id."""
        self._known.pop(id, None)
        gone: bool = await self._people.run(lambda store: table.delete_key(store.engine, id))
        return gone

    def holds(self, id: str) -> bool:
        """Whether there is one of this id."""
        return id in self._known

    async def find(self, token: str) -> ApiKey | None:
        """The key that this is, compared in constant time."""
        if self._now() - self._looked > FRESH:
            try:
                await self.all()
            except sa.exc.SQLAlchemyError:
                if not self._known:
                    raise
                self._looked = self._now()  # a database that is away shuts out nobody who was let in before
        shape = SHAPE.fullmatch(token)
        key = self._known.get(shape[1]) if shape else None
        if key is None or not secrets.compare_digest(key.hash, hash_of(token)):
            return None
        now = datetime.now(UTC)
        if key.used is None or now - key.used > NOTED_EVERY:
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                await self._people.run(lambda store: table.note_use(store.engine, key.id, now))
                self._looked = float("-inf")
        return key
