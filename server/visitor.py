"""Who asks: worked out once for each request by :mod:`server.security`, read by whoever decides or writes it down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aiohttp import web

Role = Literal["owner", "host", "viewer", "camera"]
By = Literal["account", "local", "link", "key"]


@dataclass(frozen=True, slots=True)
class Visitor:
    """``id`` is that of the account, the link or the key; empty for the owner who uses this computer without signing
    in. ``room``: the only one they may be in."""

    role: Role
    by: By
    id: str = ""
    room: str | None = None

    def __str__(self) -> str:
        """As it is written down: no name."""
        return f"{self.by}:{self.id}" if self.id else self.by


LOCAL = Visitor("owner", "local")
VISITOR = web.RequestKey("visitor", Visitor)
"""Set for every request that was let in."""


def visitor_of(request: web.Request) -> Visitor:
    """Who asks. Raises ``KeyError`` where nobody was let in."""
    return request[VISITOR]
