"""Looking less closely."""

from __future__ import annotations

import pytest

from pipeline.frugal import SIDE, frugal_side


@pytest.mark.parametrize(
    ("widths", "side", "expected"),
    [
        ([120.0], 640, SIDE),
        ([120.0, 60.0], 640, 320),  # the small one would be missed
        ([], 640, 320),  # who comes may be small
        ([60.0], 320, SIDE),
        ([600.0], 1920, SIDE),
    ],
)
def test_only_large_faces_are_looked_at_less_closely(widths: list[float], side: int, expected: int) -> None:
    assert frugal_side(widths, side, 320) == expected


def test_it_is_never_closer_than_usual() -> None:
    assert frugal_side([200.0], 640, 128) == 128
