"""Invitations to a room: made once, shown once, kept as a hash, over at their time or when somebody revokes them."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from server.passes import Pass, Role
from server.storage import rooms as table
from server.storage.rooms import Invitation

if TYPE_CHECKING:
    from server.people import People

SHAPE = re.compile(r"join_([0-9a-f]{8})_.*", re.ASCII)
NOTED_EVERY = timedelta(minutes=1)
MINUTES = (1, 30 * 24 * 60)


class Invitations:
    """All of this server, in its store and in memory: who knocks is answered without a look at the disk."""

    def __init__(self, people: People, kept: list[Invitation], now: Callable[[], datetime]) -> None:
        self._people = people
        self._known = {one.id: one for one in kept}
        self._now = now

    @classmethod
    async def open(cls, people: People, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Invitations:
        """Those that are kept."""
        kept: list[Invitation] = await people.run(lambda store: table.read_invitations(store.engine, now()))
        return cls(people, kept, now)

    def of(self, room: str) -> list[Invitation]:
        """Those of one room that are not over, the oldest first."""
        now = self._now()
        return [one for one in self._known.values() if one.room == room and one.expires > now]

    async def make(self, room: str, role: Role, minutes: int, label: str | None) -> tuple[Invitation, str]:
        """A new one, and what is in its link (128 random bits). Raises :class:`server.storage.rooms.TooManyRooms`."""
        now, id = self._now(), secrets.token_hex(4)
        token = f"join_{id}_{secrets.token_urlsafe(16)}"
        made = Invitation(id, room, role, label, _hash(token), now, now + timedelta(minutes=minutes))
        await self._people.run(lambda store: table.add_invitation(store.engine, made))
        self._known[id] = made
        return made, token

    async def revoke(self, room: str, id: str) -> bool:
        """Make one worthless; whether there was one of this id to this room."""
        known = self._known.get(id)
        if known is None or known.room != room:
            return False
        del self._known[id]
        await self._people.run(lambda store: table.delete_invitation(store.engine, id))
        return True

    def drop_room(self, room: str) -> None:
        """The room is closed, and what the store had of its invitations is gone with it."""
        for one in [one for one in self._known.values() if one.room == room]:
            del self._known[one.id]

    def find(self, token: str) -> Pass | None:
        """What this opens, compared in constant time."""
        shape = SHAPE.fullmatch(token)
        known = self._known.get(shape[1]) if shape else None
        if known is None or not secrets.compare_digest(known.hash, _hash(token)) or known.expires <= self._now():
            return None
        return Pass(known.id, known.room, cast(Role, known.role), known.label, known.expires)

    def holds(self, id: str) -> bool:
        """Whether one is neither over nor revoked."""
        known = self._known.get(id)
        return known is not None and known.expires > self._now()

    async def used(self, id: str) -> None:
        """Somebody came by it; noted to the minute."""
        known, now = self._known.get(id), self._now()
        if known is None or (known.used is not None and now - known.used < NOTED_EVERY):
            return
        self._known[id] = replace(known, used=now)
        await self._people.run(lambda store: table.note_invitation(store.engine, id, now))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
