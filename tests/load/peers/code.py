"""A picture's number, drawn into its upper left corner so that it can be read after lossy coding: black and white
squares, the last of which says whether the others are even."""

from __future__ import annotations

import av
import numpy as np
from numpy.typing import NDArray

from server.pixels import luma

SQUARE = 16  # pixels
BITS = 10


def draw_code(picture: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """The picture (H, W, 3) with its number. Raises ``ValueError`` for one that does not fit."""
    if not 0 <= number < 1 << BITS:
        raise ValueError(f"a number below {1 << BITS} fits into the code, not {number}")
    drawn = picture.copy()
    for place, bit in enumerate([*_bits(number), number.bit_count() % 2 == 0]):
        drawn[:SQUARE, place * SQUARE : (place + 1) * SQUARE] = 235 if bit else 20
    return drawn


def read_code(frame: av.VideoFrame) -> int | None:
    """The number in a picture of full size; ``None`` where it cannot be read."""
    strip = luma(frame)[4 : SQUARE - 4, : (BITS + 1) * SQUARE]
    bits = [bool(strip[:, place * SQUARE + 4 : (place + 1) * SQUARE - 4].mean() > 128) for place in range(BITS + 1)]
    number = sum(bit << place for place, bit in enumerate(bits[:BITS]))
    return number if bits[BITS] == (number.bit_count() % 2 == 0) else None


def _bits(number: int) -> list[bool]:
    return [bool(number >> place & 1) for place in range(BITS)]
