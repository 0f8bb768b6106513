"""Pictures as a camera would have taken them from further away: for training and for measuring.

A face is made as wide as it would be in the picture of a reference camera (:data:`REFERENCE_WIDTH` pixels at one
metre), by area, and blown up again, so that the picture keeps its size and loses its detail; lens blur and sensor noise
are those of the small picture.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.distance import BANDS, FACE, Band
from pipeline.frame import Image

# Pixels across a face, as detectors box it, one metre from a camera of 1280×720 whose picture is 65° wide: 1280 / (2
# tan 32.5°) = 1005 pixels of focal length times 0.138 m.
REFERENCE_FOCAL = 1005.0
REFERENCE_WIDTH = round(REFERENCE_FOCAL * FACE)
LEAST_WIDTH = 4.0  # pixels; below this nothing is left of a face


def width_at(metres: float) -> float:
    """Pixels across a face at this distance from the reference camera. Raises ``ValueError`` unless above 0."""
    if not metres > 0:
        raise ValueError(f"a distance is above 0 m, not {metres}")
    return REFERENCE_WIDTH / metres


def draw_distance(band: Band, random: np.random.Generator) -> float:
    """A distance in metres, drawn evenly from a band."""
    return float(random.uniform(*BANDS[band]))


def degrade(image: Image, width: float, target: float, random: np.random.Generator, blur: float = 0.0) -> Image:
    """An RGB picture (H, W, 3) whose face is ``width`` pixels wide, as if it had been taken ``target`` pixels wide.

    ``blur`` is the standard deviation of further blur in pixels of the small picture. A face that is smaller than
    ``target`` already only gets the blur and the noise. Raises ``ValueError`` for widths below :data:`LEAST_WIDTH`.
    """
    if not (width >= LEAST_WIDTH and target >= LEAST_WIDTH):
        raise ValueError(f"a face is at least {LEAST_WIDTH:g} pixels wide, not {min(width, target):g}")
    height, wide = image.shape[:2]
    scale = min(1.0, target / width)
    small = image
    if scale < 1:
        size = (max(1, round(wide * scale)), max(1, round(height * scale)))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    if blur > 0:
        small = np.asarray(cv2.GaussianBlur(small, (0, 0), blur), np.uint8)
    noise = random.normal(0, random.uniform(0.5, 3.0), small.shape)
    small = np.clip(small + noise, 0, 255).round().astype(np.uint8)
    if scale < 1:
        small = np.asarray(cv2.resize(small, (wide, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    return small
