from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.quality import Quality
from pipeline.results import Observation
from server.live.enrolment import (
    ENOUGH_AFTER,
    GUIDED_PATIENCE,
    GUIDED_TIMEOUT,
    NEEDED,
    PATIENCE,
    SAME_VIEW_SPACING,
    SPACING,
    TIMEOUT,
    Enrolment,
)
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


# -- guided --------------------------------------------------------------------------------------------------------

FRAME = 0.31  # seconds between two observations, as keyframes come
FRONT, LEFT, RIGHT, UP, DOWN = (0.0, -0.08), (-0.2, -0.08), (0.2, -0.08), (0.0, 0.02), (0.0, -0.2)


def guided() -> Enrolment:
    return Enrolment(4, 7, "Ada", mode="guided")


def posed(time: float, pose: tuple[float, float] = FRONT, width: float = 100, **changes: object) -> Observation:
    yaw, pitch = pose
    quality = replace(GOOD, yaw=yaw, pitch=pitch)
    return replace(seen(time), quality=quality, width=width, **changes)  # type: ignore[arg-type]


def test_somebody_who_turns_is_done_within_five_seconds() -> None:
    running, now = guided(), 10.0
    for pose in (FRONT, LEFT, RIGHT, UP, DOWN):
        assert not running.complete(now)
        running.observe(posed(now, pose), MATCHER)
        assert running.hint is None
        now += FRAME
    assert running.coverage.shown == {"front", "left", "right", "up", "down"}
    assert running.complete(now)
    assert now - 10 < 5
    assert [s.yaw for s in running.samples] == pytest.approx([0, -0.2, 0.2, 0, 0])
    assert [s.pitch for s in running.samples] == pytest.approx([-0.08, -0.08, -0.08, 0.02, -0.2])
    assert {s.size for s in running.samples} == {100}


def test_nearer_and_further_are_sides_too() -> None:
    running = guided()
    for number, (pose, width) in enumerate([(FRONT, 100), (LEFT, 100), (RIGHT, 100), (FRONT, 130), (FRONT, 70)]):
        running.observe(posed(10 + number * FRAME, pose, width), MATCHER)
    assert running.coverage.shown == {"front", "left", "right", "near", "far"}
    assert running.complete(12)


def test_somebody_who_holds_still_has_five_pictures_within_eight_seconds() -> None:
    running, now, hints = guided(), 10.0, set()
    while not running.complete(now):
        assert running.observe(posed(now), MATCHER)  # each is told: the page shows how the face is turned
        hints.add(running.hint)
        now += FRAME
    assert now - 10 <= GUIDED_PATIENCE + FRAME
    assert len(running.samples) >= NEEDED
    assert hints == {None, "same view"}


def test_who_turns_but_has_few_sides_is_not_kept_waiting_longer() -> None:
    running = guided()
    for number in range(6):
        running.observe(posed(10 + number * FRAME, LEFT if number % 2 else FRONT, embedding=face(number)), MATCHER)
    assert running.enough
    assert not running.complete(10 + GUIDED_PATIENCE - 0.1)
    assert running.complete(10 + GUIDED_PATIENCE)


def test_four_pictures_are_never_enough_and_a_minute_is_the_end() -> None:
    running = guided()
    for number in range(4):
        running.observe(posed(10 + number * FRAME, (FRONT, LEFT, RIGHT, UP)[number]), MATCHER)
    assert not running.enough
    assert not running.complete(10 + GUIDED_TIMEOUT)
    assert not running.expired(10 + GUIDED_TIMEOUT)
    assert running.expired(10 + GUIDED_TIMEOUT + 0.1)
    assert running.seconds_left == pytest.approx(GUIDED_TIMEOUT - 3 * FRAME)


def test_a_face_close_by_keeps_pictures_out_until_it_has_gone() -> None:
    running = guided()
    running.observe(posed(10.0, crowded=True), MATCHER)
    assert (running.hint, running.samples) == ("two faces", [])
    running.observe(posed(10.4), MATCHER)
    assert (running.hint, len(running.samples)) == (None, 1)


@pytest.mark.parametrize(("others", "hint"), [(0, "face is gone"), (1, "two faces")])
def test_another_face_on_the_track_is_not_taken(others: int, hint: str) -> None:
    running = guided()
    running.observe(posed(10.0), MATCHER)
    running.observe(posed(11.0, LEFT, embedding=face(0, person=1), others=others), MATCHER)
    assert (running.hint, len(running.samples)) == (hint, 1)


@pytest.mark.parametrize("mode", ["quick", "guided"])
def test_the_first_picture_too_must_be_of_the_face_that_was_tapped(mode: str) -> None:
    running = Enrolment(4, 7, "Ada", mode=mode)  # type: ignore[arg-type]
    running.observe(posed(10.0, agreement=0.85), MATCHER)
    assert (running.hint, running.samples) == ("face is gone", [])
    running.observe(posed(10.4, agreement=0.97), MATCHER)
    assert len(running.samples) == 1
