from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import models.loading
from models import default_cache_dir, load_manifest
from models.cli import models as models_group


def run(*arguments: str) -> Result:
    return CliRunner().invoke(models_group, arguments)


def test_list_shows_packs_with_their_licence(cache: Path) -> None:
    result = run("list", "--cache-dir", str(cache))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["open", "(default)", "installed", "30", "MB", "MIT", "and", "CC0-1.0"]
    assert any("buffalo_l" in line and "not installed" in line and "non-commercial" in line for line in lines)


def test_list_for_machines(cache: Path) -> None:
    rows = json.loads(run("list", "--json", "--cache-dir", str(cache)).stdout)
    by_name = {row["name"]: row for row in rows}
    assert by_name["open"]["installed"] is True
    assert by_name["open"]["default"] is True
    assert by_name["open"]["folder"] == str(cache / "open")
    assert by_name["buffalo_l"]["installed"] is False
    assert by_name["buffalo_l"]["size"] == 326_000_000


def test_build_then_verify(tmp_path: Path) -> None:
    verify = run("verify", "--cache-dir", str(tmp_path))
    assert verify.exit_code == 1
    assert verify.stdout.count("missing") == 2

    build = run("build", "--cache-dir", str(tmp_path))
    assert build.exit_code == 0
    assert build.stdout == f"{tmp_path / 'open'}\n"
    assert build.stderr.startswith("Building centerface.onnx")

    verify = run("verify", "open", "--json", "--cache-dir", str(tmp_path))
    assert verify.exit_code == 0
    assert [(row["name"], row["state"]) for row in json.loads(verify.stdout)] == [
        ("centerface.onnx", "ok"),
        ("dlib_resnet.onnx", "ok"),
    ]


def test_verify_tells_damage_with_its_exit_code(tmp_path: Path) -> None:
    run("build", "--cache-dir", str(tmp_path))
    (tmp_path / "open" / "centerface.onnx").write_bytes(b"x")
    verify = run("verify", "--cache-dir", str(tmp_path))
    assert verify.exit_code == 1
    assert "damaged" in verify.stdout
    assert "1 bytes instead of" in verify.stdout
    assert verify.stderr == "Put it right with: visavis models build open\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("pull", "buffalo_s"), "non-commercial research only. If that covers your use: visavis models pull"),
        (("pull", "open", "--accept-license"), "built here"),
        (("build", "buffalo_s"), "is not installed; get it with: visavis models pull buffalo_s --accept-license"),
        (("build", "nobody"), "there is no pack 'nobody'; known are: "),
        (("verify", "../open"), "there is no pack '../open'"),
    ],
)
def test_errors_are_one_line_and_exit_with_1(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments, "--cache-dir", str(tmp_path))
    assert result.exit_code == 1
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_pull_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    away = dataclasses.replace(load_manifest("buffalo_l"), url="https://visavis.invalid/buffalo_l.zip")
    monkeypatch.setattr(models.loading, "load_manifest", lambda name, folder: away)
    result = run("pull", "buffalo_l", "--accept-license", "--cache-dir", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("Error: cannot reach visavis.invalid")
    assert len(result.stderr.splitlines()) == 3
    assert list(tmp_path.iterdir()) == []


def test_a_cache_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert run("build", "--cache-dir", str(tmp_path / "file")).exit_code == 2


def test_packs_are_kept_in_the_users_cache_folder() -> None:
    assert default_cache_dir().parts[-2:] == ("visavis", "models") or "Cache" in default_cache_dir().parts
