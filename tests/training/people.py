"""A small folder of people made from InsightFace's group photo: each of six in pictures that differ."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pipeline.face_models import FaceModels, read_photo
from tests.pictures import group_photo


def people_folder(models: FaceModels, folder: Path, pictures: int) -> Path:
    """``folder``/PERSON/N.jpg, turned, moved and lit by chance; returns ``folder``."""
    photo = group_photo()
    random = np.random.default_rng(3)
    for number, face in enumerate(read_photo(models, photo)):
        place = folder / f"person {number}"
        place.mkdir(parents=True)
        x, y, w, h = face.box
        for i in range(pictures):
            side = 1.6 * max(w, h) * random.uniform(0.9, 1.15)
            move = cv2.getRotationMatrix2D((x + w / 2, y + h / 2), random.uniform(-12, 12), 160 / side)
            move[:, 2] += 80 - np.array([x + w / 2, y + h / 2]) + random.uniform(-8, 8, 2)
            picture = cv2.warpAffine(photo, move, (160, 160), borderMode=cv2.BORDER_REPLICATE)
            picture = np.clip(picture * random.uniform(0.7, 1.2), 0, 255).astype(np.uint8)
            cv2.imwrite(str(place / f"{i}.jpg"), picture[..., ::-1])
    return folder
