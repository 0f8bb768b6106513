"""Notes every request that saw or changed something, as server/audit/noted.py says, and every one that was refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from server.audit.actions import ACTIONS, CHANGE
from server.audit.log import DETAIL, DONE, SUBJECTS, AuditLog
from server.audit.noted import NOTED
from server.nodes.forwarding import FORWARDED
from server.storage.audit import Noted
from server.storage.names import BadName, clean_room
from server.visitor import VISITOR

NOBODY = "nobody"  # who was not let in
REFUSED = (401, 403)
SUBJECT = ("id", "source", "viewer")  # of an address, what a row is about


def audit_middleware(log: AuditLog) -> Middleware:
    """Note changes before they are answered, and refusals."""

    @web.middleware
    async def audit(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except web.HTTPException as error:
            _refused(log, request, error.status)
            raise
        _refused(log, request, response.status)
        action = action_of(request)
        done = response.status < 300 and "Idempotency-Replayed" not in response.headers
        if action is not None and ACTIONS[action] is CHANGE and done:
            rows = _rows(request, action)
            if rows:
                await log.record(*rows)
        return response

    return audit


def note_views(log: AuditLog) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """A signal for when an answer begins, so that a stream is noted when it begins and not when it ends."""

    async def note(request: web.Request, response: web.StreamResponse) -> None:
        action = action_of(request)
        if action is not None and ACTIONS[action] is not CHANGE and response.status < 400:
            for row in _rows(request, action):
                log.note(row.actor, row.action, row.subject, room=row.room, detail=row.detail)

    return note


def action_of(request: web.Request) -> str | None:
    """What is noted of a request that succeeds."""
    if FORWARDED in request:
        return None  # the node that answers it notes it
    if DONE in request:
        return request[DONE]
    resource = request.match_info.route.resource
    method = hdrs.METH_GET if request.method == hdrs.METH_HEAD else request.method
    return None if resource is None else NOTED.get(f"{method} {resource.canonical}")


def actor_of(request: web.Request) -> str:
    """Who asks, as it is written down."""
    visitor = request.get(VISITOR)
    return NOBODY if visitor is None else str(visitor)


def _refused(log: AuditLog, request: web.Request, status: int) -> None:
    if status in REFUSED:
        log.note(actor_of(request), "access.refused", detail=str(status))


def _rows(request: web.Request, action: str) -> list[Noted]:
    path = request.match_info
    subjects = request.get(SUBJECTS, (next((path[name] for name in SUBJECT if name in path), ""),))
    room, detail = _room(request), request.get(DETAIL, "")
    return [Noted(actor_of(request), action, subject, room, detail=detail) for subject in subjects]


def _room(request: web.Request) -> str:
    try:
        return clean_room(request.match_info.get("room") or request.query.get("room")) or ""
    except BadName:
        return ""
