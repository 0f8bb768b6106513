"""The snapshots people are recognised by: everyone's, and on top of it each room's. Exchanged, never changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any

from pipeline.gallery import Entry, Gallery
from server.people.loading import Loaded, Wanted, build


class Galleries:
    """Those of one server; the search is approximate ``above`` so many people. Changed on the loop, one change at a
    time: under ``lock``. ``spawn`` does something aside, which whoever owns this waits for at the end."""

    def __init__(
        self,
        digest: str,
        dimension: int,
        above: int,
        lock: asyncio.Lock,
        spawn: Callable[[Coroutine[Any, Any, None], str], object],
    ) -> None:
        self._digest, self._dimension, self._above = digest, dimension, above
        self._lock = lock
        self._spawn = spawn
        self._version = 0
        self._targets: Mapping[str, float] = {}
        self._all: dict[str | None, Gallery] = {None: Gallery.build([], dimension, digest)}
        self._joined: dict[str, tuple[Gallery, Gallery, Gallery]] = {}  # room → everyone's, the room's, both
        self._compacting: set[str | None] = set()

    def of(self, room: str | None) -> Gallery:
        """Everyone's people and, on top of them, a room's; the same object until something changes."""
        everyone = self._all[None]
        own = self._all.get(room) if room is not None else None
        if room is None or (own is None and room not in self._targets):
            return everyone
        if own is None:
            own = Gallery.build([], self._dimension, self._digest)
        made = self._joined.get(room)
        if made is None or made[0] is not everyone or made[1].version != own.version:
            both = everyone.joined(own).with_target(self.target(room))
            made = self._joined[room] = (everyone, own, both)
        return made[2]

    def target(self, room: str | None) -> float | None:
        """The share of strangers that may get a name (FPIR), if one was chosen for this gallery."""
        one_in = self._targets.get(room or "", self._targets.get(""))
        return None if one_in is None else 1 / one_in

    async def exchange(self, found: Loaded, what: Wanted, targets: Mapping[str, float]) -> None:
        """Everybody anew, perhaps as another pack sees them. All at once, when it is built."""
        self._version += 1
        made = await asyncio.to_thread(build, found, what, self._version, self._above)
        self._targets = targets
        made[None] = made[None].with_target(self.target(None))
        self._digest, self._dimension, self._all, self._joined = what.digest, what.dimension, made, {}

    def take_up(self, ids: Collection[str], entries: Sequence[Entry]) -> None:
        """Some people anew; who has no entry is gone."""
        self._version += 1
        for room in {*self._all, *(person.room for person, _, _ in entries)}:
            members = [entry for entry in entries if entry[0].room == room]
            staying = {person.id for person, _, _ in members}
            before = self._all.get(room)
            if before is None:
                before = Gallery.build([], self._dimension, self._digest, 0, self._above)
            gone = [id for id in ids if id not in staying and before.person(id) is not None]
            if members or gone:
                self._all[room] = before.changed(members, gone, self._version)
                self._compact_aside(room)

    def leave_out(self, ids: Collection[str]) -> None:
        """Some people no more."""
        for room, gallery in tuple(self._all.items()):
            gone = [id for id in ids if gallery.person(id) is not None]
            if gone:
                self._version += 1
                self._all[room] = gallery.changed([], gone, self._version)
                self._compact_aside(room)

    def _compact_aside(self, room: str | None) -> None:
        """Fold a large gallery's pending changes into it while it goes on being searched and changed."""
        old = self._all[room]
        if not old.wants_compaction or room in self._compacting:
            return

        async def compact() -> None:
            try:
                folded = await asyncio.to_thread(old.compacted)
                async with self._lock:
                    now = self._all.get(room)
                    if now is not None and now.digest == folded.digest:
                        self._all[room] = now.rebased(old, folded)
            finally:
                self._compacting.discard(room)

        self._compacting.add(room)
        self._spawn(compact(), "people: compact")
