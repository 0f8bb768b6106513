"""A face's life: tentative, confirmed, lost, found again."""

import numpy as np
import pytest

from tracking import Tracker, TrackState
from tracking.policy import DEFAULT_POLICY

POINTS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)


def scene(*boxes, size=(240, 320)):
    """A textured background with a textured square for each face; the same box looks the same wherever it is."""
    picture = np.random.default_rng(5).integers(100, 130, size).astype(np.uint8)
    for seed, (x, y, w, h) in enumerate(boxes):
        blocks = np.random.default_rng(100 + seed).integers(0, 255, (6, 6)).astype(np.uint8)
        face = np.kron(blocks, np.ones((-(-h // 6), -(-w // 6)), np.uint8))[:h, :w]
        picture[y : y + h, x : x + w] = face
    return picture


def detections(*boxes, score=0.9):
    array = np.array(boxes, np.float32).reshape(-1, 4)
    marks = np.array([POINTS * (w, h) + (x, y) for x, y, w, h in array], np.float32).reshape(-1, 5, 2)
    return array, np.full(len(array), score, np.float32), marks


def embedding(seed):
    vector = np.random.default_rng(seed).normal(size=128)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def look(tracker, now, *boxes, score=0.9):
    tracker.predict(scene(*boxes), now)
    return tracker.update(*detections(*boxes, score=score), now)


def test_a_moving_face_keeps_its_number_between_keyframes():
    tracker = Tracker()
    look(tracker, 0.0, (60, 60, 60, 60))
    for step in range(1, 20):
        tracker.predict(scene((60 + 3 * step, 60, 60, 60)), step / 30)
    (track,) = tracker.visible
    assert track.number == 1
    assert track.box[0] == pytest.approx(60 + 3 * 19, abs=4)


def test_an_unsure_detection_seen_once_is_dropped():
    tracker = Tracker()
    look(tracker, 0.0, (60, 60, 60, 60), score=0.52)
    assert tracker.visible[0].state is TrackState.TENTATIVE
    for count in range(3):
        tracker.predict(scene(), 0.1 + 0.1 * count)
        tracker.update(*detections(), 0.1 + 0.1 * count)
    assert tracker.visible == []
    assert tracker.lost == []


def test_not_having_looked_is_not_a_miss():
    tracker = Tracker()
    look(tracker, 0.0, (60, 60, 60, 60))
    for step in range(60):
        tracker.predict(scene((60, 60, 60, 60)), step / 30)
    assert tracker.visible[0].misses == 0


def test_a_face_comes_back_by_its_face_with_the_same_number():
    tracker = Tracker()
    look(tracker, 0.0, (60, 60, 60, 60))
    tracker.visible[0].evidence.add(embedding(1), 0.9, 0.0)
    for step in range(8):
        tracker.predict(scene(), 1 + step / 5)
        tracker.update(*detections(), 1 + step / 5)
    assert tracker.visible == []
    assert [t.number for t in tracker.lost] == [1]
    (newcomer,) = look(tracker, 9.0, (200, 100, 60, 60))
    assert newcomer.number == 2
    assert tracker.find_lost(embedding(2), 0.9) is None
    lost = tracker.find_lost(embedding(1), 0.9)
    assert tracker.resume(newcomer, lost).number == 1
    assert [t.number for t in tracker.visible] == [1]
    assert tracker.lost == []


def test_a_face_that_stays_away_is_forgotten():
    tracker = Tracker()
    look(tracker, 0.0, (60, 60, 60, 60))
    tracker.visible[0].evidence.add(embedding(1), 0.9, 0.0)
    tracker.cut()
    tracker.predict(scene(), DEFAULT_POLICY.forget_after + 1)
    assert tracker.lost == []


def test_a_face_lost_for_a_moment_is_recovered_where_it_was_and_suspected():
    tracker = Tracker()
    look(tracker, 0.0, (60, 60, 60, 60))
    tracker.visible[0].evidence.add(embedding(1), 0.9, 0.0)
    for now in (0.1, 0.2):
        tracker.predict(scene(), now)
        tracker.update(*detections(), now)
    assert tracker.visible == []
    assert look(tracker, 0.4, (62, 60, 60, 60)) == []
    assert tracker.visible[0].number == 1
    assert tracker.visible[0].suspect


def test_after_a_cut_position_means_nothing():
    tracker = Tracker()
    look(tracker, 0.0, (60, 60, 60, 60))
    tracker.visible[0].evidence.add(embedding(1), 0.9, 0.0)
    tracker.cut()
    (newcomer,) = look(tracker, 0.05, (60, 60, 60, 60))
    assert newcomer.number == 2


def test_two_lost_faces_that_look_alike_are_not_confused():
    tracker = Tracker()
    look(tracker, 0.0, (20, 60, 60, 60), (200, 60, 60, 60))
    for track in tracker.visible:
        track.evidence.add(embedding(1), 0.9, 0.0)
    tracker.cut()
    assert tracker.find_lost(embedding(1), 0.9, margin=0.01) is None


def test_another_face_under_a_track_gets_its_own_number():
    tracker = Tracker()
    look(tracker, 0.0, (60, 60, 60, 60))
    heir = tracker.split(tracker.visible[0], 1.0)
    assert (heir.number, [t.number for t in tracker.visible]) == (2, [2])


def test_a_new_resolution_keeps_the_tracks_and_a_turned_picture_does_not():
    tracker = Tracker()
    look(tracker, 0.0, (60, 60, 60, 60))
    tracker.visible[0].evidence.add(embedding(1), 0.9, 0.0)
    tracker.predict(np.zeros((480, 640), np.uint8), 0.1)
    assert tracker.visible[0].box == pytest.approx([120, 120, 120, 120])
    tracker.predict(np.zeros((640, 480), np.uint8), 0.2)
    assert tracker.visible == []
    assert len(tracker.lost) == 1


def test_numbers_belong_to_the_tracker():
    one, two = Tracker(), Tracker()
    look(one, 0.0, (60, 60, 60, 60))
    look(two, 0.0, (60, 60, 60, 60))
    assert one.visible[0].number == two.visible[0].number == 1
