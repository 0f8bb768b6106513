"""Groups held against people: by hand, against definitions, and on real faces."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from server.cli import cli
from server.evaluation.clusters import scores
from tests.packs import models_folder
from tests.server.photos import varied


def test_by_hand() -> None:
    found, truth = np.array([0, 0, 0, 1, 1, -1]), np.array([0, 0, 1, 1, 1, 2])
    said = dict(scores(found, truth))
    assert said["pairs: precision"] == pytest.approx(2 / 4)
    assert said["pairs: recall"] == pytest.approx(2 / 4)
    assert said["BCubed precision"] == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 + 1 + 1) / 6)
    assert said["BCubed recall"] == pytest.approx((1 + 1 + 1 / 3 + 2 / 3 + 2 / 3 + 1) / 6)


labels = st.lists(st.tuples(st.integers(-1, 4), st.integers(0, 4)), min_size=1, max_size=30)


@given(labels)
def test_as_the_definitions_say(pairs: list[tuple[int, int]]) -> None:
    found, truth = np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])
    alone = np.where(found < 0, 100 + np.arange(len(found)), found)
    group, person = alone[:, None] == alone[None], truth[:, None] == truth[None]
    said = dict(scores(found, truth))
    assert said["BCubed precision"] == pytest.approx(float(((group & person).sum(1) / group.sum(1)).mean()))
    assert said["BCubed recall"] == pytest.approx(float(((group & person).sum(1) / person.sum(1)).mean()))
    different = ~np.eye(len(found), dtype=bool)
    together = (group & different).sum()
    expected = (group & person & different).sum() / together if together else 1.0
    assert said["pairs: precision"] == pytest.approx(float(expected))


@given(labels)
def test_the_truth_itself_is_perfect(pairs: list[tuple[int, int]]) -> None:
    truth = np.array([b for _, b in pairs])
    assert all(value == pytest.approx(1.0) for _, value in scores(truth, truth))


def test_the_command_groups_real_faces(tmp_path: Path) -> None:
    for person in range(4):
        (tmp_path / f"person {person}").mkdir()
        for shot in range(3):
            (tmp_path / f"person {person}" / f"{shot}.jpg").write_bytes(varied(person, shot))
    (tmp_path / "person 0" / "broken.jpg").write_text("no photo")
    models = ["--models-dir", str(models_folder())]
    done = CliRunner().invoke(cli, ["evaluate", "clusters", str(tmp_path), *models, "--json"])
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert figures["people"] == 4
    assert figures["groups"] == 4
    assert figures["pairs: F"] == 1.0
    assert figures["… without a face, or that cannot be read"] == 1


def test_one_person_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Ada").mkdir()
    (tmp_path / "Ada" / "1.jpg").write_bytes(varied(0, 0))
    done = CliRunner().invoke(cli, ["evaluate", "clusters", str(tmp_path), "--models-dir", str(models_folder())])
    assert done.exit_code == 1
    assert "at least two people" in done.output
