"""Portraits for tests of imports, cut out of a real photo of six people."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from pipeline.face_models import read_photo
from tests.packs import open_models
from tests.pictures import Image, group_photo


@functools.cache
def portraits() -> tuple[Image, ...]:
    """One picture of each of the six, with room around the face; those whom nothing speaks against first."""
    image = group_photo()
    cut = []
    for face in sorted(read_photo(open_models(), image), key=lambda f: -f.quality.overall):
        x, y, w, h = face.box
        left, top = max(0, int(x - 0.5 * w)), max(0, int(y - 0.5 * h))
        cut.append(np.ascontiguousarray(image[top : int(y + 1.5 * h), left : int(x + 1.5 * w)]))
    return tuple(cut)


def varied(person: int, shot: int, suffix: str = ".jpg") -> bytes:
    """Another picture of the same face: mirrored, turned, brighter, scaled. Shot 0 is as it was."""
    image = portraits()[person]
    if shot:
        random = np.random.default_rng(1000 * person + shot)
        height, width = image.shape[:2]
        angle, scale = random.uniform(-9, 9), random.uniform(0.85, 1.1)
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
        turn[:, 2] += random.uniform(-8, 8, 2)
        image = cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
        image = np.clip(image * random.uniform(0.75, 1.2) + random.uniform(-12, 12), 0, 255).astype(np.uint8)
        image = image[:, ::-1] if shot % 2 else image
    done, data = cv2.imencode(suffix, np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 92])
    assert done
    return data.tobytes()
