"""How far away a face is, from its size in the picture."""

from __future__ import annotations

from typing import Literal

Band = Literal["near", "middle", "far"]

# Metres from the camera.
BANDS: dict[Band, tuple[float, float]] = {"near": (1.0, 4.0), "middle": (4.0, 7.0), "far": (7.0, 10.0)}
