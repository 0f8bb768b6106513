"""Which sides of a face its samples show: the ring that guided enrolment fills."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

Sector = Literal["front", "left", "right", "up", "down", "near", "far"]
SECTORS: tuple[Sector, ...] = get_args(Sector)

TURNED = 0.15  # yaw from which a face counts as turned: about 12°
NODDED = 0.07  # pitch, measured from the first sample's
NEARER = 1.2  # times as wide as in the first sample
LEVEL = -0.08  # pitch of a face that looks straight ahead, as measured on faces before webcams …
LEVEL_RANGE = (-0.2, 0.05)  # … and how far the first sample may move that


@dataclass(frozen=True, slots=True)
class Pose:
    """Of one frame: yaw and pitch (−1…1; positive: to the right of the picture, up) and the face's width, 1 being
    that of the first sample."""

    yaw: float
    pitch: float
    size: float

    @property
    def sectors(self) -> frozenset[Sector]:
        """What it shows; ``front`` at any distance, nearer and further at any angle."""
        shown: set[Sector] = set()
        if abs(self.yaw) >= TURNED:
            shown.add("right" if self.yaw > 0 else "left")
        if abs(self.pitch) >= NODDED:
            shown.add("up" if self.pitch > 0 else "down")
        if not shown:
            shown.add("front")
        if self.size >= NEARER:
            shown.add("near")
        elif self.size <= 1 / NEARER:
            shown.add("far")
        return frozenset(shown)


@dataclass(slots=True)
class Coverage:
    """The sectors that the samples taken so far show, relative to the first of them."""

    shown: set[Sector] = field(default_factory=set)
    _level: float = LEVEL
    _width: float | None = None

    def pose(self, yaw: float, pitch: float, width: float) -> Pose:
        """A frame's pose, by :class:`pipeline.quality.Quality` and the face's width in pixels."""
        return Pose(yaw, pitch - self._level, 1.0 if self._width is None else width / max(self._width, 1.0))

    def add(self, yaw: float, pitch: float, width: float) -> None:
        """A sample was taken."""
        if self._width is None:
            self._width = width
            self._level = float(np.clip(pitch, *LEVEL_RANGE))
        self.shown |= self.pose(yaw, pitch, width).sectors
