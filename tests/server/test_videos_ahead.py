"""Working a little ahead: the same items in the same order, no more of them than wanted, and an end in any case."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from server.videos.ahead import ahead


def never() -> bool:
    return False


def always() -> bool:
    return True


def counted(made: list[int], most: int = 1_000_000, error: type[Exception] | None = None) -> Iterator[int]:
    for number in range(most):
        made.append(number)
        yield number
    if error is not None:
        raise error("no more")


@pytest.mark.parametrize("in_turn", [never, always])
@pytest.mark.parametrize("count", [0, 1, 3, 50])
def test_the_same_items_in_the_same_order(count: int, in_turn) -> None:
    with ahead(counted([], count), 3, in_turn) as items:
        assert list(items) == list(range(count))


@pytest.mark.parametrize("in_turn", [never, always])
def test_no_more_are_made_than_wanted(in_turn) -> None:
    made: list[int] = []
    with ahead(counted(made), 3, in_turn) as items:
        for number in range(5):
            assert next(items) == number
            if in_turn is never:
                time.sleep(0.02)
            assert len(made) <= number + 1 + 3
    end = len(made)
    time.sleep(0.05)
    assert len(made) == end
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]


@pytest.mark.parametrize("in_turn", [never, always])
def test_what_goes_wrong_is_heard_where_it_belongs(in_turn) -> None:
    got = []
    with pytest.raises(LookupError, match="no more"), ahead(counted([], 5, LookupError), 2, in_turn) as items:
        for number in items:
            got.append(number)
    assert got == list(range(5))


@pytest.mark.parametrize("in_turn", [never, always])
def test_whoever_gives_up_leaves_no_thread(in_turn) -> None:
    with pytest.raises(ZeroDivisionError), ahead(counted([]), 2, in_turn) as items:
        for number in items:
            1 / (3 - number)
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_in_turn_only_one_side_works_at_a_time() -> None:
    busy, together = [0], [0]

    def work() -> None:
        busy[0] += 1
        time.sleep(0.002)
        together[0] += busy[0] > 1
        busy[0] -= 1

    def making() -> Iterator[int]:
        for number in range(40):
            work()
            yield number

    for in_turn, expected in ((always, False), (never, True)):
        busy[0] = together[0] = 0
        with ahead(making(), 4, in_turn) as items:
            for _ in items:
                work()
        assert (together[0] > 0) == expected
