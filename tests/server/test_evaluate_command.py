"""The evaluations from the command line: reports, distances, readers, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from pipeline.attributes import AGES, AttributeEvidence
from server.commands import evaluate_attributes
from server.commands.evaluate import evaluate
from server.commands.report import reported, show, table
from tests.packs import models_folder
from tests.server.evaluation.people_folder import write_people


def run(*arguments: object) -> Result:
    given = [str(a) for a in arguments]
    return CliRunner().invoke(evaluate, [*given, "--models-dir", str(models_folder()), "--provider", "cpu"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("people")
    write_people(root, people=4)
    return root


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), "utf-8")
    return path


class Reader:
    """Says the same of everybody."""

    name, sure, min_width = "ensemble", 0.8, 30.0
    embedder: str | None = None

    def read(self, image: Any, landmarks: Any, width: float, embedding: Any = None) -> AttributeEvidence:
        return AttributeEvidence(3.0, np.full(len(AGES), 1 / len(AGES), np.float32), 1.0)


def test_a_folder_is_measured_and_written_down(folder: Path, tmp_path: Path) -> None:
    done = run("folder", folder, "--report", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert (result["people"], result["1:N rank-1 [%]"]) == (4, 100)
    assert result["pairs_quality"]
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"report.html", "report.json", "pairs_roc.csv", "openset_tpir.csv", "pairs_quality.csv"} <= written
    assert "P0" not in "".join(path.read_text("utf-8") for path in (tmp_path / "out").iterdir())
    text = run("folder", folder).stdout
    assert 'PUT /api/v1/threshold with {"one_in":' in text
    again = json.loads(run("folder", folder, "--json").stdout)
    assert again == result
    assert json.loads(run("folder", folder, "--seed", 1, "--json").stdout) != result


def test_files_are_named_on_request_only(folder: Path, tmp_path: Path) -> None:
    (folder / "P0" / "broken.jpg").write_bytes(b"no picture")
    try:
        for options, named in (((), False), (("--with-files",), True)):
            out = tmp_path / str(named)
            assert run("folder", folder, "--report", out, *options).exit_code == 0
            assert ("broken.jpg" in (out / "report.html").read_text("utf-8")) is named
            assert ("broken.jpg" in (out / "report.json").read_text("utf-8")) is named
    finally:
        (folder / "P0" / "broken.jpg").unlink()


def test_probes_from_afar_and_the_rates_that_are_asked_for(folder: Path, tmp_path: Path) -> None:
    rows = [f"enrol,{p},P{p}/0.jpg" for p in range(2)] + [
        f"probe_known,{p},P{p}/{s}.jpg" for p in range(2) for s in (1, 2)
    ]
    rows += [f"probe_unknown,{p},P{p}/{s}.jpg" for p in (2, 3) for s in range(3)]
    protocol = write(tmp_path / "p.csv", "role,person,file", *rows)
    arguments = ("openset", protocol, "--images", folder, "--fpir", 0.2, "--all-distances", "--json")
    done = run(*arguments, "--report", tmp_path)
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["… its 95 % interval, from"] <= result["similarity threshold for FPIR 20 %"]
    assert [row["condition"] for row in result["distance"]] == [
        "as it is", "near (1–4 m)", "middle (4–7 m)", "far (7–10 m)",
    ]  # fmt: skip
    assert len(result["rules"]) == 7
    with (tmp_path / "tpir.csv").open(newline="", encoding="utf-8") as file:
        assert {row["series"] for row in csv.DictReader(file)} == {row["condition"] for row in result["distance"]}
    far = json.loads(run(*arguments[:6], "--distance", "far", "--json").stdout)
    assert "far (7–10 m)" in far["title"]
    assert "distance" not in far


def test_gender_and_age(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate_attributes, "load_attribute_reader", lambda pack, provider: Reader())
    rows = [f"P{p}/{s}.jpg,{('male', 'female')[p % 2]},{30 + p},g{p // 2}" for p in range(4) for s in range(2)]
    labels = write(tmp_path / "labels.csv", "file,gender,age,group", *rows)
    done = run("attributes", labels, "--images", folder, "--json")
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert (result["files"], result["faces"]) == (8, 8)
    assert result["gender: accuracy, whatever the confidence [%]"] == 50
    assert {row["group"] for row in result["groups"]} == {"everybody", "30 to 39"}  # the others are too small
    blurred = ("--blur", 0, "--blur", 3, "--tight", "--distance", "near", "--limit", 5)
    found = json.loads(run("attributes", labels, "--images", folder, "--json", *blurred).stdout)
    assert [row["condition"] for row in found["conditions"]] == [
        "near (1–4 m), cut tight",
        "near (1–4 m), blur 3, cut tight",
    ]
    assert found["files"] == 5
    assert found["mean confidence falls with blur"] == "no"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--distance", "far", "--all-distances"), "exclude each other"),
        (("--reader", "cc0"), "--cc0-models"),
        (("--reader", "cc0", "--cc0-models", "."), "gender-v1.onnx is missing"),
        (("--reader", "pack"), "pack open reads neither gender nor age"),
        (("--blur", "-1"), "blur"),
        (("--limit", "0"), "limit"),
        (("--seed", "-1"), "seed"),
    ],
)
def test_wrong_options_are_refused_in_words(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    labels = write(tmp_path / "labels.csv", "file,gender", "P0/0.jpg,male")
    done = run("attributes", labels, "--images", folder, *arguments)
    assert done.exit_code in (1, 2)
    assert says in done.output
    assert "Traceback" not in done.output


def test_bad_folders_and_labels_are_refused_in_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate_attributes, "load_attribute_reader", lambda pack, provider: Reader())
    for row, says in (
        ("P0/0.jpg,woman", "a.csv: line 2: gender must be male or female"),
        ("gone.jpg,male", "gone.jpg: No such file"),
    ):
        done = run("attributes", write(tmp_path / "a.csv", "file,gender", row), "--images", folder)
        assert done.exit_code == 1
        assert says in done.output
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "two people are needed" in run("folder", empty).output
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 not really")
    assert "damaged" in run("folder", tmp_path / "a.zip").output
    (tmp_path / "file").write_text("")
    done = run("folder", folder, "--report", tmp_path / "file")
    assert done.exit_code == 2
    assert "file" in done.output


def test_what_a_command_prints_is_its_report(tmp_path: Path) -> None:
    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def measure(as_json: bool) -> None:
        show("Speed: Ada's laptop", [("frames", 3), ("mean", 1.25)], as_json, rows=[1])
        table(("stage", "person", "ms"), [("flow", "Ada", 0.5)], "Stages", private=(1,), as_json=as_json)

    done = CliRunner().invoke(reported(measure), ["--report", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"title": "Speed: Ada's laptop", "frames": 3, "mean": 1.25, "rows": [1]}
    written = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert written["title"] == "Speed"
    assert written["figures"] == {"frames": 3, "mean": 1.25}
    assert written["tables"] == {"table1": [{"stage": "flow", "ms": "0.5"}]}
    assert "Ada" not in (tmp_path / "report.html").read_text("utf-8")
    assert "Ada" in CliRunner().invoke(measure, []).stdout  # what is printed names people; what is written does not


def test_every_evaluation_can_be_written_down() -> None:
    context = click.Context(evaluate)
    for name in evaluate.list_commands(context):
        command = evaluate.get_command(context, name)
        assert command is not None
        assert {"report", "with_files", "as_json"} <= {option.name for option in command.params}, name
