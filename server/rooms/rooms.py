"""Rooms, their cameras and viewers, and what a wall shows of them."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.matcher import Matcher
from server.access.links import Links
from server.link import SILENT_AFTER, Link
from server.live.session import LiveSession
from server.passes import Holds
from server.peers import PeerRegistry
from server.relay.viewers import Viewers
from server.rooms.consent_modes import ConsentModes
from server.rooms.elsewhere import CameraElsewhere, Elsewhere, camera_said
from server.rooms.presence import Presence, Present, View, views_of
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
        self._elsewhere: Elsewhere | None = None
        self._matcher: Callable[[], Matcher] | None = None
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
        return sorted(used | self._opened.keys() | self._counts().keys())

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
            if self._elsewhere is not None:  # at once: it hears of what is kept a moment later
                await self._elsewhere.ask({"consent_mode": name, "on": on})
            if on:
                await self._consent_modes.keep(name, on)

    async def shut(self, name: str) -> None:
        """Close one: its cameras and viewers are ended, its sources removed, its invitations void."""
        await self._people.run(lambda store: table.close_room(store.engine, name))
        if self._elsewhere is not None:
            await self._elsewhere.ask({"shut": name})
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
        others = self._numbers_elsewhere(room)
        for session in found:
            # Of two that took the same number on two nodes at once, the later one gives way.
            earlier = others.get(numbers.get(session.id, 0))
            later = earlier is not None and earlier < (_since(session), session.id)
            if session.id not in numbers or later:
                taken = {*others, *numbers.values()}
                numbers[session.id] = next(n for n in range(1, len(taken) + 2) if n not in taken)
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
        others = self._others(room)
        return {
            "name": room,
            "opened": None if opened is None else opened.isoformat(),
            "open": opened is not None,
            "consent_mode": self._consent_modes.of(room),
            "cameras": len(cameras) + self._counts().get(room, 0),
            "viewers": max(
                [
                    len(self._listeners.get(room, ())),
                    *(len(self.viewers.of(one.id)) for one in cameras),
                    *(one.state["viewers"] for one in others),
                ]
            ),
        }

    def state(self, room: str) -> dict[str, Any] | None:
        """Everything a wall shows, or ``None`` where there is no such room."""
        cameras, others = self.cameras(room), self._others(room)
        if not cameras and room not in self._opened and not self._counts().get(room):
            self._presence.pop(room, None)
            return None
        now = time.time()
        shown = [*(self.camera_state(session, now) for session in cameras), *(dict(one.state) for one in others)]
        return {
            **self.summary(room),
            "cameras": sorted(shown, key=lambda camera: (camera["since"], camera["id"])),
            "present": [_present(one) for one in self._who(room, cameras, others, now)],
        }

    def camera_state(self, session: LiveSession, now: float) -> dict[str, Any]:
        """One camera of it."""
        link = self._peers.get(session.id)
        return {
            "id": session.id,
            "number": self._numbers.get(session.room or "", {}).get(session.id, 0),
            "name": session.camera.name,
            "way": None if link is None else link.way,
            "since": _since(session),
            **session.camera.state(now),
            "state": _condition(link),
            "guest": session.guest,
            "faces": len(session.faces),
        }

    def _who(self, room: str, cameras: list[LiveSession], others: list[CameraElsewhere], now: float) -> list[Present]:
        presence = self._presence.setdefault(room, Presence())
        matcher = cameras[0].matcher if cameras else self._matcher() if self._matcher is not None else None
        if matcher is None or not (cameras or others):
            return []
        views = [view for session in cameras for view in self._views(session)]
        views += [view for one in others if one.state["state"] == "live" for view in one.views]
        return presence.update(views, matcher, now)

    def _views(self, session: LiveSession) -> list[View]:
        live = _condition(self._peers.get(session.id)) == "live"
        return views_of(session.id, session.faces) if live else []

    # -- other nodes -----------------------------------------------------------------------------------------------

    def join(self, elsewhere: Elsewhere, matcher: Callable[[], Matcher]) -> None:
        """Show what other nodes have of a room as well. ``matcher`` is of the pack in use on all of them."""
        self._elsewhere, self._matcher = elsewhere, matcher

    async def hear_of(self, room: str) -> None:
        """Have the newest of a room from other nodes, for somebody who asks once."""
        if self._elsewhere is not None:
            await self._elsewhere.hear_of(room)

    def tell(self, rooms: frozenset[str]) -> dict[str, Any]:
        """What other nodes are told: of every room the cameras it has here, and of these rooms everything."""
        now = time.time()
        used = sorted({session.room for session in self._sessions() if session.room is not None})
        return {
            "cameras": {
                room: [(self._numbers[room][one.id], _since(one), one.id) for one in self.cameras(room)]
                for room in used
            },
            "rooms": {
                room: [camera_said(self.camera_state(one, now), self._views(one)) for one in self.cameras(room)]
                for room in sorted(rooms)
            },
        }

    async def asked(self, what: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what another node asks for: end a closed room here too, or take up its consent mode."""
        if isinstance(what.get("shut"), str):
            await self._let_go(what["shut"])
        elif isinstance(what.get("consent_mode"), str):
            self._take_up_consent_mode(what["consent_mode"], what.get("on") is True)
        return {}

    def _others(self, room: str) -> list[CameraElsewhere]:
        return [] if self._elsewhere is None else self._elsewhere.cameras(room)

    def _counts(self) -> Mapping[str, int]:
        return {} if self._elsewhere is None else self._elsewhere.counts()

    def _numbers_elsewhere(self, room: str) -> Mapping[int, tuple[str, str]]:
        return {} if self._elsewhere is None else self._elsewhere.numbers(room)

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
                if self._elsewhere is not None:
                    await self._elsewhere.look_at(self._listeners)
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


def _since(session: LiveSession) -> str:
    return session.camera.since.isoformat(timespec="seconds")


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
