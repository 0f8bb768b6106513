"""A face's way through a video in few points: between two of them it may be drawn on a straight line."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

TOLERANCE = 0.03  # of the face's size that a drawn box may be off
LONGEST = 2.0  # seconds between two points, so that whoever begins in the middle soon finds one


@dataclass(slots=True)
class BoxPath:
    """Thins out boxes (4,) as they come: swinging door trending (Bristol, ISA 1990)."""

    _anchor: tuple[float, Array] | None = None
    _newest: tuple[float, Array] | None = None
    _low: Array = field(default_factory=lambda: np.full(4, -np.inf, np.float32))
    _high: Array = field(default_factory=lambda: np.full(4, np.inf, np.float32))

    def add(self, time: float, box: Array) -> list[tuple[float, Array]]:
        """The next box; returns the points that are certain now."""
        if self._anchor is None or self._newest is None:
            self._anchor = self._newest = (time, box)
            return [(time, box)]
        began, start = self._anchor
        elapsed = time - began
        if elapsed <= 0:
            return []
        slope = (box - start) / elapsed
        if elapsed <= LONGEST and ((slope >= self._low) & (slope <= self._high)).all():
            room = TOLERANCE * float(box[2:].max()) / elapsed
            self._low, self._high = np.maximum(self._low, slope - room), np.minimum(self._high, slope + room)
            self._newest = (time, box)
            return []
        turn = self._newest
        if turn is self._anchor:  # a gap longer than any stretch
            self._begin(time, box)
            return [(time, box)]
        self._begin(*turn)
        return [turn, *self.add(time, box)]

    def end(self) -> list[tuple[float, Array]]:
        """The face has gone; returns the last point, and begins anew."""
        last = [] if self._newest is None or self._newest is self._anchor else [self._newest]
        self._anchor = self._newest = None
        return last

    def _begin(self, time: float, box: Array) -> None:
        self._anchor = self._newest = (time, box)
        self._low, self._high = np.full(4, -np.inf, np.float32), np.full(4, np.inf, np.float32)


def box_at(times: NDArray[np.float32], boxes: Array, moment: float) -> Array | None:
    """Where points at rising ``times`` (N,) with ``boxes`` (N, 4) put the face at a moment; ``None`` where it was not
    seen."""
    after = int(np.searchsorted(times, moment))
    if after < len(times) and times[after] == moment:
        return np.asarray(boxes[after], np.float32)
    if after in (0, len(times)) or times[after] - times[after - 1] > LONGEST + 0.5:
        return None
    share = (moment - times[after - 1]) / (times[after] - times[after - 1])
    return np.asarray((1 - share) * boxes[after - 1] + share * boxes[after], np.float32)
