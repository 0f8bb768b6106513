"""Real detection on real photos."""

import cv2
import numpy as np
import pytest

from pipeline.detect import Detections, look_wide, suppress
from tests.packs import open_models
from tests.pictures import group_photo


def portrait(factor):
    """One face of the group photo, cut so tightly that it fills the picture, enlarged."""
    found = open_models().detector.detect(group_photo(), 640)
    x, y, w, h = found.boxes[int(found.boxes[:, 2].argmax())].astype(int)
    grow = int(0.12 * w)
    face = group_photo()[max(0, y - grow) : y + h + grow, max(0, x - grow) : x + w + grow]
    return np.ascontiguousarray(cv2.resize(face, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC))


@pytest.mark.parametrize("side", [320, 640])
def test_six_people_are_found_with_landmarks_inside_their_boxes(side):
    found = open_models().detector.detect(group_photo(), side)
    assert len(found) == 6
    for box, marks in zip(found.boxes, found.landmarks, strict=True):
        x, y, w, h = box
        assert ((marks > (x, y)) & (marks < (x + w, y + h))).all()
        assert marks[0, 0] < marks[1, 0]  # left eye as seen in the picture
        assert marks[:2, 1].max() < marks[3:, 1].min()


def test_a_face_that_fills_the_frame_is_found_by_the_wide_look():
    picture = portrait(5)
    found = look_wide(open_models().detector, picture, 320, 640)
    assert len(found) == 1
    assert found.boxes[0, 2] > 0.5 * picture.shape[1]


def test_the_wide_look_counts_nobody_twice():
    assert len(look_wide(open_models().detector, group_photo(), 320, 640)) == 6


@pytest.mark.parametrize("shape", [(17, 500), (500, 17), (33, 47), (481, 641), (720, 1280)])
def test_odd_sizes_are_taken(shape):
    picture = cv2.resize(group_photo(), shape[::-1])
    found = open_models().detector.detect(np.ascontiguousarray(picture), 320)
    assert found.boxes.shape == (len(found), 4)
    assert np.isfinite(found.boxes).all()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_flat_picture_has_no_face(value):
    assert len(look_wide(open_models().detector, np.full((480, 640, 3), value, np.uint8), 320, 640)) == 0


def test_noise_has_no_face():
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3)).astype(np.uint8)
    assert len(open_models().detector.detect(noise, 640)) == 0


def test_suppression_keeps_the_better_of_two_and_those_apart():
    boxes = np.array([[0, 0, 10, 10], [1, 1, 10, 10], [50, 50, 10, 10]], np.float32)
    found = Detections(boxes, np.array([0.6, 0.9, 0.7], np.float32), np.zeros((3, 5, 2), np.float32))
    assert suppress(found, 0.3) == [1, 2]
    assert suppress(Detections.empty(), 0.3) == []
