"""A kept crop must serve any model's alignment as the picture it was cut from would."""

import cv2
import numpy as np
import pytest

from pipeline.align import face_chip
from pipeline.crop import SIDE, cut_crop
from pipeline.embed import embed_chip
from tests.packs import open_models
from tests.pictures import group_photo


def test_a_crop_gives_nearly_the_embedding_of_the_picture():
    models = open_models()
    spec = models.embedder.spec
    found = models.detector.detect(group_photo(), 640)
    for points in found.landmarks:
        crop = cut_crop(group_photo(), points)
        image = cv2.imdecode(np.frombuffer(crop.jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert image.shape == (SIDE, SIDE, 3)
        assert crop.landmarks.shape == (5, 2)
        assert (crop.landmarks > 0.2 * SIDE).all()
        assert (crop.landmarks < 0.8 * SIDE).all()
        whole = embed_chip(models.embedder, face_chip(group_photo(), points, spec.template, spec.size), mirror=True)
        cut = embed_chip(models.embedder, face_chip(image, crop.landmarks, spec.template, spec.size), mirror=True)
        assert float(whole @ cut) > 0.985


def test_landmarks_that_coincide_are_refused():
    with pytest.raises(ValueError, match="coincide"):
        cut_crop(group_photo(), np.ones((5, 2), np.float32))
