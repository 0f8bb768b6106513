"""How this server was asked: from where, under which name, and whether the way there is encrypted.

Behind a reverse proxy the connection says none of it. :mod:`server.access.door` works it out once for each request
(:mod:`server.access.forwarded`); everybody else asks here, and never the request itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Asked:
    """``address`` is the asking device's; ``host`` is what stands in its address bar, with the port where it has one.

    ``secure``: it asks over TLS, this server's own or that of a proxy. ``forwarded``: through a proxy that is trusted.
    """

    address: str
    host: str
    secure: bool
    forwarded: bool = False

    @property
    def origin(self) -> str:
        """As browsers write it in ``Origin``."""
        return f"{'https' if self.secure else 'http'}://{self.host}"


ASKED = web.RequestKey("asked", Asked)
"""Set for every request that came through a proxy that is trusted."""


def asked(request: web.Request) -> Asked:
    """How a request came; without a proxy, what its connection says."""
    return request.get(ASKED) or Asked(request.remote or "0.0.0.0", request.host, request.secure)
