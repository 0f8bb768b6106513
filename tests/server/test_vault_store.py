"""The store is sealed: nothing of anybody stands in the open, and whoever is forgotten is in no file and no copy."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from server.people.photos.export import export_people, read_export, restore_person
from server.storage import NewSample, PeopleStore, StorageError, UndoConflict, reading
from server.storage import sightings as seen_table
from server.storage.engine import writing
from server.storage.events import NewEvent, Webhook, add_webhook, delete_webhook, due, events_after, webhooks
from server.storage.inbox import STRANGER, Stranger, load, save
from server.storage.model_change import exchange, keep, waiting
from server.storage.schema import CHANGE, NEGATIVE, PERSON, SAMPLE, SEEN, VAULT
from server.storage.sealing import index_key, key_in, key_of
from server.storage.settling import keys_used
from server.storage.sightings import Seen, Wanted
from server.storage.sources import Source, add_source, delete_source, read_sources
from server.vault import VaultError, open_vault
from tests.server.old_store import JPEG, LANDMARKS, NAMES, PHOTO, SECRETS, SEEDS, make_old_store
from tests.server.test_storage import DIGEST, OTHER, add, embedding, entries
from tests.stores import only_sqlite

pytestmark = pytest.mark.usefixtures("either_store")

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
POINTS = np.arange(10, dtype=np.float32).reshape(5, 2) + 0.25


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "people.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[PeopleStore]:
    opened = PeopleStore(path)
    yield opened
    opened.close()


def looks(*seeds: int, content: str | None = None) -> tuple[NewSample, ...]:
    """Samples with everything a sample can have."""
    made = [NewSample(embedding(n), 0.8, "photo", 0.1, 0.2, 90, picture(n), POINTS + n, content) for n in seeds]
    return tuple(replace(sample, content=sample.content and f"{n:064x}") for n, sample in zip(seeds, made, strict=True))


def picture(number: int) -> bytes:
    return b"\xff\xd8 a picture with the number %d in it \xff\xd9" % number


def forms(name: str) -> list[bytes]:
    """A name as it might stand in a file."""
    said = [name, name.casefold(), name.upper()]
    plain = [form.encode(code) for form in said for code in ("utf-8", "utf-16-le", "utf-16-be")]
    return [*plain, json.dumps(name)[1:-1].encode(), base64.b64encode(name.encode())[:-4]]


def vector_forms(seed: int, size: int = 128) -> list[bytes]:
    vector = embedding(seed, size)
    whole, half = vector.astype("<f4").tobytes(), vector.astype("<f2").tobytes()
    return [whole[:64], whole[-64:], half[:32], base64.b64encode(whole)[:64], vector.astype(">f4").tobytes()[:64]]


def on_disk(path: Path) -> bytes:
    """Every file of the data folder."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.rglob("*")) if file.is_file())


def found(secrets: list[bytes], path: Path) -> list[bytes]:
    content = on_disk(path)
    return [secret for secret in secrets if secret in content]


def blobs(store: PeopleStore) -> set[bytes]:
    """The ends of everything sealed, as it lies in the store."""
    columns = [PERSON.c.name, SAMPLE.c.embedding, SAMPLE.c.crop, SAMPLE.c.content, NEGATIVE.c.embedding, SEEN.c.crop]
    with store.engine.connect() as connection:
        found = [sa.select(column) for column in (*columns, STRANGER.c.embeddings, CHANGE.c.words)]
        return {blob[-40:] for query in found for blob in connection.execute(query).scalars() if blob is not None}


def check_owners(store: PeopleStore) -> None:
    """Whatever is a person's is sealed with that person's key."""
    with store.engine.connect() as connection:
        for table, columns in ((SAMPLE, ("embedding", "crop", "crop_landmarks", "content")), (NEGATIVE, ("embedding",)),
                               (SEEN, ("crop",))):  # fmt: skip
            for row in connection.execute(sa.select(table).where(table.c.person_id.is_not(None))):
                blobs = [getattr(row, column) for column in columns]
                assert {key_in(blob) for blob in blobs if blob} <= {key_of(connection, row.person_id)}
        assert all(store.vault.state(key) is True for key in keys_used(connection))


def live_keys(folder: Path, kind: str) -> set[bytes]:
    """The ids of the keys of a kind that are not destroyed."""
    with contextlib.closing(sqlite3.connect(folder / "keyring.sqlite3")) as database:
        rows = database.execute("SELECT id FROM key WHERE kind = ? AND wrapped IS NOT NULL", [kind])
        return {id for (id,) in rows}


def samples_of(store: PeopleStore, person_id: str) -> list[str]:
    detail = store.read(reading.person_detail, person_id)
    return [row.id for row in detail.samples]


def stranger(id: str, seed: int, last: datetime = NOW) -> Stranger:
    vectors = (embedding(seed), embedding(seed + 1))
    return Stranger(id, None, DIGEST, 1, last, last, vectors, (0.5, 0.6), picture(seed), POINTS, 0.5, ())


def sighting(id: str, person: str | None, number: int) -> Seen:
    return Seen(id, person, None, "one session", NOW, NOW, 0.9, picture(number), 0.5)


# -- nothing stands in the open -------------------------------------------------------------------------------------


def test_nothing_of_anybody_stands_in_a_file(store: PeopleStore, path: Path) -> None:
    ada = store.add_person('Ada "Countess" Ω', looks(1, 2, content="yes"), DIGEST)
    bob = store.add_person("Robert Byron", looks(3, 4), DIGEST, "attic")
    store.rename(ada.id, "Augusta King")
    store.add_negative(ada.id, embedding(5), DIGEST)
    store.remove_person(bob.id)
    keep(store.engine, OTHER, [(samples_of(store, ada.id)[0], embedding(6, 512))])
    save(store.engine, [stranger("a" * 32, 10)])
    seen_table.write(store.engine, [sighting("b" * 32, ada.id, 20), sighting("c" * 32, None, 21)], [], [])
    hook = Webhook("d" * 32, "https://hooks.example.org/T000/path", "whsec_0123456789", ("named",), None, NOW)
    add_webhook(store.engine, hook)
    add_source(store.engine, Source("e" * 32, "hall", "Door", "rtsp://viewer:opensesame@192.0.2.7/live", NOW))
    secrets = [form for name in ('Ada "Countess" Ω', "Robert Byron", "Augusta King") for form in forms(name)]
    secrets += [form for seed in (1, 2, 3, 4, 5, 10, 11) for form in vector_forms(seed)] + vector_forms(6, 512)
    secrets += [picture(number) for number in (1, 2, 3, 4, 10, 20, 21)]
    secrets += [(POINTS + n).astype("<f4").tobytes() for n in (0, 1, 2, 3)] + [f"{1:064x}".encode()]
    secrets += [b"hooks.example.org", b"whsec_0123456789", b"opensesame"]
    assert found(secrets, path) == []
    # … and all of it comes back.
    assert [row.name for row in store.people()] == ["Augusta King"]
    detail = store.read(reading.person_detail, ada.id)
    by_content = {sample.content: sample.id for sample in detail.samples}
    assert by_content.keys() == {f"{1:064x}", f"{2:064x}"}
    crop, points = store.read(reading.crop, by_content[f"{1:064x}"])
    assert (crop, points.tolist()) == (picture(1), (POINTS + 1).tolist())
    assert store.read(reading.known_contents, [f"{1:064x}", "f" * 64]) == {f"{1:064x}": (ada.id, "Augusta King")}
    assert "Robert Byron removed" in [change.words for change in store.changes()]
    (one,) = load(store.engine, DIGEST, NOW)
    assert (one.crop, one.qualities, [v.tobytes() for v in one.embeddings]) == (
        picture(10), pytest.approx((0.5, 0.6)), [embedding(n).tobytes() for n in (10, 11)])  # fmt: skip
    assert {row.name for row in seen_table.find(store.engine, Wanted(), 9)} == {"Augusta King", None}
    assert seen_table.get_crop(store.engine, "c" * 32) == picture(21)
    assert webhooks(store.engine)[0].secret == hook.secret
    assert read_sources(store.engine)[0].url.endswith("opensesame@192.0.2.7/live")
    check_owners(store)


def test_events_carry_the_name_as_it_is(store: PeopleStore) -> None:
    ada = store.add_person("Ada", looks(1), DIGEST)
    add_webhook(store.engine, Webhook("d" * 32, "https://example.org", "secret", ("named",), None, NOW))
    event = NewEvent("e" * 32, "named", "s" * 32, ada.id, None, "session", NOW, NOW, 0.9)
    seen_table.write(store.engine, [], [], [event])
    store.rename(ada.id, "Augusta")
    (delivery,), _ = due(store.engine, NOW + timedelta(days=1), 9)
    assert (delivery.event.name, delivery.webhook.secret) == ("Augusta", "secret")
    assert [told.name for told in events_after(store.engine, 0, 9)] == ["Augusta"]


def test_packs_are_exchanged_without_opening_a_seal(store: PeopleStore) -> None:
    ada = store.add_person("Ada", looks(1), DIGEST)
    (sample,) = samples_of(store, ada.id)
    (cropped,) = waiting(store.engine, OTHER, 9)
    assert (cropped.jpeg, cropped.landmarks.tolist()) == (picture(1), (POINTS + 1).tolist())
    keep(store.engine, OTHER, [(sample, embedding(2, 512))])
    assert exchange(store.engine, OTHER) == 1
    np.testing.assert_allclose(entries(store, OTHER, 512)[0][1], embedding(2, 512), atol=1e-6)
    assert exchange(store.engine, DIGEST) == 1
    np.testing.assert_allclose(entries(store)[0][1], embedding(1), atol=1e-6)


# -- what was put elsewhere ----------------------------------------------------------------------------------------


@only_sqlite
@pytest.mark.parametrize("column", ["embedding", "crop", "content"])
def test_rows_that_were_swapped_are_noticed(store: PeopleStore, path: Path, column: str) -> None:
    ada = store.add_person("Ada", looks(1, 2, content="yes"), DIGEST)
    one, two = samples_of(store, ada.id)
    with contextlib.closing(sqlite3.connect(path)) as database:
        there = dict(database.execute(f"SELECT id, {column} FROM sample").fetchall())
        swapped = [(there[two], one), (there[one], two)]
        database.executemany(f"UPDATE sample SET {column} = ? WHERE id = ?", swapped)
        database.commit()
    with pytest.raises(StorageError, match=f"sample.{column}: it was changed, or lies where it does not belong"):
        if column == "crop":
            store.read(reading.crop, one)
        else:
            list(store.read(lambda connection: [*reading.stored_samples(connection)]))
    if column == "embedding":
        with pytest.raises(StorageError, match="restore a backup"):
            entries(store)


@only_sqlite
def test_names_that_were_swapped_are_noticed(store: PeopleStore, path: Path) -> None:
    store.add_person("Ada", looks(1), DIGEST)
    store.add_person("Bob", looks(2), DIGEST)
    with contextlib.closing(sqlite3.connect(path)) as database:
        (one, ada), (two, bob) = database.execute("SELECT id, name FROM person").fetchall()
        database.executemany("UPDATE person SET name = ? WHERE id = ?", [(bob, one), (ada, two)])
        database.commit()
    with pytest.raises(StorageError, match=r"person\.name") as caught:
        store.people()
    assert "Ada" not in str(caught.value)


# -- whose key -----------------------------------------------------------------------------------------------------


CHANGES: dict[str, Callable[[PeopleStore, str, str], Any]] = {
    "merge": lambda store, a, b: store.merge(a, b),
    "split": lambda store, a, b: store.split(a, samples_of(store, a)[:1], "Charles")[1],
    "move_sample": lambda store, a, b: store.move_sample(samples_of(store, a)[0], b),
    "rename": lambda store, a, b: store.rename(a, "Augusta"),
    "remove_person": lambda store, a, b: store.remove_person(a),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_whoever_gets_a_sample_gets_it_under_their_key(store: PeopleStore, kind: str) -> None:
    ada = store.add_person("Ada", looks(1, 2, content="yes"), DIGEST)
    bob = store.add_person("Bob", looks(3, 4), DIGEST)
    store.add_negative(ada.id, embedding(9), DIGEST)
    keep(store.engine, OTHER, [(id, embedding(50, 512)) for id in samples_of(store, ada.id)])
    seen_table.write(store.engine, [sighting("b" * 32, ada.id, 20)], [], [])
    change = CHANGES[kind](store, ada.id, bob.id)
    check_owners(store)
    store.undo(change.id)
    check_owners(store)
    assert {row.name: row.samples for row in store.people()} == {"Ada": 2, "Bob": 2}
    assert seen_table.get_crop(store.engine, "b" * 32) == picture(20)
    assert len(entries(store)) == 2
    exchange(store.engine, OTHER)
    assert len(entries(store, OTHER, 512)) == 1


def test_forgetting_after_a_correction_takes_no_one_else_along(store: PeopleStore, path: Path) -> None:
    ada = store.add_person("Ada Lovelace", looks(1, 2), DIGEST)
    bob = store.add_person("Bob", looks(3, 4), DIGEST)
    store.move_sample(samples_of(store, ada.id)[0], bob.id)
    moved = store.changes()[0]
    assert store.forget(ada.id)
    assert [(row.name, row.samples) for row in store.people()] == [("Bob", 3)]
    assert len(entries(store)) == 1
    check_owners(store)
    assert moved.id not in [change.id for change in store.changes()]  # its words named Ada
    assert found(forms("Ada Lovelace"), path) == []


# -- forgetting ----------------------------------------------------------------------------------------------------


@only_sqlite
def test_whoever_is_forgotten_is_in_no_file_any_more(store: PeopleStore, path: Path) -> None:
    store.add_person("Robert Byron", looks(30, 31), DIGEST)
    kept = blobs(store)
    with store.engine.connect() as connection:
        old_index = index_key(connection)
    ada = store.add_person("Augusta Ada King", looks(*range(1, 9), content="yes"), DIGEST)
    store.rename(ada.id, "Countess of Lovelace")
    store.add_negative(ada.id, embedding(9), DIGEST)
    seen_table.write(store.engine, [sighting("b" * 32, ada.id, 20)], [], [])
    with contextlib.closing(sqlite3.connect(path.parent / "keyring.sqlite3")) as database:
        key = key_in(
            store.read(lambda c: c.execute(sa.select(PERSON.c.name).where(PERSON.c.id == ada.id)).scalar_one())
        )
        (wrapped,) = database.execute("SELECT wrapped FROM key WHERE id = ?", [key]).fetchone()
    traces = [*blobs(store) - kept, wrapped, ada.id.encode()]
    assert len(traces) > 20
    assert len(found(traces, path)) == len(traces)
    forgotten = store.forget(ada.id)
    assert forgotten is not None
    assert (forgotten.keys, forgotten.samples, forgotten.crops) == ((key.hex(),), 8, 9)
    assert found(traces, path) == []
    assert found([*forms("Augusta Ada King"), *forms("Countess of Lovelace"), picture(1), *vector_forms(1)], path) == []
    assert [row.name for row in store.people()] == ["Robert Byron"]
    assert store.find("ROBERT byron") is not None
    assert store.read(reading.known_contents, [f"{1:064x}"]) == {}
    with store.engine.connect() as connection:
        assert store.vault.state(old_index) not in (True, False)
        assert not connection.execute(sa.select(VAULT.c.dirty)).scalar_one()
    assert store.forget(ada.id) is None


def test_photos_are_known_after_somebody_else_is_forgotten(store: PeopleStore) -> None:
    ada = store.add_person("Ada", looks(1, content="yes"), DIGEST)
    bob = store.add_person("Bob", looks(2, content="yes"), DIGEST)
    store.forget(ada.id)
    assert store.read(reading.known_contents, [f"{1:064x}", f"{2:064x}"]) == {f"{2:064x}": (bob.id, "Bob")}


@only_sqlite
def test_yesterday_s_copy_brings_back_all_but_the_forgotten(store: PeopleStore, path: Path) -> None:
    ada = store.add_person("Ada Lovelace", looks(1, 2, content="yes"), DIGEST)
    bob = store.add_person("Bob", looks(3, 4, content="yes"), DIGEST)
    cleo = store.add_person("Cleo", looks(5), DIGEST)
    merged = store.add_person("Ada as well", looks(6), DIGEST)
    save(store.engine, [stranger("a" * 32, 10), stranger("b" * 32, 12)])
    seen_table.write(store.engine, [sighting("c" * 32, ada.id, 20), sighting("d" * 32, None, 21)], [], [])
    store.close()
    yesterday = path.with_name("yesterday")
    shutil.copy(path, yesterday)
    store = PeopleStore(path)
    store.merge(merged.id, ada.id)
    store.move_sample(samples_of(store, ada.id)[0], bob.id)
    store.move_sample(samples_of(store, bob.id)[0], ada.id)
    one = samples_of(store, ada.id)
    added = store.add_person("Dora", looks(7), DIGEST)  # today: not in the copy
    store.forget(ada.id)
    save(store.engine, [], ["a" * 32])
    seen_table.erase(store.engine, "d" * 32)
    store.close()
    today = path.read_bytes()
    shutil.copy(yesterday, path)
    yesterday.unlink()
    store = PeopleStore(path)
    assert [row.name for row in store.people()] == ["Bob", "Cleo"]
    assert not set(samples_of(store, bob.id)) & set(one)  # … nor the picture that was Bob's yesterday
    assert [row.id for row in load(store.engine, DIGEST, NOW - timedelta(1))] == ["b" * 32]
    assert seen_table.find(store.engine, Wanted(), 9) == []
    assert store.find("cleo") == cleo
    assert store.find("Ada Lovelace") is None
    assert store.read(reading.known_contents, [f"{4:064x}"]).keys() <= {f"{4:064x}"}
    secrets = [*forms("Ada Lovelace"), *forms("Ada as well"), *vector_forms(1), picture(1), ada.id.encode()]
    assert found(secrets, path) == []
    check_owners(store)
    store.close()
    path.write_bytes(today)  # the copy was not what was wanted: today's is as good as before
    store = PeopleStore(path)
    assert [row.name for row in store.people()] == ["Bob", "Cleo", "Dora"]
    assert store.find("dora") == added
    store.close()


@only_sqlite
def test_whoever_was_removed_for_good_does_not_come_back(path: Path) -> None:
    store = PeopleStore(path, undo_days=0)
    ada = store.add_person("Ada", looks(1), DIGEST)
    store.add_person("Bob", looks(2), DIGEST)
    store.close()
    copy = path.read_bytes()
    store = PeopleStore(path, undo_days=0)
    store.remove_person(ada.id)
    store.erase_expired()
    store.close()
    path.write_bytes(copy)
    store = PeopleStore(path)
    assert [row.name for row in store.people()] == ["Bob"]
    store.close()


def test_whoever_is_put_back_from_an_export_stays(store: PeopleStore, path: Path, tmp_path: Path) -> None:
    ada = store.add_person("Ada", looks(1, 2, content="yes"), DIGEST)
    store.add_negative(ada.id, embedding(5), DIGEST)
    export_people(store, tmp_path / "export")
    store.forget(ada.id)
    (person,) = read_export(tmp_path / "export")
    assert restore_person(store, person, lambda _id: False).added == 3
    before = store.read(reading.person_detail, ada.id)
    store.close()
    store = PeopleStore(path)
    after = store.read(reading.person_detail, ada.id)
    assert (after.row, after.negatives) == (before.row, before.negatives)
    assert store.read(reading.known_contents, [f"{1:064x}"]) == {f"{1:064x}": (ada.id, "Ada")}
    check_owners(store)
    store.close()


@only_sqlite
def test_a_store_without_its_keyring_is_refused_and_left_alone(store: PeopleStore, path: Path) -> None:
    store.add_person("Ada", looks(1), DIGEST)
    store.close()
    before = path.read_bytes()
    keyring = path.parent / "keyring.sqlite3"
    shutil.move(keyring, path.parent / "aside")
    with pytest.raises(StorageError, match=r"put back the keyring\.sqlite3"):
        PeopleStore(path)
    assert not keyring.exists()
    # … and with the keyring of another folder
    other = PeopleStore(path.parent / "other" / "people.sqlite3")
    other.close()
    shutil.copy(path.parent / "other" / "keyring.sqlite3", keyring)
    shutil.copy(path.parent / "master-key", path.parent / "own-master-key")
    shutil.copy(path.parent / "other" / "master-key", path.parent / "master-key")
    with pytest.raises(StorageError, match=r"put back the keyring\.sqlite3.*nothing has been changed"):
        PeopleStore(path)
    assert path.read_bytes() == before
    shutil.move(path.parent / "aside", keyring)
    shutil.move(path.parent / "own-master-key", path.parent / "master-key")
    again = PeopleStore(path)
    assert [row.name for row in again.people()] == ["Ada"]
    again.close()


@only_sqlite
def test_a_keyring_that_lacks_the_newest_keys_is_refused(store: PeopleStore, path: Path) -> None:
    store.add_person("Ada", looks(1), DIGEST)
    store.close()
    keyring = path.parent / "keyring.sqlite3"
    older = keyring.read_bytes()
    store = PeopleStore(path)
    store.add_person("Bob", looks(2), DIGEST)
    store.close()
    newer, before = keyring.read_bytes(), path.read_bytes()
    keyring.write_bytes(older)
    with pytest.raises(StorageError, match="nothing has been changed"):
        PeopleStore(path)
    assert path.read_bytes() == before
    keyring.write_bytes(newer)
    again = PeopleStore(path)
    assert len(again.people()) == 2
    again.close()


def test_keys_go_with_what_they_sealed(store: PeopleStore) -> None:
    save(store.engine, [stranger("a" * 32, 10)])
    save(store.engine, [stranger("a" * 32, 11)])  # it grows, and keeps its key
    seen_table.write(store.engine, [sighting("b" * 32, None, 20), sighting("c" * 32, None, 21)], [], [])
    seen_table.write(store.engine, [sighting("b" * 32, None, 22)], [], [])
    add_webhook(store.engine, Webhook("d" * 32, "https://example.org", "secret", (), None, NOW))
    add_source(store.engine, Source("e" * 32, "hall", "Door", "rtsp://a:b@192.0.2.7/", NOW))
    keyring = store.vault.keyring
    kinds = {"stranger": 1, "seen": 2, "webhook": 1, "source": 1, "index": 1, "common": 1}
    assert keyring.count() == kinds
    ada = store.add_person("Ada", looks(1), DIGEST)
    seen_table.write(store.engine, [sighting("b" * 32, ada.id, 23)], ["c" * 32], [])  # named; gone into another
    assert keyring.count() == {**{k: n for k, n in kinds.items() if k != "seen"}, "person": 1}
    assert seen_table.get_crop(store.engine, "b" * 32) == picture(23)
    save(store.engine, [], ["a" * 32])
    delete_webhook(store.engine, "d" * 32)
    delete_source(store.engine, "e" * 32)
    store.forget(ada.id)
    assert keyring.count() == {"index": 1, "common": 1}


# -- what is interrupted --------------------------------------------------------------------------------------------


class Stopped(BaseException):
    """As if the process had ended here."""


@only_sqlite
def test_forgetting_that_was_interrupted_is_finished_at_the_next_start(store: PeopleStore, path: Path) -> None:
    ada = store.add_person("Ada Lovelace", looks(1, 2), DIGEST)
    store.add_person("Bob", looks(3), DIGEST)

    def stop(*_: object) -> None:
        raise Stopped

    for target in ("before", "after"):
        write = store.vault.keyring.write

        def write_and_stop(*arguments: Any, write: Callable[..., None] = write) -> None:
            write(*arguments)
            raise Stopped

        store.vault.keyring.write = stop if target == "before" else write_and_stop  # type: ignore[method-assign]
        with pytest.raises(Stopped):
            store.forget(ada.id)
        store.close()
        store = PeopleStore(path)
        # Before the keys are gone nothing has happened; after that it is done.
        assert [row.name for row in store.people()] == (["Ada Lovelace", "Bob"] if target == "before" else ["Bob"])
    assert found([*forms("Ada Lovelace"), ada.id.encode()], path) == []
    check_owners(store)
    assert store.find("bob") is not None
    store.close()


@only_sqlite
def test_an_enrolment_that_was_interrupted_leaves_neither_row_nor_key(store: PeopleStore, path: Path) -> None:
    store.add_person("Bob", looks(3), DIGEST)
    write = store.vault.keyring.write

    def write_and_stop(*arguments: Any) -> None:
        write(*arguments)
        raise Stopped

    store.vault.keyring.write = write_and_stop  # type: ignore[method-assign]
    with pytest.raises(Stopped):
        store.add_person("Ada", looks(1), DIGEST)
    assert store.vault.keyring.count()["person"] == 2
    store.close()
    store = PeopleStore(path)
    assert store.vault.keyring.count()["person"] == 1
    assert [row.name for row in store.people()] == ["Bob"]
    store.close()


@only_sqlite
def test_a_refusal_makes_no_key(store: PeopleStore) -> None:
    store.add_person("Bob", looks(3), DIGEST)
    before = store.vault.keyring.count()
    with pytest.raises(Exception, match="NOT NULL"):
        store.add_person("Ada", [NewSample(embedding(2), float("nan"), "live")], DIGEST)
    assert store.vault.keyring.count() == before
    assert not store.vault.pending


KILLED = """
import os, signal, sys
from pathlib import Path
from server.storage import PeopleStore
from tests.server.test_vault_store import DIGEST, looks
store = PeopleStore(Path(sys.argv[1]))
ids = [store.add_person(f"Person {n}", looks(n), DIGEST).id for n in range(5)]
print(*ids, flush=True)
write = store.vault.keyring.write
def killed(*arguments):
    write(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
store.vault.keyring.write = killed
store.forget(ids[2])
"""


@only_sqlite
def test_killed_in_the_middle_of_forgetting(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    ids = done.stdout.split()
    assert found([ids[2].encode()], path)  # the row is still there, and worth nothing
    store = PeopleStore(path)
    assert [row.name for row in store.people()] == [f"Person {n}" for n in (0, 1, 3, 4)]
    assert found([ids[2].encode()], path) == []
    check_owners(store)
    store.close()


# -- a store of before ----------------------------------------------------------------------------------------------


def old_secrets() -> list[bytes]:
    secrets = [form for name in (*NAMES.values(), "Bob renamed") for form in forms(name)]
    secrets += [form for seed in SEEDS if seed not in (5, 31) for form in vector_forms(seed)] + vector_forms(5, 512)
    return [*secrets, JPEG, LANDMARKS, PHOTO.encode(), *SECRETS]


@only_sqlite
def test_a_store_of_before_is_sealed_at_the_first_start(path: Path) -> None:
    make_old_store(path)
    assert len(found(old_secrets(), path)) > 20
    store = PeopleStore(path, undo_days=36500)
    assert found(old_secrets(), path) == []
    assert {row.name: (row.samples, row.negatives) for row in store.people()} == {
        NAMES["a"]: (2, 1),
        NAMES["b"]: (1, 0),
    }
    check_owners(store)
    ((ada, _, marks), (_, template, _)) = entries(store)
    assert (ada.name, marks is not None) == (NAMES["a"], True)
    np.testing.assert_allclose(template, embedding(3), atol=1e-6)
    crop, points = store.read(reading.crop, "a1")
    assert (crop, points.tobytes()) == (JPEG, LANDMARKS)
    assert store.read(reading.known_contents, [PHOTO]) == {PHOTO: ("a", NAMES["a"])}
    assert store.find("ROBERT BYRON") is not None
    assert {change.words for change in store.changes()} == {
        "Bob renamed to Robert Byron", f"{NAMES['c']} removed", "4 pictures of 3 people added",
    }  # fmt: skip
    store.undo("x1")
    store.undo("x2")
    assert [row.name for row in store.people()] == [NAMES["a"], "Bob", NAMES["c"]]
    assert store.find(NAMES["c"]) is not None
    (one,) = load(store.engine, DIGEST, NOW)
    assert (one.crop, one.embeddings[1].tobytes()) == (JPEG, embedding(30).tobytes())
    assert [seen_table.get_crop(store.engine, id) for id in ("s1", "s2")] == [JPEG, JPEG]
    (hook,), (source,) = webhooks(store.engine), read_sources(store.engine)
    assert [hook.url.encode(), hook.secret.encode(), source.url.encode()] == [*SECRETS]
    exchange(store.engine, OTHER)
    np.testing.assert_allclose(entries(store, OTHER, 512)[0][1], embedding(5, 512), atol=1e-6)
    assert store.forget("a")
    assert [row.name for row in store.people()] == ["Bob", NAMES["c"]]
    store.close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


@only_sqlite
def test_sealing_that_was_interrupted_begins_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_old_store(path)
    before = path.read_bytes()
    write = open_vault(path.parent).keyring.__class__.write

    def stop(self: Any, *arguments: Any) -> None:
        write(self, *arguments)
        raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr("server.vault.keyring_sqlite.SqliteKeyring.write", stop)
        with pytest.raises(Stopped):
            PeopleStore(path)
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchone() == ("0009",)
        assert len(database.execute("SELECT name FROM person").fetchall()) == 3
    assert len(before)
    # … and ended between the sealing and the clearing of free pages: that is done at the next start.
    with monkeypatch.context() as patched:
        patched.setattr("server.storage.store.PeopleStore.erase_expired", lambda self: (_ for _ in ()).throw(Stopped()))
        with pytest.raises(Stopped):
            PeopleStore(path)
    store = PeopleStore(path, undo_days=36500)
    assert found(old_secrets(), path) == []
    assert len(store.people()) == 2
    store.close()


def test_undo_of_what_was_changed_since_is_still_refused(store: PeopleStore) -> None:
    ada = store.add_person("Ada", looks(1), DIGEST)
    first = store.rename(ada.id, "Augusta")
    second = store.rename(ada.id, "Countess")
    with pytest.raises(UndoConflict):
        store.undo(first.id)
    store.undo(second.id)
    store.rename(ada.id, "Augusta")  # the same name in another seal
    with writing(store.engine) as connection:
        connection.execute(CHANGE.delete().where(CHANGE.c.id == second.id))
    store.undo(first.id)
    assert store.people()[0].name == "Ada"


def test_a_store_in_use_is_not_opened_with_another_master_key(store: PeopleStore, path: Path) -> None:
    add(store, store.add_person("Ada", looks(1), DIGEST).id, *looks(2))
    (path.parent / "master-key").write_bytes(base64.b64encode(b"x" * 32))
    with pytest.raises(VaultError, match="not the one"):
        PeopleStore(path)
