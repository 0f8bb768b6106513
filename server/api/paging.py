"""Long lists in pages: ``?limit=&cursor=`` in, ``{"items": […], "next": "…" | null}`` out.

A cursor says after which entry the next page begins, by that entry's own sort key. What is added or removed
meanwhile therefore neither repeats nor hides an entry, as counting from the beginning would.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

USUAL, MOST = 50, 200  # entries in a page
_LONGEST = 512  # characters of a cursor

Key = tuple[str | int | float, ...]
T = TypeVar("T")


class BadPage(ValueError):
    """The request asks for a page that cannot be; says why, in words."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which page is wanted: at most ``limit`` entries after the one of this sort key; ``None``: the first page."""

    limit: int
    after: Key | None


def asked(request: web.Request, key: Sequence[type] = (str,), *, usual: int = USUAL, most: int = MOST) -> Asked:
    """What a request asks for. ``key`` are the types in a sort key. Raises :class:`BadPage`."""
    limit, cursor = request.query.get("limit", str(usual)), request.query.get("cursor")
    if not (limit.isascii() and limit.isdigit() and len(limit) < 10 and 1 <= int(limit) <= most):
        raise BadPage(f"limit is a number from 1 to {most}")
    return Asked(int(limit), None if cursor is None else read_cursor(cursor, key))


def page_of(entries: Iterable[T], page: Asked, key: Callable[[T], Key]) -> tuple[list[T], str | None]:
    """The entries of a page and the cursor of the next one, ``None`` at the end.

    ``entries`` are sorted by ``key``, rising. Those up to the cursor may be left out, as a query does (ask for
    ``limit + 1`` then, or there is never a next page).
    """
    found: list[T] = []
    for entry in entries:
        if page.after is not None and key(entry) <= page.after:
            continue
        if len(found) == page.limit:
            return found, write_cursor(key(found[-1]))
        found.append(entry)
    return found, None


def write_cursor(key: Key) -> str:
    """A sort key as text that fits in a URL. Clients keep it as it is; what is in it may change."""
    text = json.dumps(key, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str, key: Sequence[type]) -> Key:
    """The sort key of a cursor, of exactly these types. Raises :class:`BadPage` for anything else."""
    wrong = BadPage("this cursor leads nowhere: begin anew without one")
    if len(cursor) > _LONGEST:
        raise wrong
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise wrong from None
    if not isinstance(values, list) or [type(value) for value in values] != list(key):
        raise wrong
    return tuple(values)
