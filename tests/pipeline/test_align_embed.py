"""Chips and embeddings of real faces."""

import cv2
import numpy as np
import pytest

from pipeline.align import face_chip
from pipeline.detect import steady_landmarks
from pipeline.embed import embed_chip
from pipeline.face_models import main_face, read_photo
from tests.packs import open_models
from tests.pictures import group_photo


def chips_and_marks(picture):
    models = open_models()
    spec = models.embedder.spec
    found = models.detector.detect(picture, 640)
    order = np.argsort(found.boxes[:, 0])
    return [face_chip(picture, found.landmarks[i], spec.template, spec.size) for i in order]


def test_the_same_face_at_half_size_is_the_same_and_others_are_not():
    small = cv2.resize(group_photo(), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    big = open_models().embedder.embed(chips_and_marks(group_photo()))
    little = open_models().embedder.embed(chips_and_marks(np.ascontiguousarray(small)))
    similarity = big @ little.T
    threshold = open_models().matcher.threshold(6)
    assert (similarity.argmax(1) == np.arange(6)).all()
    assert np.diag(similarity).min() > threshold
    assert similarity[~np.eye(6, dtype=bool)].max() < threshold


def test_embeddings_have_unit_length_and_batches_change_nothing():
    chips = chips_and_marks(group_photo()) * 4
    together = open_models().embedder.embed(chips)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)
    assert together[3] == pytest.approx(open_models().embedder.embed([chips[3]])[0], abs=1e-4)
    assert open_models().embedder.embed([]).shape == (0, 128)


def test_a_mirrored_face_is_the_same_person():
    chip = chips_and_marks(group_photo())[2]
    plain = embed_chip(open_models().embedder, chip, mirror=False)
    mirrored = embed_chip(open_models().embedder, np.ascontiguousarray(chip[:, ::-1]), mirror=False)
    assert plain @ mirrored > 0.95
    both = embed_chip(open_models().embedder, chip, mirror=True)
    assert both == pytest.approx(
        embed_chip(open_models().embedder, np.ascontiguousarray(chip[:, ::-1]), mirror=True), abs=1e-5
    )


def test_a_large_face_is_shrunk_without_aliasing():
    models = open_models()
    found = models.detector.detect(group_photo(), 640)
    spec = models.embedder.spec
    usual = face_chip(group_photo(), found.landmarks[0], spec.template, spec.size)
    large = np.ascontiguousarray(cv2.resize(group_photo(), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC))
    shrunk = face_chip(large, found.landmarks[0] * 4, spec.template, spec.size)
    one, other = models.embedder.embed([usual, shrunk])
    assert one @ other > 0.98


def test_steady_landmarks_are_those_of_the_mirrored_picture_mirrored():
    models = open_models()
    found = models.detector.detect(group_photo(), 640)
    steady = steady_landmarks(models.detector, group_photo(), found, 640)
    mirrored = np.ascontiguousarray(group_photo()[:, ::-1])
    twin = steady_landmarks(models.detector, mirrored, models.detector.detect(mirrored, 640), 640)
    left, right = np.argsort(steady.boxes[:, 0]), np.argsort(-twin.boxes[:, 0])
    back = twin.landmarks[right][:, [1, 0, 2, 4, 3]].copy()
    back[..., 0] = group_photo().shape[1] - 1 - back[..., 0]
    assert steady.landmarks[left] == pytest.approx(back, abs=0.05)
    assert np.abs(steady.landmarks - found.landmarks).max() < 0.1 * found.boxes[:, 2].max()


def test_landmarks_that_coincide_are_refused():
    spec = open_models().embedder.spec
    with pytest.raises(ValueError, match="coincide"):
        face_chip(group_photo(), np.ones((5, 2), np.float32), spec.template, spec.size)


def test_the_main_face_of_a_portrait_is_in_its_middle():
    faces = read_photo(open_models(), group_photo())
    assert len(faces) == 6
    target = sorted(faces, key=lambda f: f.box[0])[2]
    x, y, w, h = target.box.astype(int)
    cut = np.ascontiguousarray(group_photo()[max(0, y - h) : y + 2 * h, max(0, x - w) : x + 2 * w])
    face = main_face(read_photo(open_models(), cut), cut.shape[1], cut.shape[0])
    assert face.embedding @ target.embedding > 0.97
    assert main_face([], 100, 100) is None
