"""``kill -9`` while people are forgotten and while keys are exchanged: scenarios of :mod:`tests.load.faults`."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from server.storage import PeopleStore
from server.storage.reading import stored_samples

STORE = "people.sqlite3"
WITHIN = 0.6  # seconds after the work began; all of it takes about so long
FORGETS = """
import sys
from pathlib import Path
from server.storage import PeopleStore
store = PeopleStore(Path(sys.argv[1]))
people = store.people()
print("go", flush=True)
for person in people[: len(people) // 2]:
    store.forget(person.id)
    print(person.name, flush=True)
"""
ROTATES = """
import sys
from pathlib import Path
from server.storage import PeopleStore
from server.storage.rekeying import rekey
from server.vault import MasterSource
from server.vault.lock import FolderLock
from server.vault.rotation import exchange_master
folder, source = Path(sys.argv[1]).parent, MasterSource()
lock = FolderLock(folder, alone=True)
print("go", flush=True)
store = PeopleStore(folder / "people.sqlite3", 7.0, source, lock)
rekey(store.engine)
store.close()
exchange_master(folder, source, lock)
print("done", flush=True)
"""
Fill = Callable[[Path, int], set[str]]
Names = Callable[[Path], set[str]]


def killed(program: str, folder: Path, within: float) -> list[str]:
    """Run it on a data folder, end it some time after it said that it goes; what else it said until then."""
    command = [sys.executable, "-c", program, str(folder / STORE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        time.sleep(within)
        process.send_signal(signal.SIGKILL)
        return process.stdout.read().split("\n")[:-1]


def forgetting(folder: Path, chance: random.Random, kills: int, fill: Fill, names: Names) -> tuple[str, str]:
    """Whoever was said to be forgotten stays so, and nobody else goes but the one it was interrupted at. What was done,
    and what was wrong."""
    gone_at_once = 0
    for number in range(kills):
        data = folder / f"{number}"
        before = fill(data, 40)
        said = set(killed(FORGETS, data, chance.uniform(0, WITHIN)))
        after = names(data)
        if said & after:
            return "", "somebody forgotten is back"
        if len(before - after - said) > 1:
            return "", "somebody who was not to be forgotten is lost"
        held = b"".join(file.read_bytes() for file in data.iterdir() if file.is_file())
        if any(name.encode() in held for name in said if len(name) > 4):
            return "", "a name is still in a file"
        gone_at_once += len(said)
    return f"{kills} kills, {gone_at_once} people forgotten before them", ""


def rotating(folder: Path, chance: random.Random, kills: int, fill: Fill, names: Names) -> tuple[str, str]:
    """Everybody is there whenever it was interrupted, and it can be done again to its end."""
    before = fill(folder, 60)
    through = 0
    for _ in range(kills):
        through += "done" in killed(ROTATES, folder, chance.uniform(0, WITHIN / 3))
        if names(folder) != before:
            return "", "somebody is lost"
    whole = subprocess.run([sys.executable, "-c", ROTATES, str(folder / STORE)], capture_output=True, check=False)
    if whole.returncode or names(folder) != before:
        return "", "it could not be done to its end afterwards"
    with contextlib.closing(PeopleStore(folder / STORE)) as store:
        if any(not store.read(_opens, row.id) for row in store.people()):
            return "", "numbers of somebody cannot be opened"
    return f"{kills} kills, {through} of them too late, then to its end", ""


def _opens(connection: sa.Connection, person: str) -> bool:
    return bool(list(stored_samples(connection, person)))
