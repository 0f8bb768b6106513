"""What whoever came by a link may do: what its role names here, in its room, and nothing else besides what is open to
all."""

from __future__ import annotations

from aiohttp import hdrs, web

from server.passes import Pass, Role, landing
from server.security import refusal

ROOM = "/api/v1/rooms/{room}"
_FOR_ALL = frozenset({"GET /", "GET /api/v1/config"})
_CAMERA = frozenset(
    {
        "OPTIONS /api/v1/whip",
        "POST /api/v1/whip",
        *(f"{method} /api/v1/whip/{{id}}" for method in ("OPTIONS", "PATCH", "DELETE")),
        "GET /api/v1/fallback",
        "GET /api/v1/sessions/{id}",
        "GET /api/v1/sessions/{id}/events",
    }
)
_VIEWER = frozenset(
    {
        "GET /room/{room}",
        f"GET {ROOM}",
        f"GET {ROOM}/events",
        *(f"{method} {ROOM}/cameras/{{id}}/whep" for method in ("OPTIONS", "POST")),
        *(f"{method} /api/v1/whep/{{id}}" for method in ("OPTIONS", "PATCH", "DELETE")),
    }
)
_HOST = _CAMERA | _VIEWER
_OF_HOST = frozenset(
    {
        f"PATCH {ROOM}",
        f"DELETE {ROOM}",
        f"GET {ROOM}/invitations",
        f"POST {ROOM}/invitations",
        f"DELETE {ROOM}/invitations/{{id}}",
        f"PATCH {ROOM}/cameras/{{id}}",
        f"DELETE {ROOM}/cameras/{{id}}",
    }
)
ALLOWED: dict[Role, frozenset[str]] = {
    "camera": _FOR_ALL | _CAMERA,
    "viewer": _FOR_ALL | _VIEWER,
    "host": _FOR_ALL | _HOST | _OF_HOST,
}
"""By role, what may be asked, as the router shows it. Sources are in no list: the server itself calls addresses."""


def refused_link(request: web.Request, given: Pass) -> web.StreamResponse | None:
    """Hold whoever came by a link to its role and room: ``None`` lets them."""
    resource = request.match_info.route.resource
    if resource is None:
        return None
    method = hdrs.METH_GET if request.method == hdrs.METH_HEAD else request.method
    room = request.match_info.get("room", given.room)
    if f"{method} {resource.canonical}" not in ALLOWED[given.role] or room != given.room:
        where = "" if given.room is None else f" in the room {given.room}"
        return refusal(
            request, 403, "Not by this link", f"This link is for {_WORDS[given.role]}{where}, and for nothing else."
        )
    if given.role == "viewer" and request.path == "/":
        raise web.HTTPSeeOther(landing(given))
    return None


_WORDS: dict[Role, str] = {"camera": "a camera", "viewer": "watching", "host": "hosting"}
