"""Who sends more than their share is held to it."""

from __future__ import annotations

import pytest

from server.load.pace import SLACK, Pace


def taken(pace: Pace, sent: float, seconds: float = 10.0) -> float:
    """Pictures a second that are looked at of those that come, when work on each takes no time."""
    now, free, count = 0.0, 0.0, 0
    while now < seconds:
        if now >= free:
            count += 1
            free = now + pace.wait(now)
        now += 1 / sent
    return count / seconds


@pytest.mark.parametrize("sent", [5.0, 12.0])
def test_whoever_keeps_to_it_never_waits(sent: float) -> None:
    pace = Pace()
    pace.allow(12.0)
    assert taken(pace, sent) == pytest.approx(sent, rel=0.05)


def test_who_sends_more_is_looked_at_less() -> None:
    pace = Pace()
    pace.allow(5.0)
    assert taken(pace, 30.0) <= SLACK * 5.0 + 0.5


def test_without_a_share_all_is_taken() -> None:
    pace = Pace()
    assert taken(pace, 30.0) == pytest.approx(30.0, rel=0.05)
    pace.allow(5.0)
    pace.allow(None)
    assert taken(pace, 30.0) == pytest.approx(30.0, rel=0.05)


def test_a_clock_that_stands_still_does_no_harm() -> None:
    pace = Pace()
    pace.allow(10.0)
    waits = [pace.wait(1.0) for _ in range(5)]
    assert waits == sorted(waits)
    assert waits[-1] < 1.0
