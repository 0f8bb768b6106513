"""All cameras that the server fetches: kept in its store, begun at its start, and each again after whatever ends it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

from server.link import Visit
from server.peers import Full, PeerRegistry
from server.people import People
from server.sources.address import Address, BadAddress, parse_address
from server.sources.link import PAUSES, SourceLink, Status
from server.storage import sources as table
from server.storage.names import MAX_NAME, BadName, clean_name, clean_room
from server.storage.sources import Source

logger = logging.getLogger(__name__)

FULL = "There are as many cameras as there may be (max_sessions)."
TURN = 0.5  # seconds between two looks at whose turn it is
TAKEN_OVER = "taken over"  # by another node
REMOVED = "ended"  # said to whoever watches; a camera that its host ends in this way is not fetched again


class Turns(Protocol):
    """Which of several nodes does a work (:class:`server.nodes.register.Register`)."""

    def mine(self, work: str) -> bool:
        """This one, for sure."""

    def theirs(self, work: str) -> bool:
        """Another, for sure."""


class TooManySources(ValueError):
    """There are as many as there may be."""


@dataclass(slots=True)
class Fetched:
    """A source and, where it has one, its session's link."""

    kept: Source
    address: Address
    link: SourceLink | None = None
    again: asyncio.TimerHandle | None = None
    waits: Status = field(default_factory=lambda: Status("connecting"))  # while it has no link
    failures: int = 0

    @property
    def status(self) -> Status:
        """How it does."""
        return self.waits if self.link is None else self.link.status


class Sources:
    """Owns them; open with ``await Sources.open(people, peers, limit)``, end with :meth:`close` before the peers."""

    def __init__(self, people: People, peers: PeerRegistry, limit: int, pauses: tuple[float, ...] = PAUSES) -> None:
        self._people = people
        self._peers = peers
        self._limit = limit
        self._pauses = pauses
        self._all: dict[str, Fetched] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._turns: Turns | None = None

    @classmethod
    async def open(
        cls,
        people: People,
        peers: PeerRegistry,
        limit: int,
        pauses: tuple[float, ...] = PAUSES,
        turns: Turns | None = None,
    ) -> Sources:
        """Begin with those that are kept; where there are several nodes, with those whose turn it is here."""
        sources = cls(people, peers, limit, pauses)
        sources._turns = turns
        await sources.follow()
        if turns is not None:
            sources._run(sources._take_turns(), "sources: whose turn it is")
        return sources

    async def follow(self) -> None:
        """Take up what is kept: begin what is new, end what was removed."""
        kept: list[Source] = await self._people.run(lambda store: table.read_sources(store.engine))
        for id in self._all.keys() - {source.id for source in kept}:
            await self._end(self._all.pop(id), REMOVED)
        for source in kept:
            known = self._all.get(source.id)
            if known is not None:
                known.kept = source
                continue
            try:
                fetched = Fetched(source, parse_address(source.url))
            except BadAddress as bad:  # another version kept it
                logger.warning("source %s is left out: %s", source.id, bad)
                continue
            self._all[source.id] = fetched
            if self._turns is None:
                self._begin_if_few(fetched)

    async def written_elsewhere(self, tables: frozenset[str] | None) -> None:
        """Somebody else wrote: sources they added or removed are so here."""
        if tables is None or table.TABLE.name in tables:
            await self.follow()

    def _begin_if_few(self, fetched: Fetched) -> None:
        if sum(one.link is not None or one.again is not None for one in self._all.values()) < self._limit:
            self._begin(fetched)
        else:
            fetched.waits = Status("retrying", f"There are more than {self._limit} sources (max_sources).")

    async def _take_turns(self) -> None:
        """Fetch what is this node's now, and let go of what another has taken over. While that cannot be told, as the
        database is away, everything goes on."""
        assert self._turns is not None
        while True:
            for fetched in tuple(self._all.values()):
                begun = fetched.link is not None or fetched.again is not None
                work = f"source {fetched.kept.id}"
                if not begun and self._turns.mine(work):
                    self._begin_if_few(fetched)
                elif begun and self._turns.theirs(work):
                    fetched.waits = Status("connecting")
                    await self._end(fetched, TAKEN_OVER)
            await asyncio.sleep(TURN)

    def of(self, room: str) -> list[Fetched]:
        """A room's, the oldest first."""
        return [fetched for fetched in self._all.values() if fetched.kept.room == room]

    async def add(self, room: object, url: object, name: object = None) -> Fetched:
        """Fetch another from now on. Raises :class:`server.sources.address.BadAddress`,
        :class:`server.storage.BadName`, :class:`TooManySources` and :class:`server.peers.Full`."""
        address = parse_address(url)
        called = clean_name(address.place[:MAX_NAME] if name is None else name)
        place = clean_room(room)
        if place is None:
            raise BadName("a source belongs to a room")
        if self._turns is None and len(self._all) >= self._limit:  # several nodes share them
            raise TooManySources(f"there are {self._limit} sources already (max_sources); remove one first")
        fetched = Fetched(Source(uuid4().hex, place, called, address.url, datetime.now(UTC)), address)
        # Its place is taken before the store is asked, so that two at a time do not share the last one.
        self._all[fetched.kept.id] = fetched
        try:
            if self._turns is None:
                self._admit(fetched)
            await self._people.run(lambda store: table.add_source(store.engine, fetched.kept))
        except BaseException:
            self._all.pop(fetched.kept.id, None)
            await self._end(fetched, REMOVED)
            raise
        return fetched

    async def rename(self, link: SourceLink, name: str) -> None:
        """Keep another name of the one that has this link."""
        fetched = next((one for one in self._all.values() if one.link is link), None)
        if fetched is not None:
            id = fetched.kept.id
            fetched.kept = replace(fetched.kept, name=name)
            await self._people.run(lambda store: table.rename_source(store.engine, id, name))

    async def remove(self, room: str, id: str) -> bool:
        """Fetch one no more, and forget its address; whether there was one."""
        fetched = self._all.get(id)
        if fetched is None or fetched.kept.room != room:
            return False
        del self._all[id]
        await self._end(fetched, REMOVED)
        await self._people.run(lambda store: table.delete_source(store.engine, id))
        return True

    async def close(self) -> None:
        """End all of them; they stay kept."""
        self._closing = True
        for task in tuple(self._tasks) if self._turns is not None else ():
            task.cancel()
        await asyncio.gather(*(self._end(fetched, "shutdown") for fetched in self._all.values()))
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- one of them -------------------------------------------------------------------------------------------------

    def _begin(self, fetched: Fetched) -> None:
        """Open its session, or try again when there may be room."""
        fetched.again = None
        try:
            self._admit(fetched)
        except Full:
            self._later(fetched, FULL)

    def _admit(self, fetched: Fetched) -> None:
        """Raises :class:`server.peers.Full`."""
        kept = fetched.kept
        visit = Visit(room=kept.room, name=kept.name)

        def over(link: SourceLink, reason: str) -> None:
            self._peers.gone(link, reason)
            self._over(fetched, link, reason)

        fetched.link = self._peers.admit(
            visit, lambda make, number: SourceLink(fetched.address, make, over, visit, number, self._pauses)
        )
        fetched.link.start()

    def _over(self, fetched: Fetched, link: SourceLink, reason: str) -> None:
        """Its session has ended, for whatever reason."""
        if fetched.link is not link:
            return
        fetched.link = None
        if self._closing or reason in ("shutdown", TAKEN_OVER) or fetched.kept.id not in self._all:
            return
        if reason == REMOVED:
            self._spawn(fetched)
        else:
            self._later(fetched, "Its session ended by an error.")

    def _later(self, fetched: Fetched, why: str) -> None:
        pause = self._pauses[min(fetched.failures, len(self._pauses) - 1)]
        fetched.failures += 1
        loop = asyncio.get_running_loop()
        fetched.waits = Status.later(why, pause)
        fetched.again = loop.call_later(pause, self._begin, fetched)

    def _spawn(self, fetched: Fetched) -> None:
        """Its host has ended it: forget it."""

        async def forget() -> None:
            await self.remove(fetched.kept.room, fetched.kept.id)

        self._run(forget(), f"source {fetched.kept.id}: forget")

    def _run(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self, fetched: Fetched, reason: str) -> None:
        if fetched.again is not None:
            fetched.again.cancel()
            fetched.again = None
        if fetched.link is not None:
            await fetched.link.close(reason)
