"""Joining from another device: the token, the links that carry it, and the routes that exchange it for a cookie."""

from __future__ import annotations

import io
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import segno
from aiohttp import web

from server.lan import Address
from server.passes import FindPass, landing
from server.private_files import write_private
from server.security import COOKIE, JoinGuard
from server.settings import StartError

_MONTH = 30 * 24 * 3600


@dataclass(slots=True)
class Door:
    """Where other devices come in. The addresses follow the network (see :func:`server.lan.watching`)."""

    guard: JoinGuard
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
        """The page, without the token."""
        return f"https://{host or self.hosts[0]}:{self.https_port}/"

    def url(self, host: str | None = None) -> str:
        """The link that lets in: it carries the token."""
        return f"{self.page_url(host)}join/{self.guard.token}"

    @property
    def trust_url(self) -> str:
        """The page that explains how to trust the certificate."""
        return f"http://{self.hosts[0]}:{self.trust_port}/"


def load_token(data_dir: Path, setting: str) -> str:
    """The token of the settings, or else the one kept in the data folder, made at first use (128 random bits).

    Raises :class:`server.settings.StartError`.
    """
    if setting:
        return setting
    path = data_dir / "join-token"
    try:
        token = path.read_text("ascii").strip()
    except FileNotFoundError:
        token = secrets.token_urlsafe(16)
        write_private(path, token.encode())
        return token
    except OSError as error:
        raise StartError(f"{path}: cannot be read ({error.strerror}); see the setting data_dir") from None
    except UnicodeDecodeError:
        token = ""
    if len(token) < 16:
        raise StartError(f"{path}: holds no join token; delete it and a new one is made")
    return token


def qr_svg(url: str) -> str:
    """A QR code as SVG text, dark on light with its quiet zone, so that it can be read on any background."""
    out = io.BytesIO()
    segno.make(url, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, scale=4, border=4, light="#fff", dark="#000"
    )
    return out.getvalue().decode()


def setup_join(app: web.Application, door: Door | None, find_pass: FindPass | None = None) -> None:
    """Add ``GET /join/TOKEN`` and ``GET /api/v1/join``; ``door`` is ``None`` when the LAN is off. A token may be
    that of an invitation, which leads to the page it is for."""

    async def enter(request: web.Request) -> web.StreamResponse:
        token = request.match_info["token"]
        given = None if find_pass is None else find_pass(token)
        response = web.Response(status=303, headers={"Location": landing(given)})
        if door is None or not request.secure:  # on this computer nothing is needed
            return response
        if given is None and (refused := door.guard.admit(request, token)) is not None:
            return refused
        if given is not None and door.guard.holds(request.cookies.get(COOKIE, "")):
            return response  # a device that may do everything already goes on as it is
        age = _MONTH if given is None else int((given.expires - datetime.now(UTC)).total_seconds())
        response.set_cookie(COOKIE, token, max_age=age, secure=True, httponly=True, samesite="Strict", path="/")
        return response

    async def show(_request: web.Request) -> web.Response:
        if door is None:
            return web.json_response({"url": None, "qr": None, "trust_url": None})
        return web.json_response({"url": door.url(), "qr": qr_svg(door.url()), "trust_url": door.trust_url})

    app.router.add_get("/join/{token}", enter)
    app.router.add_get("/api/v1/join", show)
