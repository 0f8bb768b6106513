"""What whoever came by a link may be: a role in one room, or a camera of the live page. server/rooms/roles.py says what
each role may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from aiohttp import web

from server.visitor import Visitor, maybe_visitor

Role = Literal["camera", "viewer", "host"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Pass:
    """What a link gives: ``id`` is the link's, ``label`` the name of the camera it was made for. Without a ``room`` it
    is for the live page."""

    id: str
    room: str | None
    role: Role
    label: str | None
    expires: datetime


PASS = web.RequestKey("pass", Pass)
"""What a request came by, where it was a link."""
Holds = Callable[[Visitor], bool]
"""Whether what somebody came by still opens: neither over nor revoked, and with the same role."""


def pass_in(request: web.Request) -> Pass | None:
    """The pass that a request came by."""
    return request.get(PASS)


def is_guest(request: web.Request) -> bool:
    """Whether what this device adds goes when it leaves."""
    given = pass_in(request)
    return given is not None and given.role != "host"


def role_of(request: web.Request) -> Role:
    """What whoever asks is in the room they ask about."""
    visitor = maybe_visitor(request)
    if visitor is None or visitor.role == "camera":
        return "camera"
    if visitor.by == "key":  # its scopes say what it may; only those of the owner's manage rooms
        return "host" if visitor.role == "owner" else "viewer"
    return "viewer" if visitor.role == "viewer" else "host"


def landing(given: Pass) -> str:
    """The page that somebody with this pass is for."""
    if given.role != "camera":
        return f"/room/{given.room}"
    return "/" if given.room is None else f"/?room={given.room}"
