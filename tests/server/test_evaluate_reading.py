"""Distance, quality and enhancement measured by the command line, on real faces."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from server.commands.bench import bench
from server.commands.evaluate import evaluate
from tests.packs import models_folder, open_models
from tests.pictures import photo_path
from tests.training.labelled import labelled_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of six people, their pairs and their labels."""
    made = tmp_path_factory.mktemp("pairs")
    labelled_folder(open_models(), made, 12)
    with (made / "pairs.csv").open("w", newline="") as file:
        rows = [(f"{a:03d}.jpg", f"{b:03d}.jpg", int(a % 6 == b % 6)) for a, b in itertools.combinations(range(12), 2)]
        csv.writer(file).writerows([("first", "second", "same"), *rows])
    return made


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(evaluate, [*arguments, "--models-dir", str(models_folder())])


def _figures(*arguments: str) -> dict[str, Any]:
    result = _run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_distance_before_a_rendered_camera(folder: Path) -> None:
    found = _figures("distance", "--images", str(folder / "images"), "--shots", "20")
    assert found["shots"] == 20
    assert {row["camera"] for row in found["by_distance"]} >= {"usual cameras", "bank card", "wider range"}
    by = {row["camera"]: row for row in found["by_distance"] if row["band"] == "all"}
    assert by["bank card"]["high / low"] < by["usual cameras"]["high / low"]
    assert by["usual cameras"]["in the interval [%]"] >= 70


def test_quality_is_measured_by_what_is_dropped(folder: Path) -> None:
    printed = _run("quality", str(folder / "pairs.csv"), "--images", str(folder / "images")).output
    assert "without the worst tenth" in printed
    assert "dropped at random" in printed
    again = _run("quality", str(folder / "pairs.csv"), "--images", str(folder / "images")).output
    assert again == printed, "the same seed gives the same figures"


def test_enhancement_touches_no_good_picture(folder: Path) -> None:
    table, images = str(folder / "pairs.csv"), str(folder / "images")
    found = _figures("enhancement", table, "--images", images, "--labels", str(folder / "labels.csv"), "--limit", "30")
    assert found["good pictures touched [%]"] == 0


def test_what_reading_costs_is_printed() -> None:
    result = CliRunner().invoke(bench, ["reading", str(photo_path()), "--models-dir", str(models_folder())])
    assert result.exit_code == 0, result.output
    for stage in ("distance", "quality", "choose and mend", "gender and age"):
        assert f"  {stage} " in result.output


@pytest.mark.parametrize("command", ["quality", "enhancement"])
def test_a_bad_table_is_refused(command: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("first,second,same\na.jpg,b.jpg,perhaps\n")
    result = _run(command, str(tmp_path / "bad.csv"), "--images", str(folder / "images"))
    assert result.exit_code == 1
    assert "line 2" in result.output
    (tmp_path / "gone.csv").write_text("first,second,same\nnobody.jpg,none.jpg,1\n")
    result = _run(command, str(tmp_path / "gone.csv"), "--images", str(folder / "images"))
    assert result.exit_code == 1
    assert "nobody.jpg" in result.output


def test_a_folder_without_faces_is_refused(tmp_path: Path) -> None:
    result = _run("distance", "--images", str(tmp_path), "--shots", "20")
    assert result.exit_code == 1
    assert "no pictures" in result.output
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((64, 64), 100, np.uint8))
    result = _run("distance", "--images", str(tmp_path), "--shots", "20")
    assert result.exit_code == 1
    assert "a face was found in 0" in result.output
