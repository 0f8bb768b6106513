from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from server.commands.people import people
from tests.load import crashes, imports
from tests.packs import models_folder
from tests.server.photos import varied


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("VISAVIS_DATA_DIR", str(folder))
    monkeypatch.setenv("VISAVIS_CONSENT", "ask")
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    files = {
        "Ada Ω/1.jpg": varied(0, 0),
        "Ada Ω/copy.jpg": varied(0, 0),
        "Bob/1.png": varied(1, 0, ".png"),
        "Bob/notes.jpg": b"Dear diary",
        "Cleo.webp": varied(2, 0, ".webp"),
    }
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def run(*arguments: str) -> Result:
    models = ["--models-dir", str(models_folder())] if arguments[0] == "import" else []
    return CliRunner().invoke(people, [*arguments, *models])


def said(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def listed() -> list[tuple[str, str | None, int]]:
    return [(row["name"], row["room"], row["samples"]) for row in said("list")["people"]]


def test_a_folder_is_imported_with_a_verdict_for_each_file(data: Path, photos: Path) -> None:
    result = said("import", str(photos))
    assert {row["file"]: row["verdict"] for row in result["files"]} == {
        "Ada Ω/1.jpg": "used",
        "Ada Ω/copy.jpg": "duplicate",
        "Bob/1.png": "used",
        "Bob/notes.jpg": "not_a_picture",
        "Cleo.webp": "used",
    }
    assert listed() == [("Ada Ω", None, 1), ("Bob", None, 1), ("Cleo", None, 1)]
    again = said("import", str(photos))
    assert (again["photos saved"], again["people"]) == (0, [])
    assert {row["verdict"] for row in again["files"]} == {"duplicate", "not_a_picture"}
    assert len(listed()) == 3
    assert (data / "people.sqlite3").stat().st_mode & 0o077 == 0


def test_a_table_is_printed_for_people(data: Path, photos: Path) -> None:
    result = run("import", str(photos))
    assert "Bob/notes.jpg   not_a_picture  This is no JPEG" in result.stdout
    assert "people saved" in result.stdout
    assert "Cleo" in run("list").stdout


def test_a_dry_run_keeps_nothing(data: Path, photos: Path) -> None:
    result = said("import", str(photos), "--dry-run")
    assert result["used"] == 3
    assert (result["dry_run"], result["photos saved"]) == (True, 0)
    assert listed() == []


def test_a_zip_and_a_room(data: Path, photos: Path, tmp_path: Path) -> None:
    path = tmp_path / "people.zip"
    with zipfile.ZipFile(path, "w") as out:
        for file in photos.rglob("*.*"):
            out.write(file, f"people/{file.relative_to(photos)}")
    said("import", str(path), "--room", "hall")
    assert listed() == [("Ada Ω", "hall", 1), ("Bob", "hall", 1), ("Cleo", "hall", 1)]
    assert said("list", "--room", "cellar")["people"] == []


def test_what_is_exported_is_put_back_exactly(
    data: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISAVIS_KEEP_CROPS", "true")
    said("import", str(photos))
    first, second = tmp_path / "first", tmp_path / "second"
    assert said("export", str(first))["samples"] == 3
    assert sorted(path.parent.name for path in first.rglob("*.jpg")) == ["Ada Ω", "Bob", "Cleo"]
    assert (first / "people.json").stat().st_mode & 0o077 == 0
    assert said("import", str(first))["put back"] == 0
    monkeypatch.setenv("VISAVIS_DATA_DIR", str(tmp_path / "other"))
    assert said("import", str(first))["put back"] == 3
    assert said("import", str(first))["put back"] == 0
    said("export", str(second))
    assert {path.relative_to(first): path.read_bytes() for path in first.rglob("*.*")} == {
        path.relative_to(second): path.read_bytes() for path in second.rglob("*.*")
    }


def test_somebody_else_of_the_same_name_is_left_alone(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index, place in enumerate(("one", "two")):
        folder = tmp_path / f"photos {place}"
        folder.mkdir()
        (folder / "Ada.jpg").write_bytes(varied(index, 0))
        monkeypatch.setenv("VISAVIS_DATA_DIR", str(tmp_path / place))
        said("import", str(folder))
    said("export", str(tmp_path / "export"))
    monkeypatch.setenv("VISAVIS_DATA_DIR", str(tmp_path / "one"))
    result = said("import", str(tmp_path / "export"))
    assert (result["put back"], result["left_out"]) == (0, ["Ada"])
    assert listed() == [("Ada", None, 1)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "damaged"),
        ("{}", "damaged"),
        ('{"format": "visavis-people", "version": 9, "people": []}', "another version"),
        ('{"format": "visavis-people", "version": 1, "people": [{}]}', "damaged"),
    ],
)
def test_a_damaged_export_is_refused(data: Path, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "people.json").write_text(text)
    result = run("import", str(tmp_path))
    assert result.exit_code == 1
    assert words in result.output


def test_what_a_person_gets_wrong_is_said(data: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04")
    for arguments, words in (
        (("list",), "nobody has been enrolled"),
        (("import", str(tmp_path / "empty")), "no file in it"),
        (("import", str(tmp_path / "broken.zip")), "damaged"),
        (("import", str(photos), "--room", "a b"), "room"),
        (("import", str(tmp_path / "none")), "does not exist"),
    ):
        result = run(*arguments)
        assert result.exit_code != 0
        assert words in result.output
    said("import", str(photos))
    assert "not empty" in run("export", str(photos)).output


def test_kill_9_loses_nothing_and_halves_nobody() -> None:
    rows = crashes.run(6, seed=1, people=6, photos=2)
    assert (rows["enrolment"]["kills"], rows["import"]["kills"]) == (3, 3)
    assert rows["enrolment"]["acknowledged"] >= 3


def test_the_load_test_makes_different_photos(tmp_path: Path) -> None:
    imports.make(tmp_path, 6, 2)
    files = [path.read_bytes() for path in tmp_path.rglob("*.jpg")]
    assert len(set(files)) == 12
