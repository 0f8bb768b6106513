"""The challenge, and whether a turn has the parallax of a head: by heads and sheets of points before a camera."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tracking.liveness import LIMIT, REACTION, REST_LIMIT, STEPS, TURNED, Challenge, Step, judged
from tracking.parallax import Relief, Share, nose_offset, pooled, share_of_relief

Points = NDArray[np.float64]
EYES = 0.063  # metres


@dataclass(frozen=True)
class Shape:
    """A surface in metres: right, down and towards the camera, the middle of eyes and mouth at the origin."""

    points: Points  # (N, 3)
    landmarks: Points  # (5, 3)

    def seen(self, yaw: float, distance: float, focal: float, pitch: float = 0.0) -> tuple[Points, Points]:
        """Points and landmarks in the picture (pixels), turned by angles in degrees."""
        a, b = np.radians([yaw, pitch])
        turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
        nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])

        def project(p: Points) -> Points:
            q = p @ (nod @ turn).T
            return np.asarray(focal * q[:, :2] / (distance - q[:, 2:]), np.float64)

        return project(self.points), project(self.landmarks)


def grid() -> Points:
    x, y = np.meshgrid(np.linspace(-0.72, 0.72, 13), np.linspace(-0.8, 0.68, 13))
    return np.stack([x.ravel(), y.ravel()], 1) * EYES


def head_depth(p: Points, nose: float, width: float, round_: float) -> NDArray[np.float64]:
    """Metres towards the camera: an ellipsoid with a nose, a mouth and eye sockets; not the model that is fitted."""
    x, y = p.T
    skull = round_ * np.sqrt(np.maximum(0.05, 1 - (x / 0.085) ** 2 - (y / 0.13) ** 2))
    along = np.clip((y + 0.03) / 0.033, 0, 1) * np.clip((0.014 - y) / 0.009, 0, 1)
    ridge = nose * along * np.exp(-((x / (width * (0.55 + 0.45 * along))) ** 2))
    lips = 0.008 * np.exp(-((x / 0.025) ** 2) - ((y - 0.031) / 0.012) ** 2)
    sockets = -0.005 * sum(np.exp(-(((x - s * EYES / 2) / 0.014) ** 2) - ((y + EYES / 2) / 0.01) ** 2) for s in (-1, 1))
    return np.asarray(skull + ridge + lips + sockets, np.float64)


def shape(depth) -> Shape:
    p = grid()
    marks = np.array([[-0.5, -0.5], [0.5, -0.5], [0.0, 0.02], [-0.4, 0.5], [0.4, 0.5]]) * EYES
    return Shape(np.column_stack([p, depth(p)]), np.column_stack([marks, depth(marks)]))


def head(nose: float = 0.022, width: float = 0.014, round_: float = 0.07) -> Shape:
    return shape(lambda p: head_depth(p, nose, width, round_))


def sheet(radius: float | None = None, axis: float = 0.0) -> Shape:
    """A photo, perhaps bent around a cylinder whose axis stands at this angle (degrees) from upright."""

    def depth(p: Points) -> NDArray[np.float64]:
        if radius is None:
            return np.zeros(len(p))
        across = p @ np.array([np.cos(np.radians(axis)), np.sin(np.radians(axis))])
        return np.sqrt(radius**2 - across**2) - radius

    return shape(depth)


def relief(body: Shape, yaw: float, *, distance=0.6, focal=500.0, pitch=0.0, noise=0.0, seed=0) -> Relief:
    """What following the points from the front to this turn would say; ``noise`` in eye distances."""
    chance = np.random.default_rng(seed)
    before, still = body.seen(0, distance, focal)
    after, marks = body.seen(yaw, distance, focal, pitch)
    across, down = still[1] - still[0], still[3:].mean(0) - still[:2].mean(0)
    inverse = np.linalg.inv(np.stack([across, down], 1))
    centre = (still[:2].mean(0) + still[3:].mean(0)) / 2
    places, found = (before - centre) @ inverse.T, (after - centre) @ inverse.T
    design = np.column_stack([places, np.ones(len(places))])
    back = np.linalg.lstsq(np.column_stack([found, np.ones(len(found))]), design[:, :2], rcond=None)[0]
    moved = np.column_stack([found, np.ones(len(found))]) @ back - places
    share, error = share_of_relief(places, moved + chance.normal(0, noise, moved.shape))
    return Relief(share, error, nose_offset(marks) - nose_offset(still))


turns = st.one_of(st.floats(18, 28), st.floats(-28, -18))
scenes = {
    "distance": st.floats(0.35, 1.0),
    "focal": st.floats(400, 1400),
    "pitch": st.floats(-8, 8),
    "noise": st.floats(0, 0.012),
    "seed": st.integers(0, 2**32 - 1),
}


@settings(max_examples=150, deadline=None)
@given(yaw=turns, nose=st.floats(0.016, 0.028), width=st.floats(0.011, 0.018), round_=st.floats(0.05, 0.09), **scenes)
def test_a_head_shows_its_share(yaw, nose, width, round_, **scene):
    found = relief(head(nose, width, round_), yaw, **scene)
    assert np.sign(found.expected) == np.sign(yaw)
    assert judged(pooled([found, found], 0.01)) == "head"


@settings(max_examples=150, deadline=None)
@given(
    yaw=st.floats(-50, 50),
    radius=st.one_of(st.none(), st.floats(0.08, 0.3)),
    axis=st.floats(0, 180),
    **scenes,
)
def test_a_sheet_shows_none_however_it_is_bent(yaw, radius, axis, **scene):
    """Against the least turn that counts, whatever a detector makes of the nose."""
    found = relief(sheet(radius, axis), yaw, **scene)
    expected = np.copysign(max(TURNED, abs(found.expected)), found.moved)  # the worse for the test
    assert judged(pooled([replace(found, expected=expected)] * 2, 0.01)) != "head"
    if radius is None:
        assert abs(found.expected) < TURNED  # nor does the nose of a flat picture seem to turn


def test_shares_are_pooled_by_how_far_the_head_was_turned():
    share = pooled([Relief(0.14, 0.02, 0.14), Relief(0.1, 0.02, 0.2)], still=0.0)
    assert share.value == pytest.approx((0.14 * 0.14 + 0.1 * 0.2) / (0.14**2 + 0.2**2))
    assert pooled([Relief(0.1, 0.02, 0.2)], still=0.02).error == pytest.approx(0.02 * 2**0.5 / 0.2)
    with pytest.raises(ValueError, match="reliefs is empty"):
        pooled([], 0.0)
    with pytest.raises(ValueError, match="19 rows"):
        share_of_relief(np.zeros((19, 2)), np.zeros((19, 2)))


# -- the challenge ------------------------------------------------------------------------------------------------


class Actor:
    """Moves before a challenge as it likes; every look is a quarter of a second after the last."""

    def __init__(self, seed: int = 1, share: float = 1.0, error: float = 0.02) -> None:
        self.challenge = Challenge(random.Random(seed))
        self.share, self.error = share, error
        self.now = 100.0
        self.still = 0.0

    def shows(self, nose: float = 0.0, size: float = 1.0, *, seen: bool = True) -> None:
        self.now += 0.25
        marks = np.array([[-30, -30], [30, -30], [60 * nose, 0], [-25, 30], [25, 30]], np.float32) * size
        measured = Relief(self.share * (nose - self.still), self.error, nose - self.still) if seen else None
        if self.challenge.look(self.now, marks, measured):
            self.still = nose

    @property
    def state(self):
        return self.challenge.state

    def rests(self) -> Step:
        for _ in range(40):
            self.shows()
            if self.state.step is not None or self.state.over:
                break
        assert self.state.step is not None, self.state
        return self.state.step

    def does(self, step: Step, looks: int = 2) -> None:
        self.shows()
        for _ in range(looks):
            self.shows({"left": 0.2, "right": -0.2, "nearer": 0.0}[step], 1.3 if step == "nearer" else 1.0)


@pytest.mark.parametrize("seed", range(6))
def test_who_does_what_is_asked_passes(seed):
    actor = Actor(seed)
    assert actor.state.step is None
    asked = []
    for number in (1, 2, 3):
        asked.append(actor.rests())
        assert (actor.state.number, actor.state.passed) == (number, False)
        assert actor.state.seconds_left == pytest.approx(LIMIT)
        actor.does(asked[-1])
    assert sorted(asked) == sorted(STEPS)
    assert actor.state.passed
    assert actor.state.over
    actor.challenge.fail("swapped")  # too late
    actor.challenge.tick(actor.now + 60)
    assert actor.state.passed


def test_orders_and_pauses_are_drawn():
    orders = {Challenge(random.Random(seed)).steps for seed in range(60)}
    assert len(orders) == 6
    waits = set()
    for seed in range(12):
        actor = Actor(seed)
        actor.rests()
        waits.add(actor.now)
    assert len(waits) > 3


def other(step: Step) -> Step:
    return next(s for s in STEPS if s != step)


def test_another_movement_than_was_asked_fails():
    for seed in range(6):
        actor = Actor(seed)
        actor.does(other(actor.rests()))
        assert actor.state.failure == "wrong"


@pytest.mark.parametrize("step", STEPS)
def test_a_movement_before_it_was_asked_fails(step):
    actor = Actor()
    for _ in range(3):
        actor.shows()
    assert actor.state.step is None
    actor.does(step)
    assert actor.state.failure == "early"


def test_nobody_has_turned_at_the_moment_of_asking():
    actor = Actor(share=1.0)
    step = actor.rests()
    actor.now -= 0.25 - REACTION / 2
    actor.does(step, 1) if step == "nearer" else actor.shows(0.2 if step == "left" else -0.2)
    if step != "nearer":
        assert actor.state.failure == "early"


def test_on_the_way_back_nobody_turns_beyond_the_middle():
    seed = next(s for s in range(99) if Challenge(random.Random(s)).steps[0] == "left")
    actor = Actor(seed)
    actor.does(actor.rests())
    assert actor.state.number == 2
    actor.shows(0.2)  # still turned: on the way
    assert not actor.state.over
    actor.shows(-0.2)
    assert actor.state.failure == "early"


def test_a_turn_without_parallax_is_a_sheets():
    seed = next(s for s in range(99) if Challenge(random.Random(s)).steps[0] == "right")
    actor = Actor(seed, share=0.1)
    actor.does(actor.rests(), looks=3)
    assert not actor.state.over
    assert actor.state.number == 1
    actor.shows(-0.2)
    assert actor.state.failure == "flat"


@pytest.mark.parametrize(
    ("value", "error", "verdict"),
    [(1.0, 0.3, "head"), (1.0, 0.4, "unclear"), (0.5, 0.1, "head"), (0.49, 0.1, "sheet"), (0.1, 0.3, "unclear"),
     (-1.0, 0.1, "sheet")],
)  # fmt: skip
def test_a_share_is_judged_with_its_error(value, error, verdict):
    assert judged(Share(value, error)) == verdict


@pytest.mark.parametrize(("error", "seen"), [(0.2, True), (0.02, False)])
def test_what_cannot_be_measured_passes_nothing(error, seen):
    seed = next(s for s in range(99) if Challenge(random.Random(s)).steps[0] == "left")
    actor = Actor(seed, error=error)
    actor.rests()
    actor.shows()
    for _ in range(30):
        actor.shows(0.2, seen=seen)
        if actor.state.over:
            break
        assert actor.state.number == 1
    assert actor.state.failure == "unclear"


def test_a_detector_that_likes_faces_to_look_ahead_hides_no_turn():
    """The points show a turn that the landmarks follow by half; they have to go the same way."""
    for share, nose, done in ((2.2, 0.06, True), (2.2, 0.02, False), (0.9, 0.06, False), (-2.2, 0.06, False)):
        actor = Actor(next(s for s in range(99) if Challenge(random.Random(s)).steps[0] == "left"), share=share)
        actor.rests()
        actor.shows()
        actor.shows(nose)
        actor.shows(nose)
        assert (actor.state.number == 2) is done, (share, nose)


def test_noise_at_rest_counts():
    """A picture that trembles as much while nothing moves says nothing when it turns."""
    seed = next(s for s in range(99) if Challenge(random.Random(s)).steps[0] == "left")
    actor = Actor(seed)
    relief = actor.challenge.look
    actor.challenge.look = lambda now, marks, r: relief(now, marks, r and Relief(r.moved + 0.15, r.error, r.expected))
    actor.does(actor.rests())
    assert not actor.state.over
    assert (actor.state.number, actor.state.hint) == (1, "hold")


def test_time_runs_out():
    actor = Actor()
    for _ in range(int(REST_LIMIT / 0.25) + 2):
        actor.shows(0.1 if round(actor.now / 0.25) % 2 else -0.1)
    assert actor.state.failure == "restless"
    actor = Actor()
    actor.rests()
    actor.challenge.tick(actor.now + LIMIT - 0.01)
    assert not actor.state.over
    actor.challenge.tick(actor.now + LIMIT + 0.01)
    assert actor.state.failure == "late"
    assert actor.state.seconds_left == 0


def test_hints_say_what_is_missing():
    actor = Actor(next(s for s in range(99) if Challenge(random.Random(s)).steps[0] == "left"))
    actor.shows(0.3)
    assert actor.state.hint == "look straight"
    actor.rests()
    actor.shows(0.08)
    assert actor.state.hint == "further"
    actor.shows(0.2)
    assert actor.state.hint == "hold"


def test_a_slow_turn_is_a_movement_all_the_same():
    """Though the face comes to rest anew at each of its pictures."""
    actor = Actor()
    for _ in range(3):
        actor.shows()
    for step in range(1, 7):
        actor.shows(0.03 * step)
    assert actor.state.failure == "early"
