"""The recogniser such systems began with, and what one command says of it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

keras = pytest.importorskip("keras", reason="the extra 'training' is not installed")

from pipeline.face_models import FaceModels  # noqa: E402
from tests.packs import models_folder  # noqa: E402
from tests.training.people import people_folder  # noqa: E402
from training.closed_set import (  # noqa: E402
    SIDE,
    CascadeMissing,
    Outcome,
    as_table,
    build_classifier,
    haar_finder,
    main,
    pack_finder,
    plan_trial,
)
from training.identities import IdentitiesError, read_picture  # noqa: E402


@pytest.fixture(scope="module")
def folder(models: FaceModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return people_folder(models, tmp_path_factory.mktemp("people"), 6)


def test_pictures_to_learn_from_to_measure_on_and_strangers_are_apart(folder: Path) -> None:
    trial = plan_trial(folder, most=6, enrolled=None)
    assert [len(own) for own in trial.learn] == [4] * 5
    assert [len(own) for own in trial.held_out] == [2] * 5
    assert len(trial.strangers) == 6
    everything = [p for part in (*trial.learn, *trial.held_out, trial.strangers) for p in part]
    assert len(set(everything)) == len(everything) == 36
    enrolled = {path.parent for own in trial.learn for path in own}
    assert enrolled == {path.parent for own in trial.held_out for path in own}
    assert not enrolled & {path.parent for path in trial.strangers}
    assert len(plan_trial(folder, most=6, enrolled=3).learn) == 3


def test_people_with_few_pictures_are_strangers_and_too_few_people_are_told(folder: Path, tmp_path: Path) -> None:
    for source in ("person 0", "person 1", "person 2", "person 3"):
        (tmp_path / source).mkdir()
        for number in range(2 if source == "person 3" else 3):
            (tmp_path / source / f"{number}.jpg").write_bytes((folder / source / f"{number}.jpg").read_bytes())
    trial = plan_trial(tmp_path, most=6, enrolled=None)
    assert {path.parent.name for path in trial.strangers} == {"person 3"}
    assert len(trial.learn) == 3
    (tmp_path / "person 1" / "0.jpg").unlink()
    (tmp_path / "person 2" / "0.jpg").unlink()
    with pytest.raises(IdentitiesError, match="1 of 4 people have three pictures"):
        plan_trial(tmp_path, most=6, enrolled=None)


def test_a_classifier_has_one_output_a_person_and_always_names_somebody() -> None:
    model = build_classifier(5)
    found = np.asarray(model(np.zeros((2, SIDE, SIDE, 1), np.float32)))
    assert found.shape == (2, 5)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)


def test_the_packs_detector_gives_the_baseline_grey_crops(models: FaceModels, folder: Path) -> None:
    find = pack_finder(models)
    crop = find(read_picture(folder / "person 0" / "0.jpg"))
    assert crop is not None
    assert crop.shape == (SIDE, SIDE)
    assert find(np.full((80, 80, 3), 128, np.uint8)) is None


@pytest.mark.skipif(not hasattr(cv2, "CascadeClassifier"), reason="OpenCV 5 has no Haar cascades")
def test_the_cascade_finds_the_faces_of_the_group_photo(folder: Path) -> None:
    find = haar_finder()
    found = [find(read_picture(folder / f"person {i}" / "0.jpg")) for i in range(6)]
    assert sum(crop is not None for crop in found) >= 3
    assert find(np.full((80, 80, 3), 128, np.uint8)) is None


def test_an_opencv_without_cascades_is_told_with_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "CascadeClassifier", raising=False)
    with pytest.raises(CascadeMissing, match=r"opencv-python below 5.*--crops pack"):
        haar_finder()
    result = CliRunner().invoke(main, [str(folder), "--models-dir", str(models_folder())])
    assert result.exit_code == 1
    assert "no Haar cascades" in result.stderr


def test_one_command_compares_both(folder: Path) -> None:
    options = ["--crops", "pack", "--enrolled", "3", "--epochs", "12", "--models-dir", str(models_folder()), "--json"]
    result = CliRunner().invoke(main, [str(folder), *options])
    assert result.exit_code == 0, result.output
    baseline, product = json.loads(result.stdout)
    assert baseline["strangers_named"] == 1.0  # it has no other answer
    assert product["strangers_named"] == 0.0
    assert product["right"] == 1.0
    assert baseline["right"] > 0.5  # of three people, whose pictures are much alike
    assert baseline["unnamed"] == 0.0
    assert baseline["right"] + baseline["wrong"] == pytest.approx(1)
    assert baseline["add_one"] > product["add_one"] > 0


def test_a_table_holds_every_figure() -> None:
    one = Outcome("one", 0.5, 0.25, 0.25, 1.0, 12.3, "8")
    lines = as_table([one, one]).splitlines()
    assert {line.count("|") for line in lines} == {4}
    assert "| 50.0 % | 50.0 % |" in lines[2]
    assert "| 12 | 12 |" in lines[6]
