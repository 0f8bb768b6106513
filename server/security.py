"""What every response says to keep others out, how refusals look, and what comes from a page of another site.

Plain HTTP is for this computer: its requests have to come from loopback and name it as their host, or a web page
elsewhere could reach it under a name of its own (DNS rebinding). With the setting ``http_address`` reverse proxies come
by it too, and nobody else. Who may come in is decided by :mod:`server.access.door`.
"""

from __future__ import annotations

import ipaddress
import re
from html import escape

from aiohttp import hdrs, web

from server.asked import asked
from server.problems import problem

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",  # QR codes, and photos before they are sent
    "media-src": "'self' blob:",
    "connect-src": "'self'",
    "frame-src": "'self'",  # reports, which have a policy of their own
    "manifest-src": "'self'",
    "worker-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "visavis",  # static/install.js: the one script that is named by text
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), fullscreen=(self), screen-wake-lock=(self), autoplay=(self), "
    "picture-in-picture=(self), publickey-credentials-create=(self), publickey-credentials-get=(self), microphone=(), "
    "accelerometer=(), browsing-topics=(), display-capture=(), encrypted-media=(), geolocation=(), "
    "gyroscope=(), hid=(), idle-detection=(), magnetometer=(), midi=(), payment=(), serial=(), usb=(), "
    "xr-spatial-tracking=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
}
# Answers to programs hold nothing that runs, loads or asks; a picture or a video may be looked at by itself.
API_POLICY = (
    "default-src 'none'; img-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_LOOPBACK_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.ASCII | re.IGNORECASE)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">{refresh}<title>{title}</title></head>
<body><main><h1>{title}</h1><p>{detail}</p></main></body></html>
"""


def is_page_request(request: web.Request) -> bool:
    """Whether a browser asks for a page to show."""
    return "text/html" in request.headers.get(hdrs.ACCEPT, "") and not request.path.startswith("/api/")


def refusal(request: web.Request, status: int, title: str, detail: str) -> web.Response:
    """A plain page for a browser's page request, a problem (RFC 9457) for everything else."""
    if not is_page_request(request):
        response = problem(status, title, detail)
    else:
        # Followed from another site, a link loses its strict cookie on the way; asking again from here brings it.
        crossed = status == 401 and request.headers.get("Sec-Fetch-Site") == "cross-site"
        refresh = '<meta http-equiv="refresh" content="0">' if crossed else ""
        text = _PAGE.format(refresh=refresh, title=escape(title), detail=escape(detail))
        response = web.Response(status=status, text=text, content_type="text/html")
    if status == 401:
        response.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    return response


def refused_loopback(request: web.Request) -> web.StreamResponse | None:
    """The refusal of what does not come from this computer, or calls it by a name that others could give it."""
    if not ipaddress.ip_address(request.remote or "0.0.0.0").is_loopback:
        words = "Plain HTTP is answered to reverse proxies in trusted_proxies alone: open this server over HTTPS."
        return refusal(request, 421, "Misdirected request", words)
    if _LOOPBACK_HOST.fullmatch(request.headers.get(hdrs.HOST, "")) is None:
        return refusal(
            request,
            403,
            "Wrong address",
            "Open http://localhost with the printed port on the computer Visavis runs on.",
        )
    return None


def refused_origin(request: web.Request, *, strict: bool) -> web.StreamResponse | None:
    """The refusal of a change that was not asked for by this server's own pages. ``strict``: neither did a program ask,
    as it would send neither header."""
    origin, site = request.headers.get(hdrs.ORIGIN), request.headers.get("Sec-Fetch-Site")
    foreign = origin is not None and origin != asked(request).origin
    if site is not None:
        foreign = foreign or site != "same-origin"
    elif strict:
        foreign = foreign or origin is None
    if not foreign:
        return None
    return refusal(request, 403, "Foreign page", "This request did not come from a page of this server.")


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """On every response: the security headers, and that caches ask again (files) or keep nothing (everything else)."""
    if request.path.startswith("/api/v1/"):
        response.headers.setdefault("Content-Security-Policy", API_POLICY)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    keep = "no-cache" if isinstance(response, web.FileResponse) else "no-store"
    response.headers.setdefault(hdrs.CACHE_CONTROL, keep)
