"""Something asynchronous in a thread of its own: a server for tests that ask it from outside, as others would."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from aiohttp import web

T = TypeVar("T")
GOODBYE = 0.1
"""How long connections that were just closed may take to say so, seconds."""
ENTER = 60.0
LEAVE = 30.0


@contextlib.contextmanager
def in_thread(manager: AbstractAsyncContextManager[T], name: str) -> Iterator[T]:
    """What ``manager`` gives, entered and left in a loop of its own; whatever it raises is raised here.

    No connection outlives it: one whose client does not read is cut, not left for whoever collects garbage next.
    """
    entered: Future[tuple[T, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        try:
            leave = asyncio.Event()
            async with manager as given:
                entered.set_result((given, asyncio.get_running_loop(), leave))
                await leave.wait()
        except BaseException as error:
            if entered.done():
                raise
            entered.set_exception(error)
        finally:
            await _cut_connections()

    with ThreadPoolExecutor(1, name) as thread:
        served = thread.submit(asyncio.run, serve())
        given, loop, leave = entered.result(ENTER)
        try:
            yield given
        finally:
            loop.call_soon_threadsafe(leave.set)
            served.result(LEAVE)


@contextlib.asynccontextmanager
async def on_free_port(app: web.Application, shutdown_timeout: float = 5.0) -> AsyncIterator[int]:
    """Serve ``app`` on this computer; the port."""
    runner = web.AppRunner(app, shutdown_timeout=shutdown_timeout)
    await runner.setup()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        try:
            await web.SockSite(runner, listener).start()
            yield listener.getsockname()[1]
        finally:
            await stop_accepting(listener)
            await runner.cleanup()


async def stop_accepting(*listeners: socket.socket) -> None:
    """Before a server closes: asyncio loses a connection that it accepts in the same step, and never closes it
    (python/cpython#109564)."""
    for listener in listeners:
        asyncio.get_running_loop().remove_reader(listener)
    await asyncio.sleep(0)


async def _cut_connections() -> None:
    """Close what is still open, and take the steps of the loop in which it is let go."""
    await asyncio.sleep(GOODBYE)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()  # a connection that is only being accepted is one of these
    await asyncio.sleep(0)
    for transport in list(asyncio.get_running_loop()._transports.values()):  # type: ignore[attr-defined]
        if isinstance(transport, asyncio.Transport):
            transport.abort()
    await asyncio.sleep(0.01)
