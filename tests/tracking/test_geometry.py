"""Boxes, overlaps and similarity transforms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.geometry import apply_similarity, fit_similarity, iou_matrix, similarity_scale

number = st.floats(-200, 200, allow_nan=False, width=32)
side = st.floats(1, 200, allow_nan=False, width=32)
box = st.tuples(number, number, side, side)


@given(box, box)
def test_overlap_is_symmetric_and_within_0_and_1(a, b):
    one, two = np.array([a], np.float32), np.array([b], np.float32)
    value = iou_matrix(one, two)[0, 0]
    assert 0 <= value <= 1.0001
    assert value == pytest.approx(iou_matrix(two, one)[0, 0], abs=1e-5)


def test_overlap_of_known_boxes():
    boxes = np.array([[0, 0, 10, 10], [5, 0, 10, 10], [20, 20, 5, 5]], np.float32)
    assert iou_matrix(boxes[:1], boxes)[0] == pytest.approx([1, 1 / 3, 0], abs=1e-6)


def test_no_boxes_give_an_empty_matrix():
    assert iou_matrix(np.zeros((0, 4), np.float32), np.zeros((3, 4), np.float32)).shape == (0, 3)


@given(st.floats(-3, 3), st.floats(0.2, 5), number, number)
def test_a_similarity_is_found_again(angle, scale, dx, dy):
    points = np.array([[0, 0], [30, 2], [14, 20], [3, 40], [28, 41]], np.float64)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = fit_similarity(points, points @ turn.T + (dx, dy))
    assert similarity_scale(matrix) == pytest.approx(scale, rel=1e-6)
    assert apply_similarity(matrix, points) == pytest.approx(points @ turn.T + (dx, dy), abs=1e-2)


def test_points_that_coincide_are_refused():
    with pytest.raises(ValueError, match="coincide"):
        fit_similarity(np.ones((5, 2)), np.zeros((5, 2)))
