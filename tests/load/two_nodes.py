"""Two nodes on one PostgreSQL: whether what holds on one holds on the other, and what ends with a node or the database.

    python -m tests.load.two_nodes [--away 30] [--rounds 2] [--browser] [--json]

PostgreSQL in a temporary folder, two servers as processes, a small load balancer before them, and real peers, 640×480
at 30 pictures a second. Seconds are from the moment that something was done. Ends with 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp

from server.access.cookies import SESSION
from server.commands.live_browser import camera_browser
from server.nodes.tags import MARK
from tests.browser.conftest import moving_portrait, start, write_camera
from tests.load.fleet import Fleet, Node, fleet
from tests.load.node_peers import Page
from tests.load.room import SDP
from tests.server.viewing import Viewing

NAME = "Ada"
NAMES = "name => window.visavis.state === 'live' && window.visavis.faces.some(face => face.name === name)"
ROOM = "hall"
PATIENCE = 30.0
GAP = 1.0  # seconds between two results of a camera, at most, while recognition goes on


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that was looked at: its worst value, and the most it may be."""

    what: str
    worst: float
    bar: float
    values: tuple[float, ...] = ()

    @property
    def held(self) -> bool:
        return self.worst <= self.bar


def measure_of(what: str, values: list[float], bar: float) -> Measure:
    """The worst of some values."""
    return Measure(what, round(max(values), 3), bar, tuple(round(value, 3) for value in values))


async def measure(folder: Path, away: float = 30.0, rounds: int = 2, browser: bool = False) -> list[Measure]:
    """All of it."""
    async with fleet(folder, max_sessions="12") as found:
        one, two = [Page(node.url, found.client, ROOM) for node in found.nodes]
        for page in (one, two):
            page.start()
        try:
            for page in (one, two):
                await page.live(0.0, PATIENCE)
            measures = [await named_elsewhere(one, two)]
            measures += await room_over_both(found, one, two)
            measures += await signed_in_everywhere(found)
        finally:
            for page in (one, two):
                await page.close()
        measures += await nodes_killed(found, rounds)
        if browser:
            measures += await browser_moves(found, folder, rounds)
        measures += await database_away(found, away)
        return measures


async def named_elsewhere(one: Page, two: Page) -> Measure:
    """Somebody enrolled on one node is named on the other."""
    said = await one.enrol(NAME)
    assert said["type"] == "enrolled", said
    at = next(when for when, message in one.messages if message is said)
    return measure_of("enrolled on one node, named on the other, s", [await two.named(NAME, at, PATIENCE)], 1.0)


async def room_over_both(found: Fleet, one: Page, two: Page) -> list[Measure]:
    """A viewer of one node sees a camera of the other; a room shows both, and one person once."""
    node = found.nodes[0]
    await asyncio.sleep(1.0)
    began = time.monotonic()
    async with found.client.get(f"{node.url}/api/v1/rooms/{ROOM}") as answer:
        state = await answer.json()
    told = time.monotonic() - began
    ids = {camera["id"] for camera in state["cameras"]}
    assert ids == {one.session, two.session}, state
    assert [who["name"] for who in state["present"]] == [NAME], state["present"]
    assert len(state["present"][0]["views"]) == 2, state["present"]
    assert len({camera["number"] for camera in state["cameras"]}) == 2, state["cameras"]
    viewing = Viewing()
    began = time.monotonic()
    where = f"{node.url}/api/v1/rooms/{ROOM}/cameras/{two.session}/whep"
    async with found.client.post(where, data=await viewing.offer(), headers=SDP) as answer:
        assert answer.status == 201, await answer.text()
        await viewing.accept(await answer.text())
    while not viewing.frames:
        assert time.monotonic() - began < PATIENCE, "no picture came"
        await asyncio.sleep(0.02)
    first = time.monotonic() - began
    await viewing.close()
    # A host of one node renames and ends a camera of the other.
    where = f"{node.url}/api/v1/rooms/{ROOM}/cameras/{two.session}"
    async with found.client.patch(where, json={"name": "door"}) as answer:
        assert answer.status == 200, await answer.text()
    async with found.client.get(f"{found.nodes[1].url}/api/v1/rooms/{ROOM}") as answer:
        names = {camera["id"]: camera["name"] for camera in (await answer.json())["cameras"]}
    assert names[two.session] == "door"
    return [
        measure_of("a room over both nodes, asked for, s", [told], 1.0),
        measure_of("a camera of the other node, first picture, s", [first], 3.0),
    ]


async def signed_in_everywhere(found: Fleet) -> list[Measure]:
    """A browser that signed in on one node is known on the other."""
    cookie = {"Cookie": f"{SESSION}={await signed_in(found.nodes[0])}"}
    async with aiohttp.ClientSession() as client:
        began = time.monotonic()
        while True:
            async with client.get(f"{found.nodes[1].url}/api/v1/access/me", headers=cookie) as answer:
                if answer.status == 200:
                    break
            assert time.monotonic() - began < PATIENCE, "not known on the other node"
            await asyncio.sleep(0.02)
    return [measure_of("signed in on one node, known on the other, s", [time.monotonic() - began], 1.0)]


async def signed_in(node: Node) -> str:
    """What is in the cookie of a browser that the owner signed in on this node."""
    link = await asyncio.to_thread(node.command, "owner")
    where, body = f"{node.url}/api/v1/access/own", {"token": link.rpartition("/")[2]}
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
        client.post(where, json=body, headers={"Origin": node.url}) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return answer.cookies[SESSION].value


async def nodes_killed(found: Fleet, rounds: int) -> list[Measure]:
    """Either node is killed: its pages move, and name again."""
    pages = [Page(found.balancer.url, found.client, ROOM) for _ in range(4)]
    live: list[float] = []
    named: list[float] = []
    try:
        for page in pages:
            page.start()
        for page in pages:
            await page.named(NAME, 0.0, PATIENCE)
        for number in range(rounds):
            node = found.nodes[number % len(found.nodes)]
            tag = await _tag(found, node)
            theirs = [page for page in pages if page.session.startswith(tag)]
            assert theirs, "no page is on this node"
            before = {page: page.session for page in theirs}
            at = time.monotonic()
            await asyncio.to_thread(node.kill)
            for page in theirs:
                live.append(await page.live(at, PATIENCE, before[page]))
                named.append(await page.named(NAME, at + live[-1], PATIENCE) + live[-1])
            node.start()
            await node.ready(found.client)
            await asyncio.sleep(3.0)
            for page in theirs:  # half of them go over to the node that is back
                await page.close()
                page.start()
            for page in theirs:
                await page.named(NAME, time.monotonic(), PATIENCE)
        refused = [status for page in pages for status in page.refused]
        assert set(refused) <= {503}, refused
    finally:
        for page in pages:
            await page.close()
    return [
        measure_of("a node killed, its pages live again, s", live, 5.0),
        measure_of("… and naming again, s", named, 5.0),
    ]


async def _tag(found: Fleet, node: Node) -> str:
    async with found.client.get(f"{node.url}/api/v1/nodes") as answer:
        return next(str(one["tag"]) for one in (await answer.json())["nodes"] if one["here"])


async def database_away(found: Fleet, away: float) -> list[Measure]:
    """The database is stopped: recognition goes on, enrolment says to wait, and all is well once it is back."""
    pages = [Page(node.url, found.client, ROOM) for node in found.nodes]
    refused: list[float] = []
    try:
        for page in pages:
            page.start()
        for page in pages:
            await page.named(NAME, 0.0, PATIENCE)
        await asyncio.to_thread(found.database.stop)
        stopped = time.monotonic()
        before = [page.session for page in pages]
        while time.monotonic() - stopped < away:
            refused += await _refusals(found, pages[0])
            await asyncio.sleep(2.0)
        ended = time.monotonic()
        gaps = [gap for page in pages for gap in _gaps(page, stopped, ended)]
        assert [page.session for page in pages] == before, "a session broke"
        assert all(NAME in names for page in pages for at, names, _ in page.results if at > ended - 1.0)
        await asyncio.to_thread(found.database.start)
        back = time.monotonic()
        while True:
            said = await pages[0].enrol(NAME)
            if said["type"] == "enrolled":
                break
            assert time.monotonic() - back < PATIENCE, said
            await asyncio.sleep(0.2)
        again = time.monotonic() - back
        where = f"{found.nodes[0].url}/api/v1/people/{said['person']}"
        at = time.monotonic()
        async with found.client.patch(where, json={"name": "Grace"}) as answer:
            assert answer.status == 200, await answer.text()
        seen = await pages[1].named("Grace", at, PATIENCE)
    finally:
        for page in pages:
            await page.close()
    return [
        measure_of("the database away, longest without a result, s", gaps, GAP),
        measure_of("… until a change is refused with words, s", refused, 15.0),
        measure_of("… back, until enrolment works, s", [again], 5.0),
        measure_of("… and the other node calls them anew, s", [seen], 5.0),
    ]


async def _refusals(found: Fleet, page: Page) -> list[float]:
    """Seconds until REST and the data channel say that nothing can be saved now."""
    began = time.monotonic()
    where = f"{found.nodes[0].url}/api/v1/rooms"
    async with found.client.post(where, json={"name": "new"}) as answer:
        body: dict[str, Any] = await answer.json()
        assert answer.status == 503, (answer.status, body)
        assert answer.headers["Retry-After"], body
        assert "database cannot be reached" in body["detail"], body
    rest = time.monotonic() - began
    began = time.monotonic()
    said = await page.enrol(NAME)
    assert said["type"] == "error", said
    assert "database cannot be reached" in said["message"], said
    return [rest, time.monotonic() - began]


def _gaps(page: Page, begin: float, end: float) -> list[float]:
    times = [at for at, _, _ in page.results if begin <= at <= end]
    return [later - earlier for earlier, later in zip([begin, *times], [*times, end], strict=True)]


async def browser_moves(found: Fleet, folder: Path, rounds: int) -> list[Measure]:
    """A real page, signed in, whose node is killed."""
    secret = await signed_in(found.nodes[0])
    nodes = {await _tag(found, node): node for node in found.nodes}
    camera = folder / "camera.mjpeg"
    write_camera(camera, moving_portrait(90))
    values: list[float] = []

    def drive() -> None:
        with camera_browser(camera) as browser:
            context = browser.new_context()
            context.add_cookies([{"name": SESSION, "value": secret, "url": found.balancer.url}])
            page = context.new_page()
            start(page, found.balancer.url)
            page.wait_for_function(NAMES, arg=NAME, timeout=PATIENCE * 1e3)
            for _ in range(rounds):
                session = page.evaluate("() => window.visavis.session")
                node = nodes[session.partition(MARK)[0]]
                at = time.monotonic()
                node.kill()
                moved = f"([name, before]) => window.visavis.session !== before && ({NAMES})(name)"
                page.wait_for_function(moved, arg=[NAME, session], timeout=PATIENCE * 1e3, polling=50)
                values.append(time.monotonic() - at)
                node.start()
                asyncio.run_coroutine_threadsafe(node.ready(found.client), loop).result()
                time.sleep(3.0)

    loop = asyncio.get_running_loop()
    await asyncio.to_thread(drive)
    return [measure_of("a node killed, a real page live and naming again, s", values, 5.0)]


def table(measures: list[Measure]) -> str:
    """As it is printed."""
    lines = [f"{'':52} {'worst':>7} {'middle':>7} {'bar':>5}"]
    for one in measures:
        middle = statistics.median(one.values)
        lines.append(f"{one.what:52} {one.worst:7.2f} {middle:7.2f} {one.bar:5.1f} {'' if one.held else ' MISSED'}")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--away", type=float, default=30.0, help="seconds that the database is away")
    parser.add_argument("--rounds", type=int, default=2, help="nodes killed, one after the other")
    parser.add_argument("--browser", action="store_true", help="also a real page whose node is killed")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measures = asyncio.run(measure(Path(folder), asked.away, asked.rounds, asked.browser))
    print(json.dumps([asdict(one) for one in measures]) if asked.json else table(measures))
    sys.exit(not all(one.held for one in measures))


if __name__ == "__main__":
    main()
