"""Two nodes on one PostgreSQL behind a load balancer, as processes of this computer."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp.test_utils import unused_port

from server.api.operations import SCOPES
from server.commands.live_browser import START_TIMEOUT
from tests import postgres
from tests.load.balancer import Balancer, balancing
from tests.packs import models_folder


@dataclass
class Node:
    """A server process; ended ones can be started again on the same port with the same folder."""

    folder: Path
    port: int
    environ: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def start(self) -> None:
        """Start it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "server", "--no-lan", "--http-port", str(self.port),
                   "--data-dir", str(self.folder), "--models-dir", str(models_folder())]  # fmt: skip
        with (self.folder / "server.log").open("a") as log, (self.folder / "server.out").open("a") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=log, env=self.environ)

    async def ready(self, client: aiohttp.ClientSession) -> None:
        """Wait until it answers. Raises ``RuntimeError`` where it has ended."""
        end = time.monotonic() + START_TIMEOUT
        while time.monotonic() < end:
            if self.process is not None and self.process.poll() is not None:
                break
            with contextlib.suppress(aiohttp.ClientError):
                async with client.get(f"{self.url}/healthz"):
                    return
            await asyncio.sleep(0.1)
        raise RuntimeError(f"a node did not start: {(self.folder / 'server.log').read_text()[-500:]}")

    def command(self, *words: str) -> str:
        """What a command says that is run where this node is."""
        command = [sys.executable, "-m", "server", *words, "--data-dir", str(self.folder)]
        return subprocess.run(command, env=self.environ, check=True, capture_output=True, text=True).stdout.strip()

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        """End it in order, if it still runs."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Fleet:
    """What runs. ``client`` is let in as an owner would be, by a key."""

    database: postgres.Server
    nodes: list[Node]
    balancer: Balancer
    client: aiohttp.ClientSession
    environ: dict[str, str] = field(repr=False)


@contextlib.asynccontextmanager
async def fleet(folder: Path, nodes: int = 2, **settings: str) -> AsyncIterator[Fleet]:
    """So many nodes, ready. Raises ``LookupError`` where no PostgreSQL can be had."""
    database = postgres.server()
    if isinstance(database, str):
        raise LookupError(database)
    environ = {
        **os.environ, "PYTHONUNBUFFERED": "1", "VISAVIS_CONSENT": "ask", "VISAVIS_DATABASE": database.database(),
        "VISAVIS_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(), "VISAVIS_LOG_LEVEL": "info",
        **{f"VISAVIS_{name.upper()}": value for name, value in settings.items()},
    }  # fmt: skip
    made = []
    for number in range(nodes):
        port = unused_port()
        own = {**environ, "VISAVIS_NODE_NAME": f"node-{number + 1}", "VISAVIS_NODE_URL": f"http://localhost:{port}"}
        made.append(Node(folder / f"node-{number + 1}", port, own))
    try:
        async with contextlib.AsyncExitStack() as stack:
            for node in made:
                node.start()
                stack.callback(node.end)
            plain = await stack.enter_async_context(aiohttp.ClientSession())
            await asyncio.gather(*(node.ready(plain) for node in made))
            scopes = [word for scope in SCOPES for word in ("--scope", scope)]
            key = await asyncio.to_thread(made[0].command, "keys", "create", "load", *scopes)
            client = await stack.enter_async_context(
                aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}, cookie_jar=aiohttp.DummyCookieJar())
            )
            balancer = await stack.enter_async_context(balancing([node.url for node in made]))
            yield Fleet(database, made, balancer, client, environ)
    finally:
        database.drop()
