"""Who gets in, and what every response says to keep others out.

The loopback listener (plain HTTP) is open to this computer: its requests have to come from loopback and name it as
their host, or a web page elsewhere could reach it under a name of its own (DNS rebinding). The other listener (TLS)
asks for the join token: in the cookie a join link gave, or as ``Authorization: Bearer``. A key lets in on both, to what
its scopes say, and an invitation to what its role may do in its room.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from html import escape

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from server.api.door import KeyDoor, key_in
from server.api.keys import API_KEY
from server.passes import PASS, FindPass, pass_in
from server.problems import problem
from server.visitor import LOCAL, VISITOR, Visitor

COOKIE = "visavis_join"
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
_SAFE_METHODS = {hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS}
# What a browser asks for without cookies when it installs the page as an app.
_ICONS = ("icons/180.png", "icons/192.png", "icons/512.png", "icons/maskable-512.png", "favicon.svg")
_FOR_ALL = frozenset(f"/static/{file}" for file in ("app.webmanifest", *_ICONS))
_LOOPBACK_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.ASCII | re.IGNORECASE)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">{refresh}<title>{title}</title></head>
<body><main><h1>{title}</h1><p>{detail}</p></main></body></html>
"""
_HOW_TO_JOIN = (
    "Scan the QR code, or open the link, that Visavis shows on the computer it runs on: "
    "in its terminal, and on its page."
)


class WrongGuesses:
    """Wrong tokens by address: ``limit`` within ``window`` seconds, then that address waits. Bounded in memory."""

    def __init__(
        self, limit: int = 20, window: float = 60.0, addresses: int = 1024, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._window, self._addresses, self._now = limit, window, addresses, now
        self._times: OrderedDict[str, deque[float]] = OrderedDict()  # the address that guessed last is last

    def wait(self, address: str) -> int:
        """Whole seconds until the address may try again; 0 if it may now."""
        times = self._times.get(_household(address))
        if times is None or len(times) < self._limit:
            return 0
        return max(0, int(times[0] + self._window - self._now() + 0.999))

    def count(self, address: str) -> None:
        """Note a wrong guess."""
        key = _household(address)
        self._times.setdefault(key, deque(maxlen=self._limit)).append(self._now())
        self._times.move_to_end(key)
        if len(self._times) > self._addresses:
            self._times.popitem(last=False)


def _household(address: str) -> str:
    """An IPv6 device picks addresses freely within its /64: those count as one."""
    ip = ipaddress.ip_address(address.split("%")[0])
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))


class JoinGuard:
    """Compares tokens, in constant time and not too often."""

    def __init__(self, token: str, guesses: WrongGuesses | None = None) -> None:
        self.token = token
        self._guesses = guesses or WrongGuesses()

    def holds(self, token: str) -> bool:
        """Whether this is the join token."""
        return secrets.compare_digest(token.encode("utf-8", "replace"), self.token.encode())

    def admit(self, request: web.Request, token: str | None) -> web.StreamResponse | None:
        """``None`` lets in; otherwise the refusal to answer with."""
        address = request.remote or "0.0.0.0"
        if token is None:
            return refusal(request, 401, "Join first", _HOW_TO_JOIN)
        if wait := self._guesses.wait(address):
            response = refusal(request, 429, "Too many wrong tokens", f"Wait {wait} seconds. {_HOW_TO_JOIN}")
            response.headers[hdrs.RETRY_AFTER] = str(wait)
            return response
        if self.holds(token):
            return None
        self._guesses.count(address)
        response = refusal(request, 401, "That link is no longer valid", _HOW_TO_JOIN)
        response.del_cookie(
            COOKIE, secure=True, httponly=True, samesite="Strict"
        )  # or it would be a wrong guess each time
        return response


def refusal(request: web.Request, status: int, title: str, detail: str) -> web.Response:
    """A plain page for a browser's page request, a problem (RFC 9457) for everything else."""
    if "text/html" not in request.headers.get(hdrs.ACCEPT, "") or request.path.startswith("/api/"):
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


def access_middleware(
    guard: JoinGuard | None, keys: KeyDoor | None = None, find_pass: FindPass | None = None
) -> Middleware:
    """Let in who may come in; refuse changes asked for by other sites' pages. No ``guard``: loopback only. An
    invitation lets in as well, to what :func:`server.rooms.roles.pass_middleware` leaves open."""

    @web.middleware
    async def access(request: web.Request, handler: Handler) -> web.StreamResponse:
        key = key_in(request) if keys is not None else None
        token = _token_of(request)
        given = find_pass(token) if find_pass is not None and token is not None else None
        if given is not None:
            request[PASS] = given
        if request.secure and given is not None and guard is not None:
            refused = None
        elif request.secure and (key is None or guard is None):
            refused = _refused_outside(request, guard)
        else:
            refused = None if request.secure else _refused_loopback(request)
            if refused is None and keys is not None and key is not None:
                refused = await keys.admit(request, key)
        # A WebSocket is asked for with GET, and no browser keeps other sites' pages from it.
        changes = request.method not in _SAFE_METHODS or hdrs.UPGRADE in request.headers
        if refused is None and changes:
            refused = _refused_origin(request)
        if refused is None:
            request[VISITOR] = _visitor(request)
        return refused if refused is not None else await handler(request)

    return access


def _visitor(request: web.Request) -> Visitor:
    if (given := pass_in(request)) is not None:
        return Visitor(given.role, "link", given.id, given.room)
    return Visitor("owner", "key", request[API_KEY].id) if API_KEY in request else LOCAL


def _refused_outside(request: web.Request, guard: JoinGuard | None) -> web.StreamResponse | None:
    if guard is None:
        return refusal(request, 403, "Not served here", "This server is for the computer it runs on only.")
    if request.path.startswith("/join/"):
        return None  # its handler asks the guard
    if request.path in _FOR_ALL and request.method in _SAFE_METHODS:
        return None
    return guard.admit(request, _token_of(request))


def _token_of(request: web.Request) -> str | None:
    """What a device says to be let in: as ``Authorization: Bearer``, or in the cookie that a join link gave."""
    scheme, _, bearer = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else request.cookies.get(COOKIE)


def _refused_loopback(request: web.Request) -> web.StreamResponse | None:
    here = _LOOPBACK_HOST.fullmatch(request.headers.get(hdrs.HOST, ""))
    if here is None or not ipaddress.ip_address(request.remote or "0.0.0.0").is_loopback:
        return refusal(
            request,
            403,
            "Wrong address",
            "Open http://localhost with the printed port on the computer Visavis runs on.",
        )
    return None


def _refused_origin(request: web.Request) -> web.StreamResponse | None:
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None and origin != f"{request.scheme}://{request.host}":
        return refusal(request, 403, "Foreign page", "This request came from a page of another site.")
    return None


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """On every response: the security headers, and that caches ask again (files) or keep nothing (everything else)."""
    if request.path.startswith("/api/v1/"):
        response.headers.setdefault("Content-Security-Policy", API_POLICY)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    keep = "no-cache" if isinstance(response, web.FileResponse) else "no-store"
    response.headers.setdefault(hdrs.CACHE_CONTROL, keep)
