"""Who is there, and who does what."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa

from server.nodes.node import Node
from server.nodes.register import DEAD, SETTLED, SURE, Load, Register
from server.settings import StartError
from server.storage import nodes as table

NOTHING = Load()
WORKS = [f"work {number}" for number in range(40)]


class Clock:
    """Both the nodes' own and the database's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(table, "_now", lambda _connection: self.now)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def engine(folder: Path) -> sa.Engine:
    made = sa.create_engine(f"sqlite:///{folder / 'nodes'}")
    table.NODE.create(made, checkfirst=True)
    return made


async def opened(folder: Path, clock: Clock, tag: str, url: str = "", name: str = "", load: Load = NOTHING) -> Register:
    """A node whose heart beats when a test says so."""
    made = Node(name or f"node-{tag}", tag, url or f"http://{tag}:1")
    register = await Register.open(engine(folder), made, "1.0", lambda: load, clock)
    assert register._task is not None
    register._task.cancel()
    return register


async def after(seconds: float, clock: Clock, *registers: Register) -> None:
    """Time passes; these live, and every heartbeat is heard by all."""
    for _ in range(round(seconds * 2)):
        clock.now += 0.5
        for register in registers:
            await register.beat()


async def test_nodes_know_of_each_other_and_of_a_death(tmp_path: Path, clock: Clock) -> None:
    one, two = [await opened(tmp_path, clock, tag) for tag in ("aaaaaa", "bbbbbb")]
    changes: list[tuple[str, ...]] = []
    one.when_changed(lambda: changes.append(tuple(row.tag for row in one.others)))
    await after(1, clock, one, two)
    assert one.other("bbbbbb") is not None
    assert two.other("aaaaaa") is not None
    await after(DEAD + 0.5, clock, one)
    assert one.others == ()
    await after(1, clock, one, two)
    assert changes == [("bbbbbb",), (), ("bbbbbb",)]
    await two.close()
    await after(0.5, clock, one)
    assert [row.name for row in one.all] == ["node-aaaaaa"]
    await one.close()


async def test_each_work_is_done_by_one_and_taken_over_after_a_death(tmp_path: Path, clock: Clock) -> None:
    one, two = [await opened(tmp_path, clock, tag) for tag in ("aaaaaa", "bbbbbb")]
    assert not any(register.mine(work) for register in (one, two) for work in WORKS)  # nobody has settled
    await after(SETTLED + 0.5, clock, one, two)
    mine = {work for work in WORKS if one.mine(work)}
    assert mine ^ {work for work in WORKS if two.mine(work)} == set(WORKS)
    assert 8 < len(mine) < 32
    died = clock.now
    while not all(one.mine(work) for work in WORKS):
        await after(0.5, clock, one)
        # Never two at a time, though the dead one may only be unable to say that it lives.
        assert not any(one.mine(work) and two.mine(work) for work in WORKS)
    assert clock.now - died <= DEAD + 0.5
    # It is back, and does nothing before everybody knows.
    await two.beat()
    assert not any(two.mine(work) for work in WORKS)
    for _ in range(8):
        await after(0.5, clock, one, two)
        assert not any(one.mine(work) and two.mine(work) for work in WORKS)
    assert {work for work in WORKS if one.mine(work)} == mine
    for register in (one, two):
        await register.close()


async def test_who_cannot_be_sure_to_live_or_is_about_to_go_does_nothing(tmp_path: Path, clock: Clock) -> None:
    one = await opened(tmp_path, clock, "aaaaaa")
    leaving = await opened(tmp_path, clock, "bbbbbb", load=Load(3, draining=True))
    await after(4, clock, one, leaving)
    assert all(one.mine(work) for work in WORKS)
    assert not any(leaving.mine(work) for work in WORKS)
    assert [(row.sessions, row.draining) for row in one.others] == [(3, True)]
    clock.now += SURE + 0.1
    assert not any(one.mine(work) for work in WORKS)
    for register in (one, leaving):
        await register.close()


async def test_a_name_is_one_nodes_and_a_folder_too(tmp_path: Path, clock: Clock) -> None:
    one = await opened(tmp_path, clock, "aaaaaa", name="left")
    with pytest.raises(StartError, match="another node bears this name"):
        await opened(tmp_path, clock, "bbbbbb", name="left")
    with pytest.raises(StartError, match="copy of this data folder"):
        await opened(tmp_path, clock, "aaaaaa", url="http://elsewhere:1")
    clock.now += DEAD + 0.1  # the first has died: both are free
    two = await opened(tmp_path, clock, "bbbbbb", name="left")
    for register in (one, two):
        await register.close()


async def test_a_database_that_is_away_ends_no_heart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.nodes.register.EVERY", 0.02)
    made = engine(tmp_path)
    one = await Register.open(made, Node("one", "aaaaaa", "http://a:1"), "1.0")
    table.NODE.drop(made)
    await asyncio.sleep(0.1)
    assert one.all[0].tag == "aaaaaa"  # what was last known
    table.NODE.create(made)
    for _ in range(100):
        if table.read(made):
            break
        await asyncio.sleep(0.02)
    assert [row.tag for row in table.read(made)] == ["aaaaaa"]
    await one.close()
