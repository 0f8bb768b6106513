"""A small labelled folder made from InsightFace's group photo: six people, each in pictures that differ."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

from pipeline.face_models import FaceModels, read_photo
from tests.pictures import group_photo


def labelled_folder(models: FaceModels, folder: Path, count: int, split: bool = False) -> Path:
    """``count`` pictures of 128 pixels in ``folder``/images and their table, whose path is returned.

    With ``split`` four people are to be trained on, one is to calibrate, one is held back.
    """
    photo = group_photo()
    faces = read_photo(models, photo)
    random = np.random.default_rng(5)
    images = folder / "images"
    images.mkdir(parents=True)
    rows = []
    for i in range(count):
        face = faces[i % len(faces)]
        x, y, w, h = face.box
        side = 1.25 * max(w, h) * random.uniform(0.95, 1.15)
        left, top = x + w / 2 - side / 2, y + h / 2 - side / 2
        move = np.array([[128 / side, 0, -left * 128 / side], [0, 128 / side, -top * 128 / side]])
        picture = cv2.warpAffine(photo, move, (128, 128), borderMode=cv2.BORDER_REPLICATE)
        picture = np.clip(picture * random.uniform(0.7, 1.2), 0, 255).astype(np.uint8)
        cv2.imwrite(str(images / f"{i:03d}.jpg"), picture[..., ::-1])
        person = i % len(faces)
        part = ("train", "train", "train", "train", "calibration", "held-back")[person] if split else ""
        rows.append((f"{i:03d}.jpg", "male" if person % 2 else "female", 20 + 9 * person, part))
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "gender", "age", "split"), *rows])
    return folder / "labels.csv"
