"""Where other devices find this server."""

from __future__ import annotations

import io
from dataclasses import dataclass

import segno
from aiohttp import web

from server.asked import asked
from server.lan import Address


@dataclass(slots=True)
class Door:
    """Where other devices come in. The addresses follow the network (see :func:`server.lan.watching`)."""

    host: str
    addresses: tuple[Address, ...]
    https_port: int
    trust_port: int

    @property
    def hosts(self) -> tuple[str, ...]:
        """What may stand in a URL, the likeliest to work first."""
        literals = tuple(f"[{address}]" if address.version == 6 else str(address) for address in self.addresses)
        return (*literals, f"{self.host}.local")

    def page_url(self, host: str | None = None) -> str:
        """The page."""
        return f"https://{host or self.hosts[0]}:{self.https_port}/"

    def join_url(self, token: str, host: str | None = None) -> str:
        """A link that lets in: it carries what opens."""
        return f"{self.page_url(host)}join/{token}"

    @property
    def trust_url(self) -> str:
        """The page that explains how to trust the certificate."""
        return f"http://{self.hosts[0]}:{self.trust_port}/"


def page_url(request: web.Request, door: Door | None) -> str:
    """The page, as other devices reach it: by the proxy that this request came by, else by this server's own address;
    where the LAN is off, by what this computer calls it."""
    how = asked(request)
    return f"{how.origin}/" if door is None or how.forwarded else door.page_url()


def qr_svg(url: str) -> str:
    """A QR code as SVG text, dark on light with its quiet zone, so that it can be read on any background."""
    out = io.BytesIO()
    segno.make(url, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, scale=4, border=4, light="#fff", dark="#000"
    )
    return out.getvalue().decode()
