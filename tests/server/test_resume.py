"""A session whose connection broke goes on over another: with its tracks, its names and a guest's people."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from server.link import Visit
from server.peers import Full, PeerRegistry, at_most
from server.transport import install, uninstall
from server.visitor import Visitor
from tests.server.loopback import LOOPBACK, Camera, Page, Recorder
from tests.server.test_live_session import House, house, portrait  # noqa: F401 - the fixture
from tests.server.test_live_session import track as track_of


class Lasting(Recorder):
    """A handler that may go on over another link."""

    def __init__(self) -> None:
        super().__init__()
        self.resume, self.id = "secret", ""
        self.links: list[Any] = []
        self.lost = True

    def worth_keeping(self) -> bool:
        return self.lost

    def waits(self) -> None:
        """Nothing is kept that would have to go."""

    def move(self, link: Any) -> None:
        self.links.append(link)


@pytest.fixture(autouse=True)
def _transport() -> Iterator[None]:
    install(LOOPBACK)
    yield
    uninstall()


def registry(most: int = 2, keep: float = 60.0) -> tuple[PeerRegistry, list[Lasting]]:
    made: list[Lasting] = []

    def make(link: Any) -> Lasting:
        one = Lasting()
        one.id, one.resume = link.id, f"secret {len(made)}"
        made.append(one)
        return one

    return PeerRegistry(LOOPBACK, make, at_most(most), keep, waiting=most), made


async def come(peers: PeerRegistry, visit: Visit = Visit()) -> tuple[Page, Any]:  # noqa: B008 - a frozen value
    page = Page()
    try:
        peer, answer = await peers.open(await page.offer(), visit)
    except Full:
        await page.close()
        raise
    await page.accept(answer)
    before = len(peer.handler.frames)
    await peer.handler.until(lambda: len(peer.handler.frames) > before)
    return page, peer


async def test_a_session_waits_for_its_page_and_goes_on() -> None:
    peers, made = registry()
    page, peer = await come(peers)
    await page.close()
    await made[0].until(lambda: (peers.waiting, peers.sessions) == (1, 0))
    assert made[0].closed == []
    again, second = await come(peers, Visit(resume="secret 0"))
    assert (second.id, peers.waiting, len(made)) == (peer.id, 0, 1)
    before = len(made[0].frames)
    await made[0].until(lambda: len(made[0].frames) > before)
    await second.close("deleted")
    assert made[0].closed == ["deleted"]
    await again.close()


async def test_it_goes_on_before_its_old_connection_is_known_to_be_broken() -> None:
    peers, made = registry(most=1)
    page, first = await come(peers)
    again, second = await come(peers, Visit(resume="secret 0"))  # though there is room for one only
    assert (first.handler, second.handler, second.id) == (None, made[0], first.id)
    assert (peers.get(second.id), peers.sessions, made[0].closed) == (second, 1, [])
    with pytest.raises(Full):
        await come(peers)
    for one in (page, again):
        await one.close()
    await peers.close_all("shutdown")
    assert made[0].closed


async def test_nobody_waits_for_ever() -> None:
    peers, made = registry(keep=0.2)
    page, peer = await come(peers)
    await page.close()
    await asyncio.wait_for(made[0].ended.wait(), 5)
    assert (made[0].closed, peers.waiting) == (["did not come back"], 0)
    again, second = await come(peers, Visit(resume="secret 0"))
    assert second.id != peer.id
    assert len(made) == 2
    await again.close()
    await peers.close_all("shutdown")


@pytest.mark.parametrize(
    "visit",
    [
        Visit(resume="secret 1"),
        Visit(resume=""),
        Visit("lab", resume="secret 0"),
        Visit(guest=True, resume="secret 0"),
        Visit(resume="secret 0", visitor=Visitor("owner", "account", "0123abcd")),
    ],
)
async def test_only_who_knows_the_secret_goes_on_and_as_what_they_were(visit: Visit) -> None:
    peers, made = registry()
    page, first = await come(peers)
    other, second = await come(peers, visit)
    assert first.handler is made[0]
    assert second.id != first.id
    for one in (page, other):
        await one.close()
    await peers.close_all("shutdown")


async def test_what_was_ended_on_purpose_or_has_seen_nothing_is_not_kept() -> None:
    peers, made = registry()
    page, first = await come(peers)
    await first.close("deleted")
    assert (made[0].closed, peers.waiting) == (["deleted"], 0)
    other, _ = await come(peers)
    made[1].lost = False
    await other.close()
    await asyncio.wait_for(made[1].ended.wait(), 5)
    assert peers.waiting == 0
    await page.close()


async def test_no_more_wait_than_may_be_there_and_none_when_the_server_goes() -> None:
    peers, made = registry(most=1)
    for index in range(2):
        page, _ = await come(peers)
        await page.close()
        await made[index].until(lambda: peers.sessions == 0)
    await asyncio.wait_for(made[0].ended.wait(), 2)
    assert peers.waiting == 1
    await peers.close_all("shutdown")
    assert made[1].closed == ["did not come back"]


async def test_tracks_last_over_a_broken_connection(house: House) -> None:  # noqa: F811 - the fixture
    page = await house.visit()
    hello = await page.hears("hello")
    assert hello["resumed"] is False
    await page.until(lambda: any(f["identity"] == "unknown" for f in page.results[-1]["faces"]), 8, "a verdict")
    number, seq = track_of(page), page.results[-1]["seq"]
    again = Page(Camera(portrait(0), 15))
    house.pages.append(again)
    _, answer = await house.peers.open(await again.offer(), Visit(resume=hello["resume"]))
    await again.accept(answer)
    said = await again.hears("hello")
    assert (said["session"], said["resumed"]) == (hello["session"], True)
    await again.until(lambda: any(r["faces"] for r in again.results), 8, "a face")
    await again.until(lambda: track_of(again) == number, 8, "the same track")
    assert again.results[0]["seq"] > seq
    assert house.peers.sessions == 1
