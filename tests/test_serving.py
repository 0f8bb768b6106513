"""Servers of tests: what they raise is raised, and none of their connections outlives them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import threading
import warnings
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from tests.serving import in_thread, on_free_port

LARGE = b"." * 50_000_000


async def _large(_request: web.Request) -> web.Response:
    return web.Response(body=LARGE)


@contextlib.asynccontextmanager
async def _failing(where: str) -> AsyncIterator[str]:
    if where == "entered":
        raise OSError("no port")
    yield "given"
    raise OSError("no goodbye")


def test_a_client_that_does_not_read_is_cut() -> None:
    app = web.Application()
    app.router.add_get("/", _large)
    with warnings.catch_warnings(record=True) as said, contextlib.ExitStack() as clients:
        warnings.simplefilter("always", ResourceWarning)
        with in_thread(on_free_port(app, shutdown_timeout=0.2), "large") as port:
            for number in range(6):
                client = clients.enter_context(socket.create_connection(("127.0.0.1", port), 5))
                if number < 5:  # and one that has only just come
                    client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    assert client.recv(9) == b"HTTP/1.1 "
        gc.collect()
        assert [str(one.message) for one in said if one.category is ResourceWarning] == []


@pytest.mark.parametrize("where", ["entered", "left"])
def test_what_is_raised_in_the_thread_is_raised(where: str) -> None:
    said = "no port" if where == "entered" else "no goodbye"
    with pytest.raises(OSError, match=said), in_thread(_failing(where), "failing") as given:
        assert given == "given"
    assert not any(thread.name.startswith("failing") for thread in threading.enumerate())


def test_a_test_that_fails_ends_its_server() -> None:
    over = threading.Event()

    @contextlib.asynccontextmanager
    async def serving() -> AsyncIterator[asyncio.AbstractEventLoop]:
        try:
            yield asyncio.get_running_loop()
        finally:
            over.set()

    with pytest.raises(ZeroDivisionError), in_thread(serving(), "ended") as loop:
        raise ZeroDivisionError
    assert over.is_set()
    assert loop.is_closed()
