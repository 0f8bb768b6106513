"""Distances come with intervals that are as wide as what is not known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.distance import (
    BOX_WIDTH,
    CARD,
    EYES,
    EYES_TO_MOUTH,
    SWELL,
    USUAL,
    Camera,
    band_of,
    camera_from_card,
    camera_from_known_distance,
    eye_pixels,
    measure_distance,
)
from pipeline.face_models import read_photo
from tests.packs import open_models
from tests.pictures import group_photo

PICTURE = (1280, 720)


def _face(eyes: float, yaw: float = 0.0, pitch: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks and box, as a detector swells them, of a face whose pupils are ``eyes`` pixels apart, turned by angles
    in radians."""
    eyes = float(np.hypot(eyes, SWELL))
    across, down = eyes * np.cos(yaw), eyes * EYES_TO_MOUTH * np.cos(pitch)
    points = [(0, 0), (across, 0), (across / 2, down / 2), (0.1 * across, down), (0.9 * across, down)]
    return np.array(points, np.float32), np.array([0, 0, eyes * BOX_WIDTH, 1.3 * eyes * BOX_WIDTH], np.float32)


def test_twice_as_small_is_twice_as_far() -> None:
    near, far = (measure_distance(*_face(eyes), PICTURE) for eyes in (60.0, 30.0))
    assert far.metres == pytest.approx(2 * near.metres, rel=1e-6)
    assert near.low < near.metres < near.high
    assert near.metres == pytest.approx(USUAL.focal * 1280 * EYES / 60, rel=1e-6)


def test_a_small_faces_interval_is_wider() -> None:
    near, far = (measure_distance(*_face(eyes), PICTURE) for eyes in (60.0, 5.0))
    assert far.high / far.low > near.high / near.low


@pytest.mark.parametrize(("yaw", "pitch"), [(0.9, 0.0), (0.0, 0.7)])
def test_turning_or_nodding_does_not_send_a_face_away(yaw: float, pitch: float) -> None:
    straight, turned = measure_distance(*_face(40.0), PICTURE), measure_distance(*_face(40.0, yaw, pitch), PICTURE)
    assert turned.metres == pytest.approx(straight.metres, rel=0.02)


def test_a_portrait_picture_is_measured_by_its_longer_side() -> None:
    assert measure_distance(*_face(40.0), (720, 1280)) == measure_distance(*_face(40.0), PICTURE)


def test_a_card_finds_the_camera_and_narrows_the_interval() -> None:
    truth = 0.62
    camera = camera_from_card(truth * 1280 * CARD / 0.297, 0.297, PICTURE)
    assert camera.focal == pytest.approx(truth)
    face = _face(truth * 1280 * EYES / 2.4)
    usual, known = measure_distance(*face, PICTURE), measure_distance(*face, PICTURE, camera)
    assert known.metres == pytest.approx(2.4, rel=0.01)
    assert known.high - known.low < 0.6 * (usual.high - usual.low)
    assert usual.low < 2.4 < usual.high


def test_standing_at_a_known_distance_finds_the_camera_too() -> None:
    camera = camera_from_known_distance(eye_pixels(*_face(50.0)), 1.5, PICTURE)
    said = measure_distance(*_face(25.0), PICTURE, camera)
    assert said.metres == pytest.approx(3.0, rel=1e-6)
    usual = measure_distance(*_face(25.0), PICTURE)
    assert said.high / said.low < usual.high / usual.low
    assert camera.spread > camera_from_card(100, 0.3, PICTURE).spread, "a head is no card"


@pytest.mark.parametrize(("metres", "band"), [(0.4, "near"), (3.9, "near"), (4.0, "middle"), (7.1, "far"), (30, "far")])
def test_bands(metres: float, band: str) -> None:
    assert band_of(metres) == band


@pytest.mark.parametrize("find", [camera_from_card, camera_from_known_distance])
@pytest.mark.parametrize(
    ("pixels", "metres", "picture"),
    [(0, 1, PICTURE), (2000, 1, PICTURE), (float("nan"), 1, PICTURE), (100, 0, PICTURE), (100, 50, PICTURE),
     (100, float("inf"), PICTURE), (100, 1, (50, 50)), (1000, 19, PICTURE), (1, 0.06, PICTURE)],
)  # fmt: skip
def test_what_no_camera_shows_is_refused(
    find: Callable[[float, float, tuple[int, int]], Camera], pixels: float, metres: float, picture: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match="camera"):
        find(pixels, metres, picture)


def test_a_camera_must_be_possible() -> None:
    for focal, spread in ((0.1, 0.1), (11, 0.1), (1, 0), (1, 2), (float("nan"), 0.1)):
        with pytest.raises(ValueError, match="no camera"):
            Camera(focal, spread)


def test_a_face_without_size_is_refused() -> None:
    with pytest.raises(ValueError, match="without size"):
        measure_distance(np.zeros((5, 2), np.float32), np.zeros(4, np.float32), PICTURE)


def test_people_in_one_row_are_about_as_far() -> None:
    photo = group_photo()
    said = [
        measure_distance(face.landmarks, face.box, (photo.shape[1], photo.shape[0]))
        for face in read_photo(open_models(), photo)
    ]
    middle = float(np.median([s.metres for s in said]))
    assert all(s.low < middle < s.high for s in said)
