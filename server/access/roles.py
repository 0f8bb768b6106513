"""Which roles may use which route. What is not said here, or beside a route under /api/v1, is closed to everybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aiohttp import hdrs, web

from server.api.operations import OPERATIONS, Operation, Scope, operation_of
from server.visitor import Role

OWNER: frozenset[Role] = frozenset({"owner"})
HOSTS: frozenset[Role] = frozenset({"owner", "host"})
ACCOUNTS: frozenset[Role] = frozenset({"owner", "host", "viewer"})

OPEN = frozenset(
    {
        "GET /static/{path}",
        "GET /offline-worker.js",
        "GET /sign-in",
        "GET /own/{token}",
        "GET /join/{token}",
        "GET /healthz",
        "GET /readyz",
        "GET /api/v1/access/state",
        "POST /api/v1/access/own",
        "POST /api/v1/access/sign-in",
        "POST /api/v1/access/passkey/options",
        "POST /api/v1/access/passkey/sign-in",
        "POST /api/v1/access/sign-out",
    }
)
"""Whoever asks."""

UNCOUNTED = frozenset({"GET /static/{path}", "GET /offline-worker.js", "GET /healthz", "GET /readyz"})
"""A page takes dozens of these, and what watches the server must never be told to wait: they are no part of how much
somebody may ask."""

METRICS = "GET /metrics"
"""What addresses in the setting ``metrics_from`` may ask without signing in."""

PAGES: Mapping[str, frozenset[Role]] = {
    "GET /": ACCOUNTS,
    "GET /people": ACCOUNTS,
    "GET /rooms": ACCOUNTS,
    "GET /room/{room}": ACCOUNTS,
    "GET /videos": ACCOUNTS,
    "GET /sightings": ACCOUNTS,
    "GET /api": ACCOUNTS,
    "GET /access": ACCOUNTS,
    "GET /photos": HOSTS,
    "GET /groups": HOSTS,
    "GET /data": OWNER,
    "GET /evaluate": OWNER,
    "GET /status": HOSTS,
}
"""Pages, to accounts. What a link opens is said in :mod:`server.rooms.roles`."""

_SCOPES: Mapping[Scope, frozenset[Role]] = {
    "read": HOSTS,
    "recognise": HOSTS,
    "people": HOSTS,
    "admin": OWNER,
    "observe": HOSTS,
}
_LOOKING = (hdrs.METH_GET, hdrs.METH_OPTIONS)


def route_of(request: web.Request) -> str | None:
    """What a request is for, as the router shows it: ``GET /api/v1/people/{id}``; ``None`` where there is nothing."""
    resource = request.match_info.route.resource
    method = hdrs.METH_GET if request.method == hdrs.METH_HEAD else request.method
    return None if resource is None else f"{method} {resource.canonical}"


def roles_of(route: str, operation: Operation | None) -> frozenset[Role]:
    """The roles of accounts that may use a route."""
    if route in OPEN:
        return ACCOUNTS
    if operation is None:
        return PAGES.get(route, frozenset())
    if operation.roles is not None:
        return operation.roles
    if operation.scope is None:
        return OWNER
    looks = operation.scope == "read" and route.partition(" ")[0] in _LOOKING
    return ACCOUNTS if looks else _SCOPES[operation.scope]


def may(request: web.Request, role: Role) -> bool:
    """Whether an account of this role may ask this."""
    route = route_of(request)
    return route is None or role in roles_of(route, operation_of(request))


def every_route(app: web.Application) -> Iterator[tuple[str, Operation | None]]:
    """All there are, as the router shows them, with what is said of them."""
    known = app.get(OPERATIONS, {})
    for resource in app.router.resources():
        for route in resource:
            if route.method not in (hdrs.METH_HEAD, hdrs.METH_ANY):
                name = f"{route.method} {resource.canonical}"
                yield name, known.get(name)


def landing(role: Role) -> str:
    """The page that an account of this role begins with."""
    return "/rooms" if role == "viewer" else "/"


WORDS: Mapping[frozenset[Role], str] = {
    OWNER: "This is for the owner.",
    HOSTS: "This is for the owner and for hosts.",
    ACCOUNTS: "This is for accounts.",
}
