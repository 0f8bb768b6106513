"""Whether ``kill -9`` at any moment loses or halves anything: ``python -m tests.load.crashes --times 50``.

Half of the kills hit a process that enrols one person after the other and prints each as soon as it is told that they
are saved, the other half ``visavis people import`` on a folder. After each, the store must open and be sound, hold
everything acknowledged with all samples, and nothing half.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np

from server.people import People
from server.storage import NewPerson, NewSample, PeopleStore
from tests.load.imports import command, make
from tests.packs import models_folder

DIMENSION, DIGEST = 128, "d" * 64
SAMPLES = 5
STORE = "people.sqlite3"


class Broken(AssertionError):
    """Something is lost, half or unsound."""


async def enrol(path: Path, first: int) -> None:
    """Enrol without end; a line for each person who is saved."""
    people = await People.open(path, DIGEST, DIMENSION)
    number = first
    while True:
        vectors = np.random.default_rng(number).normal(0, 1, (SAMPLES, DIMENSION)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        samples = tuple(NewSample(vector, 0.9, "live") for vector in vectors)
        await people.enrol([NewPerson(f"P{number}", samples)])
        print(f"P{number}", flush=True)
        number += 1


def check(path: Path) -> dict[str, int]:
    """The number of samples by name, after finding the store sound and nobody in it half."""
    with closing(PeopleStore(path)) as store:  # opens as at any start
        names = {row.id: row.name for row in store.people()}
    with closing(sqlite3.connect(path)) as connection:
        if connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            raise Broken("the file is damaged")
        if connection.execute("PRAGMA foreign_key_check").fetchall():
            raise Broken("a sample has no person")
        rows = connection.execute(
            "SELECT person.id, count(sample.id) FROM person LEFT JOIN sample ON sample.person_id = person.id "
            "GROUP BY person.id"
        ).fetchall()
    if {id for id, _ in rows} != names.keys():
        raise Broken("somebody is there and not listed")
    if len(set(names.values())) != len(rows):
        raise Broken("somebody is there twice")
    if any(count == 0 for _, count in rows):
        raise Broken("a person has no sample")
    return {names[id]: count for id, count in rows}


def kill_enrolling(path: Path, first: int, chance: random.Random) -> list[str]:
    """Kill a process that enrols, a moment after its first line; returns whom it had said to be saved."""
    argument = [sys.executable, "-m", "tests.load.crashes", "--enrol", str(path), "--first", str(first)]
    with subprocess.Popen(argument, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        time.sleep(chance.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        said += process.stdout.read()
    return [line for line in said.splitlines(keepends=True) if line.endswith("\n")]


def importing(data: Path, photos: Path) -> subprocess.Popen[bytes]:
    """The command, begun."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VISAVIS_")}
    environ["VISAVIS_CONSENT"] = "ask"
    line = command(data, "import", str(photos), "--review", "off", "--models-dir", str(models_folder()))
    return subprocess.Popen(line, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_importing(data: Path, photos: Path, after: float) -> bool:
    """Kill an import after so many seconds; returns whether it had not ended before."""
    with importing(data, photos) as process:
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        return process.wait() == -signal.SIGKILL


def crash_enrolments(folder: Path, times: int, chance: random.Random) -> Counter[str]:
    """Kill enrolment so often in one store. Raises :class:`Broken`."""
    path, said = folder / "enrol" / STORE, set[str]()
    for kill in range(times):
        said |= {line.strip() for line in kill_enrolling(path, 100_000 * kill, chance)}
        kept = check(path)
        if lost := said - kept.keys():
            raise Broken(f"{len(lost)} finished enrolments are lost")
        if set(kept.values()) - {SAMPLES}:
            raise Broken("somebody has lost a sample")
    return Counter(kills=times, acknowledged=len(said), kept=len(check(path)) if times else 0)


def crash_imports(folder: Path, times: int, people: int, photos: int, chance: random.Random) -> Counter[str]:
    """Kill an import so often, going on with it each time, and anew once it has ended. Raises :class:`Broken`."""
    make(folder / "photos", people, photos)
    began = time.monotonic()
    with importing(folder / "whole", folder / "photos") as process:
        process.wait()
    lasts = time.monotonic() - began  # of which the first part goes by before anything is read
    data, before = folder / "import 0", dict[str, int]()
    result, rounds = Counter(kills=0), 0
    while result["kills"] < times:
        killed = kill_importing(data, folder / "photos", chance.uniform(0.4, 1.0) * lasts)
        kept = check(data / STORE) if (data / STORE).exists() else {}
        if before.keys() - kept.keys():
            raise Broken("somebody imported is lost")
        if set(kept.values()) - {photos}:
            raise Broken("somebody is imported half")
        result.update(kills=int(killed), ended=int(not killed), kept=len(kept) - len(before))
        before = kept
        if len(kept) == people:
            rounds += 1
            data, before = folder / f"import {rounds}", {}
    return result


def run(times: int, seed: int, people: int = 12, photos: int = 3) -> dict[str, Counter[str]]:
    """Both, half of the times each. Raises :class:`Broken`."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        enrolments = crash_enrolments(Path(place), times - times // 2, chance)
        imports = crash_imports(Path(place), times // 2, people, photos, chance)
    return {"enrolment": enrolments, "import": imports}


def main() -> None:
    """Kill, check, print."""
    parser = argparse.ArgumentParser(description="What kill -9 leaves of enrolments and imports.")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--enrol", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.enrol:
        asyncio.run(enrol(args.enrol, args.first))
    print(f"seed {args.seed}")
    try:
        rows = run(args.times, args.seed)
    except Broken as error:
        raise SystemExit(f"Broken: {error}.") from error
    print(f"{'while':12}{'kills':>7}{'acknowledged':>14}{'people kept':>13}")
    for label, row in rows.items():
        print(f"{label:12}{row['kills']:7}{row.get('acknowledged', '–'):>14}{row['kept']:13}")
    print("Nobody acknowledged is lost, nobody is half there, every store is sound.")


if __name__ == "__main__":
    main()
