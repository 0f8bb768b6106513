"""When to detect."""

import numpy as np

from tests.tracking.test_tracker import look, scene
from tracking import KeyframePolicy, Look, Tracker
from tracking.policy import DEFAULT_POLICY

BOX = (60, 60, 60, 60)


def decide(policy, tracker, picture, now, wanted=False, small=False):
    return policy.decide(picture, tracker.visible, now, evidence_wanted=wanted, small_faces=small)


def test_the_first_look_is_quick_and_a_wide_one_follows_soon():
    policy = KeyframePolicy()
    looks = [decide(policy, Tracker(), scene(), frame / 30) for frame in range(20)]
    assert looks[0] is Look.NEAR
    assert Look.WIDE in looks


def test_a_sure_track_is_looked_at_rarely():
    tracker, policy = Tracker(), KeyframePolicy()
    look(tracker, 0.0, BOX)
    looks = []
    for frame in range(300):
        tracker.predict(scene(BOX), frame / 30)
        looks.append(decide(policy, tracker, scene(BOX), frame / 30))
    times = [i / 30 for i, kind in enumerate(looks) if kind is not Look.NONE]
    assert max(np.diff(times)) <= DEFAULT_POLICY.keyframe_interval + 0.04
    assert len(times) <= 300 * DEFAULT_POLICY.max_share
    assert looks.count(Look.WIDE) >= 3


def test_doubt_without_end_costs_no_more_than_the_budget():
    tracker, policy = Tracker(), KeyframePolicy()
    look(tracker, 0.0, BOX)
    count = 0
    for frame in range(600):
        tracker.visible[0].doubtful = True
        count += decide(policy, tracker, scene(BOX), frame / 30, wanted=True) is not Look.NONE
    assert count <= 600 * DEFAULT_POLICY.max_share + DEFAULT_POLICY.burst


def test_a_new_scene_is_looked_at_at_once():
    tracker, policy = Tracker(), KeyframePolicy()
    look(tracker, 0.0, BOX)
    decide(policy, tracker, scene(BOX), 0.0)
    other = np.random.default_rng(9).integers(0, 255, (12, 16)).astype(np.uint8)
    assert decide(policy, tracker, np.kron(other, np.ones((20, 20), np.uint8)), 0.03) is Look.WIDE
    assert policy.cut


def test_a_lamp_switched_on_is_no_new_scene():
    tracker, policy = Tracker(), KeyframePolicy()
    dark = (np.kron(np.random.default_rng(9).integers(0, 255, (12, 16)), np.ones((20, 20))) * 0.4).astype(np.uint8)
    decide(policy, tracker, dark, 0.0)
    decide(policy, tracker, (dark * 2.2).astype(np.uint8), 0.03)
    assert not policy.cut


def test_something_moving_where_no_track_is_asks_for_a_look():
    tracker, policy = Tracker(), KeyframePolicy()
    look(tracker, 0.0, BOX)
    decide(policy, tracker, scene(BOX), 0.0)
    for frame in range(1, 12):
        assert decide(policy, tracker, scene(BOX), frame / 30) is Look.NONE
    assert decide(policy, tracker, scene(BOX, (200, 120, 70, 70)), 0.4) is not Look.NONE


def test_small_faces_get_the_finer_look():
    tracker, policy = Tracker(), KeyframePolicy()
    look(tracker, 0.0, BOX)
    decide(policy, tracker, scene(BOX), 0.0)
    kinds = {decide(policy, tracker, scene(BOX), frame / 30, small=True) for frame in range(1, 60)}
    assert Look.FAR in kinds
    assert Look.NEAR not in kinds
