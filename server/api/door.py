"""Where other programs come in: a key lets in by itself, and to what its scopes say alone."""

from __future__ import annotations

from aiohttp import hdrs, web

from server.api.keys import API_KEY, SHAPE, Keys
from server.api.operations import operation_of
from server.api.rates import Rates
from server.problems import problem

RATES = web.RequestKey("rates", Rates)


def key_in(request: web.Request) -> str | None:
    """What the request calls a key, if it sends one."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and SHAPE.fullmatch(token) else None


class KeyDoor:
    """Lets requests in by their key."""

    def __init__(self, keys: Keys, rates: Rates | None = None) -> None:
        self._keys = keys
        self._rates = rates or Rates()

    async def admit(self, request: web.Request, token: str) -> web.StreamResponse | None:
        """``None`` lets in; otherwise the refusal to answer with."""
        key = await self._keys.find(token)
        if key is None:
            return _refused(401, "Unknown key", "This key is not, or no longer, one of this server.", "invalid_token")
        request[API_KEY], request[RATES] = key, self._rates
        if not self._rates.take(key.id):
            return problem(429, "Too Many Requests", "This key has asked too much; Retry-After says when to go on.")
        if request.match_info.http_exception is not None and request.path.startswith("/api/"):
            return None  # there is no such route, and that is what will be said
        operation = operation_of(request)
        if operation is None or operation.scope is None:
            return _refused(403, "Not for keys", "No key opens this.", "insufficient_scope")
        if operation.scope not in key.scopes:
            words = f"This takes a key with the scope {operation.scope!r}; this one has {', '.join(key.scopes)}."
            return _refused(403, "Missing scope", words, "insufficient_scope", operation.scope)
        return None


async def add_rate(request: web.Request, response: web.StreamResponse) -> None:
    """On every answer to a key: what is left to it."""
    if API_KEY in request:
        response.headers.update(request[RATES].headers(request[API_KEY].id))


def _refused(status: int, title: str, detail: str, error: str, scope: str = "") -> web.Response:
    """A problem, with what RFC 6750 says of the reason."""
    more = f', scope="{scope}"' if scope else ""
    return problem(status, title, detail, WWW_Authenticate=f'Bearer error="{error}"{more}')
