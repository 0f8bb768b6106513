"""The store in PostgreSQL: what several nodes see of each other, and what a file has no need of."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from server.audit import SigningKey
from server.database import Database
from server.people import People, PeopleOptions
from server.settings import SettingsError, StartError, configure
from server.storage import METADATA, NewSample, PeopleStore, StorageError, consents
from server.storage.accounts import Account, add_account, read_accounts
from server.storage.elsewhere import Changes, Elsewhere
from server.storage.engine import writing
from server.storage.faults import fault
from server.storage.schema import SAMPLE, VAULT
from server.vault import VaultError
from server.vault.lock import FolderLock
from server.vault.master_key import MasterSource
from server.vault.rotation import exchange_master
from tests.postgres import Server
from tests.server.test_storage import DIGEST, embedding
from tests.stores import postgres

PASSWORD = "not-a-secret-here"


@pytest.fixture
def running() -> Iterator[Server]:
    found = postgres()
    yield found
    found.drop()


@pytest.fixture
def url(running: Server) -> str:
    return running.database()


@pytest.fixture
def first(tmp_path: Path, url: str) -> Iterator[PeopleStore]:
    with contextlib.closing(PeopleStore(tmp_path / "first" / "people.sqlite3", database=url)) as store:
        yield store


def another(tmp_path: Path, url: str, name: str = "second") -> PeopleStore:
    """Another node on the same database, that got the master key of the first."""
    (tmp_path / name).mkdir(exist_ok=True)
    shutil.copy(tmp_path / "first" / "master-key", tmp_path / name / "master-key")
    return PeopleStore(tmp_path / name / "people.sqlite3", database=url)


@contextlib.asynccontextmanager
async def node(tmp_path: Path, url: str, name: str) -> AsyncIterator[People]:
    if name != "first":
        (tmp_path / name).mkdir(exist_ok=True)
        shutil.copy(tmp_path / "first" / "master-key", tmp_path / name / "master-key")
    people = await People.open(tmp_path / name / "people.sqlite3", DIGEST, 128, PeopleOptions(database=url))
    try:
        yield people
    finally:
        await people.close()


def look(seed: int = 1) -> NewSample:
    return NewSample(embedding(seed), 0.9, "photo")


async def until(holds: Callable[[], bool], seconds: float) -> float:
    """Wait until something holds; how long it took."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < seconds, "it did not come about"
        await asyncio.sleep(0.01)
    return time.monotonic() - begun


# -- made, and opened ------------------------------------------------------------------------------------------------


def test_tables_made_in_one_step_are_those_of_all_steps(tmp_path: Path, running: Server) -> None:
    database = running.database(empty=True)
    with (
        contextlib.closing(PeopleStore(tmp_path / "a" / "p", database=database)) as store,
        store.engine.connect() as connection,
    ):
        ours = {"include_schemas": False, "compare_type": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=ours), METADATA) == []
        made = set(connection.exec_driver_sql("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal").scalars())
        newest = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    with contextlib.closing(PeopleStore(tmp_path / "b" / "p")) as file, file.engine.connect() as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        assert made == {*connection.exec_driver_sql(query).scalars(), "audit_is_not_emptied"}
        assert newest == connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent SET purpose = 'another'",
        "UPDATE audit SET actor = 'nobody'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "UPDATE audit_mark SET number = 0",
        "DELETE FROM audit_mark",
    ],
)
def test_the_database_refuses_what_the_file_does(first: PeopleStore, statement: str) -> None:
    from server.commands.noted import noted

    first.add_person("Ada", [look()], DIGEST)
    noted(first, "people.exported")
    with pytest.raises(sa.exc.DBAPIError, match=r"changed|removed|rises"), writing(first.engine) as connection:
        connection.exec_driver_sql(statement)


def test_a_wrong_master_key_opens_nothing(tmp_path: Path, url: str, first: PeopleStore) -> None:
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "master-key").write_bytes(base64.b64encode(os.urandom(32)))
    (tmp_path / "second" / "master-key").chmod(0o600)
    with pytest.raises(VaultError, match="not the one this keyring was wrapped with"):
        PeopleStore(tmp_path / "second" / "people.sqlite3", database=url)


def test_a_second_node_never_makes_a_master_key(tmp_path: Path, url: str, first: PeopleStore) -> None:
    with pytest.raises(VaultError, match="copy its file to here"):
        PeopleStore(tmp_path / "second" / "people.sqlite3", database=url)
    assert not (tmp_path / "second" / "master-key").exists()


def test_the_folder_holds_no_store(tmp_path: Path, first: PeopleStore) -> None:
    first.add_person("Ada", [look()], DIGEST)
    assert {path.name for path in (tmp_path / "first").iterdir()} == {"clock", "in-use.lock", "master-key"}


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("mysql://ada:hunter2@somewhere/visavis", "only PostgreSQL"),
        ("postgresql://ada:hunter2@somewhere/visavis", "only PostgreSQL"),
        ("postgresql+psycopg://ada:hunter2@somewhere", "name the database"),
        ("postgresql+psycopg://ada:hunter2@somewhere:x/visavis", "give an address"),
        ("postgresql+psycopg://ada:hunter2@somewhere:99999/visavis", "give an address"),
        ("hunter2", "only PostgreSQL"),
    ],
)
def test_a_wrong_address_is_refused_and_not_shown(address: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        configure({}, {"VISAVIS_DATABASE": address})
    assert "hunter2" not in str(caught.value)


def test_no_flag_and_no_listing_shows_the_address() -> None:
    set_ = configure({}, {"VISAVIS_DATABASE": "postgresql+psycopg://ada:hunter2@somewhere/visavis"})
    assert set_.shown("database") == "(set)"
    assert "hunter2" not in repr(Database(set_.settings.database))
    assert "hunter2" not in repr(PeopleOptions.of(set_.settings))


@pytest.mark.parametrize("wrong", ["absent", "nobody answers", "nobody of this name"])
def test_a_database_that_cannot_be_used_is_named_without_its_password(
    tmp_path: Path, running: Server, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    address = {
        "absent": running.url("absent"),
        "nobody answers": f"postgresql+psycopg://visavis:{PASSWORD}@127.0.0.1:9/visavis",
        "nobody of this name": running.url("postgres").replace("visavis:", "somebody:"),
    }[wrong]
    with pytest.raises(StartError) as caught:
        PeopleStore(tmp_path / "people.sqlite3", database=address)
    said = f"{caught.value}{caught.value.__cause__}{caplog.text}"
    assert "see the setting database" in said
    assert PASSWORD not in said


def test_without_the_driver_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StartError, match=r"install visavis\[postgres\]"):
        PeopleStore(tmp_path / "people.sqlite3", database="postgresql+psycopg://ada:hunter2@somewhere/visavis")


def test_a_dump_put_back_brings_all_but_the_forgotten(tmp_path: Path, running: Server, url: str) -> None:
    """As docs/postgres.md says: the store alone is put back, beside the keyring of today."""

    def run(program: str, *words: str) -> None:
        plain = url.replace("+psycopg", "")
        subprocess.run([str(running.bin / program), "-d", plain, *words], check=True, capture_output=True)

    dump = str(tmp_path / "store.dump")
    with contextlib.closing(PeopleStore(tmp_path / "first" / "people.sqlite3", database=url)) as store:
        ada, _ = (store.add_person(name, [look(n)], DIGEST) for n, name in enumerate(("Ada", "Grace")))
        run("pg_dump", "--format=custom", "--exclude-schema=visavis_keyring", f"--file={dump}")
        store.forget(ada.id)
        assert [row.name for row in store.people()] == ["Grace"]
    run("pg_restore", "--clean", "--if-exists", "--single-transaction", dump)
    with contextlib.closing(PeopleStore(tmp_path / "first" / "people.sqlite3", database=url)) as store:
        assert [row.name for row in store.people()] == ["Grace"]


# -- one writes at a time --------------------------------------------------------------------------------------------


def test_whoever_writes_waits_for_the_other_node(tmp_path: Path, url: str, first: PeopleStore) -> None:
    with contextlib.closing(another(tmp_path, url)) as second:
        done = threading.Event()

        def rename() -> None:
            second.add_person("Grace", [look(2)], DIGEST)
            done.set()

        with writing(first.engine) as connection:
            connection.execute(VAULT.update().values(dirty=True))
            thread = threading.Thread(target=rename)
            thread.start()
            assert not done.wait(0.3)
        thread.join(5)
        assert done.is_set()
        assert [row.name for row in first.people()] == ["Grace"]


def test_whoever_reads_sees_one_moment(tmp_path: Path, url: str, first: PeopleStore) -> None:
    with contextlib.closing(another(tmp_path, url)) as second, first.engine.connect() as connection:
        count = sa.select(sa.func.count()).select_from(SAMPLE)
        assert connection.execute(count).scalar_one() == 0
        second.add_person("Grace", [look(2)], DIGEST)
        assert connection.execute(count).scalar_one() == 0


def test_a_reader_cannot_write(first: PeopleStore) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="read-only"), first.engine.connect() as connection:
        connection.execute(VAULT.update().values(dirty=True))


def test_keys_come_about_with_what_they_seal_or_not_at_all(first: PeopleStore) -> None:
    before = first.vault.keyring.count()
    with pytest.raises(RuntimeError), writing(first.engine) as connection:
        first.vault.new_key("person")
        connection.execute(VAULT.update().values(dirty=True))
        raise RuntimeError("the power is off")
    with pytest.raises(sa.exc.DBAPIError), writing(first.engine) as connection:
        key = first.vault.new_key("person")
        connection.exec_driver_sql("SET CONSTRAINTS ALL DEFERRED")
        connection.exec_driver_sql("CREATE TEMP TABLE late (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        connection.exec_driver_sql("INSERT INTO late VALUES (1), (1)")  # refused by the COMMIT itself
    first.vault.refresh()
    assert first.vault.keyring.count() == before
    assert first.vault.state(key) is False


def test_a_destroyed_key_is_unknown_on_the_other_node_too(tmp_path: Path, url: str, first: PeopleStore) -> None:
    with contextlib.closing(another(tmp_path, url)) as second:
        ada = first.add_person("Ada", [look()], DIGEST)
        assert second.people()[0].name == "Ada"
        done = first.forget(ada.id)
        assert done is not None
        assert second.people() == []
        second.vault.refresh()
        assert all(second.vault.state(bytes.fromhex(key)) not in (True, False) for key in done.keys)


def test_the_master_key_is_exchanged_while_nobody_else_is_there(
    tmp_path: Path, url: str, first: PeopleStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.database._OPTIONS", "-c timezone=UTC -c lock_timeout=300ms")
    first.add_person("Ada", [look()], DIGEST)
    database = Database(url)
    (tmp_path / "second").mkdir()
    shutil.copy(tmp_path / "first" / "master-key", tmp_path / "second" / "master-key")
    with contextlib.closing(FolderLock(tmp_path / "second", alone=True)) as lock:
        with pytest.raises(VaultError, match="another node"):
            exchange_master(tmp_path / "second", MasterSource(), lock, database=database)
        first.close()
        assert exchange_master(tmp_path / "second", MasterSource(), lock, database=database)
    with pytest.raises(VaultError, match="not the one"):
        PeopleStore(tmp_path / "first" / "people.sqlite3", database=url)
    with contextlib.closing(PeopleStore(tmp_path / "second" / "people.sqlite3", database=url)) as again:
        assert [row.name for row in again.people()] == ["Ada"]


def test_what_signs_is_the_same_on_every_node(tmp_path: Path, url: str, first: PeopleStore) -> None:
    with contextlib.closing(another(tmp_path, url)) as second:
        assert SigningKey.of(first).fingerprint == SigningKey.of(second).fingerprint
        assert first.shared_secret("link-key", lambda: b"a" * 32) == second.shared_secret("link-key", lambda: b"b" * 32)
    with psycopg.connect(Database(url).url.replace("+psycopg", "")) as connection:
        kept = connection.execute("SELECT value FROM server_secret WHERE name = 'link-key'").fetchone()
    assert kept is not None
    assert b"a" * 32 not in kept[0]


# -- what is told ----------------------------------------------------------------------------------------------------


def test_a_change_says_its_number_and_whom_it_concerns(url: str, first: PeopleStore) -> None:
    heard: list[Elsewhere] = []
    changes = Changes(Database(url), "somebody else", heard.append)
    try:
        assert changes.wait(5)
        before = first.version()
        ada = first.add_person("Ada", [look()], DIGEST)
        add_account(first.engine, Account("a" * 8, "Ada", "viewer", None, first.ageing()))
        first.set_target(None, 100.0)
        assert first.version() == before + 3
        assert first.version() == before + 3  # looking changes nothing
        deadline = time.monotonic() + 2
        while len(heard) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        people, account, target = heard
        assert people.people == {ada.id}
        assert {"person", "sample", "consent"} <= (people.tables or set())
        assert (account.people, account.tables) == (frozenset(), {"account"})
        assert target.people is None
    finally:
        changes.close()


async def test_who_is_enrolled_on_one_node_is_named_on_the_other_within_a_second(tmp_path: Path, url: str) -> None:
    async with node(tmp_path, url, "first") as one, node(tmp_path, url, "second") as two:
        ada = await one.add_person("Ada", [look()])
        assert await until(lambda: two.gallery.person(ada.id) is not None, 1.0) < 1.0
        await two.rename(ada.id, "Augusta")
        await until(lambda: (found := one.gallery.person(ada.id)) is not None and found.name == "Augusta", 1.0)
        await one.forget(ada.id)
        await until(lambda: two.gallery.person(ada.id) is None, 1.0)


async def test_only_those_named_are_read_anew(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with node(tmp_path, url, "first") as one, node(tmp_path, url, "second") as two:
        await one.add_person("Grace", [look(2)])
        await until(lambda: len(two.gallery) == 1, 1.0)

        async def never(*_: object) -> None:
            raise AssertionError("everybody was read anew")

        monkeypatch.setattr(two, "_reload", never)
        ada = await one.add_person("Ada", [look()])
        await until(lambda: two.gallery.person(ada.id) is not None, 1.0)


async def test_what_was_not_heard_is_found_by_its_number(tmp_path: Path, url: str) -> None:
    """As if the notification had been lost: the number is raised, and nobody is told."""
    async with node(tmp_path, url, "first") as one:
        with contextlib.closing(another(tmp_path, url)) as second:
            backend = second.backend
            backend.node = one._store.backend.node  # type: ignore[attr-defined]  # taken for its own, it is not read
            ada = second.add_person("Ada", [look()], DIGEST)
            await asyncio.sleep(0.3)
            assert one.gallery.person(ada.id) is None
            with psycopg.connect(Database(url).url.replace("+psycopg", "")) as connection:
                connection.execute("UPDATE store_change SET number = number + 1")
            await until(lambda: one.gallery.person(ada.id) is not None, 6.0)


async def test_other_tables_are_told_to_who_holds_a_copy(tmp_path: Path, url: str) -> None:
    told: list[frozenset[str] | None] = []

    async def hear(tables: frozenset[str] | None) -> None:
        told.append(tables)

    async with node(tmp_path, url, "first") as one, node(tmp_path, url, "second") as two:
        two.on_foreign_change(hear)
        account = Account("a" * 8, "Ada", "viewer", None, one.ageing())
        await one.run(lambda store: add_account(store.engine, account))
        await until(lambda: bool(told), 1.0)
        assert told == [{"account"}]
        assert "a" * 8 in (await two.run(lambda store: read_accounts(store.engine))).accounts
        await two.run(lambda store: consents.newest)  # one's own changes are no news
        assert len(told) == 1


@pytest.mark.parametrize("words", ["", "{}", "[1]", '{"change": "x", "node": "a", "people": null, "tables": []}', "1"])
def test_strange_words_on_the_channel_are_left_out(url: str, first: PeopleStore, words: str) -> None:
    heard: list[Elsewhere] = []
    changes = Changes(Database(url), "somebody else", heard.append)
    try:
        assert changes.wait(5)
        with psycopg.connect(Database(url).url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("SELECT pg_notify('visavis', %s)", (words,))
        first.add_person("Ada", [look()], DIGEST)
        deadline = time.monotonic() + 2
        while not heard and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(heard) == 1
    finally:
        changes.close()


def test_no_name_is_told(url: str, first: PeopleStore) -> None:
    with psycopg.connect(Database(url).url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("LISTEN visavis")
        first.add_person("Augusta", [look()], DIGEST)
        (notice,) = [*connection.notifies(timeout=2, stop_after=1)]
    assert "Augusta" not in notice.payload
    assert set(json.loads(notice.payload)) == {"change", "node", "people", "tables"}


# -- the database goes away ------------------------------------------------------------------------------------------


async def test_a_database_that_was_away_is_used_again(tmp_path: Path, running: Server, url: str) -> None:
    async with node(tmp_path, url, "first") as one, node(tmp_path, url, "second") as two:
        ada = await one.add_person("Ada", [look()])
        await until(lambda: two.gallery.person(ada.id) is not None, 1.0)
        running.stop()
        try:
            with pytest.raises(Exception) as caught:
                await one.add_person("Grace", [look(2)])
            found = fault(caught.value)
            assert found is not None
            assert found.passes
            assert "cannot be reached" in found.words
            assert one.gallery.person(ada.id) is not None  # who is known is still named
        finally:
            running.start()
        grace = await one.add_person("Grace", [look(2)])
        await until(lambda: two.gallery.person(grace.id) is not None, 8.0)


def test_a_write_ahead_of_time_is_not_taken_for_a_file(first: PeopleStore) -> None:
    with pytest.raises(StorageError, match="newer version"):
        with writing(first.engine) as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        first.backend.open(first.vault)
