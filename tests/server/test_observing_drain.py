"""A graceful end: of the parts, and of a real process with a real request under way."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.commands.live_browser import RunningServer, running_server
from server.observing.drain import BEGINS, WORDS, Drain, drain_middleware
from tests.packs import models_folder
from tests.server.whole import Whole, serving_all


async def nobody(_reason: str) -> None:
    """No session is there to be ended."""


async def drained(drain: Drain, seconds: float, sessions: Any = lambda: 0, hurry: asyncio.Event | None = None) -> float:
    """How long it took."""
    began = time.perf_counter()
    await drain.run(seconds, hurry or asyncio.Event(), sessions, lambda _seconds: None, nobody)
    return time.perf_counter() - began


async def test_it_waits_for_sessions_and_for_nothing_where_there_are_none() -> None:
    assert await drained(Drain(), 30.0) < 0.5
    end = time.perf_counter() + 0.3
    assert 0.25 < await drained(Drain(), 30.0, lambda: int(time.perf_counter() < end)) < 2.0


async def test_it_waits_no_longer_than_it_may_and_not_at_all_where_it_may_not() -> None:
    assert 0.2 < await drained(Drain(), 0.25, lambda: 1) < 2.0
    assert await drained(Drain(), 0.0, lambda: 1) < 0.5


async def test_a_second_signal_ends_the_wait() -> None:
    hurry = asyncio.Event()
    asyncio.get_running_loop().call_later(0.2, hurry.set)
    assert 0.15 < await drained(Drain(), 30.0, lambda: 1, hurry) < 2.0


async def test_pages_are_told_or_sent_away_where_another_server_takes_them() -> None:
    told: list[Any] = []

    async def end(reason: str) -> None:
        told.append(reason)

    drain = Drain()
    await drain.run(0.1, asyncio.Event(), lambda: 1, told.append, end)
    assert told == [0.1]
    drain.elsewhere = lambda: True
    await drain.run(0.1, asyncio.Event(), lambda: 0, told.append, end)
    assert told == [0.1, "shutdown"]


async def test_what_is_being_sent_may_come_to_its_end_and_nothing_new_begins() -> None:
    drain, come, go_on = Drain(), asyncio.Event(), asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        await request.read()
        come.set()
        await go_on.wait()
        return web.Response(status=201)

    async def look(_request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application(middlewares=[drain_middleware(drain)])
    app.router.add_post("/api/v1/videos", take)
    app.router.add_get("/api/v1/videos", look)
    app.router.add_post("/api/v1/whip", take)
    async with TestClient(TestServer(app)) as client:
        sending = asyncio.create_task(client.post("/api/v1/videos", data=b"film"))
        await come.wait()
        ending = asyncio.create_task(drained(drain, 30.0))
        await asyncio.sleep(0.1)
        for path in ("/api/v1/videos", "/api/v1/whip"):
            refused = await client.post(path, data=b"another")
            assert refused.status == 503
            assert refused.headers["Retry-After"] == "5"
            assert (await refused.json())["detail"] == WORDS
        assert (await client.get("/api/v1/videos")).status == 200
        assert not ending.done()
        go_on.set()
        assert (await sending).status == 201
        await asyncio.wait_for(ending, 2)
    assert (drain.writing, drain.refused) == (0, 1)


async def test_a_server_that_is_full_is_counted_as_well() -> None:
    drain = Drain()

    async def full(_request: web.Request) -> web.Response:
        return web.Response(status=503)

    app = web.Application(middlewares=[drain_middleware(drain)])
    app.router.add_post("/api/v1/whip", full)
    app.router.add_post("/api/v1/photos", full)  # whose decoder is down: no session was turned away
    async with TestClient(TestServer(app)) as client:
        await client.post("/api/v1/whip")
        await client.post("/api/v1/photos")
    assert drain.refused == 1


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with serving_all(tmp_path_factory.mktemp("draining")) as whole:
        yield whole


def test_every_route_that_is_refused_is_one_of_the_servers(whole: Whole) -> None:
    there = {f"{route.method} {route.resource.canonical}" for route in whole.app.router.routes() if route.resource}
    assert there >= BEGINS


# -- a real process ---------------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    flags = ("--models-dir", str(models_folder()), "--drain-seconds", "20", "--log-format", "json")
    with running_server(tmp_path, *flags) as running:
        yield running


class Upload(threading.Thread):
    """Sends a file in pieces for as long as it is told to."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.begun, self.enough = threading.Event(), threading.Event()
        self.answered: dict[str, Any] | int | None = None

    def run(self) -> None:
        def pieces() -> Iterator[bytes]:
            while not self.enough.is_set():
                yield b"\0" * 1000
                self.begun.set()
                time.sleep(0.05)

        headers = {"Content-Type": "video/mp4", "Transfer-Encoding": "chunked"}
        request = urllib.request.Request(self.url, pieces(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                self.answered = json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                self.answered = error.code
        except OSError:
            self.answered = None  # cut off


def status_of(url: str) -> int | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def uploading(server: RunningServer) -> Upload:
    upload = Upload(f"{server.url}/api/v1/videos?file=film.mp4")
    upload.start()
    assert upload.begun.wait(10)
    time.sleep(0.3)
    return upload


def test_sigterm_lets_an_upload_come_to_its_end(server: RunningServer) -> None:
    assert status_of(f"{server.url}/readyz") == 200
    upload = uploading(server)
    server.process.send_signal(signal.SIGTERM)
    end = time.monotonic() + 5
    while status_of(f"{server.url}/readyz") != 503:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert status_of(f"{server.url}/healthz") == 200
    refused = Upload(f"{server.url}/api/v1/videos?file=another.mp4")
    refused.enough.set()
    refused.run()
    assert refused.answered == 503
    assert server.process.poll() is None
    upload.enough.set()
    upload.join(15)
    assert isinstance(upload.answered, dict)
    assert upload.answered["file"] == "film.mp4"
    assert server.process.wait(15) == 0
    assert "Ending: taking nothing new" in (server.log.parent / "server.out").read_text()
    for line in server.log.read_text().splitlines():
        assert json.loads(line)["level"]


@pytest.mark.parametrize("signals", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT,)])
def test_a_second_signal_and_ctrl_c_wait_for_nothing(
    server: RunningServer, signals: tuple[signal.Signals, ...]
) -> None:
    upload = uploading(server)
    began = time.monotonic()
    for number in signals:
        server.process.send_signal(number)
        time.sleep(0.3)
    try:
        assert server.process.wait(10) == 0
        assert time.monotonic() - began < 10
    except subprocess.TimeoutExpired:
        pytest.fail("it went on waiting")
    finally:
        upload.enough.set()
        upload.join(15)


async def test_a_camera_is_told_that_the_server_is_about_to_end_and_then_that_it_ends(tmp_path: Path) -> None:
    flags = ("--models-dir", str(models_folder()), "--drain-seconds", "1.5")
    with running_server(tmp_path, *flags) as server:
        headers = {"Origin": server.url}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.ws_connect(f"{server.url}/api/v1/fallback") as socket,
        ):
            heard = [await socket.receive_json(timeout=10)]
            server.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            while heard[-1]["type"] != "bye":
                heard.append(await socket.receive_json(timeout=10))
            assert 1.0 < time.monotonic() - began < 6.0
            heard = [one for one in heard if one["type"] != "budget"]
            assert [one["type"] for one in heard] == ["hello", "notice", "bye"]
            assert (heard[1]["code"], heard[1]["seconds"]) == ("draining", 1.5)
            assert heard[2]["reason"] == "shutdown"
        assert await asyncio.to_thread(server.process.wait, 10) == 0
