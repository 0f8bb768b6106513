"""Looks at a face are averaged, never multiplied; and where little can be told, nothing is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from pipeline.attributes import (
    AGES,
    MAX_LOOKS,
    ApparentEvidence,
    AttributeEvidence,
    EnsembleReader,
    GenderAgeReader,
    age_quantiles,
    conclude,
    crop_detail,
    load_attribute_reader,
)
from pipeline.degrade import degrade
from pipeline.face_models import FaceModels, PhotoFace, read_photo
from pipeline.frame import Image
from tests.packs import open_models
from tests.pictures import group_photo


@dataclass
class _Reader:
    """Limits only: the tests make their evidence themselves."""

    name: str = "made up"
    sure: float = 0.8
    min_width: float = 20.0
    embedder: str | None = None

    def read(self, image: Image, landmarks: np.ndarray, width: float, embedding=None) -> AttributeEvidence:
        raise AssertionError("nobody asked for a look")


def _look(log_odds: float, age: float = 40, spread: float = 6, weight: float = 1) -> AttributeEvidence:
    ages = np.exp(-0.5 * ((AGES - age) / spread) ** 2)
    return AttributeEvidence(log_odds, (ages / ages.sum()).astype(np.float32), weight)


@pytest.fixture(scope="module")
def models() -> FaceModels:
    return open_models()


@pytest.fixture(scope="module")
def faces(models: FaceModels) -> list[PhotoFace]:
    return read_photo(models, group_photo())


def test_a_hundred_looks_are_no_surer_than_one() -> None:
    one, many = (conclude([_look(2.0)] * count, 100, _Reader()) for count in (1, 100))
    assert many.gender == one.gender == "male"
    assert many.gender_probability == pytest.approx(one.gender_probability)
    assert (many.age_low, many.age_high) == pytest.approx((one.age_low, one.age_high))


def test_looks_that_disagree_say_nothing() -> None:
    said = conclude([_look(3.0), _look(-3.0)], 100, _Reader())
    assert said.gender is None
    assert said.reason == "not sure"
    assert said.gender_probability == pytest.approx(0.5)
    assert said.age is not None


def test_far_away_nothing_is_said_however_sure_the_network() -> None:
    said = conclude([_look(9.0)], 19, _Reader())
    assert (said.gender, said.age, said.reason) == (None, None, "too far")


def test_a_blurred_look_counts_less() -> None:
    said = conclude([_look(4.0, weight=1.0), _look(-4.0, weight=0.05)], 100, _Reader())
    assert said.gender == "male"


def test_the_interval_holds_its_share() -> None:
    low, middle, high = age_quantiles(_look(0, age=50, spread=8).ages, (0.1, 0.5, 0.9))
    assert middle == pytest.approx(50, abs=0.1)
    assert (low, high) == pytest.approx((50 - 1.2816 * 8, 50 + 1.2816 * 8), abs=0.2)


def test_evidence_is_wanted_until_it_no_longer_improves() -> None:
    evidence = ApparentEvidence(_Reader())
    assert evidence.apparent is None
    assert not evidence.wanted(width=9, now=0.0)
    for i in range(MAX_LOOKS):
        assert evidence.wanted(width=60, now=float(i))
        evidence.add(_look(1.0, weight=0.5), 60, float(i))
        assert not evidence.wanted(width=60, now=i + 0.1), "the next frame says the same"
    assert not evidence.wanted(width=70, now=100.0)
    assert evidence.wanted(width=120, now=100.0)
    for i in range(MAX_LOOKS):
        evidence.add(_look(-4.0), 120, 100.0 + i)
    said = evidence.apparent
    assert said is not None
    assert said.gender == "female"
    assert evidence.looks == 2 * MAX_LOOKS


def test_nothing_is_concluded_from_nothing() -> None:
    with pytest.raises(ValueError, match="never looked at"):
        conclude([], 100, _Reader())


def test_detail_falls_with_blur(models: FaceModels, faces: list[PhotoFace]) -> None:
    photo = group_photo()
    levels = []
    for target in (faces[0].box[2], 40.0, 20.0):
        far = degrade(photo, float(faces[0].box[2]), float(target), np.random.default_rng(0))
        x, y, w, h = faces[0].box.astype(int)
        levels.append(crop_detail(far[y : y + h, x : x + w]))
    assert levels[0] > levels[1] > levels[2]


class GenderAge:
    """InsightFace's ``Attribute`` as far as it is used; the network answers what it is told."""

    input_size, input_mean, input_std = (96, 96), 127.5, 128.0
    input_name, output_names = "data", ["fc1"]

    def __init__(self, answer: tuple[float, float, float]) -> None:
        self.answer, self.blob, self.session = answer, np.zeros(0), self

    def run(self, names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.blob = feed["data"]
        return [np.array([self.answer], np.float32)]


def test_insightfaces_network_is_fed_as_it_was_trained(faces: list[PhotoFace]) -> None:
    network = GenderAge((-1.0, 2.0, 0.37))
    face = faces[0]
    said = GenderAgeReader(network, "buffalo_l").read(group_photo(), face.landmarks, float(face.box[2]))
    assert network.blob.shape == (1, 3, 96, 96)
    assert np.abs(network.blob).max() <= 1.0
    assert said.log_odds > 0
    assert float(said.ages @ AGES) == pytest.approx(37, abs=0.5)


def test_an_open_pack_has_the_shipped_ensemble_and_reads_real_faces(faces: list[PhotoFace]) -> None:
    reader = load_attribute_reader(None, "cpu")
    said = [
        conclude([reader.read(group_photo(), face.landmarks, float(face.box[2]))], float(face.box[2]), reader)
        for face in faces
    ]
    assert {face.gender for face in said} >= {"male", "female"}
    assert all(face.age is not None and 18 <= face.age <= 60 for face in said)
    assert all(face.age_low < (face.age or 0) < face.age_high for face in said)


def test_confidence_falls_with_distance(models: FaceModels) -> None:
    reader = load_attribute_reader(None, "cpu")
    photo, random = group_photo(), np.random.default_rng(3)
    means = []
    for shrink in (1.0, 0.08):
        width = 110.0
        far = photo if shrink == 1 else degrade(photo, width, width * shrink, random)
        found = read_photo(models, far)
        looks = [conclude([reader.read(far, f.landmarks, float(f.box[2]))], 99, reader) for f in found]
        means.append(float(np.mean([look.gender_probability for look in looks])))
    assert means[0] > means[1]


def test_what_the_embedder_sees_is_weighed_in(models: FaceModels, faces: list[PhotoFace]) -> None:
    reader = load_attribute_reader(None)
    assert isinstance(reader, EnsembleReader)
    known = reader.spec.embedding
    assert known is not None
    assert reader.embedder == models.manifest.digest == known.pack
    face = faces[0]
    alone = reader.read(group_photo(), face.landmarks, float(face.box[2]))
    shared = reader.read(group_photo(), face.landmarks, float(face.box[2]), face.embedding)
    turned = reader.read(group_photo(), face.landmarks, float(face.box[2]), -face.embedding)
    seen = float(known.direction @ face.embedding)
    assert (shared.log_odds - turned.log_odds) * seen > 0
    assert shared.log_odds != alone.log_odds
    np.testing.assert_array_equal(shared.ages, alone.ages)
