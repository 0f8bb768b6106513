"""Gender and age against labels, with readers whose honesty is known."""

from dataclasses import dataclass

import numpy as np
import pytest

from pipeline.attributes import AGES, AttributeEvidence
from server.evaluation.attributes import Labelled, Looks, Measured, labelled_faces, read_attributes
from server.evaluation.attributes_report import attributes_report
from server.evaluation.conditions import Condition, conditions
from server.evaluation.labels import EvaluationError
from server.media.decoding import Unreadable
from tests.packs import open_models
from tests.pictures import group_photo
from tests.server.photos import portraits


@dataclass
class Reader:
    """States fixed odds and an age, and notes what it is shown."""

    log_odds: float = 3.0
    years: int = 40
    name: str = "fake"
    sure: float = 0.8
    min_width: float = 30.0
    embedder: str | None = None

    def __post_init__(self):
        self.seen = []

    def read(self, image, landmarks, width, embedding=None):
        self.seen.append((image, landmarks, width))
        ages = np.exp(-0.5 * ((AGES - self.years) / 5) ** 2)
        return AttributeEvidence(self.log_odds, (ages / ages.sum()).astype(np.float32), 1.0)


def load(name):
    if name == "text.jpg":
        raise Unreadable("not_a_picture", "no")
    return np.full((90, 90, 3), 90, np.uint8) if name == "blank.jpg" else portraits()[int(name[0])]


def quiet(done, total):
    assert 0 <= done <= total


FACES = [Labelled(f"{i}.jpg", i % 2 == 0, 30.0 + i) for i in range(6)]


def test_every_face_is_found_in_the_picture_as_it_is_then():
    reader = Reader()
    wanted = conditions(None, True, (), False)
    faces = [*FACES, Labelled("blank.jpg", True, None), Labelled("text.jpg", True, None)]
    measured = read_attributes(open_models(), [reader], faces, load, wanted, 0, quiet)
    assert (measured.files, measured.without_face, measured.unreadable) == (8, ("blank.jpg",), ("text.jpg",))
    assert sum(len(looks) for looks in measured.looks.values()) == len(reader.seen)
    assert len(measured.looks["fake", Condition()]) == 6
    far = measured.looks["fake", Condition("far")]
    assert len(far) + measured.not_found[Condition("far")] == 6
    assert ((far.width > 10) & (far.width < 25)).all()  # as it was taken …
    assert not far.said.any()  # … which is too small for this reader
    clean = measured.looks["fake", Condition()]
    assert clean.said.all()
    assert clean.right.tolist() == [True, False] * 3
    assert np.abs(clean.age - 40).max() < 1
    for image, landmarks, width in reader.seen:
        assert image.ndim == 3
        assert landmarks.shape == (5, 2)
        assert width > 25  # the picture keeps its size


def test_a_tight_cut_leaves_the_face_alone():
    reader = Reader()
    picture = lambda name: group_photo()  # noqa: E731
    read_attributes(open_models(), [reader], FACES[:1], picture, [Condition(tight=True)], 0, quiet)
    ((image, _, width),) = reader.seen
    assert image.shape[1] <= 1.6 * width


def test_no_face_at_all_is_said():
    with pytest.raises(EvaluationError, match="no face"):
        read_attributes(open_models(), [Reader()], [Labelled("blank.jpg", True, None)], load, [Condition()], 0, quiet)


def test_a_limit_draws_and_keeps_the_order():
    rows = [{"file": str(i), "gender": "male", "age": "", "group": ""} for i in range(100)]
    drawn = labelled_faces(rows, 10, seed=0)
    numbers = [int(face.file) for face in drawn]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 10
    assert max(numbers) > 20
    assert labelled_faces(rows, 10, seed=0) == drawn
    assert len(labelled_faces(rows, 1000, seed=0)) == 100


def looks(confidence, honest=True, count=4000, seed=0, age_error=0.0):
    """Looks whose confidence is around a level and as true as it says, or 10 points less."""
    rng = np.random.default_rng(seed)
    stated = np.clip(rng.normal(confidence, 0.02, count), 0.5, 0.999)
    right = rng.random(count) < stated - (0 if honest else 0.1)
    truth = rng.random(count) < 0.5
    male = np.where(truth == right, stated, 1 - stated)
    age = rng.uniform(18, 80, count)
    estimate = age + age_error + rng.normal(0, 5, count)
    interval = 5 * 1.2816
    return Looks(
        truth, age, ("",) * count, rng.uniform(14, 100, count), rng.random(count), male, stated > 0.8,
        estimate, estimate - interval, estimate + interval,
    )  # fmt: skip


def measured(**by_band):
    named = {None if band == "clean" else band: found for band, found in by_band.items()}
    own = {("fake", Condition(band)): found for band, found in named.items()}
    return Measured(own, {Condition(band): 0 for band in named}, 4000, (), ())


def test_honest_looks_give_figures_that_agree():
    levels = {"clean": 0.97, "near": 0.95, "middle": 0.9, "far": 0.8}
    report = attributes_report(measured(**{b: looks(c, seed=i) for i, (b, c) in enumerate(levels.items())}))
    figures = dict(report.figures)
    assert figures["mean confidence falls with distance"] == "yes"
    assert figures["mean confidence off accuracy at most by [points]"] < 2
    assert figures["gender: calibration error [%]"] < 2
    assert figures["gender: accuracy, whatever the confidence [%]"] == pytest.approx(97, abs=1)
    assert 78 <= figures["age: in the 80 % interval [%]"] <= 82
    assert figures["age: mean absolute error [years]"] == pytest.approx(5 * np.sqrt(2 / np.pi), abs=0.2)
    assert report.notes == ()
    rows = {t.name: t.records() for t in report.tables}
    assert rows["conditions"][0]["said"] == 1
    assert 0.4 < rows["conditions"][3]["said"] < 0.6
    assert rows["conditions"][3]["accuracy_said"] > rows["conditions"][3]["accuracy"]
    assert {r["group"] for r in rows["groups"]} >= {"everybody", "female", "male", "20 to 29"}
    assert sum(r["faces"] for r in rows["width"]) == 16_000
    assert len(rows["quality"]) == 10
    assert {p.name for p in report.plots} == {"reliability", "coverage", "width", "ages"}


def test_boasting_and_a_confidence_that_rises_with_distance_are_shown():
    report = attributes_report(measured(clean=looks(0.9), far=looks(0.93, honest=False, age_error=6)))
    figures = dict(report.figures)
    assert figures["mean confidence falls with distance"] == "no"
    assert figures["mean confidence off accuracy at most by [points]"] == pytest.approx(10, abs=1.5)
    (note,) = report.notes
    assert "far (7–10 m) (+" in note
    far = next(t for t in report.tables if t.name == "conditions").records()[1]
    assert far["calibration_error"] == pytest.approx(0.1, abs=0.02)
    assert far["age_bias"] == pytest.approx(6, abs=0.3)
    assert far["age_interval"] < 0.6


def test_blur_is_checked_beside_distance():
    own = {
        ("fake", Condition(band, blur)): looks(level)
        for band, blur, level in ((None, 0, 0.98), ("far", 0, 0.9), (None, 2, 0.93), ("far", 2, 0.91))
    }
    figures = dict(attributes_report(Measured(own, dict.fromkeys([c for _, c in own], 0), 9, (), ())).figures)
    assert figures["mean confidence falls with distance"] == "yes"
    assert figures["mean confidence falls with blur"] == "no"


def test_without_ages_nothing_is_said_of_them():
    found = looks(0.9)
    empty = np.full(len(found), np.nan)
    ageless = Looks(
        found.true_male, empty, found.groups, found.width, found.quality, found.male, found.said, found.age,
        found.low, found.high,
    )  # fmt: skip
    report = attributes_report(measured(clean=ageless))
    assert not any(label.startswith("age") for label, _ in report.figures)
    assert "ages" not in {part.name for part in report.parts}


def test_one_face_is_enough_for_a_report():
    found = looks(0.9, count=1)
    report = attributes_report(measured(clean=found))
    assert dict(report.figures)["faces"] == 1
    assert any("±" in note for note in report.notes)
