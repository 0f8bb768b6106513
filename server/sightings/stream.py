"""Events as they happen, as server-sent events (WHATWG HTML §9.2): whoever was away goes on after the last they had."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence
from functools import partial

from aiohttp import hdrs, web

from server.people import People
from server.problems import problem
from server.sightings.answer import event_body
from server.sightings.recorder import Recorder
from server.storage import PeopleStore
from server.storage.events import KINDS, Event, events_after, newest_event

READERS = 32  # at once
WAITING = 512  # events a slow reader may be behind; then it is let go, and comes back for them
HEARTBEAT = 15.0  # seconds without a word, after which a proxy might think nobody is there
RETRY = 2000  # ms until a browser comes back
BATCH = 200


class Stream:
    """Everybody who listens. ``ended`` by :meth:`close`, when the server goes down."""

    def __init__(self, recorder: Recorder, people: People) -> None:
        self._recorder = recorder
        self._people = people
        self._readers: set[asyncio.Queue[Sequence[Event] | None]] = set()
        self._leave: Callable[[], None] = recorder.subscribe(self._tell)

    async def close(self, _app: web.Application | None = None) -> None:
        """Let every reader go."""
        self._leave()
        for queue in tuple(self._readers):
            _last_word(queue)

    def _tell(self, events: Sequence[Event]) -> None:
        for queue in tuple(self._readers):
            try:
                queue.put_nowait(events)
            except asyncio.QueueFull:
                _last_word(queue)

    async def read(self, request: web.Request) -> web.StreamResponse:
        """Listen, until the reader or the server leaves."""
        kinds = set((request.query.get("kinds") or ",".join(KINDS)).split(","))
        if not kinds <= set(KINDS):
            return problem(400, "Bad Request", f"kinds are some of {', '.join(KINDS)}, with commas between.")
        said = request.headers.get("Last-Event-ID") or request.query.get("after")
        if said is not None and not (said.isascii() and said.isdigit() and len(said) < 16):
            return problem(400, "Bad Request", "Last-Event-ID is the id of an event that was sent.")
        if len(self._readers) >= READERS:
            return problem(503, "Busy", "Too many programs are listening.", **{"Retry-After": "5"})
        room = request.query.get("room")
        queue: asyncio.Queue[Sequence[Event] | None] = asyncio.Queue(WAITING)
        self._readers.add(queue)
        try:
            reached = int(said) if said is not None else await self._people.run(lambda s: newest_event(s.engine))
            response = web.StreamResponse(
                headers={hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8", hdrs.CACHE_CONTROL: "no-store"}
            )
            await response.prepare(request)
            await response.write(f"retry: {RETRY}\n\n".encode())

            async def send(events: Sequence[Event]) -> int:
                for event in events:
                    if event.said.kind in kinds and room in (None, event.said.room or ""):
                        await response.write(_written(event))
                return events[-1].number

            with contextlib.suppress(ConnectionError):
                while missed := await self._people.run(partial(_after, reached)):
                    reached = await send(missed)
                while True:
                    try:
                        async with asyncio.timeout(HEARTBEAT):
                            events = await queue.get()
                    except TimeoutError:
                        await response.write(b":\n\n")
                        continue
                    if events is None:
                        break
                    if fresh := [event for event in events if event.number > reached]:
                        reached = await send(fresh)
            return response
        finally:
            self._readers.discard(queue)


def _after(number: int, store: PeopleStore) -> list[Event]:
    return events_after(store.engine, number, BATCH)


def _written(event: Event) -> bytes:
    body = json.dumps(event_body(event), ensure_ascii=False, separators=(",", ":"))
    return f"id: {event.number}\nevent: {event.said.kind}\ndata: {body}\n\n".encode()


def _last_word(queue: asyncio.Queue[Sequence[Event] | None]) -> None:
    while queue.full():
        queue.get_nowait()
    queue.put_nowait(None)
