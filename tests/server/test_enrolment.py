from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.frame_pipeline import Observation
from pipeline.quality import Quality
from server.enrolment import ENOUGH_AFTER, NEEDED, PATIENCE, SAME_VIEW_SPACING, SPACING, TIMEOUT, Enrolment
from tests.packs import open_models
from tracking import Embedding

GOOD = Quality(sharpness=0.9, light=0.9, pose=0.9, size=0.9, brightness=120, yaw=0.0)
STEP = SPACING + 0.01
MATCHER = open_models().matcher


def face(view: int, person: int = 0) -> Embedding:
    """A face of one person in one of many views, cosine 0.98 from each other."""
    base = np.random.default_rng(person).normal(size=128)
    away = np.random.default_rng(1000 + view).normal(size=128)
    vector = base / np.linalg.norm(base) + 0.14 * away / np.linalg.norm(away)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def seen(time: float, view: int = 0, person: int = 0, quality: Quality = GOOD) -> Observation:
    return Observation(track=7, quality=quality, embedding=face(view, person), others=0, time=time)


def enrolment() -> Enrolment:
    return Enrolment(4, 7, "Ada")


def test_varied_samples_are_taken_at_intervals_until_there_are_enough() -> None:
    running = enrolment()
    for number in range(NEEDED):
        assert not running.complete(10 + number * STEP)
        assert running.observe(seen(10 + number * STEP, number), MATCHER)
        assert len(running.samples) == number + 1
        assert running.hint is None
    assert running.complete(10 + 4 * STEP)
    assert all(sample.source == "live" and 0 < sample.quality <= 1 for sample in running.samples)
    assert float(running.template() @ face(0)) > 0.9
    assert float(np.linalg.norm(running.template())) == pytest.approx(1, abs=1e-6)


def test_samples_are_not_taken_too_fast() -> None:
    running = enrolment()
    running.observe(seen(10.0), MATCHER)
    assert not running.observe(seen(10.0 + SPACING / 2, 1), MATCHER)
    assert len(running.samples) == 1


def test_few_samples_will_do_after_some_patience() -> None:
    running = enrolment()
    for number in range(ENOUGH_AFTER):
        running.observe(seen(10 + number * STEP, number), MATCHER)
    assert not running.complete(10 + PATIENCE - 0.01)
    assert running.complete(10 + PATIENCE + 0.01)


def test_two_samples_never_will() -> None:
    running = enrolment()
    for number in range(ENOUGH_AFTER - 1):
        running.observe(seen(10 + number * STEP, number), MATCHER)
    assert not running.complete(10 + TIMEOUT)


@pytest.mark.parametrize(
    ("flaw", "hint"),
    [
        ({"size": 0.2}, "too far"),
        ({"light": 0.1, "brightness": 30}, "too dark"),
        ({"light": 0.1, "brightness": 230}, "too bright"),
        ({"pose": 0.1}, "turned away"),
        ({"sharpness": 0.1}, "blurred"),
    ],
)
def test_a_bad_picture_is_not_taken_and_said_once(flaw: dict[str, float], hint: str) -> None:
    running = enrolment()
    bad = replace(GOOD, **flaw)
    assert running.observe(seen(10.0, quality=bad), MATCHER)
    assert running.hint == hint
    assert not running.observe(seen(10.1, quality=bad), MATCHER)
    assert running.samples == []
    assert running.observe(seen(10.2), MATCHER)
    assert (running.hint, len(running.samples)) == (None, 1)


def test_the_same_view_is_taken_only_after_a_while() -> None:
    running = enrolment()
    running.observe(seen(10.0), MATCHER)
    assert running.observe(seen(10 + STEP), MATCHER)
    assert (running.hint, len(running.samples)) == ("same view", 1)
    assert running.observe(seen(10 + SAME_VIEW_SPACING + 0.01), MATCHER)
    assert (running.hint, len(running.samples)) == (None, 2)


def test_somebody_else_on_the_track_is_not_taken() -> None:
    running = enrolment()
    running.observe(seen(10.0), MATCHER)
    assert running.observe(seen(11.0, person=1), MATCHER)
    assert (running.hint, len(running.samples)) == ("face is gone", 1)
    assert running.observe(seen(12.0, 2), MATCHER)
    assert (running.hint, len(running.samples)) == (None, 2)


def test_a_face_that_goes_is_said_once_and_taken_when_back() -> None:
    running = enrolment()
    assert not running.tick(10.0)
    running.observe(seen(10.1), MATCHER)
    assert not running.tick(11.0)
    assert running.tick(11.2)
    assert running.hint == "face is gone"
    assert not running.tick(12.0)
    assert running.observe(seen(13.0, 2), MATCHER)
    assert (running.hint, len(running.samples)) == (None, 2)


def test_a_face_that_never_shows_is_said_and_given_up() -> None:
    running = enrolment()
    assert not running.expired(10.0)
    running.tick(10.0)
    assert running.tick(11.1)
    assert not running.expired(10 + TIMEOUT)
    assert running.expired(10 + TIMEOUT + 0.1)
    assert not running.complete(10 + TIMEOUT + 0.1)
