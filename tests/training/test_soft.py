"""The whole way, made small: three networks trained, stopped, gone on with, exported, and read by the product."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from models.attributes import AttributePack, read_spec
from models.sessions import create_session
from pipeline.attributes import AGES, EnsembleReader
from pipeline.face_models import FaceModels, read_photo
from tests.pictures import group_photo
from tests.training.labelled import labelled_folder
from training.networks import ARCHITECTURES, build_network
from training.soft import soft

pytestmark = pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning")  # data come by graphs anyway


@pytest.fixture(scope="module", autouse=True)
def _operation_by_operation() -> Iterator[None]:
    """To make graphs of three networks takes ten times as long as the few steps here; with graphs: test_loop.py."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(soft, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def data(models: FaceModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("soft")
    labelled_folder(models, folder, 36, split=True)
    return folder


def _options(data: Path) -> list[str]:
    return ["--labels", str(data / "labels.csv"), "--images", str(data / "images"), "--out", str(data / "runs")]


@pytest.mark.timeout(600)
def test_train_go_on_export_and_read(models: FaceModels, data: Path) -> None:
    options = _options(data)
    first = _run("train", *options, "--network", "residual", "--epochs", "1", "--batch", "8")
    assert "24 faces" in first
    _run("train", *options, "--epochs", "2", "--batch", "8")
    assert (data / "runs" / "compact" / "mobile" / "model.keras").exists()
    into = data / "ensemble"
    words = ["--trained-on", "one photo", "--licence", 'as "agreed"']
    printed = _run("export", *options, "--into", str(into), *words)
    assert "17 px" in printed
    spec = read_spec((into / "manifest.toml").read_text("utf-8"))
    assert spec.licence == 'as "agreed"'
    assert sum(entry.weight for entry in spec.networks) == pytest.approx(1, abs=0.02)
    assert "one photo" in (into / "CARD.md").read_text("utf-8")
    assert sum((into / entry.file).stat().st_size for entry in spec.networks) < 10e6
    sessions = tuple(create_session(into / entry.file, ("CPUExecutionProvider",)) for entry in spec.networks)
    reader = EnsembleReader(AttributePack(spec, sessions))
    face = read_photo(models, group_photo())[0]
    said = reader.read(group_photo(), face.landmarks, float(face.box[2]))
    assert np.isfinite(said.log_odds)
    assert float(said.ages.sum()) == pytest.approx(1, abs=1e-4)


def test_a_pupil_needs_its_teacher(data: Path, tmp_path: Path) -> None:
    options = [*_options(data)[:-1], str(tmp_path)]
    result = CliRunner().invoke(soft, ["train", *options, "--network", "mobile"])
    assert result.exit_code == 1
    assert "train it first" in result.output


def test_nothing_is_exported_untrained(data: Path, tmp_path: Path) -> None:
    options = [*_options(data)[:-1], str(tmp_path)]
    words = ["--trained-on", "x", "--licence", "y"]
    result = CliRunner().invoke(soft, ["export", *options, "--into", str(tmp_path / "e"), *words])
    assert result.exit_code == 1
    assert "not trained yet" in result.output


def test_too_few_pictures_are_refused(models: FaceModels, tmp_path: Path) -> None:
    labelled_folder(models, tmp_path, 2)
    result = CliRunner().invoke(soft, ["train", *_options(tmp_path)])
    assert result.exit_code == 1
    assert "more are needed" in result.output


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_full_networks_are_built(architecture: str) -> None:
    model = build_network(architecture, "full", 96)  # type: ignore[arg-type]
    answer = model(np.zeros((1, 96, 96, 3), np.float32))
    assert answer["gender"].shape == (1, 2)
    assert answer["age"].shape == (1, len(AGES))


def test_crops_too_small_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 32"):
        build_network("mobile", "compact", 16)
