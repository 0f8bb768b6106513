"""Nodes for tests of what goes between them: real sockets, and a register that a test fills."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from aiohttp.test_utils import unused_port
from aiohttp.typedefs import Middleware

from server.nodes.forwarding import Forwarding
from server.nodes.node import Node
from server.nodes.word import NodeKey
from server.storage.nodes import Row

SECRET = secrets.token_bytes(32)


@dataclass
class Listed:
    """A register by hand."""

    node: Node
    rows: list[Row] = field(default_factory=list)
    changed: list[Callable[[], None]] = field(default_factory=list)

    @property
    def others(self) -> tuple[Row, ...]:
        return tuple(self.rows)

    @property
    def all(self) -> tuple[Row, ...]:
        return tuple(self.rows)

    def other(self, tag: str) -> Row | None:
        return next((row for row in self.rows if row.tag == tag), None)

    def when_changed(self, changed: Callable[[], None]) -> None:
        self.changed.append(changed)

    def tell(self) -> None:
        for changed in self.changed:
            changed()


@dataclass
class Served:
    """A node that listens."""

    register: Listed
    key: NodeKey
    forwarding: Forwarding
    row: Row
    runner: web.AppRunner

    @property
    def url(self) -> str:
        return self.row.url


def row(tag: str, url: str) -> Row:
    return Row(tag, f"node-{tag}", url, "1", 0, False, 100.0, 0.1)


@contextlib.asynccontextmanager
async def node(
    tag: str,
    build: Callable[[web.Application], None],
    more: Callable[[Listed, NodeKey], list[Middleware]] = lambda _register, _key: [],
    answer: float = 5.0,
    secret: bytes = SECRET,
) -> AsyncIterator[Served]:
    """An application behind the middleware of forwarding."""
    port = unused_port()
    url = f"http://localhost:{port}"
    register, key = Listed(Node(f"node-{tag}", tag, url)), NodeKey(secret)
    forwarding = Forwarding(tag, key, register, answer)
    app = web.Application(middlewares=[forwarding.middleware(), *more(register, key)])
    build(app)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "localhost", port).start()
    try:
        yield Served(register, key, forwarding, row(tag, url), runner)
    finally:
        await forwarding.close()
        await runner.cleanup()


def know(*nodes: Served) -> None:
    """Let them know of each other."""
    for one in nodes:
        one.register.rows = [other.row for other in nodes if other is not one]


def browser() -> aiohttp.ClientSession:
    """Somebody who asks."""
    return aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(total=15))
