"""Seals, the keyring and where the master key comes from."""

from __future__ import annotations

import base64
import os
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from server.settings import Settings
from server.vault import KeyDestroyed, KeyUnknown, MasterSource, SealError, Vault, VaultError, open_vault
from server.vault.keyring_sqlite import SqliteKeyring
from server.vault.lock import FolderLock
from server.vault.master_key import FILE, encode_key, new_master_key, read_master_key
from server.vault.seal import OVERHEAD, about, keys_of, seal, seal_together, unseal, unseal_together

KEYS = {bytes([number]) * 16: os.urandom(32) for number in range(4)}
ONE = b"\0" * 16
CIPHER = AESGCM(KEYS[ONE])
BOUND = about("person.name", "a")


# -- seals ---------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=5000), st.text(max_size=40), st.text(max_size=40))
def test_what_is_sealed_opens_in_its_place_alone(data: bytes, purpose: str, row: str) -> None:
    blob = seal(CIPHER, ONE, data, about(purpose, row))
    assert unseal(CIPHER, blob, about(purpose, row)) == data
    assert (keys_of(blob), len(blob)) == ((ONE,), len(data) + OVERHEAD)
    with pytest.raises(SealError):
        unseal(CIPHER, blob, about(purpose, row + "x"))


@given(st.binary(min_size=1, max_size=200), st.sets(st.sampled_from(sorted(KEYS)), min_size=1))
def test_every_key_of_several_is_needed(data: bytes, keys: set[bytes]) -> None:
    blob = seal_together(KEYS.__getitem__, list(keys), data, BOUND)
    assert unseal_together(KEYS.__getitem__, blob, BOUND) == data
    assert set(keys_of(blob)) == keys
    assert data not in blob or len(data) < 8
    for missing in keys:
        others = {**KEYS, missing: os.urandom(32)}
        with pytest.raises(SealError, match="changed"):
            unseal_together(others.__getitem__, blob, BOUND)


@given(st.integers(0, 99), st.integers(1, 255))
def test_whatever_is_changed_of_a_seal_is_noticed(place: int, by: int) -> None:
    blob = bytearray(seal(CIPHER, ONE, b"somebody's name, and more of it", BOUND))
    place %= len(blob)
    blob[place] ^= by
    if 1 <= place < 17:  # the key's id: another key
        assert keys_of(bytes(blob)) != (ONE,)
    else:
        with pytest.raises(SealError):
            if keys_of(bytes(blob)) == (ONE,):
                unseal(CIPHER, bytes(blob), BOUND)


def test_two_seals_of_one_thing_differ() -> None:
    assert seal(CIPHER, ONE, b"Ada", BOUND) != seal(CIPHER, ONE, b"Ada", BOUND)


@pytest.mark.parametrize("blob", [b"", b"Ada", b"\1" * 20, b"\2", b"\2\0", b"\2\3" + b"x" * 40, b"\3" + b"x" * 99])
def test_what_is_not_sealed_is_said_to_be_so(blob: bytes) -> None:
    with pytest.raises(SealError, match="not sealed"):
        keys_of(blob)


# -- the master key ------------------------------------------------------------------------------------------------


def test_the_master_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    key = read_master_key(MasterSource(), tmp_path, make=True)
    assert len(key) == 32
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert read_master_key(MasterSource(), tmp_path, make=True) == key
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_the_first_source_that_is_set_is_taken(tmp_path: Path) -> None:
    one, two, three = (new_master_key() for _ in range(3))
    (tmp_path / "three").write_bytes(encode_key(three))
    (tmp_path / "three").chmod(0o600)
    script = tmp_path / "say.py"
    script.write_text(f"print({encode_key(two).decode()!r})")
    command = f"'{sys.executable}' '{script}'"
    settings = Settings(
        master_key=encode_key(one).decode(), master_key_command=command, master_key_file=tmp_path / "three"
    )
    assert read_master_key(MasterSource.of(settings), tmp_path, make=True) == one
    assert read_master_key(MasterSource("", command, tmp_path / "three"), tmp_path, make=True) == two
    assert read_master_key(MasterSource("", "", tmp_path / "three"), tmp_path, make=True) == three
    assert not (tmp_path / FILE).exists()
    assert encode_key(one).decode().strip() not in repr(MasterSource.of(settings))


@pytest.mark.skipif(os.name == "nt", reason="rights are another thing there")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_master_key_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    read_master_key(MasterSource(), tmp_path, make=True)
    (tmp_path / FILE).chmod(mode)
    with pytest.raises(VaultError, match="others on this computer may read"):
        open_vault(tmp_path)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (MasterSource("not base64!"), "setting master_key: a master key is 32 bytes"),
        (MasterSource(base64.b64encode(b"short").decode()), "32 bytes in base64"),
        (MasterSource("", "false"), "ended with code 1"),
        (MasterSource("", "echo nonsense"), "output of master_key_command"),
        (MasterSource("", "/does/not/exist"), "cannot be run"),
        (MasterSource("", "echo 'open"), "cannot be read"),
        (MasterSource("", "   "), "cannot be run|cannot be read"),
    ],
)
def test_a_source_that_gives_no_key_is_named(tmp_path: Path, source: MasterSource, words: str) -> None:
    with pytest.raises(VaultError, match=words):
        open_vault(tmp_path, source)
    assert not (tmp_path / "keyring.sqlite3").exists()


def test_a_command_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.vault.master_key.COMMAND_SECONDS", 0.2)
    with pytest.raises(VaultError, match=r"within 0\.2 seconds"):
        read_master_key(MasterSource("", "sleep 30"), tmp_path, make=False)


def test_a_command_is_no_shell(tmp_path: Path) -> None:
    with pytest.raises(VaultError):
        read_master_key(MasterSource("", f"echo x; touch {tmp_path}/made"), tmp_path, make=False)
    assert not (tmp_path / "made").exists()


def test_the_wrong_master_key_is_said_at_the_start(tmp_path: Path) -> None:
    open_vault(tmp_path).close()
    (tmp_path / FILE).write_bytes(encode_key(new_master_key()))
    with pytest.raises(VaultError, match="not the one this keyring was wrapped with"):
        open_vault(tmp_path)


def test_a_master_key_that_is_missing_is_not_made_anew(tmp_path: Path) -> None:
    open_vault(tmp_path).close()
    (tmp_path / FILE).unlink()
    with pytest.raises(VaultError, match="the master key is missing; put back your copy"):
        open_vault(tmp_path)
    assert not (tmp_path / FILE).exists()


# -- the keyring ---------------------------------------------------------------------------------------------------


def opened(folder: Path) -> Vault:
    return open_vault(folder)


def test_a_keyring_is_private_and_holds_no_key_in_the_open(tmp_path: Path) -> None:
    vault = opened(tmp_path)
    id, raw = vault.keep_key("video")
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert raw not in file.read_bytes()
    blob = vault.seal(id, b"Ada", BOUND)
    vault.close()
    again = opened(tmp_path)
    assert again.open(blob, BOUND) == b"Ada"
    again.close()
    again.close()


def test_a_destroyed_key_leaves_its_id_and_nothing_else(tmp_path: Path) -> None:
    vault = opened(tmp_path)
    (id, _), (other, _) = vault.keep_key("person"), vault.keep_key("person")
    blob = vault.seal(id, b"Ada", BOUND)
    with closing(sqlite3.connect(tmp_path / "keyring.sqlite3")) as database:
        (wrapped,) = database.execute("SELECT wrapped FROM key WHERE id = ?", [id]).fetchone()
    assert any(wrapped in file.read_bytes() for file in tmp_path.iterdir())
    vault.destroy_now([id])
    assert not any(wrapped in file.read_bytes() for file in tmp_path.iterdir())
    for each in (vault, opened(tmp_path)):
        with pytest.raises(KeyDestroyed):
            each.open(blob, BOUND)
        with pytest.raises(KeyUnknown):
            each.open(seal(CIPHER, ONE, b"Ada", BOUND), BOUND)
        assert each.open(each.seal(other, b"Bob", BOUND), BOUND) == b"Bob"
        assert (each.keyring.count(), each.keyring.destroyed()) == ({"person": 1}, 1)
        each.close()


def test_another_process_hears_of_new_and_destroyed_keys(tmp_path: Path) -> None:
    one, other = opened(tmp_path), opened(tmp_path)
    id, _ = one.keep_key("person")
    blob = one.seal(id, b"Ada", BOUND)
    assert other.open(blob, BOUND) == b"Ada"
    one.destroy_now([id])
    other.refresh()
    with pytest.raises(KeyDestroyed):
        other.open(blob, BOUND)
    one.close()
    other.close()


def test_a_wrapped_key_cannot_take_another_s_place(tmp_path: Path) -> None:
    vault = opened(tmp_path)
    (id, _), (other, _) = vault.keep_key("person"), vault.keep_key("person")
    vault.close()
    with closing(sqlite3.connect(tmp_path / "keyring.sqlite3")) as database:
        database.execute("UPDATE key SET wrapped = (SELECT wrapped FROM key WHERE id = ?) WHERE id = ?", [other, id])
        database.commit()
    vault = opened(tmp_path)
    with pytest.raises(VaultError, match="damaged"):
        vault.seal(id, b"Ada", BOUND)
    vault.close()


def test_keys_of_a_change_that_did_not_come_about_are_swept(tmp_path: Path) -> None:
    vault = opened(tmp_path)
    first, second = vault.new_key("person"), None
    mark = vault.flush(None)
    second = vault.new_key("person")
    vault.flush(mark)  # … and the store never got as far
    assert vault.keyring.count() == {"person": 2}
    vault.keyring.reconcile(b"of another store altogether")
    assert vault.keyring.count() == {"person": 2}
    vault.keyring.reconcile(mark)
    assert (vault.state(first), vault.state(second)) == (True, False)
    vault.keyring.reconcile(mark)
    assert vault.keyring.count() == {"person": 1}
    vault.close()


def test_keys_of_a_change_taken_back_are_never_kept(tmp_path: Path) -> None:
    vault = opened(tmp_path)
    blob = vault.seal(vault.new_key("person"), b"Ada", BOUND)
    assert vault.open(blob, BOUND) == b"Ada"
    vault.drop()
    with pytest.raises(KeyUnknown):
        vault.open(blob, BOUND)
    assert vault.keyring.count() == {}
    vault.close()


@pytest.mark.parametrize("content", [b"no keyring, but long enough to be looked at" * 40, b"SQLite format 3\0x"])
def test_a_damaged_keyring_is_reported_and_left_alone(tmp_path: Path, content: bytes) -> None:
    opened(tmp_path).close()
    (tmp_path / "keyring.sqlite3").write_bytes(content)
    with pytest.raises(VaultError, match=r"keyring\.sqlite3: cannot be opened"):
        opened(tmp_path)
    assert (tmp_path / "keyring.sqlite3").read_bytes() == content


def test_a_keyring_of_a_newer_version_is_reported(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "keyring.sqlite3")) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(VaultError, match="newer version"):
        opened(tmp_path)


# -- who has the folder open ----------------------------------------------------------------------------------------


def test_many_may_have_a_folder_open_or_one_alone(tmp_path: Path) -> None:
    one, two = FolderLock(tmp_path), FolderLock(tmp_path)
    for open_one in (one, two):
        with pytest.raises(VaultError, match="stop it first"):
            FolderLock(tmp_path, alone=True, wait=0.05)
        open_one.close()
        open_one.close()
    alone = FolderLock(tmp_path, alone=True)
    with pytest.raises(VaultError, match="try again"):
        FolderLock(tmp_path, wait=0.05)
    alone.close()
    FolderLock(tmp_path).close()


def test_the_master_key_is_exchanged_whole(tmp_path: Path) -> None:
    vault = opened(tmp_path)
    id, _ = vault.keep_key("person")
    blob = vault.seal(id, b"Ada", BOUND)
    old = (tmp_path / FILE).read_bytes()
    newer = new_master_key()
    vault.keyring.exchange_master(newer)
    assert vault.open(vault.seal(id, b"Bob", BOUND), BOUND) == b"Bob"
    vault.close()
    with pytest.raises(VaultError, match="not the one"):
        opened(tmp_path)
    keyring = SqliteKeyring(tmp_path / "keyring.sqlite3", newer)
    assert Vault(keyring).open(blob, BOUND) == b"Ada"
    keyring.close()
    assert (tmp_path / FILE).read_bytes() == old  # whose file it is, is not the keyring's business
