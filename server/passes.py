"""What whoever came by an invitation may be: a role in one room. server/rooms/roles.py says what each role may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from aiohttp import web

Role = Literal["camera", "viewer", "host"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Pass:
    """What an invitation gives: ``id`` is the invitation's, ``label`` the name of the camera it was made for."""

    id: str
    room: str
    role: Role
    label: str | None
    expires: datetime


PASS = web.RequestKey("pass", Pass)
"""What a request came by, where it was an invitation."""
FindPass = Callable[[str], Pass | None]


def pass_in(request: web.Request) -> Pass | None:
    """The pass that a request came by."""
    return request.get(PASS)


def role_of(request: web.Request) -> Role:
    """What whoever asks is in the room they ask about: without a pass, the host."""
    given = pass_in(request)
    return "host" if given is None else given.role


def landing(given: Pass | None) -> str:
    """The page that somebody with this pass is for."""
    if given is None:
        return "/"
    return f"/?room={given.room}" if given.role == "camera" else f"/room/{given.room}"
