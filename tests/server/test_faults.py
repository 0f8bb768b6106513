"""Disk, file, clock and process fail for real: nothing acknowledged is lost, and what is said helps."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from server.storage import PeopleStore
from server.storage.engine import writing
from server.storage.faults import fault
from server.vault import VaultError
from tests.load.faults import SCENARIOS, filled, mounts, small_disk
from tests.packs import models_folder
from tests.server.loopback import Camera, Page
from tests.server.test_live_session import RATE, portrait, track
from tests.server.whole import serving_all


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_acknowledged_is_lost(name: str, tmp_path: Path) -> None:
    row = SCENARIOS[name](tmp_path / "data", random.Random(1), 3)
    if "left out" in row.done:
        pytest.skip(row.done)
    assert row.lost == ("what was overwritten" if "damaged" in name else "nothing")
    if name in ("disk full", "full while migrating"):
        assert "full" in row.said or "No space left" in row.said
    if name == "read-only disk":
        assert "Read-only" in row.said


@pytest.mark.parametrize(
    ("code", "words", "passes"),
    [
        (sqlite3.SQLITE_FULL, "is full", True),
        (sqlite3.SQLITE_READONLY, "cannot be written", True),
        (sqlite3.SQLITE_READONLY | (8 << 8), "cannot be written", True),  # an extended code
        (sqlite3.SQLITE_IOERR, "failed to read or write", True),
        (sqlite3.SQLITE_BUSY, "Another program", True),
        (sqlite3.SQLITE_CORRUPT, "restore a backup", False),
        (sqlite3.SQLITE_NOTADB, "restore a backup", False),
    ],
)
def test_what_sqlite_says_becomes_words_without_its_own(code: int, words: str, passes: bool) -> None:
    said = sqlite3.OperationalError("Ada could not be written")
    said.sqlite_errorcode = code
    found = fault(sa.exc.OperationalError("INSERT", {"name": "Ada"}, said))
    assert found is not None
    assert words in found.words
    assert "Ada" not in found.words
    assert found.passes is passes


@pytest.mark.parametrize(
    ("state", "words", "passes"),
    [
        (None, "cannot be reached", True),
        ("08006", "cannot be reached", True),
        ("57P01", "cannot be reached", True),  # it is being stopped
        ("53300", "cannot be reached", True),  # no connection is left
        ("53100", "disk of the database is full", True),
        ("55P03", "Another node", True),
        ("40P01", "Another node", True),
        ("25006", "takes no changes", True),
        ("28P01", "refuses this user", True),
        ("42501", "refuses this user", True),
        ("58030", "disk of the database failed", True),
        ("XX001", "damaged", False),
    ],
)
def test_what_postgresql_says_becomes_words_without_its_own(state: str | None, words: str, passes: bool) -> None:
    kind = psycopg.OperationalError if state is None else psycopg.errors.lookup(state)
    error = sa.exc.OperationalError("INSERT", {"name": "Ada"}, kind("Ada could not be written"))
    for raised in (error, _raised_from(error)):
        found = fault(raised)
        assert found is not None
        assert words in found.words
        assert "Ada" not in found.words
        assert found.passes is passes
    assert fault(sa.exc.IntegrityError("INSERT", {}, psycopg.errors.UniqueViolation("Ada"))) is None
    assert fault(sa.exc.ProgrammingError("INSERT", {}, psycopg.errors.SyntaxError("Ada"))) is None


def _raised_from(error: Exception) -> VaultError:
    raised = VaultError("the keyring")
    raised.__cause__ = error
    return raised


def test_other_errors_are_none_of_its_business() -> None:
    integrity = sqlite3.IntegrityError("UNIQUE")
    integrity.sqlite_errorcode = sqlite3.SQLITE_CONSTRAINT
    for error in (
        ValueError("disk full"),
        OSError(errno.ENOENT, "no such file"),
        OSError("nothing"),
        sa.exc.IntegrityError("INSERT", {}, integrity),
        sa.exc.OperationalError("INSERT", {}, Exception("disk full")),
    ):
        assert fault(error) is None
    assert (found := fault(OSError(errno.ENOSPC, "no space"))) is not None
    assert "full" in found.words


def test_a_large_store_is_not_read_through_at_each_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.sqlite3"
    PeopleStore(path).close()
    asked: list[str] = []
    monkeypatch.setattr("server.storage.faults.CHECKED_UP_TO", 1)
    original = sa.Connection.exec_driver_sql

    def listen(self: sa.Connection, statement: str, *more: object, **named: object) -> object:
        asked.append(statement)
        return original(self, statement, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(sa.Connection, "exec_driver_sql", listen)
    PeopleStore(path).close()
    assert "PRAGMA page_count" in asked
    assert not [statement for statement in asked if "quick_check" in statement]


def test_a_store_that_another_program_holds_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(PeopleStore(tmp_path / "p.sqlite3")) as store:
        with contextlib.closing(sqlite3.connect(tmp_path / "p.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with store.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA busy_timeout=50")
            with pytest.raises(sa.exc.OperationalError) as caught, writing(store.engine):
                pass
        found = fault(caught.value)
        assert found is not None
        assert "Another program holds the store" in found.words


def started(folder: Path) -> tuple[int, str]:
    """Start the server as a person would, end it once it says where to go; its exit code, and its complaint."""
    line = [sys.executable, "-m", "server", "--no-lan", "--http-port", "0", "--data-dir", str(folder)]
    line += ["--models-dir", str(models_folder())]
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for said in process.stdout:
            if "http://localhost" in said:
                process.send_signal(signal.SIGINT)
        return process.wait(30), process.stderr.read()


@pytest.mark.parametrize("kind", ["damaged", "whole on a full disk"])
def test_the_server_says_in_one_line_why_it_does_not_start(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with contextlib.ExitStack() as stack:
        if "full" in kind:
            if not mounts():
                pytest.skip("mounting a small disk takes root")
            stack.enter_context(small_disk(folder, "4m"))
        filled(folder, 20)
        if kind == "damaged":
            with (folder / "people.sqlite3").open("r+b") as file:
                file.seek(0)
                file.write(b"no database at all")
        else:
            with (folder / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))
        code, complaint = started(folder)
    assert code == 1
    assert complaint.startswith("visavis: ")
    assert str(folder) in complaint
    assert complaint.count("\n") == 1
    # SQLite needs a little room of its own to open a store, or a keyring, at all.
    assert ("free space" if "full" in kind else "restore a backup") in complaint


async def test_on_a_full_disk_recognition_goes_on_and_enrolment_says_why_until_there_is_room(tmp_path: Path) -> None:
    if not mounts():
        pytest.skip("mounting a small disk takes root")
    folder = tmp_path / "data"
    with small_disk(folder, "4m") as again, serving_all(folder, inbox=False) as whole:
        page = Page(Camera(portrait(0), RATE))
        offer = (await page.offer()).encode()
        answer = await asyncio.to_thread(whole.ask, "POST", "/whip", offer, Content_Type="application/sdp")
        await page.accept(answer.body.decode())
        await page.until(lambda: any(result["faces"] for result in page.results), 20, "a face")
        ballast = folder / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        page.send("enrol", id=1, track=track(page), name="Ada")
        refused = await page.hears("error", 20)
        assert refused["code"] == "internal"
        assert refused["message"].startswith("The disk of the data folder is full, so nothing was saved.")
        seen = len(page.results)
        await page.until(lambda: len(page.results) > seen + 5, 10, "results after that")
        made = await asyncio.to_thread(whole.ask, "POST", "/keys", {"name": "x", "scopes": ["read"]})
        assert made.status == 503
        assert "disk of the data folder is full" in made.json["detail"]
        assert made.headers["retry-after"] == "30"
        assert (await asyncio.to_thread(whole.ask, "GET", "/people")).json["people"] == []
        again("size=64m")
        page.send("enrol", id=2, track=track(page), name="Ada")
        assert (await page.hears("enrolled", 20, id=2))["name"] == "Ada"
        await page.close()
