"""``visavis bench vault``: what sealing costs, beside the same work on bytes that are not sealed."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median

import click
import numpy as np

from pipeline.gallery import Entry, Gallery, Person
from pipeline.templates import person_template
from server.commands.report import show
from server.commands.synthetic_templates import Matrix, synthetic_templates
from server.storage import NewPerson, NewSample, PeopleStore, reading
from server.vault.keyring import new_key
from server.vault.seal import about

DIGEST, DIMENSION = "d" * 64, 128
BATCH = 500
ROUNDS = 3
SEARCHES = 300
RECORDS = 20_000


@click.command("vault")
@click.option("--people", type=click.IntRange(1), default=10_000, show_default=True)
@click.option("--samples", type=click.IntRange(1), default=5, show_default=True, help="Of each of them.")
@click.option("--crop-bytes", type=click.IntRange(0), default=0, show_default=True, help="Of a picture kept with each.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bench_vault(people: int, samples: int, crop_bytes: int, as_json: bool) -> None:
    """Start, enrol, list and forget with everything sealed, and what of it is the sealing's."""
    rows: list[tuple[str, object]] = [("people", people), ("samples", people * samples)]
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "people.sqlite3"
        templates = synthetic_templates(people * samples, 1, 20, dimension=DIMENSION).templates
        began = time.perf_counter()
        with closing(PeopleStore(path)) as store:
            ids = _enrol(store, templates, people, samples, crop_bytes)
            rows.append(("enrol, each of many at once [ms]", _ms(began) / people))
            rows += _one_by_one(store, crop_bytes)
        rows += [("store [MB]", path.stat().st_size / 1e6), ("keyring [MB]", _size(path.with_name("keyring.sqlite3")))]
        rows += _start(path)
        plain = Path(place) / "plain.sqlite3"
        _make_plain(plain, templates, people, samples, crop_bytes)
        rows.append(("the same read unsealed: file to gallery [s]", _best(lambda: _load_plain(plain))))
        with closing(PeopleStore(path)) as store:
            rows += _forget(store, ids)
            rows += _records(store)
            rows += _live(store)
    show("Sealing", [(label, value if isinstance(value, int) else f"{value:.4g}") for label, value in rows], as_json)


def _enrol(store: PeopleStore, templates: Matrix, people: int, samples: int, crop_bytes: int) -> list[str]:
    crop, ids = np.random.default_rng(1).bytes(crop_bytes) or None, []
    for start in range(0, people, BATCH):
        batch = [
            NewPerson(
                f"Person {n}",
                tuple(NewSample(vector, 0.8, "photo", crop=crop) for vector in templates[n * samples :][:samples]),
            )
            for n in range(start, min(start + BATCH, people))
        ]
        ids += [person.id for person in store.enrol(batch, DIGEST).people]
    return ids


def _one_by_one(store: PeopleStore, crop_bytes: int) -> list[tuple[str, object]]:
    vector = np.eye(1, DIMENSION, dtype=np.float32)[0]
    times = []
    for number in range(20):
        began = time.perf_counter()
        store.add_person(f"Alone {number}", [NewSample(vector, 0.8, "live", crop=bytes(crop_bytes) or None)], DIGEST)
        times.append(_ms(began))
    return [("enrol, alone, until it is on the disk [ms]", median(times))]


def _start(path: Path) -> list[tuple[str, object]]:
    opened: list[float] = []
    listed: list[float] = []
    loaded: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        with closing(PeopleStore(path)) as store:
            opened.append(time.perf_counter() - began)
            began = time.perf_counter()
            entries = store.read(reading.gallery_entries, DIGEST, DIMENSION, 16)
            Gallery.build(entries, DIMENSION, DIGEST)
            loaded.append(time.perf_counter() - began)
            listed.append(_seconds(store.people))
    return [
        ("start: open the store, hold seals against keys [s]", min(opened)),
        ("start: open every seal, build the gallery [s]", min(loaded)),
        ("list everybody by name [s]", min(listed)),
    ]


def _forget(store: PeopleStore, ids: list[str]) -> list[tuple[str, object]]:
    times = [_seconds(lambda id=id: store.forget(id)) for id in ids[:ROUNDS]]  # type: ignore[misc]
    return [("forget one, files written anew [s]", median(times))]


def _records(store: PeopleStore) -> list[tuple[str, object]]:
    key = store.vault.keep_key("video")[0]
    data, bound = bytes(4 * DIMENSION), about("sample.embedding", new_key("video").id.hex(), DIGEST)
    began = time.perf_counter()
    blobs = [store.vault.seal(key, data, bound) for _ in range(RECORDS)]
    sealed = _ms(began)
    began = time.perf_counter()
    for blob in blobs:
        store.vault.open(blob, bound)
    return [
        ("seal an embedding [µs]", 1e3 * sealed / RECORDS),
        ("open an embedding [µs]", 1e3 * _ms(began) / RECORDS),
        ("bytes that sealing adds", len(blobs[0]) - len(data)),
    ]


def _live(store: PeopleStore) -> list[tuple[str, object]]:
    """A gallery is in memory, opened: a search in it knows nothing of seals."""
    entries = store.read(reading.gallery_entries, DIGEST, DIMENSION, 16)
    copies = [(person, np.array(template), marks) for person, template, marks in entries]
    probe = copies[-1][1]
    result: list[tuple[str, object]] = []
    for label, given in (("from sealed rows", entries), ("from arrays", copies)):
        gallery = Gallery.build(given, DIMENSION, DIGEST)
        gallery.search(probe, 32)
        times = [_seconds(lambda g=gallery: g.search(probe, 32)) for _ in range(SEARCHES)]  # type: ignore[misc]
        result.append((f"search for one face, gallery {label} [ms]", 1e3 * median(times)))
    return result


def _make_plain(path: Path, templates: Matrix, people: int, samples: int, crop_bytes: int) -> None:
    """The same rows as they were before anything was sealed."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE person (id TEXT PRIMARY KEY, name TEXT)")
        database.execute("CREATE TABLE sample (id TEXT PRIMARY KEY, person_id TEXT, embedding BLOB, crop BLOB)")
        database.executemany("INSERT INTO person VALUES (?, ?)", ((f"{n:032x}", f"Person {n}") for n in range(people)))
        rows = ((f"{n:032x}", f"{n // samples:032x}", v.tobytes(), bytes(crop_bytes)) for n, v in enumerate(templates))
        database.executemany("INSERT INTO sample VALUES (?, ?, ?, ?)", rows)
        database.commit()


def _load_plain(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        names = dict(database.execute("SELECT id, name FROM person"))
        rows = database.execute("SELECT person_id, embedding FROM sample ORDER BY person_id").fetchall()
    vectors = np.frombuffer(b"".join(row[1] for row in rows), "<f4").reshape(-1, DIMENSION).astype(np.float32)
    count = len(rows) // len(names)
    ones = np.full(count, 0.8, np.float32)
    entries: list[Entry] = [
        (Person(id, names[id], None), person_template(vectors[n * count :][:count], ones, 16), None)
        for n, id in enumerate(sorted(names))
    ]
    Gallery.build(entries, DIMENSION, DIGEST)


def _best(work: Callable[[], object]) -> float:
    return min(_seconds(work) for _ in range(ROUNDS))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _ms(began: float) -> float:
    return 1e3 * (time.perf_counter() - began)


def _size(path: Path) -> float:
    return path.stat().st_size / 1e6
