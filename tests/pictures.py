"""Real pictures that tests share: InsightFace ships a photo with six faces, so it is always there."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


@functools.cache
def photo_path(name: str = "t1.jpg") -> Path:
    """A photo of the insightface package, found without importing it."""
    spec = importlib.util.find_spec("insightface")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "data" / "images" / name


@functools.cache
def group_photo() -> Image:
    """Six people, 1280×886, RGB."""
    return np.ascontiguousarray(cv2.imread(str(photo_path()))[..., ::-1])


def camera_path(index: int, frames: int = 60) -> tuple[float, float, float]:
    """Where a slowly moving camera looks: offsets in pixels and zoom."""
    t = 2 * np.pi * index / frames
    return 60 * np.sin(t), 25 * np.sin(2 * t), 1.0 + 0.08 * np.sin(t)


def camera_frame(image: Image, index: int, width: int = 640, height: int = 480) -> tuple[Image, NDArray[np.float64]]:
    """One frame of a camera moving over a photo, and the 2×3 matrix from photo to frame pixels."""
    dx, dy, zoom = camera_path(index)
    scale = zoom * height / image.shape[0] * 0.82
    centre = np.array([image.shape[1] / 2 + dx, image.shape[0] / 2 + dy])
    shift = np.array([width / 2, height / 2]) - scale * centre
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    frame = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    noise = np.random.default_rng(index).normal(0, 2, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8), matrix
