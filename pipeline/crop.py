"""Cuts the small picture of a face that may be kept beside its sample, so that another model can embed it later."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.align import face_chip
from pipeline.frame import Image
from tracking import apply_similarity, fit_similarity

SIDE = 192  # pixels
JPEG_QUALITY = 90
# Where eyes, nose and mouth corners come to lie: eyes a quarter of the side apart, so that there is room around the
# face for any model's alignment.
LAYOUT = np.array([[72, 84], [120, 84], [96, 111], [76, 139], [116, 139]], np.float32)


@dataclass(frozen=True, slots=True)
class Crop:
    """A JPEG of 192×192 pixels and the face's five landmarks (5, 2) float32 in its pixels."""

    jpeg: bytes
    landmarks: NDArray[np.float32]


def cut_crop(image: Image, landmarks: NDArray[np.float32]) -> Crop:
    """The upright surroundings of a face in an RGB picture (H, W, 3); ``landmarks`` (5, 2) in its pixels.

    Raises ``ValueError`` if the landmarks coincide.
    """
    chip = face_chip(image, landmarks, LAYOUT, SIDE)
    done, data = cv2.imencode(".jpg", chip[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError("the face could not be encoded as JPEG")
    return Crop(data.tobytes(), apply_similarity(fit_similarity(landmarks, LAYOUT), landmarks))
