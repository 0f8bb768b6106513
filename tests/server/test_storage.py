from __future__ import annotations

import importlib
import pkgutil
import sqlite3
import stat
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st

import server.storage
from pipeline.gallery import Entry
from server.storage import (
    MAX_NAME,
    METADATA,
    BadName,
    NameTaken,
    NewPerson,
    NewSample,
    NoSuchPerson,
    PeopleStore,
    PersonRow,
    StorageError,
    clean_name,
    clean_room,
    name_key,
    reading,
)
from server.storage.schema import PERSON, SAMPLE
from tests.stores import only_sqlite
from tracking import Embedding

pytestmark = pytest.mark.usefixtures("either_store")

DIGEST = "a" * 64
OTHER = "b" * 64


def embedding(seed: int, size: int = 128) -> Embedding:
    vector = np.random.default_rng(seed).normal(size=size).astype(np.float32)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def entries(store: PeopleStore, digest: str = DIGEST, dimension: int = 128, max_samples: int = 16) -> list[Entry]:
    """Who can be recognised."""
    found: list[Entry] = store.read(reading.gallery_entries, digest, dimension, max_samples)
    return found


def add(store: PeopleStore, person_id: str, *samples: NewSample, digest: str = DIGEST) -> None:
    store.enrol([NewPerson("", samples, id=person_id)], digest)


def sample(seed: int, quality: float = 0.8) -> NewSample:
    return NewSample(embedding(seed), quality, "live")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "people.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[PeopleStore]:
    opened = PeopleStore(path)
    yield opened
    opened.close()
    opened.close()


# -- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Ada", "Ada"),
        ("  Ada \t Lovelace\n", "Ada Lovelace"),
        ("Zoe\u0308", "Zoë"),
        ("李小龙", "李小龙"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("x" * MAX_NAME, "x" * MAX_NAME),
        ("O'Brien; DROP TABLE person--", "O'Brien; DROP TABLE person--"),
        ("<b>Ada</b>", "<b>Ada</b>"),
    ],
)
def test_names_are_trimmed_and_normalised(given: str, kept: str) -> None:
    assert clean_name(given) == kept


@pytest.mark.parametrize(
    "name", ["", "   ", "\n", "x" * (MAX_NAME + 1), "a\0b", "a\x1bb", "a\x7fb", "a\ud800b", None, 3, True, ["Ada"], {}]
)
def test_what_is_no_name_is_refused(name: object) -> None:
    with pytest.raises(BadName, match="a name m"):
        clean_name(name)


@given(st.text(max_size=100))
def test_whatever_is_kept_stays_as_it_is(text: str) -> None:
    try:
        name = clean_name(text)
    except BadName:
        return
    assert clean_name(name) == name == unicodedata.normalize("NFC", name)
    assert 1 <= len(name) <= MAX_NAME


def test_names_are_compared_without_case_and_spelling() -> None:
    assert name_key("ADA") == name_key("ada")
    assert name_key("Straße") == name_key("STRASSE")
    assert name_key("ﬁnn") == name_key("Finn")
    assert name_key("Ada") != name_key("Ida")


# -- people --------------------------------------------------------------------------------------------------------


@only_sqlite
def test_a_new_store_is_empty_and_private(store: PeopleStore, path: Path) -> None:
    assert store.people() == []
    assert entries(store) == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    store.add_person("Ada", [sample(1)], DIGEST)
    for file in path.parent.iterdir():  # the log beside it too
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@only_sqlite
def test_a_file_others_could_read_is_made_private(path: Path) -> None:
    path.parent.mkdir()
    path.touch(mode=0o644)
    path.chmod(0o644)
    PeopleStore(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_was_passed_while_a_sample_was_taken_is_kept_with_it(store: PeopleStore) -> None:
    ada = store.add_person("Ada", [sample(1), replace(sample(2), challenge="passed")], DIGEST)
    detail = store.read(reading.person_detail, ada.id)
    assert detail is not None
    assert sorted(str(row.challenge) for row in detail.samples) == ["None", "passed"]


def test_people_are_kept_over_a_restart(store: PeopleStore, path: Path) -> None:
    ada = store.add_person("Ada", [sample(1), sample(2)], DIGEST)
    store.close()
    again = PeopleStore(path)
    (row,) = again.people()
    assert (row.id, row.name, row.samples) == (ada.id, "Ada", 2)
    ((person, template, negatives),) = entries(again)
    assert (person, negatives) == (ada, None)
    expected = embedding(1) + embedding(2)
    np.testing.assert_allclose(template, expected / np.linalg.norm(expected), atol=1e-6)
    again.close()


def test_one_name_one_person(store: PeopleStore) -> None:
    ada = store.add_person("Ada", [sample(1)], DIGEST)
    with pytest.raises(NameTaken):
        store.add_person("ADA", [sample(2)], DIGEST)
    bob = store.add_person("Bob", [sample(3)], DIGEST)
    with pytest.raises(NameTaken):
        store.rename(bob.id, " ada ")
    assert [(row.name, row.samples) for row in store.people()] == [("Ada", 1), ("Bob", 1)]
    assert store.find("aDa") == ada
    assert store.find("nobody") is None


@only_sqlite
def test_all_samples_or_none(store: PeopleStore) -> None:
    broken = NewSample(embedding(2), float("nan"), "live")
    with pytest.raises(Exception, match="NOT NULL"):  # SQLite keeps no NaN
        store.add_person("Ada", [sample(1), broken], DIGEST)
    assert store.people() == []
    ada = store.add_person("Ada", [sample(1)], DIGEST)
    with pytest.raises(Exception, match="NOT NULL"):
        add(store, ada.id, sample(3), broken)
    assert store.people()[0].samples == 1
    with pytest.raises(ValueError, match="at least one"):
        store.add_person("Bob", [], DIGEST)
    with pytest.raises(BadName):
        store.add_person(" ", [sample(1)], DIGEST)


def test_rename_and_add(store: PeopleStore) -> None:
    ada = store.add_person("Ada", [sample(1)], DIGEST)
    store.rename(ada.id, "Augusta Ada")
    store.rename(ada.id, "AUGUSTA ADA")  # one's own name in another case is free
    add(store, ada.id, sample(2))
    (row,) = store.people()
    assert (row.name, row.samples) == ("AUGUSTA ADA", 2)


def test_who_is_gone_is_gone(store: PeopleStore) -> None:
    with pytest.raises(NoSuchPerson):
        store.rename("nobody", "Ada")
    with pytest.raises(NoSuchPerson):
        add(store, "nobody", sample(1))
    assert not store.forget("nobody")
    ada = store.add_person("Ada", [sample(1)], DIGEST)
    assert store.forget(ada.id)
    assert not store.forget(ada.id)
    with pytest.raises(NoSuchPerson):
        add(store, ada.id, sample(1))
    store.add_person("Ada", [sample(1)], DIGEST)  # the name is free again


@only_sqlite
def test_forgetting_erases_the_bytes(store: PeopleStore, path: Path) -> None:
    kept = store.add_person("Charles", [sample(n) for n in range(10)], DIGEST)
    ada = store.add_person("Augusta Ada King", [sample(n) for n in range(100, 140)], DIGEST)
    secrets = [b"Augusta Ada King", b"augusta ada king"]
    secrets += [embedding(n).astype("<f4").tobytes()[:64] for n in range(100, 140)]
    with store.engine.connect() as connection:
        sealed = [*connection.execute(sa.select(SAMPLE.c.embedding).where(SAMPLE.c.person_id == ada.id)).scalars()]
        (name,) = connection.execute(sa.select(PERSON.c.name).where(PERSON.c.id == ada.id)).scalars()
        others = connection.execute(sa.select(PERSON.c.name).where(PERSON.c.id == kept.id)).scalar_one()
    traces = [ada.id.encode(), name, name[-32:], *(blob[-64:] for blob in sealed)]

    def on_disk() -> bytes:
        return b"".join(file.read_bytes() for file in path.parent.iterdir())

    before = on_disk()
    assert [secret for secret in secrets if secret in before] == []  # sealed from the first moment on
    assert all(trace in before for trace in traces)
    assert store.forget(ada.id)
    after = on_disk()
    assert [trace for trace in (*secrets, *traces) if trace in after] == []
    assert others in after
    assert [person for person, _, _ in entries(store)] == [kept]


def test_samples_of_other_packs_are_left_alone(store: PeopleStore) -> None:
    ada = store.add_person("Ada", [sample(1)], DIGEST)
    store.add_person("Bob", [NewSample(embedding(2, 512), 0.5, "live")], OTHER)
    add(store, ada.id, NewSample(embedding(3, 512), 0.5, "live"), digest=OTHER)
    assert [person.name for person, _, _ in entries(store)] == ["Ada"]
    assert [template.shape for _, template, _ in entries(store, OTHER, 512)] == [(512,), (512,)]
    assert entries(store, "c" * 64) == []
    assert [(row.name, row.samples) for row in store.people()] == [("Ada", 2), ("Bob", 1)]


def test_a_sample_of_another_length_is_reported(store: PeopleStore, path: Path) -> None:
    store.add_person("Ada", [NewSample(embedding(1, 64), 0.5, "live")], DIGEST)
    with pytest.raises(StorageError, match="64 numbers instead of 128") as caught:
        entries(store)
    assert "the store" in str(caught.value)


def test_writers_at_once_lose_nothing(path: Path) -> None:
    stores = [PeopleStore(path) for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda n: stores[n % 3].add_person(f"Person {n}", [sample(n)], DIGEST), range(30)))
    assert len(stores[0].people()) == 30
    for store in stores:
        store.close()


# -- files ---------------------------------------------------------------------------------------------------------


@only_sqlite
@pytest.mark.parametrize(
    "content", [b"this is no database, but long enough to be looked at" * 40, b"SQLite format 3\0x"]
)
def test_a_damaged_file_is_reported_and_left_alone(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StorageError, match="cannot open") as caught:
        PeopleStore(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content


@only_sqlite
def test_a_folder_where_the_file_should_be_is_reported(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot open"):
        PeopleStore(path)


@only_sqlite
def test_a_file_where_the_folder_should_be_is_reported(path: Path) -> None:
    path.parent.write_text("in the way")
    with pytest.raises(StorageError, match="cannot open"):
        PeopleStore(path)


@only_sqlite
def test_a_store_of_a_newer_version_is_reported_and_left_alone(store: PeopleStore, path: Path) -> None:
    store.add_person("Ada", [sample(1)], DIGEST)
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StorageError, match="newer version") as caught:
        PeopleStore(path)
    assert str(path) in str(caught.value)


@only_sqlite
def test_an_error_does_not_carry_what_was_to_be_kept(store: PeopleStore) -> None:
    with pytest.raises(Exception, match="NOT NULL") as caught:
        store.add_person("Augusta", [NewSample(embedding(2), float("nan"), "live")], DIGEST)
    assert "Augusta" not in str(caught.value)


def test_the_schema_is_what_the_steps_make(store: PeopleStore, path: Path) -> None:
    for module in pkgutil.iter_modules(server.storage.__path__, "server.storage."):
        importlib.import_module(module.name)  # each adds its tables
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    PeopleStore(path).close()  # nothing to do the second time


@only_sqlite
def test_people_of_the_first_version_are_brought_along(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.executescript(
            """
            CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
            INSERT INTO alembic_version VALUES ('0001');
            CREATE TABLE person (id VARCHAR(32) NOT NULL PRIMARY KEY, name VARCHAR(80) NOT NULL,
              name_key VARCHAR(320) NOT NULL UNIQUE, created DATETIME NOT NULL);
            CREATE TABLE sample (id VARCHAR(32) NOT NULL PRIMARY KEY,
              person_id VARCHAR(32) NOT NULL REFERENCES person (id) ON DELETE CASCADE, pack_digest VARCHAR(64) NOT NULL,
              embedding BLOB NOT NULL, quality FLOAT NOT NULL, source VARCHAR(16) NOT NULL, created DATETIME NOT NULL);
            CREATE INDEX ix_sample_person_id ON sample (person_id);
            """
        )
        when = "2026-01-02 03:04:05.000000"
        connection.execute("INSERT INTO person VALUES ('p', 'Ada', 'ada', ?)", [when])
        vector = embedding(1).astype("<f4").tobytes()
        connection.execute("INSERT INTO sample VALUES ('s', 'p', ?, ?, 0.5, 'live', ?)", [DIGEST, vector, when])
    connection.close()
    store = PeopleStore(path)
    (row,) = store.people()
    assert replace(row, consent=None) == PersonRow("p", "Ada", 1, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    ((person, template, _),) = entries(store)
    assert person.room is None
    np.testing.assert_allclose(template, embedding(1), atol=1e-6)
    with pytest.raises(NameTaken):
        store.add_person("ADA", [sample(2)], DIGEST)
    store.close()


# -- rooms ---------------------------------------------------------------------------------------------------------


def test_a_room_may_have_a_name_that_is_nobody_else_s(store: PeopleStore) -> None:
    everyone = store.add_person("Ada", [sample(1)], DIGEST)
    with pytest.raises(NameTaken):  # both would be seen in the room
        store.add_person("ada", [sample(2)], DIGEST, "kitchen")
    kitchen = store.add_person("Bob", [sample(3)], DIGEST, "kitchen")
    attic = store.add_person("Bob", [sample(4)], DIGEST, "attic")
    assert store.find("bob") is None
    assert store.find("bob", "kitchen") == kitchen
    assert store.find("bob", "attic") == attic
    assert store.find("ada", "attic") == everyone


@pytest.mark.parametrize("room", ["-x", "a b", "a/b", "x" * 41, 3, True, ["a"], "ü", "a\n"])
def test_what_is_no_room_is_refused(room: object) -> None:
    with pytest.raises(BadName, match="room"):
        clean_room(room)


def test_no_room_is_everyone_s() -> None:
    assert clean_room(None) is None
    assert clean_room("") is None
    assert clean_room("Living.room-2_b") == "Living.room-2_b"
