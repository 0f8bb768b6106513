"""Optical flow on a real photo under a camera whose motion is known."""

import numpy as np
import pytest

from tests.pictures import camera_frame, group_photo
from tracking.flow import face_patch, move_box, step_face
from tracking.policy import DEFAULT_POLICY

FACE = np.array([600, 150, 110, 140], np.float32)  # somewhere on a face of the photo, in its pixels


def gray(index):
    frame, matrix = camera_frame(group_photo(), index)
    return frame.mean(2).astype(np.uint8), matrix


def on_frame(box, matrix):
    return move_box(box, matrix)


def test_a_box_follows_the_camera_for_a_second():
    before, matrix = gray(0)
    box = on_frame(FACE, matrix)
    for index in range(1, 31):
        after, matrix = gray(index)
        step = step_face(before, after, box, DEFAULT_POLICY)
        assert step is not None
        box, before = move_box(box, step.matrix), after
    truth = on_frame(FACE, matrix)
    assert np.abs(box[:2] + box[2:] / 2 - truth[:2] - truth[2:] / 2).max() < 0.08 * truth[2]
    assert box[2] == pytest.approx(truth[2], rel=0.06)


def test_another_scene_is_not_followed():
    before, matrix = gray(0)
    noise = np.random.default_rng(1).integers(0, 255, before.shape).astype(np.uint8)
    step = step_face(before, noise, on_frame(FACE, matrix), DEFAULT_POLICY)
    assert step is None or step.agreement < DEFAULT_POLICY.flow_sure


def test_a_flat_picture_gives_no_patch():
    assert face_patch(np.full((100, 100), 7, np.uint8), np.array([10, 10, 50, 50], np.float32)) is None


@pytest.mark.parametrize("box", [(-500, -500, 50, 50), (5000, 10, 50, 50), (10, 10, 1, 1), (10, 10, 0, 0)])
def test_a_box_outside_or_empty_is_answered_with_none(box):
    before, _ = gray(0)
    assert step_face(before, before, np.array(box, np.float32), DEFAULT_POLICY) is None
