"""How much a face can tell: sharpness, light, pose and size, each 0–1, and one overall score.

Measured on the aligned chip, so that the same numbers mean the same at every distance; the terms follow ISO/IEC
29794-5.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Image

ROUNDING = 0.9  # grey levels: what rounding to whole levels leaves of detail in a picture without any
INNER = 96  # pixels: side of the central part of the chip that is measured


@dataclass(frozen=True, slots=True)
class Quality:
    """Parts and whole, 0 (useless) to 1 (nothing to wish for); ``brightness`` is the mean grey level, 0–255.

    ``yaw`` and ``pitch`` are −1…1 without a unit: positive where the nose points to the right of the picture, and up.
    A face that looks straight ahead has about 0 of both; how far from it depends on the face and the camera's height.

    The other fields are told and change nothing: ``roll`` in degrees, positive where the head leans to the right of
    the picture; ``eyes``, their distance in pixels of the picture; and of the luminance, after ISO/IEC 29794-5:
    ``uniformity``, the overlap of the histograms of the left and the right half (0–1), ``dynamic_range``, the entropy
    of the histogram (bits, 0–8), ``under_exposed`` and ``over_exposed``, the shares of levels up to 25 and from 247 on.
    """

    sharpness: float
    light: float
    pose: float
    size: float
    brightness: float
    yaw: float
    pitch: float = 0.0
    roll: float = 0.0
    eyes: float = 0.0
    uniformity: float = 1.0
    dynamic_range: float = 8.0
    under_exposed: float = 0.0
    over_exposed: float = 0.0

    @property
    def overall(self) -> float:
        """The geometric mean: one bad part spoils the whole."""
        return float((self.sharpness * self.light * self.pose * self.size) ** 0.25)

    @property
    def complaint(self) -> str | None:
        """The worst flaw in words (those of docs/protocol.md), or ``None`` for a face good enough to enrol."""
        if self.size < 0.3:
            return "too far"
        if self.light < 0.35:
            return "too dark" if self.brightness < 128 else "too bright"
        if self.pose < 0.35:
            return "turned away"
        if self.sharpness < 0.22:
            return "blurred"
        return None


def measure_quality(chip: Image, landmarks: NDArray[np.float32], face_width: float) -> Quality:
    """Measure an aligned RGB chip (S, S, 3); ``landmarks`` (5, 2) and ``face_width`` are in pixels of the picture it
    was cut from."""
    side = chip.shape[0]
    cut = side // 5
    inner = cv2.resize(chip[cut : side - cut, cut : side - cut], (INNER, INNER), interpolation=cv2.INTER_AREA)
    gray = np.asarray(cv2.cvtColor(inner, cv2.COLOR_RGB2GRAY), np.float32)
    brightness, contrast = float(gray.mean()), float(gray.std())
    yaw, pitch, pose = _pose(landmarks)
    across = landmarks[1] - landmarks[0]
    uniformity, dynamic_range, under, over = _luminance(gray)
    return Quality(
        sharpness=_sharpness(gray, contrast),
        light=_light(gray, brightness, contrast),
        pose=pose,
        size=float(np.clip((face_width - 16) / 84, 0.01, 1)),
        brightness=brightness,
        yaw=yaw,
        pitch=pitch,
        roll=float(np.degrees(np.arctan2(across[1], across[0]))),
        eyes=float(np.hypot(across[0], across[1])),
        uniformity=uniformity,
        dynamic_range=dynamic_range,
        under_exposed=under,
        over_exposed=over,
    )


def _luminance(gray: NDArray[np.float32]) -> tuple[float, float, float, float]:
    """Uniformity, dynamic range, and shares that are under- and over-exposed; see :class:`Quality`."""
    levels, middle = gray.astype(np.uint8), gray.shape[1] // 2
    left, right = (
        np.bincount(half.ravel(), minlength=256) / half.size for half in (levels[:, :middle], levels[:, middle:])
    )
    whole = (left + right) / 2
    there = whole[whole > 0]
    return (
        float(np.minimum(left, right).sum()),
        float(-(there * np.log2(there)).sum()),
        float(whole[:26].sum()),
        float(whole[247:].sum()),
    )


def _sharpness(gray: NDArray[np.float32], contrast: float) -> float:
    """Energy of the finest detail relative to the contrast there is, on a logarithmic scale."""
    detail = float(np.abs(cv2.Laplacian(gray, cv2.CV_32F)).mean())
    ratio = max(detail - ROUNDING, 0.0) / max(contrast, 4.0)
    return float(np.clip((np.log2(max(ratio, 1e-4)) + 6.6) / 4.0, 0.01, 1))


def _light(gray: NDArray[np.float32], brightness: float, contrast: float) -> float:
    """Low where the face is dark, washed out, flat, or half in shadow."""
    exposure = np.clip(min(brightness - 20, 245 - brightness) / 70, 0.01, 1)
    range_ = np.clip(contrast / 32, 0.01, 1)
    middle = gray.shape[1] // 2
    left, right = float(gray[:, :middle].mean()), float(gray[:, middle:].mean())
    evenness = np.clip(1.4 * min(left, right) / max(left, right, 1.0), 0.2, 1)
    return float(exposure**0.5 * range_**0.5 * evenness)


def _pose(landmarks: NDArray[np.float32]) -> tuple[float, float, float]:
    """Yaw and pitch (−1…1, by where the nose is between eyes and mouth corners) and how frontal the face is (0–1)."""
    eyes, mouth = landmarks[:2].mean(0), landmarks[3:].mean(0)
    across = landmarks[1] - landmarks[0]
    eye_distance = float(np.linalg.norm(across))
    if eye_distance < 1e-3:
        return 1.0, 0.0, 0.01
    axis = across / eye_distance
    down = np.array([-axis[1], axis[0]])
    nose = landmarks[2] - (eyes + mouth) / 2
    yaw = float(np.clip(1.5 * (nose @ axis) / eye_distance, -1, 1))
    height = float((mouth - eyes) @ down)
    # From the side the eyes come together; looking up or down moves the nose along the face's axis.
    narrow = np.clip(1.6 * eye_distance / max(height, 1e-3) - 0.6, 0.02, 1)
    lower = float(nose @ down) / max(height, 1e-3)
    pitch = float(np.clip(-1.5 * lower, -1, 1))
    return yaw, pitch, float(np.clip((1 - abs(yaw)) * narrow * np.clip(1.25 - 2 * abs(lower), 0.1, 1), 0.01, 1))
