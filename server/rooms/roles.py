"""What whoever came by an invitation may do: what its role names here, in its room, and nothing else."""

from __future__ import annotations

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from server.passes import Role, landing, pass_in
from server.security import refusal

ROOM = "/api/v1/rooms/{room}"
_FOR_ALL = frozenset({"GET /", "GET /static/{path}", "GET /offline-worker.js", "GET /healthz", "GET /api/v1/config"})
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


def pass_middleware() -> Middleware:
    """Hold whoever came by an invitation to its role and room."""

    @web.middleware
    async def passes(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = pass_in(request)
        if given is None:
            return await handler(request)
        resource = request.match_info.route.resource
        method = hdrs.METH_GET if request.method == hdrs.METH_HEAD else request.method
        room = request.match_info.get("room", given.room)
        if resource is None or request.path.startswith("/join/"):
            return await handler(request)
        if f"{method} {resource.canonical}" not in ALLOWED[given.role] or room != given.room:
            words = f"This link is for {_WORDS[given.role]} in the room {given.room}, and for nothing else."
            return refusal(request, 403, "Not by this link", words)
        if given.role == "viewer" and request.path == "/":
            raise web.HTTPSeeOther(landing(given))
        return await handler(request)

    return passes


_WORDS: dict[Role, str] = {"camera": "a camera", "viewer": "watching", "host": "hosting"}
