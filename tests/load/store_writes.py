"""How many transactions a second the store takes, and how long each waits, against the number of nodes that write.

    python -m tests.load.store_writes [--nodes 1,2,4,8] [--seconds 5] [--json]

A PostgreSQL server of its own, which has what is committed on the disk, and a SQLite file beside it. Each node is a
process with the store open that writes as fast as it is let. One writes at a time, whichever node it is: where more
nodes write no more, 1000 divided by the transactions a second are the milliseconds that one of them takes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import numpy as np

from pipeline.metrics import percentile
from server.audit.signing import SigningKey
from server.storage import NewSample, PeopleStore, audit, nodes, sightings
from tests.load.sessions import numbers
from tests.postgres import server

SEEN = 10  # people of whom a transaction says that they are still there
DIGEST, DIMENSION = "d" * 64, 128
TOGETHER = 60.0  # seconds within which all processes have the store open


@dataclass(frozen=True)
class Line:
    """What so many nodes wrote together; milliseconds that a transaction took, with its waiting."""

    store: str
    what: str
    nodes: int
    per_second: float
    p50: float
    p95: float


def still_there(store: PeopleStore) -> Callable[[], object]:
    """People of a node who stay: sightings that last longer."""
    began = datetime.now(UTC)
    ids = [uuid4().hex for _ in range(SEEN)]

    def write() -> None:
        now = datetime.now(UTC)
        seen = [sightings.Seen(id, None, None, "session", began, now, 0.9) for id in ids]
        sightings.write(store.engine, seen, (), ())

    return write


def noting(store: PeopleStore) -> Callable[[], object]:
    """A line of the audit log."""
    signer = SigningKey.of(store)
    entry = audit.Noted("owner", "person.view", uuid4().hex)
    return lambda: audit.append(store.engine, signer, [entry])


def enrolling(store: PeopleStore) -> Callable[[], object]:
    """Somebody new, with one picture's numbers."""
    vector = np.eye(1, DIMENSION, dtype=np.float32)[0]
    return lambda: store.add_person(f"Person {uuid4().hex}", [NewSample(vector, 0.8, "live")], DIGEST)


def heartbeat(store: PeopleStore) -> Callable[[], object]:
    """What needs no lock, over a line of its own, and is PostgreSQL's alone."""
    assert store.database is not None
    engine = store.database.engine()
    tag = uuid4().hex[:6]
    row = {"tag": tag, "name": tag, "url": "http://localhost", "version": "0", "sessions": 1, "draining": False}
    return lambda: nodes.beat(engine, row, started=False, dead=6.0, forget=3600.0)


KINDS = {"sightings": still_there, "audit": noting, "enrol": enrolling, "heartbeat": heartbeat}


_together: Any = None  # in a process of the pool: where they wait for each other


def _join(barrier: Any) -> None:
    global _together
    _together = barrier


def write(folder: Path, database: str, what: str, seconds: float) -> list[float]:
    """As one node, once all have the store open; the seconds each transaction took. Raises
    ``threading.BrokenBarrierError`` where one of them does not come."""
    with closing(PeopleStore(folder / "people.sqlite3", database=database)) as store:
        work = KINDS[what](store)
        work()
        _together.wait(TOGETHER)
        began = time.perf_counter()
        took: list[float] = []
        while (before := time.perf_counter()) < began + seconds:
            work()
            took.append(time.perf_counter() - before)
    return took


def measure(folder: Path, database: str, counts: Sequence[int], seconds: float) -> list[Line]:
    """Every kind of transaction, against the number of nodes."""
    lines = []
    for what in KINDS if database else [kind for kind in KINDS if kind != "heartbeat"]:
        for count in counts:
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(count, context, _join, (context.Barrier(count),)) as pool:
                jobs = [pool.submit(write, folder, database, what, seconds) for _ in range(count)]
                took = [1e3 * one for job in jobs for one in job.result()]
            name = "PostgreSQL" if database else "SQLite"
            rate = round(len(took) / seconds, 1)
            lines.append(Line(name, what, count, rate, round(median(took), 2), round(percentile(took, 95), 2)))
    return lines


def table(lines: Sequence[Line]) -> str:
    """As text."""
    rows = [f"{'store':<10}  {'transaction':<11}  {'nodes':>5}  {'a second':>8}  {'p50 ms':>7}  {'p95 ms':>7}"]
    rows += [
        f"{one.store:<10}  {one.what:<11}  {one.nodes:>5}  {one.per_second:>8.1f}  {one.p50:>7.2f}  {one.p95:>7.2f}"
        for one in lines
    ]
    return "\n".join(rows)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nodes", type=numbers, default=[1, 2, 4, 8])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.seconds <= 0 or max(asked.nodes) > 20:
        parser.error("--seconds must be more than 0, --nodes 20 at most")
    postgres = server()
    if isinstance(postgres, str):
        sys.exit(postgres)
    postgres.stop()
    postgres.start(durable=True)
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="visavis-load-") as temporary:
        places: list[tuple[str, str, Any]] = [("file", "", [1]), ("base", postgres.database(), asked.nodes)]
        for place, database, counts in places:
            folder = Path(temporary) / place
            PeopleStore(folder / "people.sqlite3", database=database).close()
            lines += measure(folder, database, counts, asked.seconds)
    print(json.dumps([asdict(one) for one in lines]) if asked.json else table(lines))


if __name__ == "__main__":
    main()
