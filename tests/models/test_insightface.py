"""InsightFace's packs, through InsightFace's real model zoo, on small models of the same signatures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models import Pack, PackDamaged, PackNotInstalled, ensure_pack, load_manifest, load_pack, pull_pack, verify_pack

Image = NDArray[np.uint8]


@pytest.fixture
def buffalo_cache(buffalo_files: Path, tmp_path: Path) -> Path:
    """A cache folder with the pack put there by hand and recorded."""
    shutil.copytree(buffalo_files, tmp_path / "buffalo_l")
    pull_pack("buffalo_l", tmp_path, True, lambda line: None)
    return tmp_path


@pytest.fixture(scope="module")
def pack(buffalo_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Pack:
    cache = tmp_path_factory.mktemp("zoo")
    shutil.copytree(buffalo_files, cache / "buffalo_l")
    pull_pack("buffalo_l", cache, True, lambda line: None)
    return load_pack("buffalo_l", cache, "cpu")


def test_the_zoo_gives_its_own_objects(pack: Pack) -> None:
    assert [type(model).__name__ for model in (pack.detector, pack.embedder, pack.attributes)] == [
        "SCRFD",
        "ArcFaceONNX",
        "Attribute",
    ]
    assert pack.providers == ("CPUExecutionProvider",)
    assert pack.detector.det_thresh == pack.manifest.detector.score_threshold
    assert pack.detector.nms_thresh == pack.manifest.detector.nms


def test_sessions_inside_the_zoo_have_one_thread_and_never_spin(pack: Pack, photo: Image) -> None:
    for size in ((640, 640), (320, 320)):
        pack.detector.detect(photo, input_size=size)
    inside = list(pack.detector.resolution_sessions.values())
    assert len(inside) == 2
    assert pack.attributes is not None
    for session in [*inside, pack.detector.session, pack.embedder.session, pack.attributes.session]:
        options = session.get_session_options()
        assert options.intra_op_num_threads == 1
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
        assert options.get_session_config_entry("session.inter_op.allow_spinning") == "0"


def test_a_photo_goes_through_detector_embedder_and_attributes(pack: Pack, photo: Image) -> None:
    image = np.ascontiguousarray(photo[:, :, ::-1])
    boxes, landmarks = pack.detector.detect(image, input_size=(640, 640))
    assert boxes.shape == (len(boxes), 5)
    assert landmarks.shape == (len(boxes), 5, 2)

    chip = cv2.resize(image, (112, 112))
    features = pack.embedder.get_feat([chip, chip[:, ::-1]])
    assert features.shape == (2, pack.manifest.embedder.dimension)
    assert np.isfinite(features).all()

    class Face(dict[str, Any]):
        bbox = np.array([100.0, 100.0, 300.0, 320.0])

    assert pack.attributes is not None
    assert pack.attributes.get(image, Face()) == (1, 25)


@pytest.mark.parametrize("side", [320, 640])
def test_the_detector_puts_boxes_where_its_model_says(pack: Pack, side: int) -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[128:160, 256:320] = 255
    boxes, landmarks = pack.detector.detect(image, input_size=(side, side))
    assert len(boxes) > 0
    centres = (boxes[:, :2] + boxes[:, 2:4]) / 2
    assert ((centres >= (256, 128)) & (centres <= (320, 160))).all()
    np.testing.assert_allclose(landmarks.mean(1), centres)


def test_the_digest_is_that_of_the_file_that_was_pulled(pack: Pack, buffalo_cache: Path) -> None:
    assert load_pack("buffalo_l", buffalo_cache, "cpu").manifest.digest == pack.manifest.digest
    folder = buffalo_cache / "buffalo_l"
    (folder / "lock.json").unlink()
    model = bytearray((folder / "w600k_r50.onnx").read_bytes())
    model[len(model) // 2] ^= 1
    (folder / "w600k_r50.onnx").write_bytes(model)
    pull_pack("buffalo_l", buffalo_cache, True, lambda line: None)
    assert load_pack("buffalo_l", buffalo_cache, "cpu").manifest.digest != pack.manifest.digest


def test_a_pack_without_attributes(buffalo_files: Path, tmp_path: Path) -> None:
    folder = tmp_path / "buffalo_sc"
    folder.mkdir()
    shutil.copy(buffalo_files / "det_10g.onnx", folder / "det_500m.onnx")
    shutil.copy(buffalo_files / "w600k_r50.onnx", folder / "w600k_mbf.onnx")
    pull_pack("buffalo_sc", tmp_path, True, lambda line: None)
    assert load_pack("buffalo_sc", tmp_path, "cpu").attributes is None


@pytest.mark.parametrize("name", ["buffalo_l", "antelopev2"])
def test_a_pack_that_is_not_installed_says_how_to_get_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(PackNotInstalled, match=f"visavis models pull {name} --accept-license"):
        load_pack(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_files_nobody_recorded_are_not_loaded(buffalo_files: Path, tmp_path: Path) -> None:
    shutil.copytree(buffalo_files, tmp_path / "buffalo_l")
    with pytest.raises(PackNotInstalled):
        load_pack("buffalo_l", tmp_path)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-20] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (damage, r"genderage.onnx \(content has changed\)"),
        (lambda path: os.truncate(path, 7), r"genderage.onnx \(7 bytes instead of \d+\)"),
        (Path.unlink, r"genderage.onnx \(not there\)"),
    ],
)
def test_damage_is_told_and_nothing_is_fetched_unasked(
    buffalo_cache: Path, change: Callable[[Path], object], words: str
) -> None:
    change(buffalo_cache / "buffalo_l" / "genderage.onnx")
    states = [status.state for status in verify_pack("buffalo_l", buffalo_cache)]
    assert states[:2] == ["ok", "ok"]
    assert states[2] != "ok"
    with pytest.raises(PackDamaged, match=words + "; fetch it again with: visavis models pull buffalo_l"):
        ensure_pack("buffalo_l", buffalo_cache, lambda line: None)


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("genderage.onnx", "det_10g.onnx", "det_10g.onnx of pack 'buffalo_l' is no detection model"),
        ("det_10g.onnx", "w600k_r50.onnx", "w600k_r50.onnx of pack 'buffalo_l' is no recognition model"),
        ("w600k_r50.onnx", "genderage.onnx", "genderage.onnx of pack 'buffalo_l' is no genderage model"),
        (None, "w600k_r50.onnx", "InsightFace cannot load w600k_r50.onnx"),
    ],
)
def test_a_wrong_model_under_a_files_name_is_never_recorded(
    buffalo_files: Path, tmp_path: Path, source: str | None, target: str, words: str
) -> None:
    shutil.copytree(buffalo_files, tmp_path / "buffalo_l")
    content = (buffalo_files / source).read_bytes() if source else b"<html>404</html>"
    (tmp_path / "buffalo_l" / target).write_bytes(content)
    with pytest.raises(PackDamaged, match=words) as caught:
        pull_pack("buffalo_l", tmp_path, True, lambda line: None)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "buffalo_l" / "lock.json").exists()


def test_an_embedder_of_another_dimension_is_refused(
    buffalo_files: Path, tmp_path: Path, write_arcface: Callable[..., None]
) -> None:
    shutil.copytree(buffalo_files, tmp_path / "buffalo_l")
    write_arcface(tmp_path / "buffalo_l" / "w600k_r50.onnx", dimension=256)
    with pytest.raises(PackDamaged, match=r"is of shape \(112, 112, 256\), expected \(112, 112, 512\)"):
        pull_pack("buffalo_l", tmp_path, True, lambda line: None)


def test_the_alignment_is_the_one_insightface_uses() -> None:
    from insightface.utils.face_align import arcface_dst

    np.testing.assert_array_equal(load_manifest("buffalo_l").embedder.template, arcface_dst)
