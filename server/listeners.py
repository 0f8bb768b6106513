"""The sockets the server listens on.

They are opened before anything slow happens, so that a port somebody else has is said at once; who connects before the
applications are ready waits.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from server.observing.requests import REQUESTS, RequestLog
from server.observing.requests import logger as requests
from server.settings import Settings, StartError

MAX_LINE = (
    64 * 1024
)  # bytes of a request's first line: what is longer is refused before the application, in plain words
SHUTDOWN_TIMEOUT = 1.0  # seconds a request may go on after the server was told to end
_LOOPBACK = (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6))
_ANYWHERE = (("0.0.0.0", socket.AF_INET), ("::", socket.AF_INET6))
_EVERYWHERE_THERE = {host for host, _ in (*_LOOPBACK, *_ANYWHERE)}


def _our_fault(record: logging.LogRecord) -> bool:
    """Requests that are no HTTP are answered with 400 and not logged: the log would hold what was sent, tokens too."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_errors = logging.getLogger(__name__)
_errors.addFilter(_our_fault)


class PortUnavailable(StartError):
    """A port cannot be had; the message names it and its setting."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Bound sockets, IPv4 and where there is IPv6 that too: for this computer, for the LAN, for the trust page."""

    local: tuple[socket.socket, ...]
    lan: tuple[socket.socket, ...]
    trust: tuple[socket.socket, ...]

    def close(self) -> None:
        """Let go of the ports. May be called twice, and after they were listened on."""
        for sock in (*self.local, *self.lan, *self.trust):
            sock.close()


def port_of(sockets: tuple[socket.socket, ...]) -> int:
    """The port that a group of sockets shares."""
    port: int = sockets[0].getsockname()[1]
    return port


def bind(settings: Settings) -> Listeners:
    """Take the ports of the settings. Raises :class:`PortUnavailable`, and then holds none of them."""
    with contextlib.ExitStack() as stack:
        local = _bind(stack, _http_hosts(settings.http_address), settings.http_port, "http_port")
        lan = _bind(stack, _ANYWHERE, settings.https_port, "https_port") if settings.lan else ()
        trust = _bind(stack, _ANYWHERE, settings.trust_port, "trust_port") if settings.lan else ()
        stack.pop_all()
    return Listeners(local, lan, trust)


def _http_hosts(address: str) -> tuple[tuple[str, socket.AddressFamily], ...]:
    """Loopback, and one address more, which may take loopback in."""
    if not address:
        return _LOOPBACK
    ip = ipaddress.ip_address(address)
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    besides = [
        (host, other) for host, other in _LOOPBACK if host != address and not (ip.is_unspecified and other == family)
    ]
    return ((address, family), *besides)


def _bind(
    stack: contextlib.ExitStack, hosts: tuple[tuple[str, socket.AddressFamily], ...], port: int, setting: str
) -> tuple[socket.socket, ...]:
    sockets: list[socket.socket] = []
    for host, family in hosts:
        try:
            sock = stack.enter_context(contextlib.closing(socket.socket(family, socket.SOCK_STREAM)))
            if os.name == "posix":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((host, port))
            sock.listen(128)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL and host not in _EVERYWHERE_THERE:
                raise PortUnavailable(f"http_address = {host}: this computer has no such address") from None
            if family == socket.AF_INET6 and error.errno not in (errno.EADDRINUSE, errno.EACCES):
                continue  # no IPv6 on this computer
            raise PortUnavailable(_why(error, port, setting)) from None
        sockets.append(sock)
        port = port or port_of((sock,))  # both families on the same free port
    return tuple(sockets)


def _why(error: OSError, port: int, setting: str) -> str:
    flag = "--" + setting.replace("_", "-")
    if error.errno == errno.EADDRINUSE:
        return f"{setting} = {port}: another program has that port; choose another with {flag}"
    if error.errno == errno.EACCES:
        return f"{setting} = {port}: this user may not take that port; choose one above 1023 with {flag}"
    return f"{setting} = {port}: the port cannot be taken ({error.strerror}); choose another with {flag}"


@contextlib.asynccontextmanager
async def listening(
    listeners: Listeners, app: web.Application, trust_app: web.Application | None, context: ssl.SSLContext | None
) -> AsyncIterator[None]:
    """Serve ``app`` on loopback and, with ``context``, on the LAN, and ``trust_app`` on its port, while inside."""
    async with contextlib.AsyncExitStack() as stack:
        runner = await _runner(stack, app)
        for sock in listeners.local:
            await web.SockSite(runner, sock).start()
        for sock in listeners.lan:
            await web.SockSite(runner, sock, ssl_context=context).start()
        if trust_app is not None:
            trust_runner = await _runner(stack, trust_app)
            for sock in listeners.trust:
                await web.SockSite(trust_runner, sock).start()
        yield


async def _runner(stack: contextlib.AsyncExitStack, app: web.Application) -> web.AppRunner:
    # Never aiohttp's own access log: it would hold the token of join links.
    wanted = app.get(REQUESTS)
    runner = web.AppRunner(
        app,
        access_log=None if wanted is None else requests,
        access_log_class=RequestLog,
        access_log_format=wanted or "",
        logger=_errors,
        shutdown_timeout=SHUTDOWN_TIMEOUT,
        max_line_size=MAX_LINE,
    )
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    return runner
