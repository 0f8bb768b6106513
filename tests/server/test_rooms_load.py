"""A room of cameras and viewers for a few seconds: the short version of tests.load.room."""

from __future__ import annotations

import pytest

from tests.load.room import RATE, measure

pytestmark = pytest.mark.alone


@pytest.mark.timeout(120)
def test_two_cameras_are_decoded_once_each_and_watched_by_three() -> None:
    run = measure(2, 3, 4.0)
    assert run.streams == 6
    assert 0.7 * 2 * RATE < run.decoded < 1.2 * 2 * RATE
    assert run.handed_on > 0.7 * 6 * RATE
    assert run.glass[0] < 200
    assert run.result[0] < 200
