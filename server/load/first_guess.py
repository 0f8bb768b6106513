"""What a picture costs, before anybody has sent one."""

from __future__ import annotations

import time

import numpy as np

from pipeline.face_models import FaceModels
from server.app import VIDEO

LOOKS = 3
PART = 0.5  # of a look: about what a picture of one face costs in all, with its share of looks


def picture_cost(models: FaceModels, detect_size: int) -> float:
    """Processor seconds, guessed by how long one look takes here; the first second of real pictures corrects it. The
    models are warm."""
    empty = np.zeros((VIDEO["height"], VIDEO["width"], 3), np.uint8)
    taken = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        models.detector.detect(empty, detect_size)
        taken.append(time.perf_counter() - began)
    return PART * min(taken)
