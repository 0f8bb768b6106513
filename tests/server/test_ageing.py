"""A clock that jumps must not erase everything, and one that is right must go on erasing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.storage.ageing import DOUBT, LEAP, Ageing

BEGIN = datetime(2030, 5, 1, 12, tzinfo=UTC)
YEARS = timedelta(days=3652)


class Time:
    """A wall clock that can be set, and a steady one that cannot."""

    def __init__(self) -> None:
        self.wall, self.steady = BEGIN, 1000.0

    def passes(self, time: timedelta) -> None:
        self.wall += time
        self.steady += time.total_seconds()

    def ageing(self, path: Path) -> Ageing:
        return Ageing(path, lambda: self.wall, lambda: self.steady)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clock"


def test_time_that_passes_is_believed(path: Path) -> None:
    time = Time()
    ageing = time.ageing(path)
    for _ in range(100):
        time.passes(timedelta(days=1))
        assert ageing() == time.wall
    assert datetime.fromisoformat(path.read_text().strip()) == time.wall


@pytest.mark.parametrize("restarted", [False, True])
def test_years_at_once_are_not_believed_at_first(path: Path, restarted: bool, caplog: pytest.LogCaptureFixture) -> None:
    time = Time()
    ageing = time.ageing(path)
    assert ageing() == BEGIN
    time.wall += YEARS
    if restarted:
        ageing = time.ageing(path)
    assert ageing() == BEGIN
    assert caplog.text.count("nothing is erased by its age for 24 hours") == 1
    assert "3652 days later" in caplog.text
    time.passes(DOUBT - timedelta(minutes=1))
    assert ageing() == BEGIN + DOUBT - timedelta(minutes=1)  # what has passed has passed
    time.wall -= YEARS  # put right in time
    time.passes(timedelta(minutes=2))
    assert ageing() == time.wall
    assert caplog.text.count("nothing is erased") == 1


def test_who_says_so_for_a_day_is_believed(path: Path) -> None:
    time = Time()
    time.ageing(path)()
    time.wall += YEARS  # the computer was in a drawer
    ageing = time.ageing(path)
    ageing()
    time.passes(DOUBT)
    assert ageing() == time.wall
    assert time.ageing(path)() == time.wall  # and so it is after the next start


def test_a_holiday_is_believed_at_once(path: Path) -> None:
    time = Time()
    time.ageing(path)()
    time.wall += LEAP - timedelta(days=1)
    assert time.ageing(path)() == time.wall


def test_a_clock_that_goes_back_erases_less_and_is_right_again_afterwards(path: Path) -> None:
    time = Time()
    ageing = time.ageing(path)
    ageing()
    time.wall -= YEARS
    assert ageing() == time.wall < BEGIN
    assert time.ageing(path)() == time.wall  # a computer whose clock begins in 1970 at each start …
    time.wall += YEARS
    time.passes(timedelta(minutes=5))
    assert ageing() == time.wall  # … until it has heard what time it is
    assert time.ageing(path)() == time.wall


@pytest.mark.parametrize("content", ["", "yesterday", "2030-01-01T00:00:00", "\0\0"])
def test_a_note_that_cannot_be_read_is_made_anew(path: Path, content: str) -> None:
    path.write_text(content)
    time = Time()
    assert time.ageing(path)() == BEGIN
    assert datetime.fromisoformat(path.read_text().strip()) == BEGIN


def test_where_nothing_can_be_written_it_still_tells_the_time(tmp_path: Path) -> None:
    time = Time()
    ageing = time.ageing(tmp_path / "no folder" / "clock")
    assert ageing() == BEGIN
    time.passes(timedelta(days=2))
    assert ageing() == BEGIN + timedelta(days=2)
