"""``/healthz``: the process lives and answers; nothing more is looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from server.visitor import maybe_visitor


def health(sessions: Callable[[], int]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The handler; whoever was let in is told how many sessions there are."""

    async def tell(request: web.Request) -> web.Response:
        if maybe_visitor(request) is None:
            return web.json_response({"status": "ok"})
        return web.json_response({"status": "ok", "sessions": sessions()})

    return tell
