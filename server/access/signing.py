"""What the routes of access have in common: where a ceremony takes place, whose account asks, and being signed in."""

from __future__ import annotations

from typing import Any

from aiohttp import hdrs, web

from server.access.access import Access
from server.access.cookies import LINK, SESSION, cookie_in, drop_cookie, give_cookie
from server.access.passkeys import Site
from server.access.roles import landing
from server.access.sessions import device_of
from server.asked import asked
from server.audit import about
from server.join import page_url, qr_svg
from server.problems import problem
from server.storage.accounts import Account, OneTimeLink
from server.visitor import VISITOR, Visitor, maybe_visitor


async def signed_in(request: web.Request, access: Access, account: Account, by: str, **more: Any) -> web.Response:
    """Answer somebody who is let in, with the cookie. What the browser came by before ends; ``by`` is what they signed
    in with, as the audit log has it. Raises :class:`server.storage.accounts.NoSuchAccount`."""
    before = cookie_in(request, SESSION)
    if before and (found := access.sessions.find(before)) is not None:
        await access.sessions.end(found[1].id, found[0].id)
    secret = await access.sessions.begin(account, device_of(request.headers.get(hdrs.USER_AGENT, "")))
    request[VISITOR] = Visitor(account.role, "account", account.id)
    about(request, account.id, detail=by)
    response = web.json_response({"role": account.role, "landing": landing(account.role), **more})
    give_cookie(request, response, SESSION, secret, access.sessions.seconds)
    if cookie_in(request, LINK) is not None:
        drop_cookie(request, response, LINK)
    return response


def site_of(request: web.Request, access: Access) -> Site | None:
    """Where passkeys are bound to, as the browser's address bar names this server; ``None`` where browsers make none:
    under a bare address."""
    how = asked(request)
    host = how.host.lower().partition(":")[0]
    names = {"localhost"}
    if how.secure:
        names |= set(access.settings.host_names)
        if access.door is not None:
            names.add(f"{access.door.host}.local")
    return Site(host, how.origin.lower()) if host in names else None


def own_account(request: web.Request, access: Access) -> Account | None:
    """Whose session this is; ``None`` for the owner who uses this computer without signing in."""
    visitor = maybe_visitor(request)
    return access.accounts.get(visitor.id) if visitor is not None and visitor.by == "account" else None


def link_url(request: web.Request, access: Access, path: str) -> str:
    """A link to a path of this server: as other devices reach it."""
    return page_url(request, access.door) + path


def shown_link(url: str, link: OneTimeLink) -> dict[str, Any]:
    """A link that works once, as it is shown once."""
    return {"url": url, "qr": qr_svg(url), "expires": link.expires.isoformat(timespec="seconds")}


def no_account() -> web.Response:
    """Whoever uses this computer without signing in has none."""
    words = "You are the owner because you use this computer (local_owner), and have not signed in to an account."
    return problem(404, "Not Found", words)


def no_passkeys() -> web.Response:
    """Browsers bind passkeys to a name."""
    words = "Passkeys are bound to a name: open this page by its name, as http://localhost or https://NAME.local."
    return problem(409, "Conflict", words)


def no_fields() -> web.Response:
    """What is asked for takes nothing."""
    return problem(400, "Bad Request", "Send {}, or nothing: this takes no fields.")


def busy() -> web.Response:
    """As many passwords are being compared as can be at once."""
    return problem(503, "Busy", "Too many sign in at this moment; try again in a second.", Retry_After="1")
