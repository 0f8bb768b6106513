"""Quality falls when the picture gets worse, and says why."""

import cv2
import numpy as np
import pytest

from pipeline.align import face_chip
from pipeline.quality import measure_quality
from tests.packs import open_models
from tests.pictures import group_photo


@pytest.fixture(scope="module")
def face():
    models = open_models()
    spec = models.embedder.spec
    found = models.detector.detect(group_photo(), 640)
    best = int(found.scores.argmax())
    return face_chip(group_photo(), found.landmarks[best], spec.template, spec.size), found.landmarks[best]


def test_a_good_face_has_no_complaint(face):
    quality = measure_quality(*face, face_width=110)
    assert quality.complaint is None
    assert quality.overall > 0.5


def test_blur_lowers_sharpness_step_by_step(face):
    chip, marks = face
    values = [measure_quality(cv2.GaussianBlur(chip, (0, 0), s), marks, 110).sharpness for s in (0.1, 2, 4, 20)]
    assert values == sorted(values, reverse=True)
    assert measure_quality(cv2.GaussianBlur(chip, (0, 0), 20), marks, 110).complaint == "blurred"


@pytest.mark.parametrize(("factor", "offset", "word"), [(0.08, 0, "too dark"), (0.15, 225, "too bright")])
def test_bad_light_is_named(face, factor, offset, word):
    chip, marks = face
    bad = np.clip(chip * factor + offset, 0, 255).astype(np.uint8)
    assert measure_quality(bad, marks, 110).complaint == word


def test_distance_is_named(face):
    assert measure_quality(*face, face_width=30).complaint == "too far"


def test_a_turned_head_is_named(face):
    chip, marks = face
    turned = marks.copy()
    turned[2, 0] = marks[0, 0]  # the nose under an eye
    quality = measure_quality(chip, turned, 110)
    assert quality.complaint == "turned away"
    assert quality.yaw < -0.5


def test_landmarks_that_coincide_are_the_worst_pose_not_an_error(face):
    assert measure_quality(face[0], np.ones((5, 2), np.float32), 110).pose < 0.05


@pytest.mark.parametrize(
    ("across", "down", "yaw", "pitch"),
    [(0, 0, 0, 0), (9, 0, 1, 0), (-9, 0, -1, 0), (0, 8, 0, -1), (0, -8, 0, 1)],
)
def test_yaw_and_pitch_follow_the_nose_also_in_a_tilted_head(face, across, down, yaw, pitch):
    chip, _ = face
    marks = np.array([[80, 80], [120, 80], [100 + across, 100 + down], [84, 120], [116, 120]], np.float32)
    for degrees in (0, 25):
        a = np.radians(degrees)
        turned = (marks - 100) @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]], np.float32) + 100
        quality = measure_quality(chip, turned.astype(np.float32), 110)
        assert (np.sign(round(quality.yaw, 2)), np.sign(round(quality.pitch, 2))) == (yaw, pitch)


def test_what_the_standard_names_is_told_and_changes_nothing(face):
    chip, marks = face
    plain = measure_quality(chip, marks, 110)
    assert 0.4 < plain.uniformity <= 1
    assert 5 < plain.dynamic_range < 8
    assert abs(plain.roll) < 45
    assert plain.eyes == pytest.approx(float(np.linalg.norm(marks[1] - marks[0])), rel=1e-5)
    half = chip.copy()
    half[:, : half.shape[1] // 2] //= 4
    assert measure_quality(half, marks, 110).uniformity < plain.uniformity / 2
    dark, bright, flat = chip // 12, 255 - chip // 40, np.full_like(chip, 128)
    assert measure_quality(dark, marks, 110).under_exposed > 0.95 > plain.under_exposed
    assert measure_quality(bright, marks, 110).over_exposed > 0.95 > plain.over_exposed
    assert measure_quality(flat, marks, 110).dynamic_range == 0


@pytest.mark.parametrize("degrees", [-30.0, 0.0, 20.0])
def test_roll_is_how_far_the_head_leans(face, degrees):
    chip, marks = face
    upright = measure_quality(chip, marks, 110).roll
    turn = np.deg2rad(degrees)
    leaning = marks @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]], np.float32)
    assert measure_quality(chip, leaning, 110).roll - upright == pytest.approx(degrees, abs=0.1)
