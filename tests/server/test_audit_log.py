"""The audit log's chain: what is appended holds, and whatever is done to it behind its back is found."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.audit import AuditLog, SigningKey
from server.audit.actions import ACTIONS, CHANGE
from server.audit.signing import FILE
from server.commands.audit import audit, walked
from server.people import People
from server.settings import StartError
from server.storage import PeopleStore
from server.storage.audit import GENESIS, Asked, Broken, Noted, append, find, prune
from tests.server.test_storage import DIGEST
from tests.stores import only_sqlite

pytestmark = pytest.mark.usefixtures("either_store")

COLUMNS = ("at", "actor", "action", "subject", "room", "count", "detail", "previous", "hash")
MARKS = ("number", "hash", "at", "key", "signature")
ROWS = 12


def fill(folder: Path, rows: int = ROWS) -> SigningKey:
    key = SigningKey.open(folder)
    with contextlib.closing(PeopleStore(folder / "people.sqlite3")) as store:
        for number in range(rows - 1):  # the first says that the log begins
            append(
                store.engine, key, [Noted("account:7", "person.viewed", f"{number:032x}", "hall", number + 1, "live")]
            )
    return key


def check(folder: Path) -> tuple[int, Broken | None]:
    with contextlib.closing(PeopleStore(folder / "people.sqlite3")) as store:
        return walked(store, SigningKey.open(folder))


def tamper(folder: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    """As somebody would who may write the file: without the triggers."""
    with contextlib.closing(sqlite3.connect(folder / "people.sqlite3")) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement, values in statements:
            connection.execute(statement, values)
        connection.commit()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log")
    fill(folder)
    return folder


@pytest.fixture
def log(filled: Path, tmp_path: Path) -> Path:
    """A copy to do things to."""
    shutil.copytree(filled, tmp_path / "log")
    return tmp_path / "log"


@only_sqlite
def test_what_was_appended_holds(log: Path) -> None:
    assert check(log) == (ROWS, None)
    assert (log / FILE).stat().st_mode & 0o777 == 0o600


@only_sqlite
def test_the_store_itself_refuses_to_change_or_remove_a_row(log: Path) -> None:
    with contextlib.closing(PeopleStore(log / "people.sqlite3")) as store:
        for statement in (
            "UPDATE audit SET actor = 'x'",
            "UPDATE audit SET number = number + 100",
            "DELETE FROM audit WHERE number = 5",
            "DELETE FROM audit",
            "UPDATE audit_mark SET number = 3",
            "DELETE FROM audit_mark",
        ):
            with pytest.raises(sa.exc.IntegrityError, match="audit log"), store.engine.begin() as connection:
                connection.exec_driver_sql(statement)
    assert check(log) == (ROWS, None)


@only_sqlite
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_byte_flipped_anywhere_is_found(filled: Path, tmp_path: Path, data: st.DataObject) -> None:
    table, columns = data.draw(st.sampled_from((("audit", COLUMNS), ("audit_mark", MARKS))))
    column = data.draw(st.sampled_from(columns))
    folder = tmp_path / "tampered"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(filled, folder)
    with contextlib.closing(sqlite3.connect(folder / "people.sqlite3")) as connection:
        query = f"SELECT rowid, CAST({column} AS BLOB) FROM {table} WHERE length(CAST({column} AS BLOB)) > 0"
        rowid, before = data.draw(st.sampled_from(connection.execute(query).fetchall()))
    at, bit = data.draw(st.integers(0, len(before) - 1)), data.draw(st.integers(0, 7))
    after = bytearray(before)
    after[at] ^= 1 << bit
    tamper(folder, (f"UPDATE {table} SET {column} = CAST(? AS TEXT) WHERE rowid = ?", (bytes(after), rowid)))
    _, broken = check(folder)
    assert broken is not None
    if table == "audit":
        assert broken.number in (rowid, rowid + 1)


@only_sqlite
@pytest.mark.parametrize(
    ("statements", "number", "words"),
    [
        ([("DELETE FROM audit WHERE number = 5", ())], 5, "missing"),
        ([("DELETE FROM audit WHERE number = 1", ())], 1, "missing"),
        ([("DELETE FROM audit WHERE number > 8", ())], 9, "cut off"),
        ([("DELETE FROM audit", ())], 1, "cut off"),
        (
            [
                ("UPDATE audit SET number = 100 WHERE number = 5", ()),
                ("UPDATE audit SET number = 5 WHERE number = 6", ()),
                ("UPDATE audit SET number = 6 WHERE number = 100", ()),
            ],
            5,
            "follow",
        ),
        ([("DELETE FROM audit_mark WHERE kind = 'head'", ())], ROWS, "signature of the newest row is missing"),
        ([("UPDATE audit_mark SET kind = 'hebd'", ())], ROWS, "signature of the newest row is missing"),
        ([("INSERT INTO audit SELECT 0, at, actor, action, subject, room, count, detail, previous, hash FROM audit "
           "WHERE number = 1", ())], 0, "before the first"),
        ([("INSERT INTO audit_mark SELECT 'floor', 4, hash, at, key, signature FROM audit_mark", ())], 4, "not fit"),
    ],
)  # fmt: skip
def test_whatever_is_done_to_the_rows_is_found(
    log: Path, statements: list[tuple[str, tuple[object, ...]]], number: int, words: str
) -> None:
    tamper(log, *statements)
    _, broken = check(log)
    assert broken is not None
    assert broken.number == number
    assert words in broken.words


@only_sqlite
def test_a_tail_that_was_cut_off_stays_missing_however_much_comes_after(log: Path) -> None:
    tamper(log, ("DELETE FROM audit WHERE number > 8", ()))
    fill(log, 5)
    assert check(log) == (8, Broken(9, "a row is missing"))


def test_rows_added_by_who_has_no_key_are_found(log: Path) -> None:
    tamper(log)  # no triggers from here on
    with contextlib.closing(PeopleStore(log / "people.sqlite3")) as store:
        append(store.engine, SigningKey.open(log.parent), [Noted("account:9", "person.viewed")])
    _, broken = check(log)
    assert broken is not None
    assert "another key" in broken.words


@only_sqlite
def test_a_key_that_was_exchanged_is_found_also_after_the_server_has_gone_on(log: Path) -> None:
    noted = SigningKey.open(log).fingerprint
    (log / FILE).unlink()
    assert SigningKey.open(log).fingerprint != noted
    _, broken = check(log)
    assert broken is not None
    assert "another key" in broken.words
    with contextlib.closing(PeopleStore(log / "people.sqlite3")) as store:
        append(store.engine, SigningKey.open(log), [])
        rows = find(store.engine, Asked(action="log."), 10)
    assert [(row.said.action, row.said.detail) for row in rows] == [("log.resealed", "key"), ("log.began", "")]
    assert check(log) == (ROWS, Broken(ROWS + 1, "another key signs from here on"))
    run = CliRunner().invoke(audit, ["verify", "--data-dir", str(log)])
    assert run.exit_code == 1
    assert f"Row {ROWS + 1} does not hold" in run.output


@only_sqlite
def test_the_command_says_what_holds_and_what_does_not(log: Path) -> None:
    fingerprint = SigningKey.open(log).fingerprint
    told = CliRunner().invoke(audit, ["verify", "--data-dir", str(log), "--key", fingerprint])
    assert (told.exit_code, f"{ROWS} rows" in told.output) == (0, True)
    assert CliRunner().invoke(audit, ["verify", "--data-dir", str(log), "--key", "0" * 64]).exit_code == 1
    shown = CliRunner().invoke(audit, ["show", "--data-dir", str(log), "--person", f"{3:032x}"])
    assert (shown.exit_code, shown.output.count("person.viewed")) == (0, 1)
    assert CliRunner().invoke(audit, ["show", "--data-dir", str(log), "--since", "yesterday"]).exit_code == 2
    later = CliRunner().invoke(audit, ["show", "--data-dir", str(log), "--since", "2200-01-01"])
    assert "no such row" in later.output
    tamper(log, ("UPDATE audit SET actor = 'local' WHERE number = 7", ()))
    broken = CliRunner().invoke(audit, ["verify", "--data-dir", str(log)])
    assert (broken.exit_code, "Row 7 does not hold: it was changed" in broken.output) == (1, True)
    (log / FILE).unlink()
    assert "is missing" in CliRunner().invoke(audit, ["verify", "--data-dir", str(log)]).output


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StartError, match="this is no key"):
        SigningKey.open(tmp_path)


@only_sqlite
def test_the_oldest_go_and_a_signed_mark_stays(log: Path) -> None:
    key = SigningKey.open(log)
    with contextlib.closing(PeopleStore(log / "people.sqlite3")) as store:
        old = datetime.now(UTC) - timedelta(days=3)
        assert prune(store.engine, key, old) == 0
        append(
            store.engine,
            key,
            [Noted("local", "person.viewed", at=datetime.now(UTC).isoformat(timespec="microseconds"))],
        )
        middle = find(store.engine, Asked(), 1)[0]
        assert prune(store.engine, key, datetime.fromisoformat(middle.said.at)) == ROWS
        rows = find(store.engine, Asked(), 10)
        assert [row.said.action for row in rows] == ["log.pruned", "person.viewed"]
        assert rows[0].said.count == ROWS
    assert check(log) == (2, None)
    tamper(log, ("DELETE FROM audit WHERE number = ?", (middle.number,)))
    assert check(log)[1] == Broken(middle.number, "a row is missing")


def test_many_who_append_at_once_make_one_chain(tmp_path: Path) -> None:
    """Threads with stores of their own, as the command line beside a server is."""
    key = fill(tmp_path, 1)

    def work(number: int) -> None:
        with contextlib.closing(PeopleStore(tmp_path / "people.sqlite3")) as store:
            for at in range(10):
                append(store.engine, key, [Noted(f"account:{number}", "person.viewed", f"{at:x}")] * 2)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert check(tmp_path) == (81, None)


APPENDER = """
import sys
from pathlib import Path
from server.audit import SigningKey
from server.storage import PeopleStore
from server.storage.audit import Noted, append
folder = Path(sys.argv[1])
store, key = PeopleStore(folder / "people.sqlite3"), SigningKey.open(folder)
while True:
    print(append(store.engine, key, [Noted("account:1", "person.viewed")] * 3), flush=True)
"""


@only_sqlite
def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", APPENDER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=root
        )
        assert process.stdout is not None
        told = 0
        for _line in range(5):
            told = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        process.stdout.close()
        process.wait()
        told = max([told, *(int(line) for line in rest)])
        rows, broken = check(tmp_path)
        assert broken is None
        assert rows >= told


# -- the log beside a server -----------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


async def test_views_are_once_in_ten_minutes_and_changes_each(tmp_path: Path, clock: list[float]) -> None:
    people = await People.open(tmp_path / "people.sqlite3", DIGEST, 128)
    log = AuditLog(people, SigningKey.open(tmp_path), 730, now=lambda: clock[0])
    for _ in range(3):
        log.note("local", "person.viewed", "a" * 32)
        log.note("nobody", "access.refused", detail="401")
    log.note("local", "person.viewed", "b" * 32)
    await log.change("local", "person.changed", "a" * 32)
    await log.change("local", "person.changed", "a" * 32)
    clock[0] = 601.0
    log.note("local", "person.viewed", "a" * 32)
    log.note("nobody", "access.refused", detail="401")
    await log.settle()
    rows = await people.run(lambda store: find(store.engine, Asked(), 20))
    assert [(row.said.action, row.said.count) for row in reversed(rows)] == [
        ("log.began", 1),
        ("person.viewed", 1),
        ("access.refused", 1),
        ("person.viewed", 1),
        ("person.changed", 1),
        ("person.changed", 1),
        ("person.viewed", 1),
        ("access.refused", 2),  # the two that were told of by the first alone
        ("access.refused", 1),
    ]
    assert (await log.chain(fresh=True)).broken is None
    await people.close()


async def test_views_are_written_within_a_second_and_at_the_end(tmp_path: Path) -> None:
    people = await People.open(tmp_path / "people.sqlite3", DIGEST, 128)
    log = await AuditLog.open(people, SigningKey.open(tmp_path), 730)

    async def written() -> int:
        return len(await people.run(lambda store: find(store.engine, Asked(action="person."), 20)))

    log.note("local", "person.viewed", "a" * 32)
    async with asyncio.timeout(5):
        while await written() < 1:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    log.note("local", "person.viewed", "b" * 32)
    await log.close()
    await log.close()
    assert await written() == 2
    await people.close()


async def test_only_what_is_listed_can_be_noted_and_never_a_name(tmp_path: Path) -> None:
    people = await People.open(tmp_path / "people.sqlite3", DIGEST, 128)
    log = AuditLog(people, SigningKey.open(tmp_path), 730)
    for wrong in (
        ("person.kissed", ""),
        ("person.viewed", "Ada Lovelace"),
        ("person.viewed", "Åsa"),
        ("person.viewed", "x" * 65),
    ):
        with pytest.raises(ValueError, match=r"no action|is an id"):
            log.note("local", *wrong)
    with pytest.raises(ValueError, match="no detail"):
        await log.change("local", "person.changed", detail="Ada")
    assert await people.run(lambda store: find(store.engine, Asked(), 5)) == []
    await people.close()


@only_sqlite
async def test_a_store_that_cannot_be_written_loses_nothing(tmp_path: Path) -> None:
    people = await People.open(tmp_path / "people.sqlite3", DIGEST, 128)
    log = AuditLog(people, SigningKey.open(tmp_path), 730)
    log.note("local", "person.viewed", "a" * 32)
    await people.run(lambda store: _refuse(store, True))
    with pytest.raises(sa.exc.SQLAlchemyError):
        await log.change("local", "person.changed", "b" * 32)
    await people.run(lambda store: _refuse(store, False))
    await log.settle()
    rows = await people.run(lambda store: find(store.engine, Asked(action="person."), 5))
    assert [row.said.subject[0] for row in rows] == ["a"]  # the change was not acknowledged, the view is still noted
    await people.close()


def _refuse(store: PeopleStore, on: bool) -> None:
    with store.engine.begin() as connection:
        if on:
            connection.exec_driver_sql("CREATE TRIGGER no BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")
        else:
            connection.exec_driver_sql("DROP TRIGGER no")


def test_the_page_has_words_for_every_action() -> None:
    words = (Path(__file__).resolve().parents[2] / "static" / "data" / "words.js").read_text("utf-8")
    assert [action for action in ACTIONS if f'"{action}": t(' not in words] == []
    assert GENESIS == "0" * 64
    assert CHANGE in ACTIONS.values()
