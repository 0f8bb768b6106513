"""``visavis vault``, ``backup`` and ``restore``: keys are exchanged and copies put back, whatever comes in between."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from server.cli import cli
from server.storage import PeopleStore, StorageError
from server.storage import sightings as seen_table
from server.storage.backup import BadBackup, back_up, put_back
from server.storage.events import Webhook, add_webhook, webhooks
from server.storage.inbox import load, save
from server.storage.model_change import keep
from server.storage.rekeying import rekey
from server.storage.sources import Source, add_source, read_sources
from server.vault import MasterSource, VaultError
from server.vault.lock import FolderLock
from server.vault.master_key import encode_key, new_master_key
from server.vault.rotation import exchange_master
from tests.server.test_storage import DIGEST, OTHER, embedding, entries
from tests.server.test_vault_store import (
    NOW,
    Stopped,
    check_owners,
    forms,
    found,
    live_keys,
    looks,
    picture,
    samples_of,
    sighting,
    stranger,
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("VISAVIS_DATA_DIR", str(folder))
    return folder / "people.sqlite3"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments], standalone_mode=False)


def said(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result
    return json.loads(result.stdout)


def names(path: Path, master: MasterSource | None = None) -> list[str]:
    with closing(PeopleStore(path, master=master)) as store:
        assert len(entries(store)) == len(store.people())
        check_owners(store)
        return [row.name for row in store.people()]


def fill(path: Path, master: MasterSource | None = None) -> None:
    """Everything a store can hold."""
    with closing(PeopleStore(path, master=master)) as store:
        ada = store.add_person("Ada", looks(1, 2, content="yes"), DIGEST)
        bob = store.add_person("Robert Byron", looks(3, 4), DIGEST)
        store.rename(ada.id, "Augusta")
        store.move_sample(samples_of(store, ada.id)[0], bob.id)
        store.add_negative(bob.id, embedding(9), DIGEST)
        keep(store.engine, OTHER, [(samples_of(store, ada.id)[0], embedding(6, 512))])
        save(store.engine, [stranger(f"{n:032x}", 10 * n) for n in range(3)])
        seen_table.write(store.engine, [sighting("b" * 32, ada.id, 20), sighting("c" * 32, None, 21)], [], [])
        add_webhook(store.engine, Webhook("d" * 32, "https://example.org", "secret", (), None, NOW))
        add_source(store.engine, Source("e" * 32, "hall", "Door", "rtsp://a:b@192.0.2.7/", NOW))


def check_whole(path: Path, master: MasterSource | None = None) -> None:
    """What :func:`fill` wrote is there, and can be undone."""
    with closing(PeopleStore(path, master=master)) as store:
        assert {row.name: row.samples for row in store.people()} == {"Augusta": 1, "Robert Byron": 3}
        check_owners(store)
        assert len(load(store.engine, DIGEST, NOW)) == 3
        assert seen_table.get_crop(store.engine, "c" * 32) == picture(21)
        assert (webhooks(store.engine)[0].secret, read_sources(store.engine)[0].room) == ("secret", "hall")
        words = {change.words: change.id for change in store.changes()}
        assert "A picture of Augusta moved to Robert Byron" in words
        store.undo(words["A picture of Augusta moved to Robert Byron"])
        store.undo(words["Ada renamed to Augusta"])
        check_owners(store)
        assert {row.name: row.samples for row in store.people()} == {"Ada": 2, "Robert Byron": 2}
        assert store.find("ADA") is not None


# -- the master key ------------------------------------------------------------------------------------------------


def test_the_master_key_is_exchanged(path: Path) -> None:
    fill(path)
    keyring, master = path.parent / "keyring.sqlite3", path.parent / "master-key"
    before, content = master.read_bytes(), keyring.read_bytes()
    assert said("vault", "rotate") == {"master_key": str(master), "keys_replaced": 0}
    assert master.read_bytes() != before
    assert master.stat().st_mode & 0o077 == 0
    check_whole(path)
    master.write_bytes(before)  # the old one opens nothing any more
    with pytest.raises(VaultError, match="not the one"):
        PeopleStore(path)
    keyring.write_bytes(content)


@pytest.mark.parametrize("place", ["written", "wrapped"])
def test_an_exchange_that_was_interrupted_leaves_a_keyring_that_opens(
    path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path)
    before = (path.parent / "master-key").read_bytes()

    def stop(*_: object) -> None:
        raise Stopped

    with monkeypatch.context() as patched, closing(FolderLock(path.parent, alone=True)) as lock:
        target = (
            "server.vault.keyring_sqlite.SqliteKeyring.exchange_master"
            if place == "written"
            else "pathlib.Path.replace"
        )
        if place == "wrapped":
            replace = Path.replace
            patched.setattr(target, lambda self, to: stop() if self.suffix == ".new" else replace(self, to))
        else:
            patched.setattr(target, stop)
        with pytest.raises(Stopped):
            exchange_master(path.parent, MasterSource(), lock)
    assert (path.parent / "master-key.new").exists()
    check_whole(path)
    assert not (path.parent / "master-key.new").exists()
    assert ((path.parent / "master-key").read_bytes() == before) == (place == "written")
    assert run("vault", "rotate").exit_code == 0
    assert len(names(path)) == 2


def test_a_master_key_from_elsewhere_is_exchanged_for_the_one_that_is_given(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (encode_key(new_master_key()).decode().strip() for _ in range(2))
    monkeypatch.setenv("VISAVIS_MASTER_KEY", old)
    fill(path, MasterSource(old))
    assert not (path.parent / "master-key").exists()
    result = run("vault", "rotate", "--people")
    assert "VISAVIS_NEW_MASTER_KEY" in str(result.exception)
    check_whole_names = names(path, MasterSource(old))
    assert check_whole_names == ["Augusta", "Robert Byron"]
    monkeypatch.setenv("VISAVIS_NEW_MASTER_KEY", "nonsense")
    assert "32 bytes in base64" in str(run("vault", "rotate").exception)
    monkeypatch.setenv("VISAVIS_NEW_MASTER_KEY", new)
    result = run("vault", "rotate")
    assert "in the place of the setting master_key" in result.stdout
    assert new not in result.stdout
    with pytest.raises(VaultError, match="not the one"):
        PeopleStore(path, master=MasterSource(old))
    check_whole(path, MasterSource(new))


def test_nothing_is_exchanged_while_somebody_has_the_folder_open(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.vault.lock.WAIT", 0.1)
    fill(path)
    before = (path.parent / "master-key").read_bytes()
    with closing(PeopleStore(path)):
        for arguments in (("vault", "rotate"), ("vault", "rotate", "--people")):
            assert "stop it first" in str(run(*arguments).exception)
    assert (path.parent / "master-key").read_bytes() == before


def test_there_is_nothing_to_exchange_where_no_keys_are(path: Path) -> None:
    for command in (("vault", "rotate"), ("vault", "status")):
        assert "no keys here yet" in str(run(*command).exception)
    assert not (path.parent / "keyring.sqlite3").exists()


def test_the_status_shows_no_key(path: Path) -> None:
    fill(path)
    status = said("vault", "status")
    assert (status["keys: person"], status["keys: stranger"], status["keys: seen"]) == (2, 3, 1)
    assert status["master key"] == str(path.parent / "master-key")
    key = (path.parent / "master-key").read_text().strip()
    assert key not in run("vault", "status").stdout


# -- everybody's keys ------------------------------------------------------------------------------------------------


def test_everything_is_sealed_anew(path: Path) -> None:
    fill(path)
    copy = path.read_bytes()
    kinds = ("person", "stranger", "seen", "index", "common", "webhook", "source")
    keys = {kind: live_keys(path.parent, kind) for kind in kinds}
    result = said("vault", "rotate", "--people")
    assert result["keys_replaced"] == 2 + 3 + 1 + 1 + 1 + 2
    for kind, before in keys.items():
        now = live_keys(path.parent, kind)
        assert len(now) == len(before)
        assert not now & before
    with closing(PeopleStore(path)) as store:
        assert store.vault.keyring.old() == set()
    check_whole(path)
    after = path.read_bytes()
    path.write_bytes(copy)  # a copy of before is refused, and left as it is
    with pytest.raises(StorageError, match="everybody's keys were exchanged"):
        PeopleStore(path)
    assert path.read_bytes() == copy
    path.write_bytes(after)
    assert said("vault", "rotate", "--people")["keys_replaced"] == 10


def test_new_keys_for_everybody_go_on_where_they_were_interrupted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.storage.rekeying.BATCH", 1)
    fill(path)
    for stop_after in range(1, 8):

        def told(count: int, stop_after: int = stop_after) -> None:
            raise Stopped

        with closing(PeopleStore(path)) as store:
            with pytest.raises(Stopped):
                rekey(store.engine, told)
            assert store.vault.keyring.old()
        assert names(path) == ["Augusta", "Robert Byron"]
    with closing(PeopleStore(path)) as store:
        assert rekey(store.engine) == 10 - 7
        assert store.vault.keyring.old() == set()
    check_whole(path)


KILLED = """
import os, signal, sys
from pathlib import Path
from server.storage import PeopleStore, rekeying
rekeying.BATCH = 1
def killed(count):
    if count == 4:
        os.kill(os.getpid(), signal.SIGKILL)
rekeying.rekey(PeopleStore(Path(sys.argv[1])).engine, killed)
"""


def test_killed_in_the_middle_of_new_keys(path: Path) -> None:
    fill(path)
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], capture_output=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert names(path) == ["Augusta", "Robert Byron"]
    assert said("vault", "rotate", "--people")["keys_replaced"] == 10 - 4
    check_whole(path)


# -- copies --------------------------------------------------------------------------------------------------------


def test_a_copy_is_made_while_the_store_is_in_use_and_put_back(path: Path, tmp_path: Path) -> None:
    fill(path)
    target = tmp_path / "away" / "monday.backup"
    with closing(PeopleStore(path)) as store:
        store.add_person("Cleo", looks(5), DIGEST)
        made = said("backup", str(target))
        assert made["bytes"] == target.stat().st_size
        store.add_person("Dora", looks(6), DIGEST)
        bob = store.find("robert byron")
        assert bob is not None
        store.forget(bob.id)
    assert target.stat().st_mode & 0o077 == 0
    assert [entry.name for entry in target.parent.iterdir()] == [target.name]
    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == ["manifest.json", "people.sqlite3"]
    assert "there are people here already" in str(run("restore", str(target)).exception)
    assert said("restore", str(target), "--replace")["people"] == 2
    assert names(path) == ["Augusta", "Cleo"]
    assert found([*forms("Robert Byron"), b"\xff\xd8 a picture"], path) == []
    files = {file.name for file in path.parent.iterdir() if not file.name.endswith(("-wal", "-shm"))}
    assert files == {"clock", "in-use.lock", "keyring.sqlite3", "master-key", "people.sqlite3", "signing-key"}


def test_a_copy_opens_on_another_computer_with_the_keys_of_today(path: Path, tmp_path: Path) -> None:
    fill(path)
    back_up(path, tmp_path / "copy")
    other = tmp_path / "other" / "people.sqlite3"
    other.parent.mkdir()
    with pytest.raises(StorageError, match="the keyring is missing"):
        put_back(tmp_path / "copy", other)
    assert list(other.parent.iterdir()) == []
    for name in ("keyring.sqlite3", "master-key"):
        shutil.copy(path.parent / name, other.parent / name)
    assert put_back(tmp_path / "copy", other).people == 2
    check_whole(other)


def test_a_copy_that_the_keyring_does_not_open_changes_nothing(path: Path, tmp_path: Path) -> None:
    fill(path)
    back_up(path, tmp_path / "copy")
    other = tmp_path / "other" / "people.sqlite3"
    with closing(PeopleStore(other)) as store:
        store.add_person("Eve", looks(1), DIGEST)
    with pytest.raises(StorageError, match="nothing has been changed"):
        put_back(tmp_path / "copy", other, replace=True)
    assert names(other) == ["Eve"]


def test_what_is_no_backup_is_refused(path: Path, tmp_path: Path) -> None:
    fill(path)
    good, bad = tmp_path / "good", tmp_path / "bad"
    back_up(path, good)
    with zipfile.ZipFile(good) as archive:
        manifest, store = json.loads(archive.read("manifest.json")), archive.read("people.sqlite3")

    def packed(said: Any, content: bytes | None) -> None:
        with zipfile.ZipFile(bad, "w") as archive:
            if said is not None:
                archive.writestr("manifest.json", said if isinstance(said, str) else json.dumps(said))
            if content is not None:
                archive.writestr("people.sqlite3", content)

    damaged = store[:5000] + bytes([store[5000] ^ 1]) + store[5001:]
    cases: list[tuple[Any, bytes | None, str]] = [
        (None, None, "no backup"),
        ("no json", store, "no backup"),
        ([], store, "no backup"),
        ({**manifest, "format": "other"}, store, "another version"),
        ({**manifest, "version": 99}, store, "another version"),
        ({**manifest, "made": "yesterday"}, store, "no backup"),
        (manifest, None, "no backup"),
        (manifest, damaged, "damaged"),
        (manifest, store[:-1], "damaged"),
        ({**manifest, "bytes": 10**18}, store, "damaged, or does not fit"),
    ]
    for said, content, words in cases:
        packed(said, content)
        with pytest.raises(BadBackup, match=words):
            put_back(bad, path, replace=True)
    bad.write_bytes(b"no archive at all")
    with pytest.raises(BadBackup, match="no backup"):
        put_back(bad, path, replace=True)
    with pytest.raises(BadBackup, match="No such file"):
        put_back(tmp_path / "absent", path, replace=True)
    check_whole(path)
    assert not list(path.parent.glob(".people*"))


def test_what_cannot_be_copied_is_said(path: Path, tmp_path: Path) -> None:
    assert "nobody has been enrolled here" in str(run("backup", str(tmp_path / "x")).exception)
    fill(path)
    (tmp_path / "x").write_text("mine")
    assert "there already" in str(run("backup", str(tmp_path / "x")).exception)
    assert (tmp_path / "x").read_text() == "mine"
    assert run("backup", str(tmp_path / "x"), "--replace").exit_code == 0
    (tmp_path / "file").write_text("")
    with pytest.raises(BadBackup, match="cannot be written"):
        back_up(path, tmp_path / "file" / "x")


def test_nothing_is_put_back_under_a_running_server(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.vault.lock.WAIT", 0.1)
    fill(path)
    back_up(path, tmp_path / "copy")
    with closing(PeopleStore(path)), pytest.raises(VaultError, match="stop it first"):
        put_back(tmp_path / "copy", path, replace=True)


def test_keys_are_never_in_an_argument_or_in_the_open(path: Path) -> None:
    fill(path)
    master = base64.b64decode((path.parent / "master-key").read_bytes())
    content = b"".join(file.read_bytes() for file in path.parent.iterdir() if file.name != "master-key")
    assert master not in content
    assert (path.parent / "keyring.sqlite3").stat().st_mode & 0o077 == 0
