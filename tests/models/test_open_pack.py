"""The built models on a real photo. Finding and cutting faces is done here in the shortest way that shows they work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models import Pack, load_manifest, load_pack

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def pack(cache: Path) -> Pack:
    return load_pack("open", cache, "cpu")


def as_batch(*images: Image) -> Floats:
    return np.stack(images).transpose(0, 3, 1, 2).astype(np.float32)


def detect(pack: Pack, image: Image) -> list[tuple[float, Floats]]:
    """Score and landmarks (5, 2) in pixels of each face: the peaks of the heat map, best first, none inside another."""
    heat, scale, offset, points = (out[0] for out in pack.detector.run(None, {"images": as_batch(image)}))
    rows, columns = np.where(heat[0] > pack.manifest.detector.score_threshold)
    faces: list[tuple[float, Any, Floats]] = []
    for i in np.argsort(-heat[0, rows, columns]):
        at = rows[i], columns[i]
        height, width = np.exp(scale[:, *at]) * 4
        left = (at[1] + offset[1, *at] + 0.5) * 4 - width / 2
        top = (at[0] + offset[0, *at] + 0.5) * 4 - height / 2
        centre = np.array([left + width / 2, top + height / 2])
        if all(np.abs(centre - other).max() > width / 2 for _, other, _ in faces):
            y, x = points[:, *at].reshape(5, 2).T
            faces.append((float(heat[0, *at]), centre, np.stack([x * width + left, y * height + top], 1)))
    return [(score, marks) for score, _, marks in faces]


def chip(pack: Pack, image: Image, landmarks: Floats) -> Image:
    spec = pack.manifest.embedder
    # Least squares for x' = a x - b y + c and y' = b x + a y + d.
    (x, y), zeros, ones = landmarks.T, np.zeros(5), np.ones(5)
    system = np.concatenate([np.stack([x, -y, ones, zeros], 1), np.stack([y, x, zeros, ones], 1)])
    a, b, c, d = np.linalg.lstsq(system, spec.template.T.ravel(), rcond=None)[0]
    matrix = np.array([[a, -b, c], [b, a, d]])
    return np.asarray(cv2.warpAffine(image, matrix, (spec.size, spec.size)), np.uint8)


def embed(pack: Pack, chips: list[Image]) -> Floats:
    (rows,) = pack.embedder.run(None, {"images": as_batch(*chips)})
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def test_signatures(pack: Pack) -> None:
    assert [item.name for item in pack.detector.get_inputs()] == ["images"]
    assert [item.name for item in pack.detector.get_outputs()] == ["heatmap", "scale", "offset", "landmarks"]
    assert [item.name for item in pack.embedder.get_inputs()] == ["images"]
    assert [item.name for item in pack.embedder.get_outputs()] == ["embedding"]
    assert pack.attributes is None
    assert pack.manifest == load_manifest("open")


@pytest.mark.parametrize("size", [(32, 32), (320, 256), (640, 448)])
@pytest.mark.parametrize("batch", [1, 2])
def test_the_detector_takes_any_size_in_multiples_of_its_stride(pack: Pack, size: tuple[int, int], batch: int) -> None:
    width, height = size
    outputs = pack.detector.run(None, {"images": np.zeros((batch, 3, height, width), np.float32)})
    assert [out.shape for out in outputs] == [(batch, c, height // 4, width // 4) for c in (1, 2, 2, 10)]


def test_six_faces_are_found_and_told_apart(pack: Pack, photo: Image) -> None:
    image = np.asarray(cv2.resize(photo, (1280, 896)), np.uint8)
    faces = detect(pack, image)
    assert len(faces) == 6
    for _, (left_eye, right_eye, nose, left_mouth, right_mouth) in faces:
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_eye[1] < nose[1] < left_mouth[1]
        assert left_mouth[0] < right_mouth[0]

    chips = [chip(pack, image, marks) for _, marks in faces]
    embeddings = embed(pack, chips)
    mirrored = embed(pack, [np.ascontiguousarray(c[:, ::-1]) for c in chips])
    assert embeddings.shape == (6, pack.manifest.embedder.dimension)
    similarity = embeddings @ mirrored.T
    same, strangers = np.diag(similarity), similarity[~np.eye(6, dtype=bool)]
    assert same.min() > pack.manifest.matching.same_face
    assert same.min() > strangers.max() + 0.04
    assert strangers.mean() == pytest.approx(0.83, abs=0.05)  # known of this network: strangers are this close


def test_the_detector_wants_rgb(pack: Pack, photo: Image) -> None:
    image = np.asarray(cv2.resize(photo, (640, 448)), np.uint8)
    best = [detect(pack, np.ascontiguousarray(i))[0][0] for i in (image, image[:, :, ::-1])]
    assert best[0] != best[1]


def test_a_face_in_a_batch_is_embedded_as_alone(pack: Pack, photo: Image) -> None:
    image = np.asarray(cv2.resize(photo, (1280, 896)), np.uint8)
    chips = [chip(pack, image, marks) for _, marks in detect(pack, image)]
    np.testing.assert_allclose(embed(pack, chips), np.concatenate([embed(pack, [c]) for c in chips]), atol=1e-5)


def test_two_runs_agree(pack: Pack, cache: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (1, 3, 150, 150)).astype(np.float32)
    again = load_pack("open", cache, "cpu")
    (first,), (second,) = (p.embedder.run(None, {"images": images}) for p in (pack, again))
    np.testing.assert_array_equal(first, second)
