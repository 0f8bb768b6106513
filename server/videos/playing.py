"""A film for a player: all of it, or the part that was asked for (RFC 9110, ranges of bytes)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import BinaryIO

from aiohttp import hdrs, web

from server.vault.sealed_file import SealedReader

CHUNK = 1 << 18  # bytes opened and sent at once


async def send_part(
    request: web.Request, film: SealedReader | BinaryIO, size: int, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Answer with the film, of ``size`` bytes, or the range that was asked for; 416 for one that it does not have."""
    try:
        wanted = request.http_range
        begin, end, _ = slice(wanted.start, wanted.stop).indices(size)
        ranged = wanted.start is not None or wanted.stop is not None
    except ValueError:
        return _beyond(size)
    if ranged and begin >= end:
        return _beyond(size)
    response = web.StreamResponse(status=206 if ranged else 200, headers={**headers, hdrs.ACCEPT_RANGES: "bytes"})
    response.content_length = end - begin
    if ranged:
        response.headers[hdrs.CONTENT_RANGE] = f"bytes {begin}-{end - 1}/{size}"
    await response.prepare(request)
    film.seek(begin, os.SEEK_SET)
    left = end - begin
    while left:
        data = await asyncio.to_thread(_read, film, min(left, CHUNK))
        left -= len(data)
        await response.write(data)
    await response.write_eof()
    return response


def _read(film: SealedReader | BinaryIO, size: int) -> bytes:
    parts = []
    while size:
        data = film.read(size)
        if not data:
            raise EOFError("the film is shorter than it was")
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


def _beyond(size: int) -> web.Response:
    return web.Response(status=416, headers={hdrs.CONTENT_RANGE: f"bytes */{size}"})
