"""A room's state as server-sent events (WHATWG HTML §9.2): the whole of it whenever it changes, so that nobody has to
piece it together."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import hdrs, web

from server.passes import role_of
from server.problems import problem
from server.rooms.rooms import Rooms

READERS = 64  # of all rooms at once
HEARTBEAT = 15.0  # seconds without a word, after which a proxy might think nobody is there
RETRY = 1000  # ms until a browser comes back


class RoomStream:
    """Everybody who listens to a room."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._readers = 0

    async def read(self, request: web.Request, room: str) -> web.StreamResponse:
        """Listen until the room is closed, or the reader or the server leaves."""
        if self._readers >= READERS:
            return problem(503, "Busy", "Too many programs are listening.", Retry_After="5")
        newest = _Newest()
        leave = self._rooms.listen(room, newest.tell)
        self._readers += 1
        try:
            response = web.StreamResponse(
                headers={hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8", hdrs.CACHE_CONTROL: "no-store"}
            )
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                await response.write(f"retry: {RETRY}\n\n".encode())
                newest.tell(self._rooms.said(room))
                role = role_of(request)
                while True:
                    try:
                        async with asyncio.timeout(HEARTBEAT):
                            text = await newest.next()
                    except TimeoutError:
                        await response.write(b":\n\n")
                        continue
                    if text is None:
                        await response.write(b"event: closed\ndata: {}\n\n")
                        break
                    await response.write(f'event: room\ndata: {{"role":"{role}",{text[1:]}\n\n'.encode())
            return response
        finally:
            self._readers -= 1
            leave()


class _Newest:
    """What a reader is told: a slow one misses what newer states took the place of."""

    def __init__(self) -> None:
        self._text: str | None = None
        self._ended = False
        self._news = asyncio.Event()

    def tell(self, text: str | None) -> None:
        if text is None:
            self._ended = True
        self._text = text
        self._news.set()

    async def next(self) -> str | None:
        await self._news.wait()
        if not self._ended:
            self._news.clear()
        return None if self._ended else self._text
