"""The first seconds of a line that is slower than what is announced, and of one that only looks so."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import chain

import pytest
from aiortc.rate import RemoteBitrateEstimator

from server.transport.bitrate import EarlyBitrate, StandingQueue

PAYLOAD = 1100


def sent(seconds: float, kbits: float) -> Iterator[float]:
    """When packets leave, in ms, at that rate."""
    every = PAYLOAD * 8 / kbits
    yield from (index * every for index in range(int(seconds * 1000 / every)))


def units(ms: float) -> int:
    """abs-send-time."""
    return round(ms * 2**18 / 1000) & 0xFFFFFF


def through(times: Iterator[float], kbits: float) -> Iterator[tuple[float, float]]:
    """When packets leave and arrive over a line of that rate with a long queue."""
    free = 0.0
    for at in times:
        free = max(free, at) + (PAYLOAD + 60) * 8 / kbits
        yield at, free


@pytest.mark.parametrize("began", [0.0, 63_950.0])
def test_a_full_line_is_noticed_and_measured(began: float) -> None:
    queue = StandingQueue()
    found = [
        (at, line)
        for left, at in through(sent(1.0, 1250), 500)
        if (line := queue.add(at + began, units(left + began), PAYLOAD)) is not None
    ]
    assert 60 < found[0][0] < 400
    assert all(400_000 < line < 600_000 for _, line in found)


def test_a_line_that_is_fast_enough_is_not() -> None:
    queue = StandingQueue()
    assert all(queue.add(at, units(left), PAYLOAD) is None for left, at in through(sent(3.0, 1250), 2000))


def test_jitter_is_no_queue() -> None:
    queue, chance = StandingQueue(), random.Random(4)
    arrivals = sorted((left + chance.uniform(0, 100), left) for left in sent(3.0, 1250))
    assert all(queue.add(at, units(left), PAYLOAD) is None for at, left in arrivals)


def test_an_event_loop_that_was_held_up_is_no_queue() -> None:
    queue = StandingQueue()
    late = [(max(left, 700.0) if 400 < left < 700 else left, left) for left in sent(2.0, 1250)]
    assert all(queue.add(at, units(left), PAYLOAD) is None for at, left in late)


def announced(early: EarlyBitrate, packets: Iterator[tuple[float, float]]) -> list[tuple[float, int]]:
    return [
        (at, answer[0]) for left, at in packets if (answer := early.add(round(at), units(left), PAYLOAD, 7)) is not None
    ]


def test_what_a_slow_line_carries_is_announced_and_the_estimator_goes_on_from_there() -> None:
    early = EarlyBitrate(RemoteBitrateEstimator(), 2_000_000)
    obedient = chain(sent(0.3, 1250), (300 + at for at in sent(6.0, 350)))
    said = announced(early, through(obedient, 500))
    assert said[0][1] == 2_000_000
    assert next(at for at, bps in said if bps < 500_000) < 400
    later = [bps for at, bps in said if at > 3000]
    assert later
    assert all(300_000 < bps < 700_000 for bps in later)


def test_a_line_that_drops_instead_of_queueing_is_noticed_by_what_is_gone() -> None:
    early = EarlyBitrate(RemoteBitrateEstimator(), 2_000_000, flooded=lambda: True)
    said = announced(early, ((at, at) for at in sent(1.0, 400)))
    assert said[0][1] == 2_000_000
    assert 250_000 < said[-1][1] < 450_000


def test_a_sender_that_was_given_little_at_first_may_send_more_later() -> None:
    early = EarlyBitrate(RemoteBitrateEstimator(), 2_000_000)
    told = []
    for now in range(0, 12_000, 450):  # two small pictures a second
        at = (now * 2**18 // 1000) & 0xFFFFFF
        answer = early.add(arrival_time_ms=now, abs_send_time=at, payload_size=1100, ssrc=1)
        if answer is not None and now > 3000:
            told.append(answer[0])
    assert told
    assert min(told) > 1_000_000
