"""A session's results as server-sent events (WHATWG HTML §9.2), for senders without a data channel."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import hdrs, web

from server.live.broadcast import Reader
from server.live.session import LiveSession
from server.problems import problem

READERS = 4  # of one session at once
HEARTBEAT = 15.0  # seconds without a word, after which a proxy might think nobody is there


async def stream_results(request: web.Request, session: LiveSession) -> web.StreamResponse:
    """Everything the session says until it ends, or the reader leaves."""
    if session.camera.streams >= READERS:
        return problem(503, "Busy", f"{READERS} programs listen to this session already.", Retry_After="5")
    reader = Reader(session.camera.broadcast)
    session.camera.streams += 1
    try:
        response = web.StreamResponse(
            headers={hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8", hdrs.CACHE_CONTROL: "no-store"}
        )
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            await response.write(_event("hello", session.greeting()))
            while True:
                try:
                    async with asyncio.timeout(HEARTBEAT):
                        kind, text = await reader.next()
                except TimeoutError:
                    await response.write(b":\n\n")
                    continue
                await response.write(_event(kind, text))
                if kind == "bye":
                    break
        return response
    finally:
        session.camera.streams -= 1
        reader.close()


def _event(kind: str, text: str) -> bytes:
    return f"event: {kind}\ndata: {text}\n\n".encode()
