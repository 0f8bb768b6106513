"""Joining by a link: it becomes a cookie, and leads to the page it is for. And the link that the server shows."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from server.access.access import Access
from server.access.cookies import LINK, cookie_in, give_cookie
from server.access.door import too_many
from server.access.household import household_of
from server.access.links import device_in
from server.access.roles import HOSTS
from server.access.roles import landing as landing_of_account
from server.api.operations import Operation, describe
from server.api.schemas import TEXT, TIME, maybe, record
from server.audit import about
from server.join import qr_svg
from server.passes import landing
from server.security import refusal
from server.visitor import VISITOR, Visitor, maybe_visitor

HOW_TO_JOIN = (
    "Ask whoever invited you for another one. On the computer Visavis runs on, its page and terminal show one."
)

OPERATIONS = {
    "GET /api/v1/join": Operation(
        "The link that lets a guest's camera in",
        "server",
        None,
        {200: record("Join", url=maybe(TEXT), qr=maybe(TEXT), trust_url=maybe(TEXT), expires=maybe(TIME))},
        roles=HOSTS,
        words="Everything is `null` where the LAN is off. Another one is made when it is over.",
    ),
}


def setup_join(app: web.Application, access: Access | None) -> None:
    """Add ``GET /join/TOKEN`` and ``GET /api/v1/join``."""

    async def enter(request: web.Request) -> web.StreamResponse:
        visitor = maybe_visitor(request)
        if access is None:
            return _worthless(request)
        token, key = request.match_info["token"], f"join {household_of(request)}"
        if wait := access.backoff.wait(key):
            return too_many(request, wait)
        if not access.links.is_signed(token):
            access.backoff.count(key)
            return _worthless(request)
        before = cookie_in(request, LINK) or ""
        at_home = visitor is not None and visitor.by in ("account", "local")
        if at_home:  # whoever may do more already goes on as they are, and takes nobody's place
            given = access.links.find(token)
            assert visitor is not None
            return _to(landing_of_account(visitor.role) if given is None else landing(given))
        come = await access.links.come(token, device_in(before, token))
        if come is None:
            return _worthless(request)
        given, cookie = come
        request[VISITOR] = Visitor(given.role, "link", given.id, given.room)
        about(request, given.id, action="access.joined")
        response = _to(landing(given))
        seconds = int((given.expires - datetime.now(UTC)).total_seconds())
        give_cookie(request, response, LINK, cookie, max(1, seconds))
        return response

    async def show(_request: web.Request) -> web.Response:
        found = None if access is None else await access.standing()
        if found is None or access is None or access.door is None:
            return web.json_response({"url": None, "qr": None, "trust_url": None, "expires": None})
        link, token = found
        url = access.door.join_url(token)
        return web.json_response(
            {
                "url": url,
                "qr": qr_svg(url),
                "trust_url": access.door.trust_url,
                "expires": link.expires.isoformat(timespec="seconds"),
            }
        )

    app.router.add_get("/join/{token}", enter)
    app.router.add_get("/api/v1/join", show)
    describe(app, OPERATIONS)


def _to(page: str) -> web.Response:
    return web.Response(status=303, headers={"Location": page})


def _worthless(request: web.Request) -> web.Response:
    words = f"It is over, was revoked, or as many devices came by it as may. {HOW_TO_JOIN}"
    return refusal(request, 401, "That link is no longer valid", words)
