"""From faces to sightings: who came, who is a stranger, who left, and who only turned their head."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.results import Face
from server.sightings.attendance import attendance, covered
from server.sightings.watch import AWAY, SURE, Changes, SessionWatch
from server.storage.sightings import SeenRow
from tests.server.sighting_faces import known, pending, unknown

BEGIN = datetime(2030, 5, 1, 12, tzinfo=UTC)
STEP = timedelta(seconds=0.25)


class Scene:
    """A session by the clock."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.watch = SessionWatch("session", "attic", lambda one, other: float(one @ other) > 0.5)
        self.told: list[str] = []
        self.rows: dict[str, object] = {}
        self.gone: list[str] = []

    def show(self, seconds: float, *faces: Face) -> None:
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.watch.see(self.now, faces)
            self.now += STEP
        self.take()

    def take(self) -> Changes:
        changes = self.watch.take()
        self.told += [event.kind for event in changes.events]
        self.rows |= {row.id: row for row in changes.seen}
        self.gone += changes.gone
        for id in changes.gone:
            self.rows.pop(id, None)
        return changes


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_somebody_comes_stays_and_leaves(scene: Scene) -> None:
    scene.show(10, known(1, "ada"))
    scene.show(AWAY.total_seconds() + 1)
    assert scene.told == ["named", "left"]
    (row,) = scene.rows.values()
    assert (row.person, row.room, row.began) == ("ada", "attic", BEGIN)
    assert row.ended == BEGIN + timedelta(seconds=9.75)  # when they were last there, not when that was noticed
    assert row.probability == 0.9


def test_who_is_away_for_a_moment_has_not_left(scene: Scene) -> None:
    scene.show(5, known(1, "ada"))
    scene.show(AWAY.total_seconds() - 2)
    scene.show(5, known(2, "ada"))  # another track: the tracker lost them
    assert scene.told == ["named"]
    assert len(scene.rows) == 1


def test_a_stranger_is_told_of_once_it_is_sure(scene: Scene) -> None:
    scene.show(SURE.total_seconds() - 0.5, unknown(1))
    assert scene.told == []
    scene.show(2, unknown(1))
    assert scene.told == ["unknown"]
    (row,) = scene.rows.values()
    assert row.person is None
    assert row.began == BEGIN


def test_doubts_begin_anew_and_few_looks_are_no_stranger(scene: Scene) -> None:
    for _ in range(5):
        scene.show(1.5, unknown(1))
        scene.show(0.5, pending(1))
    scene.show(6, unknown(2, votes=2))
    assert scene.told == []


def test_a_stranger_who_gets_a_name_is_one_sighting(scene: Scene) -> None:
    scene.show(5, unknown(1))
    scene.show(5, known(1, "ada"))
    assert scene.told == ["unknown", "named"]
    (row,) = scene.rows.values()
    assert (row.person, row.began) == ("ada", BEGIN)


def test_a_stranger_who_turns_out_to_be_somebody_present_goes_into_theirs(scene: Scene) -> None:
    scene.show(4, known(1, "ada"))
    scene.show(4, unknown(2))
    scene.show(4, known(2, "ada"))
    assert scene.told == ["named", "unknown"]
    assert len(scene.gone) == 1
    assert len(scene.rows) == 1


def test_a_turned_head_is_no_second_stranger(scene: Scene) -> None:
    one, other = np.eye(2, dtype=np.float32)
    scene.show(5, unknown(1, one))
    scene.show(3)
    scene.show(5, unknown(2, one))
    assert scene.told == ["unknown"]
    scene.show(5, unknown(2, one), unknown(3, one))  # two at once are two, however alike
    assert scene.told == ["unknown", "unknown"]
    scene.show(5, unknown(4, other))
    assert scene.told == ["unknown"] * 3


def test_a_corrected_name_is_another_sighting(scene: Scene) -> None:
    scene.show(4, known(1, "ada"))
    scene.show(4, known(1, "bob"))
    scene.show(AWAY.total_seconds() + 1)
    assert sorted(scene.told) == ["left", "left", "named", "named"]
    assert {row.person for row in scene.rows.values()} == {"ada", "bob"}


def test_the_end_of_a_session_lets_everybody_leave(scene: Scene) -> None:
    scene.show(4, known(1, "ada"), unknown(2))
    scene.watch.end()
    scene.take()
    assert sorted(scene.told) == ["left", "left", "named", "unknown"]
    assert scene.watch.present == frozenset()


def test_the_best_picture_stays(scene: Scene) -> None:
    scene.show(1, known(1, "ada"))
    scene.watch.picture(1, b"poor", 0.4)
    scene.watch.picture(1, b"good", 0.8)
    scene.watch.picture(1, b"middling", 0.6)
    scene.watch.picture(9, b"nobody's", 0.9)
    (row,) = scene.take().seen
    assert row.crop == b"good"


faces = st.lists(
    st.one_of(
        st.builds(known, st.integers(1, 4), st.sampled_from(["ada", "bob"])),
        st.builds(unknown, st.integers(1, 4)),
        st.builds(pending, st.integers(1, 4)),
    ),
    max_size=3,
    unique_by=lambda face: face.track,
)


@given(st.lists(st.tuples(st.floats(0, 30), faces), max_size=40))
def test_whatever_happens_sightings_are_told_before_they_end_and_never_overlap_for_one_person(
    steps: list[tuple[float, list[Face]]],
) -> None:
    scene = Scene()
    events = []
    for pause, shown in steps:
        scene.now += timedelta(seconds=pause)
        scene.watch.see(scene.now, shown)
        events += scene.take().events
        present = [scene.rows[id].person for id in scene.watch.present if id in scene.rows]
        named = [person for person in present if person is not None]
        assert len(named) == len(set(named))
    scene.watch.end()
    events += scene.take().events
    assert all(row.began <= row.ended for row in scene.rows.values())
    for row in scene.rows.values():
        kinds = [event.kind for event in events if event.sighting == row.id]
        assert kinds[-1] == "left"
        assert kinds.count("left") == 1
        assert ("named" in kinds) == (row.person is not None) or "unknown" in kinds


def at(minutes: float) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def row(person: str | None, begin: float, end: float) -> SeenRow:
    name = None if person is None else person.title()
    return SeenRow("0" * 32, person, name, None, "s", at(begin), at(end), 0.9, False)


def test_a_moment_before_two_cameras_counts_once() -> None:
    rows = [row("bob", 30, 40), row("ada", 5, 20), row("ada", 10, 25), row("ada", 50, 80), row(None, 0, 60)]
    ada, bob = attendance(rows, at(0), at(60))
    assert (ada.name, ada.first, ada.last, ada.total, ada.sightings) == ("Ada", at(5), at(60), timedelta(minutes=30), 3)
    assert (bob.first, bob.total) == (at(30), timedelta(minutes=10))


moments = st.integers(0, 200)


@given(st.lists(st.tuples(moments, moments).map(sorted), max_size=12))
def test_covered_is_the_number_of_minutes_in_any(spans: list[list[int]]) -> None:
    minutes = {minute for begin, end in spans for minute in range(begin, end)}
    assert covered((at(begin), at(end)) for begin, end in spans) == timedelta(minutes=len(minutes))
