"""Memory that a worker shares with its parent, for the pictures of one call at a time.

It has no name, so nothing is left of it when both have ended, however they ended.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.frame import MAX_SIDE
from server import child

Pictures = NDArray[np.uint8]

SIZE = MAX_SIDE * MAX_SIDE * 3  # bytes of the largest picture; only what is written to takes memory
KEPT = 8 << 20  # bytes that stay at hand between calls: a picture of 1920×1080 and more


class Slot:
    """Room for the pictures of one call. ``memory`` is its descriptor, which this owns; the other side opens its own
    with the same."""

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self._map = mmap.mmap(memory, SIZE)
        self._bytes = np.frombuffer(self._map, np.uint8)

    @classmethod
    def make(cls) -> Slot | None:
        """A new one; ``None`` where pictures have to go through the pipe."""
        memory = child.shared_memory("pictures", SIZE)
        return None if memory is None else cls(memory)

    def put(self, pictures: Sequence[Pictures]) -> None:
        """Lay down pictures, all (H, W, 3). Raises ``ValueError`` if they take more than there is."""
        np.stack(pictures, out=self.view(len(pictures), *pictures[0].shape[:2]))

    def view(self, count: int, height: int, width: int) -> Pictures:
        """The pictures (N, H, W, 3) that lie here. Valid until the next are put. Raises ``ValueError`` if they would
        take more than there is."""
        size = count * height * width * 3
        if size > SIZE:
            raise ValueError(f"{count} pictures of {width}×{height} are more than a worker takes at once")
        return self._bytes[:size].reshape(count, height, width, 3)

    def spare(self) -> None:
        """Give back what a large picture took."""
        if hasattr(mmap, "MADV_REMOVE"):
            self._map.madvise(mmap.MADV_REMOVE, KEPT, SIZE - KEPT)

    def close(self) -> None:
        """Let go of it; may be called twice. Nothing that :meth:`view` gave may be in use."""
        if self.memory >= 0:
            os.close(self.memory)
            self.memory = -1
            del self._bytes
            self._map.close()
