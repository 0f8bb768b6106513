"""Crops vary by epoch and place and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.attributes import AGES, crop_detail
from pipeline.degrade import degrade, width_at
from pipeline.face_models import FaceModels
from tests.pictures import group_photo
from tests.training.labelled import labelled_folder
from training.crops import CropBatches, plain_crops
from training.faces import LabelledFace, find_faces, read_labels

SIDE = 64


@pytest.fixture(scope="module")
def faces(models: FaceModels, tmp_path_factory: pytest.TempPathFactory) -> list[LabelledFace]:
    folder = tmp_path_factory.mktemp("faces")
    table = labelled_folder(models, folder, 18)
    return find_faces(read_labels("csv", table), folder / "images", models, folder / "f.npz", lambda *_: None)


def _template(models: FaceModels) -> np.ndarray:
    return models.embedder.spec.template / 150 * SIDE


def test_the_same_seed_gives_the_same_crops(models: FaceModels, faces: list[LabelledFace]) -> None:
    one, other = (CropBatches(faces, _template(models), SIDE, 6, seed=1) for _ in range(2))
    other.epoch = 0
    np.testing.assert_array_equal(one[2][0], other[2][0])
    assert len(one) == 3
    one.on_epoch_end()
    assert np.abs(one[2][0] - other[2][0]).max() > 10
    other.epoch = 1  # gone on with after a stop
    np.testing.assert_array_equal(one[1][0], other[1][0])


def test_fixed_batches_never_change_and_miss_nobody(models: FaceModels, faces: list[LabelledFace]) -> None:
    batches = CropBatches(faces, _template(models), SIDE, 8, seed=1, fixed=True)
    before = [batches[i][0] for i in range(len(batches))]
    batches.on_epoch_end()
    assert sum(len(batch) for batch in before) == len(faces)
    for i, batch in enumerate(before):
        np.testing.assert_array_equal(batch, batches[i][0])


def test_a_teacher_is_mixed_with_the_labels(models: FaceModels, faces: list[LabelledFace]) -> None:
    count = len(faces)
    opinions = np.full((count, 2), 0.5, np.float32), np.full((count, len(AGES)), 1 / len(AGES), np.float32)
    batches = CropBatches(faces, _template(models), SIDE, 4, seed=1, opinions=opinions, trust=0.5, fixed=True)
    gender = batches[0][1]["gender"]
    assert sorted(np.unique(gender)) == pytest.approx([0.25, 0.75])
    assert batches[0][1]["age"].sum(1) == pytest.approx(np.ones(4), abs=1e-5)


def test_what_is_imitated_is_the_face_without_what_all_share(models: FaceModels, faces: list[LabelledFace]) -> None:
    batches = CropBatches(faces, _template(models), SIDE, len(faces), seed=1, fixed=True, imitate=True)
    targets = batches[0][1]["face"]
    assert targets.shape == (len(faces), models.embedder.spec.dimension)
    assert targets.mean(0) == pytest.approx(np.zeros(targets.shape[1]), abs=1e-4)
    unit = targets / np.linalg.norm(targets, axis=1, keepdims=True)
    alike = unit @ unit.T
    same = np.arange(len(faces))[:, None] % 6 == np.arange(len(faces)) % 6  # six people in turn
    assert alike[same].min() > alike[~same].max()
    assert "face" not in CropBatches(faces, _template(models), SIDE, 4, seed=1)[0][1]


def test_detail_falls_with_distance(models: FaceModels, faces: list[LabelledFace]) -> None:
    levels = [plain_crops(faces, _template(models), SIDE, width) for width in (None, 36, 18)]
    details = [float(np.mean([crop_detail(crop) for crop in crops])) for crops in levels]
    assert details[0] > details[1] > details[2]


@pytest.mark.parametrize(("width", "target"), [(100.0, 1.0), (2.0, 20.0), (float("nan"), 20.0)])
def test_a_face_of_no_pixels_is_refused(width: float, target: float) -> None:
    with pytest.raises(ValueError, match="at least 4 pixels"):
        degrade(group_photo(), width, target, np.random.default_rng(0))


def test_a_degraded_picture_keeps_its_size() -> None:
    photo = group_photo()
    far = degrade(photo, 100, width_at(8), np.random.default_rng(0))
    assert far.shape == photo.shape
    assert float(np.abs(far.astype(float) - photo).mean()) > 2
    with pytest.raises(ValueError, match="above 0 m"):
        width_at(0)


def test_fewer_faces_than_a_batch_are_one_batch(models: FaceModels, faces: list[LabelledFace]) -> None:
    assert len(CropBatches(faces[:3], _template(models), SIDE, 64, seed=1)) == 1
    assert len(CropBatches(faces[:3], _template(models), SIDE, 64, seed=1)[0][0]) == 3
