"""Looking less closely where the processors are short. What is to be embedded is looked at as closely as ever:
landmarks decide how well it is recognised."""

from __future__ import annotations

from collections.abc import Sequence

SIDE = 192  # longer side of the picture that large faces are followed in, in pixels
LARGE = 30  # width of a face at that scale, from which it is found there as surely as closer up


def frugal_side(widths: Sequence[float], side: int, near_side: int) -> int:
    """The longer side to look at: of a picture of ``side`` pixels with faces of these ``widths``, where ``near_side``
    is the usual one."""
    if not widths or min(widths) * SIDE / side < LARGE:
        return near_side
    return min(SIDE, near_side)
