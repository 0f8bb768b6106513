"""A small load balancer for tests: takes turns among servers, and goes to the next where one does not answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import aiohttp
from aiohttp import hdrs, web
from yarl import URL

LOOK = 0.5  # seconds between two looks at whether a server lives
_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}


class Balancer:
    """Made by :func:`balancing`. ``first`` may name the server that is asked first, by its place."""

    def __init__(self, servers: Sequence[str], client: aiohttp.ClientSession) -> None:
        self.url = ""
        self.first: int | None = None
        self._servers = list(servers)
        self._live = set(servers)
        self._client = client
        self._turn = 0

    def _order(self) -> list[str]:
        self._turn += 1
        at = self._turn if self.first is None else self.first
        turned = [self._servers[(at + number) % len(self._servers)] for number in range(len(self._servers))]
        return sorted(turned, key=lambda server: server not in self._live)

    async def watch(self) -> None:
        """Look again and again who lives."""
        timeout = aiohttp.ClientTimeout(total=1.0)
        while True:
            for server in self._servers:
                try:
                    async with self._client.get(f"{server}/healthz", timeout=timeout) as answer:
                        lives = answer.status == 200
                except (aiohttp.ClientError, TimeoutError):
                    lives = False
                (self._live.add if lives else self._live.discard)(server)
            await asyncio.sleep(LOOK)

    async def hand_on(self, request: web.Request) -> web.StreamResponse:
        """The answer of the first server that takes the request."""
        body = await request.read()
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP]
        for server in self._order():
            try:
                answer = await self._client.request(
                    request.method, URL(server + request.path_qs, encoded=True), headers=headers, data=body or None,
                    allow_redirects=False, skip_auto_headers=(hdrs.CONTENT_TYPE, hdrs.USER_AGENT, hdrs.ACCEPT_ENCODING),
                )  # fmt: skip
            except (aiohttp.ClientError, TimeoutError):
                self._live.discard(server)
                continue
            async with answer:
                response = web.StreamResponse(status=answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in _HOP:
                        response.headers.add(name, value)
                with contextlib.suppress(aiohttp.ClientError, ConnectionError):
                    await response.prepare(request)
                    async for chunk in answer.content.iter_any():
                        await response.write(chunk)
                    await response.write_eof()
                return response
        return web.Response(status=502)


@contextlib.asynccontextmanager
async def balancing(servers: Sequence[str]) -> AsyncIterator[Balancer]:
    """One before these servers, on a free port of this computer."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=1.0)
    async with aiohttp.ClientSession(
        timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
    ) as client:
        balancer = Balancer(servers, client)
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{path:.*}", balancer.hand_on)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "localhost", 0)
        await site.start()
        balancer.url = f"http://localhost:{runner.addresses[0][1]}"
        watching = asyncio.create_task(balancer.watch())
        try:
            yield balancer
        finally:
            watching.cancel()
            await runner.cleanup()
