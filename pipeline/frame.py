"""One picture on its way through the pipeline."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

MIN_SIDE, MAX_SIDE = 16, 8192


class Frame:
    """A picture at a media time.

    ``gray`` is (H, W) uint8, the luma plane where there is one; ``image`` is (H, W, 3) uint8 **RGB** and made only
    when somebody asks, as
    most frames need no colour. Raises ``ValueError`` for sides outside 16–8192 pixels.
    """

    __slots__ = ("_image", "_load", "gray", "time")

    def __init__(self, gray: Image, time: float, load: Callable[[], Image]) -> None:
        if gray.ndim != 2 or gray.dtype != np.uint8:
            raise ValueError(f"gray must be (H, W) uint8, not {gray.shape} {gray.dtype}")
        if not (min(gray.shape) >= MIN_SIDE and max(gray.shape) <= MAX_SIDE):
            raise ValueError(
                f"a frame of {gray.shape[1]}×{gray.shape[0]} is outside {MIN_SIDE}–{MAX_SIDE} pixels a side"
            )
        self.gray = gray
        self.time = time
        self._load = load
        self._image: Image | None = None

    @classmethod
    def from_image(cls, image: Image, time: float = 0.0) -> Frame:
        """Wrap an RGB picture (H, W, 3) uint8."""
        return cls(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8), time, lambda: image)

    @property
    def image(self) -> Image:
        """The RGB picture."""
        if self._image is None:
            self._image = self._load()
        return self._image

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.gray.shape[1])

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.gray.shape[0])
