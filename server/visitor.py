"""Who asks: worked out once for each request by :mod:`server.security`, read by whoever decides or writes it down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from aiohttp import web

Role = Literal["owner", "host", "viewer", "camera"]
ROLES: tuple[Role, ...] = get_args(Role)
By = Literal["account", "local", "link", "key"]


@dataclass(frozen=True, slots=True)
class Visitor:
    """``id`` is that of the account, the link or the key; empty for the owner who uses this computer without signing
    in. ``room``: the only one they may be in. ``session``: the one they signed in with; two sessions of an account are
    the same visitor."""

    role: Role
    by: By
    id: str = ""
    room: str | None = None
    session: str = field(default="", compare=False)

    def __str__(self) -> str:
        """As it is written down: no name."""
        return f"{self.by}:{self.id}" if self.id else self.by


LOCAL = Visitor("owner", "local")
VISITOR = web.RequestKey("visitor", Visitor)
"""Set for every request that was let in."""


def visitor_of(request: web.Request) -> Visitor:
    """Who asks. Raises ``KeyError`` where nobody was let in: on what is open to all."""
    return request[VISITOR]


def maybe_visitor(request: web.Request) -> Visitor | None:
    """Who asks, if they said so."""
    return request.get(VISITOR)
