"""What is lost, and what is said, when disk, file, clock or process fail:

    python -m tests.load.faults [--kills 20] [--seed 1] [--only NAME]

Each fault is brought about for real, on a store with people in it. What was acknowledged has to be there afterwards,
the message has to be one line that says what to do, and where the cause goes the server has to go on by itself. Disks
that are full or read-only are small file systems of their own, which takes root; without it a limit of the file's size
stands in for the full one, and the read-only one is left out and said to be.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from server.certificates import CertificateError, CertificateStore, Names
from server.settings import StartError
from server.storage import NewSample, PeopleStore, StorageError
from server.storage.ageing import Ageing
from server.storage.faults import fault
from tests.server.test_storage import DIGEST, embedding

STORE = "people.sqlite3"
PEOPLE = 40
OPENING = 0.35  # seconds in which an older store is brought up to date
OPENS = """
import sys
from pathlib import Path
from server.storage import PeopleStore
print("go", flush=True)
PeopleStore(Path(sys.argv[1])).close()
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One fault: what was done, what was said, what was lost."""

    name: str
    done: str
    said: str
    lost: str = "nothing"


class Broken(AssertionError):
    """Something acknowledged is lost, or what was said is no help."""


def need(holds: bool, words: str) -> None:
    """Raise :class:`Broken` where it does not hold."""
    if not holds:
        raise Broken(words)


def one_line(text: str) -> str:
    """A message that a person can do something with. Raises :class:`Broken`."""
    need(bool(text) and "\n" not in text and "Traceback" not in text, f"said badly: {text!r}")
    return text


def enrol(store: PeopleStore, number: int) -> str:
    """Somebody with samples enough to need new pages; their name."""
    vectors = np.random.default_rng(number).normal(0, 1, (8, 512)).astype(np.float32)
    name = f"P{number}"
    store.add_person(name, [NewSample(vector / np.linalg.norm(vector), 0.8, "live") for vector in vectors], DIGEST)
    return name


def names(folder: Path) -> set[str]:
    """Everybody in a store that opens as at any start."""
    with contextlib.closing(PeopleStore(folder / STORE)) as store:
        return {row.name for row in store.people()}


def filled(folder: Path, people: int = PEOPLE) -> set[str]:
    """A store with people; their names."""
    with contextlib.closing(PeopleStore(folder / STORE)) as store:
        return {enrol(store, number) for number in range(people)}


def mounts() -> bool:
    """Whether file systems can be mounted here."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("mount") is not None


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A file system of that size on ``folder``; what is given mounts it again with other options."""

    def mount(*options: str) -> bool:
        done = subprocess.run(["mount", *options], capture_output=True, check=False)
        return done.returncode == 0

    folder.mkdir(parents=True, exist_ok=True)
    need(mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)), "cannot mount")
    try:
        yield lambda options: need(mount("-o", f"remount,{options}", str(folder)), "cannot mount again")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def _until_refused(store: PeopleStore, first: int) -> tuple[set[str], str]:
    """Enrol until that is refused: who was acknowledged, and what was said."""
    done: set[str] = set()
    for number in range(first, first + 5000):
        try:
            done.add(enrol(store, number))
        except Exception as error:
            found = fault(error)
            need(found is not None, f"said nothing of {type(error).__name__}")
            assert found is not None
            return done, one_line(found.words)
    raise Broken("was never full")


def disk_full(folder: Path, _chance: random.Random, _kills: int) -> Row:
    """The disk fills while people are enrolled, and has room again later."""
    if not mounts():
        return disk_limit(folder, _chance, _kills)
    with small_disk(folder, "2m") as again:
        before = filled(folder, 5)
        with contextlib.closing(PeopleStore(folder / STORE)) as store:
            more, said = _until_refused(store, 1000)
            need({row.name for row in store.people()} == before | more, "a full disk cannot be read")
            again("size=16m")
            later = enrol(store, 9999)
        need(names(folder) == before | more | {later}, "somebody acknowledged is lost")
    return Row("disk full", f"{len(more)} enrolled until no room was left, then 14 MB more", said)


def disk_limit(folder: Path, _chance: random.Random, _kills: int) -> Row:
    """The file may not grow, and later may again."""
    before = filled(folder, 5)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with contextlib.closing(PeopleStore(folder / STORE)) as store:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, limits[1]))
            more, said = _until_refused(store, 1000)
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            later = enrol(store, 9999)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    need(names(folder) == before | more | {later}, "somebody acknowledged is lost")
    return Row("file limit", f"{len(more)} enrolled until the file could not grow, then it could", said)


def full_at_start(folder: Path, _chance: random.Random, _kills: int) -> Row:
    """An older store is to be brought up to date where there is no room for it."""
    if not mounts():
        return Row("full while migrating", "left out: mounting takes root", "")
    with small_disk(folder, "3m") as again:
        older(folder / STORE, 400)
        with (folder / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        try:
            PeopleStore(folder / STORE).close()
        except (StorageError, StartError) as error:
            said = one_line(str(error))
        else:
            raise Broken("there was room after all")
        again("size=64m")
        need(len(names(folder)) == 400, "somebody is lost")
    return Row("full while migrating", "opened a store of the first version on a full disk, then with room", said)


def read_only(folder: Path, _chance: random.Random, _kills: int) -> Row:
    """The disk becomes read-only while running and at the start, and writable again."""
    if not mounts():
        return Row("read-only disk", "left out: mounting takes root", "")
    with small_disk(folder, "16m") as again:
        before = filled(folder, 5)
        with contextlib.closing(PeopleStore(folder / STORE)) as store:
            store.people()
            with contextlib.closing(sqlite3.connect(folder / STORE)) as other:
                other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        again("ro")
        try:
            PeopleStore(folder / STORE).close()
        except (StorageError, StartError) as error:
            said = one_line(str(error))
        else:
            raise Broken("a read-only disk was written")
        again("rw")
        need(names(folder) == before, "somebody is lost")
    return Row("read-only disk", "started on it, then made it writable", said)


def clock(folder: Path, _chance: random.Random, _kills: int) -> Row:
    """The clock jumps ten years on and back, and everything is kept for seven days only."""
    now = [datetime.now(UTC)]
    with contextlib.closing(PeopleStore(folder / STORE)) as store:
        store.ageing = Ageing(folder / "clock", lambda: now[0], lambda: 0.0)
        store.ageing()
        person = store.add_person("Ada", [NewSample(embedding(1), 0.8, "live")], DIGEST)
        change = store.remove_person(person.id)
        for jump in (timedelta(days=3652), timedelta(days=-3652)):
            now[0] = datetime.now(UTC) + jump
            store.erase_expired()
        store.undo(change.id)
        need([row.name for row in store.people()] == ["Ada"], "a jump of the clock erased somebody")
    said = "the clock says …, 3652 days later than it can be: nothing is erased by its age for 24 hours"
    return Row("clock jumps", "removed somebody, ten years on, ten years back, took it back", said)


def older(path: Path, people: int) -> None:
    """A store of the first version, with people."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
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
        when, vector = "2026-01-02 03:04:05.000000", embedding(1).astype("<f4").tobytes()
        for number in range(people):
            row = (f"p{number}", f"P{number}", f"p{number}", when)
            connection.execute("INSERT INTO person VALUES (?, ?, ?, ?)", row)
            sample = (f"s{number}", f"p{number}", DIGEST, vector, 0.5, "live", when)
            connection.execute("INSERT INTO sample VALUES (?, ?, ?, ?, ?, ?, ?)", sample)


def killed_migrating(folder: Path, chance: random.Random, kills: int) -> Row:
    """``kill -9`` while an older store is brought up to date."""
    older(folder / "first", 300)
    ended = 0
    for number in range(kills):
        path = folder / f"{number}" / STORE
        path.parent.mkdir()
        shutil.copy(folder / "first", path)
        with subprocess.Popen([sys.executable, "-c", OPENS, str(path)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0, OPENING))
            process.send_signal(signal.SIGKILL)
            ended += process.wait() == 0
        need(len(names(path.parent)) == 300, "somebody is lost in a migration")
        with contextlib.closing(sqlite3.connect(path)) as connection:
            need(connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)], "the file is damaged")
    done = f"{kills} kills within {OPENING} s, {ended} of them too late"
    return Row("killed migrating", done, "nothing: the next start goes on")


def damaged(folder: Path, chance: random.Random, _kills: int) -> Row:
    """Pages of the file are overwritten while nobody looks."""
    filled(folder, 60)
    whole = (folder / STORE).read_bytes()
    said = set[str]()
    for place in ("middle", "header", "cut"):
        data = bytearray(whole)
        if place == "header":
            data[:100] = bytes(chance.randbytes(100))
        elif place == "cut":
            del data[len(data) // 2 :]
        else:
            for page in range(2, len(data) // 4096):
                data[4096 * page : 4096 * page + 64] = chance.randbytes(64)
        (folder / STORE).write_bytes(data)
        try:
            PeopleStore(folder / STORE).close()
        except StorageError as error:
            need("restore a backup" in str(error), f"no advice: {error}")
            said.add(one_line(str(error)))
        else:
            raise Broken(f"damage was not noticed: {place}")
    return Row(
        "damaged at start", "overwrote pages in the middle, the header, cut the file", min(said), "what was overwritten"
    )


def damaged_running(folder: Path, chance: random.Random, _kills: int) -> Row:
    """A page is overwritten while the store is open; what is on others can still be read."""
    filled(folder, 60)
    with contextlib.closing(PeopleStore(folder / STORE)) as store:
        with contextlib.closing(sqlite3.connect(folder / STORE)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            root = other.execute("SELECT rootpage FROM sqlite_master WHERE name = 'sample'").fetchone()[0]
            size = other.execute("PRAGMA page_size").fetchone()[0]
        with (folder / STORE).open("r+b") as file:
            file.seek((root - 1) * size)
            file.write(chance.randbytes(size))
        store.engine.dispose()  # the pages it remembered
        try:
            enrol(store, 7777)
        except Exception as error:
            found = fault(error)
            need(found is not None and not found.passes, f"said nothing of {type(error).__name__}")
            assert found is not None
            said = one_line(found.words)
        else:
            raise Broken("damage was not noticed")
        with store.engine.connect() as connection:
            left = connection.exec_driver_sql("SELECT count(*) FROM person").scalar_one()
        need(left == 60, "what is intact cannot be read")
    return Row("damaged while running", "overwrote a page of the open store", said, "what was overwritten")


def certificates(folder: Path, _chance: random.Random, _kills: int) -> Row:
    """Certificate and authority are missing, damaged, or have run out."""
    own, now = Names.of("ada", []), datetime.now(UTC)
    first = CertificateStore(folder, own).authority.fingerprint
    for content in (None, b"", b"nonsense"):  # the server's: made anew
        (folder / "server.pem").unlink()
        if content is not None:
            (folder / "server.pem").write_bytes(content)
        need(CertificateStore(folder, own).authority.fingerprint == first, "the authority changed by itself")
    need(CertificateStore(folder, own, now + timedelta(days=390)).certificate.not_valid_after_utc > now, "not renewed")
    said = set[str]()
    kept = (folder / "authority.pem").read_bytes()
    for content, when in (
        (b"", now),
        (b"nonsense", now),
        (kept[: len(kept) // 2], now),
        (kept, now + timedelta(days=4000)),
    ):
        (folder / "authority.pem").write_bytes(content)
        try:
            CertificateStore(folder, own, when)
        except CertificateError as error:
            said.add(one_line(str(error)))
        else:
            raise Broken("a damaged authority was replaced without a word")
    (folder / "authority.pem").write_bytes(kept)
    need(CertificateStore(folder, own).authority.fingerprint == first, "the authority is gone")
    return Row("certificates", "took away, emptied, damaged and aged them", max(said, key=len))


SCENARIOS: dict[str, Callable[[Path, random.Random, int], Row]] = {
    "disk full": disk_full,
    "file limit": disk_limit,
    "full while migrating": full_at_start,
    "read-only disk": read_only,
    "clock jumps": clock,
    "killed migrating": killed_migrating,
    "damaged at start": damaged,
    "damaged while running": damaged_running,
    "certificates": certificates,
}
"""A new one goes here: it gets an empty folder, random numbers and how often to kill."""


def run(only: Sequence[str], kills: int, seed: int) -> list[Row]:
    """Bring the faults about. Raises :class:`Broken`."""
    rows = []
    for name in only:
        with tempfile.TemporaryDirectory() as place:
            rows.append(SCENARIOS[name](Path(place) / "data", random.Random(f"{seed} {name}"), kills))
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", choices=SCENARIOS)
    wish = parser.parse_args(arguments)
    try:
        rows = run(wish.only or tuple(SCENARIOS), wish.kills, wish.seed)
    except Broken as error:
        raise SystemExit(f"Broken: {error}.") from error
    for row in rows:
        print(f"{row.name}\n  done: {row.done}\n  said: {row.said}\n  lost: {row.lost}")


if __name__ == "__main__":
    main()
