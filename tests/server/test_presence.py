"""Who is before the cameras of a room, with real faces: one person in two views is one, two people never are."""

from __future__ import annotations

import numpy as np

from pipeline.matcher import Matcher
from server.rooms.presence import LINGER, Presence, Present, View
from tests.packs import open_models
from tests.server.test_live_session import faces, samples
from tracking import Embedding, IdentityState

KNOWN, UNCERTAIN, UNKNOWN = IdentityState.KNOWN, IdentityState.UNCERTAIN, IdentityState.UNKNOWN


def matcher() -> Matcher:
    return open_models().matcher


def template(person: int, half: int = 0) -> Embedding:
    """A person's face as half of their pictures show it."""
    mean = np.mean([sample.embedding for sample in samples(person)[half::2]], axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


def seen(camera: str, track: int, person: int, identity: IdentityState = UNKNOWN, half: int = 0) -> View:
    named = identity is not UNKNOWN
    who, name = (f"id{person}", f"Person {person}") if named else (None, None)
    return View(camera, track, identity, who, name, 0.97 if named else None, template(person, half))


def shown(present: list[Present]) -> list[tuple[str, list[tuple[str, int]]]]:
    return [(one.key, [(view.camera, view.track) for view in one.views]) for one in present]


def test_somebody_known_in_two_views_is_one() -> None:
    room = Presence()
    views = [seen("a", 1, 0, KNOWN), seen("b", 4, 0, KNOWN, 1), seen("b", 5, 1, KNOWN)]
    assert shown(room.update(views, matcher(), 10.0)) == [
        ("p:id0", [("a", 1), ("b", 4)]),
        ("p:id1", [("b", 5)]),
    ]


def test_strangers_are_one_by_their_faces() -> None:
    room = Presence()
    views = [seen("a", 1, 0), seen("b", 1, 0, half=1), seen("b", 2, 1), seen("c", 1, 2)]
    assert shown(room.update(views, matcher(), 0.0)) == [
        ("s:1", [("a", 1), ("b", 1)]),
        ("s:2", [("b", 2)]),
        ("s:3", [("c", 1)]),
    ]


def test_everybody_in_the_photo_stays_apart() -> None:
    room = Presence()
    views = [seen(f"camera {person}", 1, person) for person in range(len(faces()))]
    assert len(room.update(views, matcher(), 0.0)) == len(faces())


def test_one_camera_shows_nobody_twice() -> None:
    room = Presence()
    twins = [seen("a", 1, 0), seen("a", 2, 0, half=1)]
    assert len(room.update(twins, matcher(), 0.0)) == 2


def test_a_view_that_is_not_sure_joins_one_that_is() -> None:
    room = Presence()
    views = [seen("a", 1, 0, UNCERTAIN), seen("b", 1, 0, KNOWN, 1), seen("c", 9, 0, UNKNOWN)]
    (one,) = room.update(views, matcher(), 0.0)
    assert one.key == "p:id0"
    assert one.best.identity is KNOWN
    assert len(one.views) == 3


def test_a_stranger_who_gets_a_name_was_there_all_along() -> None:
    room = Presence()
    (stranger,) = room.update([seen("a", 1, 0)], matcher(), 5.0)
    (named,) = room.update([seen("a", 1, 0, KNOWN)], matcher(), 9.0)
    assert (stranger.key, named.key) == ("s:1", "p:id0")
    assert named.since == 5.0


def test_strangers_keep_their_number_and_another_gets_the_next() -> None:
    room = Presence()
    room.update([seen("a", 1, 0)], matcher(), 0.0)
    again = room.update([seen("a", 1, 0), seen("a", 2, 1)], matcher(), 1.0)
    assert [one.key for one in again] == ["s:1", "s:2"]
    later = room.update([seen("a", 2, 1), seen("b", 7, 1, half=1)], matcher(), 1.0 + LINGER + 0.1)
    assert shown(later) == [("s:2", [("a", 2), ("b", 7)])]


def test_whoever_is_lost_for_a_moment_is_still_there() -> None:
    room = Presence()
    room.update([seen("a", 1, 0, KNOWN)], matcher(), 0.0)
    assert [one.key for one in room.update([], matcher(), LINGER)] == ["p:id0"]
    assert room.update([], matcher(), LINGER + 0.1) == []


def test_two_strangers_who_turn_out_to_be_one_are_one() -> None:
    room = Presence()
    blurred = View("b", 1, UNKNOWN, None, None, None, None)  # no template yet
    room.update([seen("a", 1, 0), blurred], matcher(), 0.0)
    (one,) = room.update([seen("a", 1, 0), seen("b", 1, 0, half=1)], matcher(), 1.0)
    assert one.key == "s:1"
