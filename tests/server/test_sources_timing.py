"""Media time goes on, whatever a source's time stamps do; and recorded video comes at its own pace."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.sources.timing import LATE, LONGEST_STEP, REORDERED, MediaClock, Pace, rtp_of


def times(stamps: list[float | None], step: float = 0.04, usual: float | None = None) -> list[float]:
    clock = MediaClock()
    return [round(clock.at(stamp, 100 + step * index, usual), 3) for index, stamp in enumerate(stamps)]


def test_time_stamps_count_from_the_first() -> None:
    assert times([7.0, 7.04, 7.1]) == [0, 0.04, 0.1]


def test_missing_ones_take_as_long_as_they_took_to_come_or_as_usual() -> None:
    assert times([None, None, None], 0.1) == [0, 0.1, 0.2]
    assert times([None, None, None], 0.0001, usual=0.04) == [0, 0.04, 0.08]
    assert times([5.0, None, 5.08], 0.04) == [0, 0.04, 0.08]


def test_jumps_in_either_direction_are_a_step() -> None:
    assert times([5.0, 5.04, 99.0, 99.04]) == [0, 0.04, 0.08, 0.12]
    assert times([50.0, 50.04, 1.0, 1.04]) == [0, 0.04, 0.08, 0.12]


def test_reordered_pictures_keep_their_times() -> None:
    assert times([1.0, 1.16, 1.08, 1.04, 1.12, 1.32]) == [0, 0.16, 0.08, 0.04, 0.12, 0.32]


def test_another_stream_follows_after_a_gap() -> None:
    clock = MediaClock()
    assert clock.at(3.0, 0) == 0
    assert clock.at(3.5, 0.5) == 0.5
    clock.begin(1.0)
    assert clock.at(0.0, 60) == 1.5
    assert clock.at(0.04, 60.04) == pytest.approx(1.54)


def test_two_pictures_of_one_time_can_be_told_apart() -> None:
    clock = MediaClock()
    assert len({rtp_of(clock.at(2.0, 0)) for _ in range(3)}) >= 2
    assert rtp_of(2**32 / 90_000 + 1) == 90_000


@given(st.lists(st.none() | st.floats(-1e6, 1e6), max_size=40), st.floats(0, 3))
def test_it_never_runs_far_backwards_or_ahead(stamps: list[float | None], step: float) -> None:
    found = times(stamps, step)
    newest = 0.0
    for time in found:
        assert newest - REORDERED - 0.01 <= time <= newest + LONGEST_STEP + 0.01
        newest = max(newest, time)


def test_a_pace() -> None:
    pace = Pace()
    assert pace.wait(0.0, 10.0) == 0
    assert pace.wait(0.5, 10.1) == pytest.approx(0.4)
    assert pace.wait(0.6, 10.7) == 0  # a little late: it catches up
    assert pace.wait(0.7, 10.7) == 0
    assert pace.wait(0.9, 11.0 + LATE) == 0  # far behind: it goes on from here
    assert pace.wait(1.0, 11.0 + LATE) == pytest.approx(0.1)
