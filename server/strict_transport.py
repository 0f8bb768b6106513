"""Whether browsers are told to come by HTTPS alone (HSTS, RFC 6797).

They apply it to a whole host, whatever the port: told so for ``NAME.local``, a browser would no longer open the plain
page on ``trust_port`` that explains the certificate, nor what another program of this computer serves without TLS, and
it would not let anybody past a certificate that it does not trust yet. Addresses cannot be told at all. So it is off,
and where it is wanted it is said for the names in ``host_names`` alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from yarl import URL

from server.asked import asked
from server.settings import Settings

HEADER = "Strict-Transport-Security"
_DAY = 24 * 3600


def strict_transport(settings: Settings) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """What to do with each response before it goes out."""
    names, value = frozenset(settings.host_names), f"max-age={settings.hsts_days * _DAY}"

    async def add(request: web.Request, response: web.StreamResponse) -> None:
        if settings.hsts_days and asked(request).secure and _host(request) in names:
            response.headers[HEADER] = value

    return add


def _host(request: web.Request) -> str | None:
    try:
        return URL(asked(request).origin).host
    except ValueError:
        return None
