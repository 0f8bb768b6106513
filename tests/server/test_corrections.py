"""Corrections of people, each undone again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.storage import (
    BadName,
    Change,
    NameTaken,
    NewPerson,
    NoSuchChange,
    NoSuchPerson,
    NoSuchSample,
    PeopleStore,
    UndoConflict,
    reading,
)
from server.storage.engine import writing
from server.storage.schema import CHANGE
from tests.server.test_storage import DIGEST, embedding, entries, sample
from tests.stores import only_sqlite

pytestmark = pytest.mark.usefixtures("either_store")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[PeopleStore]:
    opened = PeopleStore(path)
    yield opened
    opened.close()


def everything(store: PeopleStore) -> Any:
    """All that can be seen of everybody, without the times of samples."""
    details = [store.read(reading.person_detail, row.id) for row in store.people()]
    return [
        (d.row, sorted((s.id, s.person, s.quality) for s in d.samples), [n.id for n in d.negatives]) for d in details
    ], [(person, template.tobytes(), marks is not None) for person, template, marks in entries(store)]


def samples_of(store: PeopleStore, person_id: str) -> list[str]:
    detail = store.read(reading.person_detail, person_id)
    return [] if detail is None else [row.id for row in detail.samples]


CORRECTIONS: dict[str, Callable[[PeopleStore, str, str], Change]] = {
    "rename": lambda s, a, b: s.rename(a, "Augusta"),
    "room": lambda s, a, b: s.set_room(a, "attic"),
    "remove_person": lambda s, a, b: s.remove_person(a),
    "merge": lambda s, a, b: s.merge(a, b),
    "split": lambda s, a, b: s.split(a, samples_of(s, a)[:1], "Charles")[1],
    "move_sample": lambda s, a, b: s.move_sample((samples_of(s, a) or [""])[0], b),
    "remove_sample": lambda s, a, b: s.remove_sample((samples_of(s, a) or [""])[0]),
    "add_negative": lambda s, a, b: s.add_negative(a, embedding(9), DIGEST),
    "enrol": lambda s, a, b: s.enrol([NewPerson("Charles", (sample(7), sample(8)))], DIGEST).change,
    "add_samples": lambda s, a, b: s.enrol([NewPerson("", (sample(7),), id=a)], DIGEST).change,
}


@pytest.mark.parametrize("kind", CORRECTIONS)
def test_every_correction_changes_something_and_can_be_undone(store: PeopleStore, kind: str) -> None:
    ada = store.add_person("Ada", [sample(1), sample(2), sample(3)], DIGEST)
    bob = store.add_person("Bob", [sample(4), sample(5)], DIGEST)
    before = everything(store)
    change = CORRECTIONS[kind](store, ada.id, bob.id)
    assert change.kind == kind
    assert change.words
    assert everything(store) != before
    assert store.changes()[0].id == change.id
    undone = store.undo(change.id)
    assert undone.undone
    assert set(change.people) <= set(undone.people)
    assert everything(store) == before
    assert store.changes()[0].undone
    with pytest.raises(UndoConflict, match="already"):
        store.undo(change.id)


@only_sqlite
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=st.lists(st.sampled_from(sorted(CORRECTIONS)), min_size=1, max_size=6), turns=st.randoms())
def test_undone_in_reverse_all_is_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str], turns: Any
) -> None:
    store = PeopleStore(tmp_path_factory.mktemp("undo") / "people.sqlite3")
    for number in range(3):
        store.add_person(f"Person {number}", [sample(10 * number + n) for n in range(3)], DIGEST)
    states, made = [everything(store)], []
    for kind in kinds:
        ids = [row.id for row in store.people()] or ["nobody"]
        a, b = turns.sample(ids, 2) if len(ids) > 1 else (ids[0], ids[0])
        try:
            made.append(CORRECTIONS[kind](store, a, b))
        except (NameTaken, ValueError, NoSuchPerson, NoSuchSample):
            assert everything(store) == states[-1]  # what is refused leaves no trace
            continue
        states.append(everything(store))
    for change in reversed(made):
        assert everything(store) == states.pop()
        store.undo(change.id)
    assert everything(store) == states.pop()
    store.close()


def test_what_was_built_on_has_to_be_undone_first(store: PeopleStore) -> None:
    ada = store.add_person("Ada", [sample(1), sample(2)], DIGEST)
    first, second = store.rename(ada.id, "Augusta"), store.rename(ada.id, "Countess")
    with pytest.raises(UndoConflict, match="changed since"):
        store.undo(first.id)
    assert store.people()[0].name == "Countess"
    store.undo(second.id)
    store.undo(first.id)
    assert store.people()[0].name == "Ada"


def test_a_name_given_away_meanwhile_cannot_come_back(store: PeopleStore) -> None:
    ada = store.add_person("Ada", [sample(1)], DIGEST)
    removed = store.remove_person(ada.id)
    store.add_person("ada", [sample(2)], DIGEST)  # free while the other is away
    with pytest.raises(NameTaken):
        store.undo(removed.id)
    assert [row.samples for row in store.people()] == [1]


def test_after_its_time_a_change_is_for_good(path: Path) -> None:
    store = PeopleStore(path, undo_days=0)
    ada = store.add_person("Augusta Ada King", [sample(1), sample(2)], DIGEST)
    change = store.remove_person(ada.id)
    with pytest.raises(UndoConflict, match="over"):
        store.undo(change.id)
    assert store.changes() == []
    store.erase_expired()
    with pytest.raises(NoSuchChange):
        store.undo(change.id)
    store.close()
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert embedding(1).astype("<f4").tobytes()[:64] not in content
    assert b"Augusta Ada King" not in content


def test_what_can_still_be_undone_is_kept(store: PeopleStore) -> None:
    ada = store.add_person("Ada", [sample(1), sample(2)], DIGEST)
    change = store.remove_person(ada.id)
    with writing(store.engine) as connection:  # six days ago
        earlier = datetime.now(UTC) - timedelta(days=6)
        connection.execute(sa.update(CHANGE).where(CHANGE.c.id == change.id).values(at=earlier))
    store.erase_expired()
    store.undo(change.id)
    assert store.people()[0].samples == 2


def test_refusals_leave_everything_as_it_was(store: PeopleStore) -> None:
    ada = store.add_person("Ada", [sample(1)], DIGEST)
    bob = store.add_person("Bob", [sample(2), sample(3)], DIGEST)
    before, log = everything(store), store.changes()
    (only,), (one, _) = samples_of(store, ada.id), samples_of(store, bob.id)
    four = (sample(4),)
    refused: list[tuple[type[Exception], Callable[[], object]]] = [
        (NameTaken, lambda: store.rename(ada.id, "BOB")),
        (BadName, lambda: store.rename(ada.id, "")),
        (NoSuchPerson, lambda: store.rename("nobody", "X")),
        (BadName, lambda: store.set_room(ada.id, "no room!")),
        (NoSuchPerson, lambda: store.remove_person("nobody")),
        (ValueError, lambda: store.merge(ada.id, ada.id)),
        (NoSuchPerson, lambda: store.merge(ada.id, "nobody")),
        (ValueError, lambda: store.split(bob.id, samples_of(store, bob.id), "C")),
        (ValueError, lambda: store.split(bob.id, [], "C")),
        (NoSuchSample, lambda: store.split(bob.id, [only], "C")),
        (NameTaken, lambda: store.split(bob.id, [one], "Ada")),
        (ValueError, lambda: store.move_sample(only, bob.id)),
        (NoSuchSample, lambda: store.move_sample("none", bob.id)),
        (NoSuchPerson, lambda: store.move_sample(one, "nobody")),
        (ValueError, lambda: store.remove_sample(only)),
        (NoSuchSample, lambda: store.remove_sample("none")),
        (NoSuchPerson, lambda: store.add_negative("nobody", embedding(1), DIGEST)),
        (NoSuchSample, lambda: store.remove_negative("none")),
        (NoSuchChange, lambda: store.undo("none")),
        (NoSuchPerson, lambda: store.enrol([NewPerson("C", four), NewPerson("", (sample(5),), id="no")], DIGEST)),
        (NameTaken, lambda: store.enrol([NewPerson("C", four), NewPerson("c", (sample(5),))], DIGEST)),
    ]
    for kind, attempt in refused:
        with pytest.raises(kind):
            attempt()
        assert everything(store) == before
        assert store.changes() == log


def test_merging_drops_marks_that_say_the_opposite(store: PeopleStore) -> None:
    ada = store.add_person("Ada", [sample(1), sample(2)], DIGEST)
    bob = store.add_person("Bob", [sample(3)], DIGEST)
    store.add_negative(ada.id, embedding(3), DIGEST)  # 'this is not Ada', said of Bob's very face
    kept = store.add_negative(ada.id, embedding(50), DIGEST)
    gone = store.read(reading.contradicted, bob.id, ada.id, DIGEST, 0.9)
    assert len(gone) == 1
    change = store.merge(bob.id, ada.id, gone)
    (row,) = store.people()
    assert (row.id, row.samples, row.negatives) == (ada.id, 3, 1)
    store.undo(change.id)
    assert {r.name: r.negatives for r in store.people()} == {"Ada": 2, "Bob": 0}
    assert kept.kind == "add_negative"


@only_sqlite
def test_forgetting_takes_what_could_be_undone_along(store: PeopleStore, path: Path) -> None:
    ada = store.add_person("Ada Lovelace", [sample(1), sample(2)], DIGEST)
    bob = store.add_person("Robert Merged", [sample(3)], DIGEST)
    other = store.add_person("Grace Hopper", [sample(5), sample(6)], DIGEST)
    store.remove_sample(samples_of(store, ada.id)[0])
    store.add_negative(ada.id, embedding(7), DIGEST)
    store.merge(bob.id, ada.id)
    store.rename(ada.id, "Countess of Lovelace")
    renamed = store.rename(other.id, "Amazing Grace")
    assert store.forget(ada.id)
    store.close()
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    for trace in (b"Lovelace", b"lovelace", b"Robert", b"robert merged", ada.id.encode(), bob.id.encode()):
        assert trace not in content
    for seed in (1, 2, 3, 7):
        assert embedding(seed).astype("<f4").tobytes()[:64] not in content
    assert other.id.encode() in content
    again = PeopleStore(path)
    again.undo(renamed.id)  # others' changes are left alone
    assert [row.name for row in again.people()] == ["Grace Hopper"]
    again.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_one_s_target_is_the_room_s_or_everyone_s(store: PeopleStore) -> None:
    assert store.targets() == {}
    store.set_target(None, 100)
    store.set_target("attic", 30)
    store.set_target("attic", 1000)
    assert store.targets() == {"": 100, "attic": 1000}
    store.set_target(None, None)
    assert store.targets() == {"attic": 1000}
