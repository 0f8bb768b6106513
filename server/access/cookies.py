"""Cookies: one of whoever signed in, one of whoever came by a link.

On TLS both have the prefix ``__Host-``, which browsers take with ``Secure`` and for this host alone. On this computer
there is no TLS, and Safari drops cookies with ``Secure`` on http://localhost: there they go without, and under another
name, so that neither listener reads the other's.
"""

from __future__ import annotations

from aiohttp import web

from server.asked import asked

SESSION, LINK = "visavis", "visavis-link"


def cookie_name(request: web.Request, cookie: str) -> str:
    """What it is called on this listener."""
    return f"__Host-{cookie}" if asked(request).secure else cookie


def cookie_in(request: web.Request, cookie: str) -> str | None:
    """What the browser has in it."""
    return request.cookies.get(cookie_name(request, cookie))


def give_cookie(request: web.Request, response: web.StreamResponse, cookie: str, value: str, seconds: int) -> None:
    """Have the browser keep it for so long."""
    response.set_cookie(
        cookie_name(request, cookie), value, max_age=seconds, path="/", secure=asked(request).secure, httponly=True,
        samesite="Strict",
    )  # fmt: skip


def drop_cookie(request: web.Request, response: web.StreamResponse, cookie: str) -> None:
    """Have the browser forget it."""
    name = cookie_name(request, cookie)
    response.del_cookie(name, path="/", secure=asked(request).secure, httponly=True, samesite="Strict")
