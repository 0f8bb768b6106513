"""The door: works out once for each request who asks, and whether they may.

What is looked at, in this order: ``Authorization: Bearer`` (a key, or what is in a link), the cookie of a session, the
owner who uses this computer (setting ``local_owner``), the cookie of a link. Whoever has nothing of it may see what is
open to all.
"""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from server.access.access import Access
from server.access.backoff import Backoff
from server.access.buckets import Buckets
from server.access.cookies import LINK, SESSION, cookie_in, drop_cookie
from server.access.forwarded import BadForwarded, Proxies, is_forwarded
from server.access.household import household_of
from server.access.networks import within
from server.access.roles import METRICS, OPEN, UNCOUNTED, WORDS, landing, may, roles_of, route_of
from server.api.door import KeyDoor, key_in
from server.api.keys import API_KEY
from server.api.operations import operation_of
from server.asked import ASKED, Asked, asked
from server.passes import PASS, Pass
from server.problems import problem
from server.rooms.roles import refused_link
from server.security import is_page_request, refusal, refused_loopback, refused_origin
from server.settings import Settings
from server.visitor import LOCAL, VISITOR, Role, Visitor, maybe_visitor

STRANGERS = (10.0, 100)  # requests a second of an address that has not signed in, and at once
KNOWN = (100.0, 600)  # … of an account or a device that came by a link: a page of people asks for hundreds of pictures
PROBED = {"GET /healthz", "GET /readyz"}  # by load balancers, in plain HTTP and for nobody
_SAFE_METHODS = {hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS}


def access_middleware(settings: Settings, access: Access | None, keys: KeyDoor | None) -> Middleware:
    """Let in who may come in, and to what their role says. Without ``access`` nobody can sign in."""
    keeper = Doorkeeper(settings, access, keys)

    @web.middleware
    async def come_in(request: web.Request, handler: Handler) -> web.StreamResponse:
        refused = await keeper.admit(request)
        if refused is not None:
            return refused
        if access is None:
            return await handler(request)
        with access.under_way.by(maybe_visitor(request)):
            return await handler(request)

    return come_in


class Doorkeeper:
    """Decides."""

    def __init__(self, settings: Settings, access: Access | None, keys: KeyDoor | None) -> None:
        self._settings = settings
        self._access = access
        self._keys = keys
        self._backoff = Backoff() if access is None else access.backoff
        self._proxies = Proxies(settings.trusted_proxies)
        self._strangers, self._known = Buckets(*STRANGERS), Buckets(*KNOWN)

    async def admit(self, request: web.Request) -> web.StreamResponse | None:
        """``None`` lets in, and :data:`server.visitor.VISITOR` says whom; otherwise the refusal to answer with."""
        if (refused := self._refused_way(request)) is not None:
            return refused
        token = bearer_in(request)
        if token is not None:
            refused = await self._by_bearer(request, token)
        else:
            self._by_cookie(request)
            refused = None
        if refused is not None:
            return refused
        visitor = maybe_visitor(request)
        refused = self._refused_rate(request, visitor) or self._refused_role(request, visitor)
        if refused is not None:
            return refused
        # A WebSocket is asked for with GET, and no browser keeps other sites' pages from it.
        if request.method not in _SAFE_METHODS or hdrs.UPGRADE in request.headers:
            # Programs send no origin; whoever comes by what a browser sends by itself has to.
            lenient = token is not None or (visitor is not None and visitor.by == "local")
            return refused_origin(request, strict=not lenient)
        return None

    def _refused_way(self, request: web.Request) -> web.StreamResponse | None:
        """The refusal of whoever comes neither over TLS, nor from this computer, nor by a proxy that is trusted."""
        if self._proxies.trusts(request.remote):
            try:
                how = self._proxies.read(request)
            except BadForwarded as error:
                words = f"The reverse proxy before this server is not set up for it: {error}."
                return refusal(request, 400, "Wrongly forwarded", words)
            if how is not None:
                request[ASKED] = how
                words = "The reverse proxy before this server was asked over plain HTTP: open it over HTTPS."
                return None if how.secure else refusal(request, 421, "Misdirected request", words)
            if route_of(request) in PROBED:
                # The proxy itself asks whether this server is well; whatever the settings say, it is nobody's owner.
                request[ASKED] = Asked(request.remote or "", request.host, secure=False, forwarded=True)
                return None
        if request.secure:
            return None  # whatever such headers say here, anybody may have written
        if is_forwarded(request):
            words = "A reverse proxy forwarded this whose address is not in the setting trusted_proxies."
            return refusal(request, 403, "Unknown proxy", words)
        return refused_loopback(request)

    # -- who asks --------------------------------------------------------------------------------------------------

    async def _by_bearer(self, request: web.Request, token: str) -> web.StreamResponse | None:
        key = key_in(request)
        if key is not None and self._keys is not None:
            refused = await self._keys.admit(request, key)
            if API_KEY not in request:
                return self._wrong(request, refused)
            request[VISITOR] = Visitor(_role_of_key(request[API_KEY].scopes), "key", request[API_KEY].id)
            return refused
        if key is None and self._access is not None:
            # A program keeps no cookie: where a link is for so many devices, its address counts as one.
            given = await self._access.links.come(token, f"address {household_of(request)}")
            if given is not None:
                _let_in(request, given[0])
                return None
            if self._access.links.is_signed(token):
                return refusal(request, 401, "That link is no longer valid", "It is over, revoked, or used up.")
        words = "What stands behind Bearer opens nothing here: it takes a key, or what stands behind /join/ in a link."
        return self._wrong(request, refusal(request, 401, "Not let in", words))

    def _by_cookie(self, request: web.Request) -> None:
        access = self._access
        secret = cookie_in(request, SESSION)
        found = access.sessions.find(secret) if access is not None and secret else None
        if found is not None:
            session, account = found
            request[VISITOR] = Visitor(account.role, "account", account.id, session=session.id)
            return
        how = asked(request)
        if self._settings.local_owner and not how.secure and not how.forwarded:
            request[VISITOR] = LOCAL
            return
        said = cookie_in(request, LINK)
        given = access.links.find(said) if access is not None and said else None
        if given is not None:
            _let_in(request, given)

    def _wrong(self, request: web.Request, refused: web.StreamResponse | None) -> web.StreamResponse | None:
        """A guess that was wrong. Right ones are let in however many were wrong: they are too long to be guessed."""
        key = f"bearer {household_of(request)}"
        if wait := self._backoff.wait(key):
            return too_many(request, wait)
        self._backoff.count(key)
        return refused

    # -- whether they may ------------------------------------------------------------------------------------------

    def _refused_rate(self, request: web.Request, visitor: Visitor | None) -> web.StreamResponse | None:
        if route_of(request) in UNCOUNTED or (visitor is not None and visitor.by in ("local", "key")):
            return None  # of keys, KeyDoor counts what they ask
        if visitor is None:
            wait = self._strangers.take(household_of(request))
        else:
            of = str(visitor) if visitor.by == "account" else f"{visitor} {household_of(request)}"
            wait = self._known.take(of)
        return too_many(request, wait) if wait else None

    def _refused_role(self, request: web.Request, visitor: Visitor | None) -> web.StreamResponse | None:
        route = route_of(request)
        if visitor is not None and visitor.by == "key":
            return None  # KeyDoor has held it to its scopes
        if route in OPEN or (route == METRICS and within(asked(request).address, self._settings.metrics_from)):
            return None
        if visitor is None:
            return refused_stranger(request)
        if visitor.by == "link":
            return refused_link(request, request[PASS])
        if not may(request, visitor.role):
            allowed = frozenset() if route is None else roles_of(route, operation_of(request))
            words = WORDS.get(allowed, "Nobody may use this.")
            return refusal(request, 403, "Not for your account", words)
        if visitor.role == "viewer" and request.path == "/":
            raise web.HTTPSeeOther(landing(visitor.role))
        return None


def bearer_in(request: web.Request) -> str | None:
    """What the request calls its bearer token, if it sends one."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def refused_stranger(request: web.Request) -> web.StreamResponse:
    """Whoever opens a page is led to where one signs in; everybody else is told."""
    if is_page_request(request) and request.headers.get("Sec-Fetch-Site") != "cross-site":
        response: web.StreamResponse = web.Response(status=303)
        response.headers[hdrs.LOCATION] = f"/sign-in?next={quote(local_path(request.path_qs), safe='/')}"
    else:
        words = "Sign in on the page /sign-in, or open a link that somebody who may invites you with."
        response = refusal(request, 401, "Sign in first", words)
    for cookie in (SESSION, LINK):
        if cookie_in(request, cookie) is not None:
            drop_cookie(request, response, cookie)  # over, or revoked
    return response


def local_path(path: str) -> str:
    """A path of this server; ``/`` for what a browser might take for another's."""
    local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if local else "/"


def too_many(request: web.Request, wait: int) -> web.StreamResponse:
    """Come again later."""
    words = f"That was too much, or too often wrong. Wait {wait} second{'s' if wait > 1 else ''}."
    if is_page_request(request):
        response: web.StreamResponse = refusal(request, 429, "Too many attempts", words)
        response.headers[hdrs.RETRY_AFTER] = str(wait)
        return response
    return problem(429, "Too Many Requests", words, Retry_After=str(wait))


def _let_in(request: web.Request, given: Pass) -> None:
    request[PASS] = given
    request[VISITOR] = Visitor(given.role, "link", given.id, given.room)


def _role_of_key(scopes: tuple[str, ...]) -> Role:
    """What a program with these scopes is in rooms and live sessions; over HTTP its scopes are looked at."""
    for scope, role in (("admin", "owner"), ("people", "host"), ("recognise", "camera")):
        if scope in scopes:
            return role  # type: ignore[return-value]
    return "viewer"
