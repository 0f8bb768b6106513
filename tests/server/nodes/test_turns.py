"""A camera that the server fetches is fetched by one node, and by another when that ends or dies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from server.peers import PeerRegistry, at_most
from server.people import People
from server.sources import sources as module
from server.sources.sources import Sources
from tests.server.loopback import LOOPBACK
from tests.server.source_media import write_clip
from tests.server.test_live_session import portrait
from tests.server.test_sources_link import Watched


class Turn:
    """Whose turn it is, as a test says: this node's, another's, or nobody can tell."""

    def __init__(self) -> None:
        self.whose: str | None = "mine"

    def mine(self, _work: str) -> bool:
        return self.whose == "mine"

    def theirs(self, _work: str) -> bool:
        return self.whose == "theirs"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN", 0.02)


@contextlib.asynccontextmanager
async def node(folder: Path, turn: Turn) -> AsyncIterator[Sources]:
    """One of two that have the same store."""
    people = await People.open(folder / "p.sqlite3", "a" * 64, 128)
    peers = PeerRegistry(LOOPBACK, lambda _link: Watched(), at_most(4))
    sources = await Sources.open(people, peers, 3, (0.1,), turns=turn)
    try:
        yield sources
    finally:
        await sources.close()
        await peers.close_all("shutdown")
        await people.close()


def fetching(sources: Sources) -> bool:
    return any(fetched.link is not None for fetched in sources.of("hall"))


async def until(holds: Callable[[], Any], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_one_node_fetches_and_another_takes_over(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "door.mp4", portrait(0), rate=15)
    turn, other = Turn(), Turn()
    other.whose = "theirs"
    async with node(tmp_path, turn) as one, node(tmp_path, other) as two:
        added = await one.add("hall", clip.as_uri())
        await two.written_elsewhere(frozenset({"source"}))
        await until(lambda: fetching(one))
        assert [fetched.kept.id for fetched in two.of("hall")] == [added.kept.id]
        assert not fetching(two)
        # The database is away: nobody can tell whose turn it is, and all goes on as it is.
        turn.whose = other.whose = None
        await asyncio.sleep(0.2)
        assert (fetching(one), fetching(two)) == (True, False)
        turn.whose, other.whose = "theirs", "mine"
        await until(lambda: fetching(two) and not fetching(one))
        # Removed on one node, it ends on the other.
        assert await one.remove("hall", added.kept.id)
        await two.written_elsewhere(None)
        assert not fetching(two)
        assert two.of("hall") == []


async def test_a_turn_that_comes_back_is_taken_again(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "door.mp4", portrait(0), rate=15)
    turn = Turn()
    async with node(tmp_path, turn) as one:
        await one.add("hall", clip.as_uri())
        for whose in ("theirs", "mine"):
            turn.whose = whose
            await until(lambda whose=whose: fetching(one) is (whose == "mine"))
