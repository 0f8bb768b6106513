"""Challenges before a rendered camera: through the whole pipeline, and the points of one turn."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.challenges import Challenges
from pipeline.detect import look_wide
from server.evaluation.liveness import Turn, obeying, try_on_stage, turns_of
from server.evaluation.liveness_stage import Pose, Shape, Stage
from tests.packs import open_models
from tests.pictures import group_photo
from tracking import Track, TrackState
from tracking.liveness import HALF, SURE, TURNED, Challenge
from tracking.parallax import FacePoints, Relief


@cache
def portrait() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The largest face of the group photo, and its landmarks."""
    found = open_models().detector.detect(group_photo(), 640)
    best = int(np.argmax(found.boxes[:, 2]))
    x, y, w, h = found.boxes[best]
    cut = group_photo()[max(0, int(y - h)) : int(y + 2 * h), max(0, int(x - w)) : int(x + 2 * w)]
    large = np.asarray(cv2.resize(cut, None, fx=240 / w, fy=240 / w, interpolation=cv2.INTER_CUBIC), np.uint8)
    again = look_wide(open_models().detector, large, 320, 640)
    return large, again.landmarks[int(np.argmax(again.boxes[:, 2]))]


def turn(shape: Shape, degrees: float, seed: int = 1) -> Relief:
    """What the points say of a turn in ten pictures."""
    stage = Stage(*portrait(), shape, np.random.default_rng(seed))
    points = None
    for number in range(11):
        picture = stage.render(Pose(degrees * number / 10))
        gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        found = open_models().detector.detect(picture, 320)
        box, marks = found.boxes[0], found.landmarks[0]
        if points is None:
            points = FacePoints(gray, box, marks)
        else:
            points.advance(gray, box, marks)
    assert points is not None
    relief = points.relief(marks, box)
    assert relief is not None
    return relief


@pytest.mark.parametrize("degrees", [22.0, -22.0])
def test_a_head_shows_its_parallax_and_a_sheet_none(degrees: float) -> None:
    head = turn("head", degrees)
    assert np.sign(head.expected) == np.sign(degrees)  # to the right of the picture, which is the person's own left
    assert head.moved * np.sign(degrees) > max(TURNED, SURE * head.error)
    for shape in ("flat", "bent"):
        sheet = turn(shape, 1.8 * degrees)  # type: ignore[arg-type]
        assert abs(sheet.moved) < HALF * TURNED, shape


def test_a_head_that_does_what_is_asked_passes() -> None:
    state = try_on_stage(open_models(), *portrait(), "head", obeying(26), seed=3)
    assert state.passed, state


class Fed:
    """Challenges that are fed tracks by hand."""

    def __init__(self) -> None:
        self.challenges, self.challenge = Challenges(), Challenge(random.Random(1))
        self.challenges.begin(7, self.challenge)
        self.now = 0.0

    def shows(self, **of_the_track: Any) -> None:
        self.now += 0.1
        marks = np.array([[70, 70], [130, 70], [100, 100], [75, 130], [125, 130]], np.float32)
        track = Track(3, np.array([60, 60, 80, 80], np.float32), marks, 0.9, TrackState.CONFIRMED, 0.0, self.now)
        for name, value in of_the_track.items():
            setattr(track, name, value)
        self.feed({7: track})

    def feed(self, tracks: dict[int, Track]) -> None:
        gray = np.zeros((240, 320), np.uint8)
        self.challenges.advance(gray, tracks, self.now)
        self.challenges.look(gray, tracks, self.now)


@pytest.mark.parametrize("flaw", ["suspect", "blind", "gone"])
def test_a_break_ends_a_challenge(flaw: str) -> None:
    fed = Fed()
    for _ in range(3):
        fed.shows()
    assert not fed.challenge.state.over
    if flaw == "gone":
        fed.feed({})
    else:
        fed.shows(**{flaw: True})
    assert fed.challenge.state.failure == "broken"
    assert dict(fed.challenges.states)[7].failure == "broken"


def test_a_challenge_may_be_begun_before_its_track_is_watched() -> None:
    fed = Fed()
    fed.feed({})
    assert not fed.challenge.state.over


def test_what_has_ended_is_fed_no_more() -> None:
    fed = Fed()
    fed.shows()
    fed.challenges.end(7)
    fed.challenges.end(7)
    fed.feed({})
    assert fed.challenges.states == ()
    assert not fed.challenge.state.over


def test_a_face_without_anything_to_follow_says_nothing() -> None:
    marks = np.array([[70, 70], [130, 70], [100, 100], [75, 130], [125, 130]], np.float32)
    box, blank = np.array([30, 20, 140, 160], np.float32), np.full((240, 320), 90, np.uint8)
    points = FacePoints(blank, box, marks)
    points.advance(blank, box, marks)
    assert points.relief(marks, box) is None
    points.advance(np.full((120, 160), 90, np.uint8), box, marks)  # the sender changed the picture's size
    assert points.relief(marks, box) is None


def test_turns_are_cut_out_of_a_film() -> None:
    from pipeline.frame import Frame

    stage = Stage(*portrait(), "head", np.random.default_rng(2))

    def frames() -> Any:
        for number, degrees in enumerate(np.interp(np.arange(40), [0, 8, 14, 30, 40], [0, 0, 34, 34, 0])):
            picture = stage.render(Pose(float(degrees)))
            gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
            yield Frame(gray, number / 15, lambda picture=picture: picture)

    (found,) = turns_of(open_models(), frames())
    assert isinstance(found, Turn)
    assert found.looks >= 2
    assert found.verdict == "head"
