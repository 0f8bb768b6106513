"""From a folder of people to a pack the server runs."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

keras = pytest.importorskip("keras", reason="the extra 'training' is not installed")

from models import load_pack  # noqa: E402
from models.cli import models as models_command  # noqa: E402
from pipeline.face_models import FaceModels, main_face, read_photo  # noqa: E402
from server.cli import cli  # noqa: E402
from tests.packs import models_folder  # noqa: E402
from tests.training.people import people_folder  # noqa: E402
from training.calibrate import Faces  # noqa: E402
from training.facenet import IdentityBatches, Settings, embed_crops, main, make_pack, train_embedder  # noqa: E402
from training.identities import Parts, align, middle, read_identities, read_picture, split  # noqa: E402
from training.inception_resnet import PLANS, Plan, build_embedder, with_classifier  # noqa: E402
from training.loop import Interrupted  # noqa: E402
from training.pack_export import PackRefused, claim_name, fit_matching, verify  # noqa: E402

SMALL = Plan(width=0.1, blocks=(1, 0, 0), side=75, dimension=32)
BRIEF = Settings(epochs=3, patience=9, batch=5)


@pytest.fixture(scope="module")
def folder(models: FaceModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return people_folder(models, tmp_path_factory.mktemp("people"), 5)


@pytest.fixture(scope="module")
def parts(models: FaceModels, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    crops, _ = align(read_identities(folder, 5), models.detector, 75, tmp_path_factory.mktemp("crops"), lambda *n: None)
    return split(crops, held_out=0.3)


@pytest.fixture(scope="module")
def trained(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Path]:
    run = tmp_path_factory.mktemp("run") / "whole"
    return train_embedder(parts, SMALL, BRIEF, run, verbose=0), run


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with the open pack in it."""
    packs = tmp_path_factory.mktemp("packs")
    shutil.copytree(models_folder() / "open", packs / "open")
    return packs


def test_in_full_it_is_the_published_network() -> None:
    model = build_embedder(PLANS["full"])
    # As the widely used weights under this name have it, without their classifier.
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == 23_482_624
    assert model.output_shape == (None, 512)


def test_embeddings_have_unit_length_and_logits_are_scaled_cosines() -> None:
    model = build_embedder(SMALL)
    found = np.asarray(model(np.random.default_rng(0).uniform(-1, 1, (3, 75, 75, 3)).astype("float32")))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    logits = with_classifier(model, 7, scale=16)(np.zeros((2, 75, 75, 3), "float32"))
    assert logits.shape == (2, 7)
    assert np.abs(logits).max() <= 16 + 1e-4
    with pytest.raises(ValueError, match="at least 75"):
        build_embedder(Plan(0.1, (1, 1, 1), side=64))


def test_batches_are_the_same_whenever_they_are_drawn_and_differ_by_epoch(parts: Parts) -> None:
    one, other = (IdentityBatches(parts.train, parts.people, 75, BRIEF) for _ in range(2))
    np.testing.assert_array_equal(one[1][0], other[1][0])
    one.on_epoch_end()
    assert not np.array_equal(one[1][0], other[1][0])
    other.epoch = 1  # as a run that is taken up begins
    np.testing.assert_array_equal(one[1][0], other[1][0])
    chips, people = one[0]
    assert chips.shape == (5, 75, 75, 3)
    assert people.sum(1).tolist() == [1] * 5
    assert -1 <= chips.min() < 0 < chips.max() <= 1


def test_pictures_to_measure_on_are_shown_as_they_are(parts: Parts) -> None:
    fixed = IdentityBatches(parts.validation, parts.people, 75, BRIEF, fixed=True)
    chips, _ = fixed[0]
    assert sum(len(fixed[i][0]) for i in range(len(fixed))) == len(parts.validation)
    expected = (middle(read_picture(parts.validation[0].path), 75).astype(np.float32) - 127.5) / 128
    np.testing.assert_array_equal(chips[0], expected)


def test_a_run_that_was_stopped_ends_with_the_same_weights(
    parts: Parts, trained: tuple[keras.Model, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = trained

    class Stopped(Exception):
        pass

    def stop(self: IdentityBatches) -> None:
        raise Stopped

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(IdentityBatches, "on_epoch_end", stop)  # after the first epoch, whose state may be kept or not
        train_embedder(parts, SMALL, BRIEF, tmp_path / "run", verbose=0)
    resumed = train_embedder(parts, SMALL, BRIEF, tmp_path / "run", verbose=0)
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_training_changes_the_weights_and_writes_what_tensorboard_reads(trained: tuple[keras.Model, Path]) -> None:
    model, run = trained
    keras.utils.set_random_seed(BRIEF.seed)
    fresh = build_embedder(SMALL)
    assert np.abs(model.get_layer("bottleneck").kernel - fresh.get_layer("bottleneck").kernel).max() > 1e-4
    assert list((run / "logs").rglob("events.*"))


def test_a_run_is_not_taken_up_with_other_settings(parts: Parts, trained: tuple[keras.Model, Path]) -> None:
    with pytest.raises(Interrupted, match="other settings or pictures"):
        train_embedder(parts, SMALL, Settings(epochs=2, patience=9, batch=5), trained[1], verbose=0)


def test_the_pack_runs_wherever_packs_run(
    parts: Parts, trained: tuple[keras.Model, Path], packs: Path, folder: Path, tmp_path: Path
) -> None:
    own, figures = make_pack(trained[0], parts, SMALL, tmp_path, packs, "mine", "made up")
    assert own == packs / "mine"
    assert figures.people == len({crop.person for crop in parts.verification})
    assert 0 <= figures.accuracy <= 1

    models = FaceModels.from_pack(load_pack("mine", packs, "cpu"))
    picture = parts.verification[0].path
    image = read_picture(folder / picture.parent.name / picture.name.removesuffix(".jpg"))
    face = main_face(read_photo(models, image), image.shape[1], image.shape[0])
    assert face is not None
    as_measured = embed_crops(tmp_path / "embedder.onnx", parts.verification[:1], SMALL).embeddings[0]
    assert float(face.embedding @ as_measured) > 0.98  # the same chip but for JPEG and a steadier look

    listed = CliRunner().invoke(models_command, ["list", "--json", "--cache-dir", str(packs)])
    assert {"mine": True}.items() <= {row["name"]: row["installed"] for row in json.loads(listed.stdout)}.items()

    table = tmp_path / "pairs.csv"
    names = [f"{person.name}/{picture.name}" for person in read_identities(folder, 5) for picture in person.pictures]
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("first", "second", "same"))
        writer.writerows((one, other, int(one.split("/")[0] == other.split("/")[0]))
                         for one, other in zip(names, [*names[1:], names[0]], strict=True))  # fmt: skip
    arguments = ["evaluate", "pairs", str(table), "--images", str(folder), "--pack", "mine", "--models-dir", str(packs)]
    result = CliRunner().invoke(cli, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    assert "pack mine" in result.stdout


def crowd(people: int, photos: int, noise: float) -> Faces:
    random = np.random.default_rng(0)
    who = np.repeat(np.arange(people), photos)
    vectors = random.normal(size=(people, 24))[who] + noise * random.normal(size=(len(who), 24))
    return Faces((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), who)


def test_figures_and_thresholds_follow_how_far_people_lie_apart() -> None:
    clear, blurred = (verify(crowd(60, 4, noise)) for noise in (0.2, 1.5))
    assert clear.accuracy > 0.99 > blurred.accuracy > 0.5
    assert clear.genuine == 60 * 6
    matching = fit_matching(crowd(60, 4, 0.4))
    rates, similarities = zip(*matching.fmr, strict=True)
    assert list(rates) == sorted(rates, reverse=True)
    assert list(similarities) == sorted(similarities)
    scores = crowd(60, 4, 0.4).embeddings @ crowd(60, 4, 0.4).embeddings.T
    same = np.equal.outer(np.repeat(np.arange(60), 4), np.repeat(np.arange(60), 4))
    upper = np.triu_indices(240, 1)
    assert matching.fmr[0][1] == pytest.approx(np.quantile(scores[upper][~same[upper]], 0.99), abs=0.1)
    assert -1 < matching.intercept / -matching.slope < 1


def test_a_network_that_knows_nobody_makes_no_pack() -> None:
    faces = crowd(60, 4, 0.2)
    shuffled = Faces(faces.embeddings, np.tile(np.arange(60), 4))  # nobody's pictures are alike
    with pytest.raises(PackRefused, match="no more alike"):
        fit_matching(shuffled)


@pytest.mark.parametrize("name", ["open", "buffalo_l", "Mine", "", "../mine", "my pack"])
def test_a_name_that_is_taken_or_none_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(PackRefused):
        claim_name(tmp_path, name)


def test_the_command_says_what_is_wrong_in_one_line(folder: Path, packs: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    shutil.copytree(folder / "person 0", few / "person 0")
    options = ["--crops", str(tmp_path / "crops"), "--run", str(tmp_path / "run"), "--models-dir", str(packs)]
    result = CliRunner().invoke(main, [str(few), *options, "--name", "mine2"])
    assert result.exit_code == 1
    assert "1 people with at least 2 pictures" in result.stderr
    result = CliRunner().invoke(main, [str(folder), *options, "--name", "open"])
    assert "comes with Visavis" in result.stderr


def test_the_command_trains_in_mixed_precision_measures_and_says_what_a_compact_network_is(
    folder: Path, packs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PLANS, "compact", SMALL)
    options = ["--crops", str(tmp_path / "crops"), "--run", str(tmp_path / "run"), "--models-dir", str(packs)]
    small = ["--name", "compact_one", "--epochs", "3", "--batch", "5", "--held-out", "0.3"]
    result = CliRunner().invoke(main, [str(folder), *options, *small, "--precision", "mixed_bfloat16"])
    assert result.exit_code == 0, result.output
    assert "accuracy by folds" in result.stdout
    assert "compact network" in result.stdout
    assert "visavis --pack compact_one" in result.stdout
    assert keras.mixed_precision.global_policy().name == "float32"  # the rest of the process is left alone
