"""Rooms, their cameras and viewers, and what a wall shows of them."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from server.access.links import Links
from server.link import SILENT_AFTER, Link
from server.live.session import LiveSession
from server.passes import Holds
from server.peers import PeerRegistry
from server.relay.viewers import Viewers
from server.rooms.consent_modes import ConsentModes
from server.rooms.presence import Presence, Present, views_of
from server.sources.link import SourceLink
from server.sources.sources import Sources
from server.storage import consent_mode
from server.storage import rooms as table
from server.wording import stated

if TYPE_CHECKING:
    from server.people import People

logger = logging.getLogger(__name__)

EVERY = 0.25  # seconds between two looks at a room that somebody watches
IDLE_EVERY = 1.0  # … and at one that nobody does
ENDED = "ended"  # by the host, or with what they came by

Told = Callable[[str | None], None]


class Rooms:
    """Every room. A room is there when somebody opened it, or a camera is in it."""

    def __init__(
        self,
        people: People,
        opened: dict[str, datetime],
        links: Links,
        holds: Holds,
        peers: PeerRegistry,
        viewers: Viewers,
        sources: Sources,
        consent_modes: ConsentModes,
    ) -> None:
        self._people = people
        self._opened = opened
        self.links = links
        self._holds = holds
        self._peers = peers
        self.viewers = viewers
        self._sources = sources
        self._consent_modes = consent_modes
        self._choosing = asyncio.Lock()
        self._presence: dict[str, Presence] = {}
        self._numbers: dict[str, dict[str, int]] = {}  # of the cameras of a room
        self._listeners: dict[str, set[Told]] = {}
        self._said: dict[str, str] = {}
        self._looked = 0.0
        self._task = asyncio.create_task(self._watch(), name="rooms")

    @classmethod
    async def open_all(
        cls,
        people: People,
        links: Links,
        holds: Holds,
        peers: PeerRegistry,
        viewers: Viewers,
        sources: Sources,
        consent_modes: ConsentModes,
    ) -> Rooms:
        """The rooms that are kept. ``holds`` says whether what a camera or viewer came by still opens."""
        opened: dict[str, datetime] = await people.run(lambda store: table.read_rooms(store.engine))
        return cls(people, opened, links, holds, peers, viewers, sources, consent_modes)

    async def close(self) -> None:
        """End watching; rooms stay open."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        for told in [told for listeners in self._listeners.values() for told in listeners]:
            told(None)

    # -- rooms ---------------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """All there are."""
        used = {session.room for session in self._sessions() if session.room is not None}
        return sorted(used | self._opened.keys())

    def opened(self, name: str) -> datetime | None:
        """When somebody opened it."""
        return self._opened.get(name)

    async def open(self, name: str) -> bool:
        """Open one; whether it was not open before. Raises :class:`server.storage.rooms.TooManyRooms`."""
        if name in self._opened:
            return False
        now = datetime.now(UTC)
        await self._people.run(lambda store: table.open_room(store.engine, name, now))
        self._opened[name] = now
        return True

    async def set_consent_mode(self, name: str, on: bool) -> None:
        """Hide faces without consent there, or no longer. When this returns, nothing that shows one is handed on."""
        async with self._choosing:
            if not on:
                await self._consent_modes.keep(name, on)  # first: whoever is hidden stays it where this fails
            self._take_up_consent_mode(name, on)
            if on:
                await self._consent_modes.keep(name, on)

    async def shut(self, name: str) -> None:
        """Close one: its cameras and viewers are ended, its sources removed, its invitations void."""
        await self._people.run(lambda store: table.close_room(store.engine, name))
        await self._let_go(name)

    def _take_up_consent_mode(self, name: str, on: bool) -> None:
        self._consent_modes.take_up(name, on)
        for session in self.cameras(name):
            session.set_consent_mode(on)
        self._presence.pop(name, None)  # who lingers in it was named

    async def _let_go(self, name: str) -> None:
        """Nobody is in it any more."""
        self._opened.pop(name, None)
        self.links.drop_room(name)
        for told in tuple(self._listeners.get(name, ())):
            told(None)
        for source in self._sources.of(name):
            await self._sources.remove(name, source.kept.id)
        await asyncio.gather(*(self.end_camera(session) for session in self.cameras(name)))
        self._presence.pop(name, None)
        self._numbers.pop(name, None)

    async def written_elsewhere(self, tables: frozenset[str] | None) -> None:
        """Somebody else wrote: rooms they opened are open here, those they closed are closed, and faces are hidden
        where they say so."""
        if tables is None or table.ROOM.name in tables:
            opened = await self._people.run(lambda store: table.read_rooms(store.engine))
            for name in self._opened.keys() - opened.keys():
                await self._let_go(name)
            self._opened = opened
        if tables is None or consent_mode.TABLE.name in tables:
            async with self._choosing:
                for name, on in (await self._consent_modes.read()).items():
                    if self._consent_modes.of(name) != on:
                        self._take_up_consent_mode(name, on)

    # -- cameras -------------------------------------------------------------------------------------------------

    def cameras(self, room: str) -> list[LiveSession]:
        """The cameras of a room, the first to come first."""
        numbers = self._numbers.setdefault(room, {})
        found = [session for session in self._sessions() if session.room == room]
        for gone in numbers.keys() - {session.id for session in found}:
            del numbers[gone]
        for session in found:
            if session.id not in numbers:
                numbers[session.id] = next(n for n in range(1, len(numbers) + 2) if n not in numbers.values())
        if not numbers:
            del self._numbers[room]
        return sorted(found, key=lambda session: session.camera.since)

    def camera(self, room: str, number: str) -> LiveSession | None:
        """One of them by the id of its session."""
        return next((session for session in self.cameras(room) if session.id == number), None)

    async def rename_camera(self, session: LiveSession, name: str) -> None:
        """Call a camera so from now on; a source also after a restart."""
        session.rename(name)
        link = self._peers.get(session.id)
        if isinstance(link, SourceLink):
            await self._sources.rename(link, name)

    async def end_camera(self, session: LiveSession) -> None:
        """End a camera and whoever watches it; its page is told that the host did."""
        link = self._peers.get(session.id)
        watching = self.viewers.of(session.id)
        if link is not None:
            await link.close(ENDED)
        else:
            await self._peers.end_waiting(session.id)
        await asyncio.gather(*(viewer.close(ENDED) for viewer in watching))

    async def revoke(self, room: str, id: str) -> bool:
        """Revoke an invitation and end whoever came by it; whether there was one."""
        there = await self.links.revoke(id, room)
        if there:
            await self._end_uninvited()
        return there

    # -- what a wall shows -----------------------------------------------------------------------------------------

    def summary(self, room: str) -> dict[str, Any]:
        """A room in a line."""
        cameras, opened = self.cameras(room), self._opened.get(room)
        return {
            "name": room,
            "opened": None if opened is None else opened.isoformat(),
            "open": opened is not None,
            "consent_mode": self._consent_modes.of(room),
            "cameras": len(cameras),
            "viewers": max([len(self._listeners.get(room, ())), *(len(self.viewers.of(one.id)) for one in cameras)]),
        }

    def state(self, room: str) -> dict[str, Any] | None:
        """Everything a wall shows, or ``None`` where there is no such room."""
        cameras = self.cameras(room)
        if not cameras and room not in self._opened:
            self._presence.pop(room, None)
            return None
        now = time.time()
        return {
            **self.summary(room),
            "cameras": [self.camera_state(session, now) for session in cameras],
            "present": [_present(one) for one in self._who(room, cameras, now)],
        }

    def camera_state(self, session: LiveSession, now: float) -> dict[str, Any]:
        """One camera of it."""
        link = self._peers.get(session.id)
        return {
            "id": session.id,
            "number": self._numbers.get(session.room or "", {}).get(session.id, 0),
            "name": session.camera.name,
            "way": None if link is None else link.way,
            "since": session.camera.since.isoformat(timespec="seconds"),
            **session.camera.state(now),
            "state": _condition(link),
            "guest": session.guest,
            "faces": len(session.faces),
        }

    def _who(self, room: str, cameras: list[LiveSession], now: float) -> list[Present]:
        presence = self._presence.setdefault(room, Presence())
        if not cameras:
            return []
        live = [session for session in cameras if _condition(self._peers.get(session.id)) == "live"]
        views = [view for session in live for view in views_of(session.id, session.faces)]
        return presence.update(views, cameras[0].matcher, now)

    # -- listening -------------------------------------------------------------------------------------------------

    def listen(self, room: str, told: Told) -> Callable[[], None]:
        """Be told of the room's state as JSON whenever it changes, and of ``None`` at its end, until the returned
        function is called."""
        self._listeners.setdefault(room, set()).add(told)

        def leave() -> None:
            left = self._listeners.get(room, set())
            left.discard(told)
            if not left:
                self._listeners.pop(room, None)
                self._said.pop(room, None)

        return leave

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                self._look(time.monotonic())
                await self._end_uninvited()
            except Exception:
                logger.exception("rooms could not be looked at")

    def said(self, room: str) -> str | None:
        """The room's state as JSON, as it is now; ``None`` where there is none."""
        state = self.state(room)
        return None if state is None else json.dumps(state, ensure_ascii=False, separators=(",", ":"))

    def _look(self, now: float) -> None:
        all_of_them = now - self._looked >= IDLE_EVERY
        if all_of_them:
            self._looked = now
        for room in self.names() if all_of_them else tuple(self._listeners):
            text = self.said(room)
            listeners = tuple(self._listeners.get(room, ()))
            if listeners and (text is None or text != self._said.get(room)):
                self._said[room] = text or ""
                for told in listeners:
                    told(text)

    async def _end_uninvited(self) -> None:
        """Whoever came by a link, a session or a key that is over or revoked, or had another role, has to go."""
        for session in self._sessions():
            if not self._holds(session.camera.visitor):
                await self.end_camera(session)
        for viewer in self.viewers.all():
            if not self._holds(viewer.visitor):
                await viewer.close(ENDED)

    def _sessions(self) -> list[LiveSession]:
        return [handler for handler in self._peers.handlers if isinstance(handler, LiveSession)]


def _condition(link: Link | None) -> str:
    """How a camera's connection stands: docs/rooms.md."""
    if link is None:
        return "away"
    if isinstance(link, SourceLink) and link.status.state == "retrying":
        return "retrying"
    seen = link.last_frame
    if not link.connected or seen is None:
        return "connecting"
    return "silent" if time.perf_counter() - seen > SILENT_AFTER else "live"


def _present(one: Present) -> dict[str, Any]:
    best = one.best
    return {
        "key": one.key,
        "identity": best.identity.value,
        "person": best.person,
        "name": best.name,
        "probability": None if best.probability is None else round(stated(best.probability), 3),
        "since": datetime.fromtimestamp(one.since, UTC).isoformat(timespec="seconds"),
        "views": [{"camera": view.camera, "track": view.track} for view in one.views],
    }
