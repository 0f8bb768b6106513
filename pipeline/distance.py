"""How far away a face is, from its size in the picture and what is known of cameras and heads.

A face of size S (metres) is s = f·S/Z pixels large at Z metres, f being the camera's focal length in pixels. Neither f
nor S is known of a stranger before a camera nobody calibrated, so both are given as what they usually are, and the
answer is an interval. The size used is the distance of the pupils, judged from three lengths of which a turn of the
head spoils one at most: the box's width, the eyes' distance and the height from eyes to mouth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Band = Literal["near", "middle", "far"]

# Metres from the camera. Nearer than one metre is near, too, and beyond ten is far.
BANDS: dict[Band, tuple[float, float]] = {"near": (1.0, 4.0), "middle": (4.0, 7.0), "far": (7.0, 10.0)}

# Distance of the pupils of adults: mean 63.4 mm, standard deviation 3.8 mm (Dodgson, 'Variation and extrema of human
# interpupillary distance', SPIE 5291, 2004, on the ANSUR survey). Children's are smaller: they seem further away.
EYES = 0.0634
HEAD_SPREAD = 0.06  # standard deviation of its natural logarithm

# Lengths in pupil distances on faces that look straight ahead: medians over photos with the open pack's detector.
BOX_WIDTH, EYES_TO_MOUTH = 2.173, 0.990
FACE = EYES * BOX_WIDTH  # metres across a face as detectors box it

# How far a detector's size is off, as a standard deviation of its logarithm: always, and by one pixel's worth of it.
SIZE_SPREAD, SIZE_PIXELS = 0.05, 0.6
# Detectors swell what is hardly larger than their grid: as if this many pixels were added in quadrature.
SWELL = 3.0
NINETY = 1.645  # standard deviations to either side that hold 90 % of a normal distribution

CARD = 0.0856  # metres, the long side of a bank card (ISO/IEC 7810 ID-1)


@dataclass(frozen=True, slots=True)
class Camera:
    """``focal`` is the focal length over the longer side of the picture; ``spread`` the standard deviation of its
    natural logarithm; ``known`` how it was found out."""

    focal: float
    spread: float
    known: Literal["usual", "card", "distance"] = "usual"

    def __post_init__(self) -> None:
        if not (0.2 <= self.focal <= 10 and 0 < self.spread <= 1):
            raise ValueError(
                f"no camera has a focal length of {self.focal:g} picture widths, give or take {self.spread:g}"
            )


# What cameras people talk into see along the longer side of the picture: webcams 53–82° (60–90° across the diagonal of
# 16:9 is what they state), phones 57–74° (like 33 to 24 mm of a 35 mm film camera); sources: docs/reading.md. 52–81° is
# taken to hold 90 % of them.
USUAL = Camera(focal=0.77, spread=0.165)


@dataclass(frozen=True, slots=True)
class Distance:
    """In metres; ``low`` to ``high`` holds the truth in 90 of 100 cases."""

    metres: float
    low: float
    high: float
    band: Band


def eye_pixels(landmarks: NDArray[np.float32], box: NDArray[np.float32]) -> float:
    """The pupils' distance in pixels a face would have looking straight ahead, from landmarks (5, 2) and box (4,).

    Raises ``ValueError`` for a face without size.
    """
    across = landmarks[1] - landmarks[0]
    eyes = float(np.linalg.norm(across))
    mouth = float(np.linalg.norm(landmarks[3:].mean(0) - landmarks[:2].mean(0))) / EYES_TO_MOUTH
    width = float(box[2]) / BOX_WIDTH
    if not (width > 0 and max(eyes, mouth) > 0 and np.isfinite(width * eyes * mouth)):
        raise ValueError("a face without size has no distance")
    # Turning aside shortens the eyes' distance, nodding the height: the longer one is the less foreshortened.
    size = float(np.sqrt(width * max(eyes, mouth)))
    return float(np.sqrt(max(size**2 - SWELL**2, size**2 / 4)))


def measure_distance(
    landmarks: NDArray[np.float32], box: NDArray[np.float32], picture: tuple[int, int], camera: Camera = USUAL
) -> Distance:
    """How far away a face is. ``landmarks`` (5, 2), ``box`` (4,) and ``picture`` (width, height) in pixels.

    Raises ``ValueError`` for a face without size.
    """
    eyes = eye_pixels(landmarks, box)
    metres = camera.focal * max(picture) * EYES / eyes
    reach = NINETY * float(np.hypot(np.hypot(camera.spread, HEAD_SPREAD), _size_spread(eyes)))
    return Distance(metres, float(metres * np.exp(-reach)), float(metres * np.exp(reach)), band_of(metres))


def band_of(metres: float) -> Band:
    """near, middle or far."""
    return "near" if metres < BANDS["near"][1] else "middle" if metres < BANDS["middle"][1] else "far"


def camera_from_card(card_pixels: float, metres: float, picture: tuple[int, int]) -> Camera:
    """The camera that shows a bank card, held flat ``metres`` from the lens, ``card_pixels`` long.

    Both are taken to be right within 3 %. Raises ``ValueError`` for what no camera shows.
    """
    _check(card_pixels, metres, picture)
    return Camera(card_pixels * metres / CARD / max(picture), float(np.hypot(0.03, 0.03)), "card")


def camera_from_known_distance(eyes: float, metres: float, picture: tuple[int, int]) -> Camera:
    """The camera that shows a face, whose :func:`eye_pixels` are ``eyes``, ``metres`` away.

    That person's head may be larger or smaller than most, so heads' spread is in the focal length's; the distance is
    taken to be right within 3 %. Raises ``ValueError`` for what no camera shows.
    """
    _check(eyes, metres, picture)
    spread = float(np.hypot(np.hypot(HEAD_SPREAD, 0.03), _size_spread(eyes)))
    return Camera(eyes * metres / EYES / max(picture), spread, "distance")


def _size_spread(eyes: float) -> float:
    return float(np.hypot(SIZE_SPREAD, SIZE_PIXELS / eyes))


def _check(pixels: float, metres: float, picture: tuple[int, int]) -> None:
    if not (1 <= pixels <= max(picture) <= 16384 and 0.05 <= metres <= 20):
        raise ValueError(f"{pixels:g} pixels of {max(picture)} at {metres:g} m is nothing to measure a camera by")
