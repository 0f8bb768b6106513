"""The body of a request as JSON, whatever somebody sent."""

from __future__ import annotations

import json
from collections.abc import Set
from typing import Any

from aiohttp import web


async def read_json(request: web.Request, blank: str = "") -> Any:
    """The body as JSON; an empty one is read as ``blank``. Raises ``ValueError`` for what is no JSON.

    Its bytes say how it is encoded, whatever the header claims. What Python finds nested too deeply is no JSON either.
    """
    try:
        return json.loads(await request.read() or blank)
    except RecursionError:
        raise ValueError("nested too deeply") from None


async def is_empty(request: web.Request) -> bool:
    """Whether the body is no more than ``{}``, or nothing."""
    try:
        return bool(await read_json(request, "{}") == {})
    except ValueError:
        return False


async def read_fields(
    request: web.Request, needed: Set[str], optional: Set[str] = frozenset()
) -> dict[str, Any] | None:
    """The body, if it is an object with these fields and no others."""
    try:
        wish = await read_json(request)
    except ValueError:
        return None
    if not isinstance(wish, dict) or not needed <= wish.keys() <= needed | optional:
        return None
    return wish
