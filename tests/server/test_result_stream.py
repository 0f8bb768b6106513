"""Results as server-sent events: what the channel carries, no more readers than said, and nothing that grows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from server.live.broadcast import WAITING, Broadcast, Reader
from server.live.result_stream import READERS
from server.live.routes import setup_sessions
from tests.server.test_live_session import House, house  # noqa: F401 - the fixture


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    kind = ""
    async for raw in response.content:
        line = raw.decode().rstrip("\n")
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))


async def test_events_are_what_the_channel_says(house: House, serving) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    page = await house.visit()
    number = (await page.hears("hello"))["session"]
    peers = house.peers  # what is served outlives this test for a while, and the house has more to hold on to
    async with (
        serving(parts=(lambda app: setup_sessions(app, peers),)) as served,
        aiohttp.ClientSession() as client,
    ):
        url = f"{served.local}/api/v1/sessions/{number}/events"
        async with asyncio.timeout(20), client.get(url) as response:
            assert response.content_type == "text/event-stream"
            heard = events(response)
            kind, hello = await anext(heard)
            assert (kind, hello["session"]) == ("hello", number)
            assert "resume" not in hello  # it is the page's secret
            results = []
            while len(results) < 5:
                kind, said = await anext(heard)
                if kind == "result":
                    results.append(said)
            by_number = {one["seq"]: one for one in page.results}
            await page.until(lambda: page.results[-1]["seq"] >= results[-1]["seq"], 5, "the same")
            by_number = {one["seq"]: one for one in page.results}
            assert any(by_number.get(one["seq"]) == one for one in results)
            others = [await client.get(url) for _ in range(READERS)]
            assert [one.status for one in others] == [200] * (READERS - 1) + [503]
            for one in others:
                one.close()
            await house.peers.peers[0].close("shutdown")
            async for kind, said in heard:
                last = kind, said
            assert last == ("bye", {"v": 1, "type": "bye", "reason": "shutdown"})
        async with client.get(url) as gone:
            assert gone.status == 404


async def test_a_slow_reader_gets_the_newest_result_and_grows_nothing() -> None:
    broadcast = Broadcast()
    reader = Reader(broadcast)
    for index in range(100):
        broadcast.tell("result", f"result {index}")
        broadcast.tell("notice", f"notice {index}")
        broadcast.tell("enrolled", "is for who asked")
    heard = [await reader.next() for _ in range(WAITING + 1)]
    assert heard[0] == ("notice", f"notice {100 - WAITING}")
    assert heard[-1] == ("result", "result 99")
    assert reader.skipped == 99
    waiting = asyncio.create_task(reader.next())
    await asyncio.sleep(0)
    broadcast.end("idle")
    assert (await waiting)[0] == "bye"
    assert len(broadcast) == 0
