"""A graceful end: nothing new begins, what has begun may come to its end for a while."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from server.access.roles import route_of
from server.problems import problem

RETRY_AFTER = 5  # seconds
LOOK_EVERY = 0.05  # seconds
FULL = 503
WORDS = "The server is about to end and takes nothing new. Try again in a moment."
SESSIONS = frozenset({"POST /api/v1/whip", "GET /api/v1/fallback"})
BEGINS = SESSIONS | {
    "POST /api/v1/rooms/{room}/cameras/{id}/whep",
    "POST /api/v1/rooms/{room}/sources",
    "POST /api/v1/photos",
    "POST /api/v1/videos",
    "POST /api/v1/imports",
    "POST /api/v1/albums",
    "POST /api/v1/evaluations",
}
"""What is refused from then on."""
_WRITES = (hdrs.METH_POST, hdrs.METH_PUT, hdrs.METH_PATCH, hdrs.METH_DELETE)


class Drain:
    """Whether the server is about to end, and what it waits for."""

    def __init__(self) -> None:
        self.on = False
        self.refused = 0  # sessions that were turned away, because the server was full or is about to end
        self.writing = 0  # requests under way that send or change something
        self.began: Callable[[], None] = lambda: None
        """Called when nothing new is taken any more."""
        self.elsewhere: Callable[[], bool] = lambda: False
        """Whether another server takes the sessions of this one: then their pages are sent away at once."""

    async def run(
        self,
        seconds: float,
        hurry: asyncio.Event,
        sessions: Callable[[], int],
        tell: Callable[[float], None],
        end_sessions: Callable[[str], Awaitable[None]],
    ) -> None:
        """Take nothing new, and wait until there are no ``sessions`` and nothing is being written, so many seconds at
        most and no longer than until ``hurry``. ``tell`` tells pages how long it may take."""
        self.on = True
        self.began()
        if self.elsewhere():
            await end_sessions("shutdown")  # their pages connect anew at once
        elif seconds:
            tell(seconds)
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (sessions() or self.writing) and not hurry.is_set() and (left := end - loop.time()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(hurry.wait(), min(left, LOOK_EVERY))


def drain_middleware(drain: Drain) -> Middleware:
    """Refuse what would begin while the server is about to end, and note what is under way."""

    @web.middleware
    async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
        route = route_of(request)
        if drain.on and route in BEGINS:
            drain.refused += route in SESSIONS
            return problem(503, "About to end", WORDS, Retry_After=str(RETRY_AFTER))
        writes = request.method in _WRITES
        drain.writing += writes
        try:
            response = await handler(request)
        finally:
            drain.writing -= writes
        drain.refused += route in SESSIONS and response.status == FULL
        return response

    return refuse
