"""Cuts an upright face chip out of a picture with five landmarks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Image
from tracking import fit_similarity, similarity_scale


def face_chip(image: Image, landmarks: NDArray[np.float32], template: NDArray[np.float32], size: int) -> Image:
    """Warp a picture (H, W, 3) so that landmarks (5, 2) come to lie on ``template`` (5, 2) in a ``size``×``size`` chip.

    A face that shrinks below half is shrunk by area first, or the warp would alias. Raises ``ValueError`` if the
    landmarks coincide.
    """
    matrix = fit_similarity(landmarks, template)
    scale = similarity_scale(matrix)
    if scale < 0.5:
        image, offset = _surroundings(image, landmarks, size / max(scale, 1e-6))
        shrink = max(2 * scale, 8 / max(image.shape[:2]))
        size_small = (max(1, round(image.shape[1] * shrink)), max(1, round(image.shape[0] * shrink)))
        ratio = np.array([size_small[0] / image.shape[1], size_small[1] / image.shape[0]])
        image = np.asarray(cv2.resize(image, size_small, interpolation=cv2.INTER_AREA), np.uint8)
        matrix = fit_similarity((landmarks - offset + 0.5) * ratio - 0.5, template)
    return np.asarray(
        cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


def _surroundings(image: Image, landmarks: NDArray[np.float32], side: float) -> tuple[Image, NDArray[np.float64]]:
    """The part of a large picture that a chip covering ``side`` pixels can touch, and where it begins."""
    height, width = image.shape[:2]
    centre = landmarks.mean(0)
    left, top = (int(np.clip(c - side, 0, s - 1)) for c, s in zip(centre, (width, height), strict=True))
    right, bottom = (int(np.clip(c + side, 1, s)) for c, s in zip(centre, (width, height), strict=True))
    return image[top : max(bottom, top + 1), left : max(right, left + 1)], np.array([left, top], np.float64)
