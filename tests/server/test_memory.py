from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import psutil
import pytest

from server import memory
from server.memory import give_back, lean

MB = 1 << 20
glibc = pytest.mark.skipif(not give_back(), reason="the C library of this system gives nothing back when asked")


@pytest.fixture
def _collector_again() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def used() -> float:
    return psutil.Process().memory_info().rss / MB


def free_between_what_stays() -> list[bytes]:
    """Some 150 MB that nobody has any more, with a little in between that somebody has."""
    both = [(bytes(15_000), bytes(700)) for _ in range(10_000)]
    return [kept for _, kept in both]


@glibc
def test_what_is_free_between_what_is_used_goes_back_to_the_system() -> None:
    kept = free_between_what_stays()
    before = used()
    assert give_back()
    assert used() < before - 75
    assert len(kept) == 10_000


@glibc
@pytest.mark.usefixtures("_collector_again")
async def test_it_goes_back_while_the_server_runs_and_no_more_after_it() -> None:
    async with lean(0.05):
        kept = free_between_what_stays()
        before = used()
        async with asyncio.timeout(10):
            while used() > before - 75:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.05)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("memory")]
    assert len(kept) == 10_000


@pytest.mark.usefixtures("_collector_again")
async def test_where_nothing_can_be_given_back_the_server_runs_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert not give_back()
    async with lean(0.01):
        await asyncio.sleep(0.05)


@pytest.mark.usefixtures("_collector_again")
async def test_what_stays_is_left_out_of_the_collectors_rounds_and_what_ended_is_not() -> None:
    class Session:
        pass

    async with lean():
        assert gc.get_freeze_count() > 1000
        ended = [Session()]
        ended[0].itself = ended  # type: ignore[attr-defined]
        number = id(ended[0])
        del ended
        kept = [[index] for index in range(40_000)]
        assert not [one for one in gc.get_objects() if id(one) == number and isinstance(one, Session)]
        assert kept
