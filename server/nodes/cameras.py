"""The cameras of other nodes, for rooms: :class:`server.rooms.elsewhere.Elsewhere` over the lines between nodes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from server.nodes.lines import Lines
from server.rooms.elsewhere import WAIT, CameraElsewhere, camera_heard

DONE_WITHIN = 2.0  # seconds
STAYS = 10.0  # seconds that a room is told of after it was asked for once


class OtherNodes:
    """What every line last said."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._watched: frozenset[str] = frozenset()
        self._asked: dict[str, float] = {}

    def counts(self) -> Mapping[str, int]:
        """How many cameras each room has there."""
        found: Counter[str] = Counter()
        for said in self._lines.said.values():
            found.update({room: len(cameras) for room, cameras in said["cameras"].items()})
        return found

    def numbers(self, room: str) -> Mapping[int, tuple[str, str]]:
        """The numbers of a room's cameras there, each with the time it came and its id; of two alike the earlier."""
        found = [one for said in self._lines.said.values() for one in said["cameras"].get(room, ())]
        return {number: (since, id) for number, since, id in sorted(found, key=lambda one: one[1:], reverse=True)}

    def cameras(self, room: str) -> list[CameraElsewhere]:
        """Those of a room, the first to come first, as far as they were asked for."""
        found = [camera_heard(one) for said in self._lines.said.values() for one in said["rooms"].get(room, ())]
        return sorted(found, key=lambda camera: camera.since)

    async def look_at(self, rooms: Iterable[str]) -> None:
        """Be told of these rooms, and of those that were asked for a moment ago."""
        self._watched = frozenset(rooms)
        await self._look()

    async def hear_of(self, room: str) -> None:
        """Wait until every node has told of a room."""
        self._asked[room] = time.monotonic()
        await self._look()
        await self._lines.hear(lambda said: room in said.get("rooms", ()), WAIT)

    async def ask(self, what: Mapping[str, Any]) -> None:
        """Have every node do something that concerns a room; those that can be reached have done it when this
        returns, or took longer than :data:`DONE_WITHIN`."""
        await self._lines.call(what, DONE_WITHIN)

    async def _look(self) -> None:
        now = time.monotonic()
        self._asked = {room: at for room, at in self._asked.items() if now - at < STAYS}
        await self._lines.look_at(self._watched | self._asked.keys())
