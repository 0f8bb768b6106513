"""A folder of people becomes pairs and a protocol, the same for the same seed, and both are measured."""

import numpy as np
import pytest

from server.evaluation.conditions import Condition, conditions, cut_tight, find_face, read_faces
from server.evaluation.folder import GENUINE, IMPOSTORS, draw_openset, draw_pairs, evaluate_folder
from server.evaluation.labels import EvaluationError
from server.evaluation.photos import by_person, load_photos
from server.evaluation.verification import compare
from server.evaluation.writing import report_files
from server.people.photos.folder import PhotoFolder
from tests.packs import open_models
from tests.pictures import group_photo
from tests.server.evaluation.people_folder import write_people


def quiet(done, total):
    assert 0 <= done <= total


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("people")
    write_people(root)
    (root / "P0" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (root / "P0" / "notes.txt").write_text("no picture")
    (root / "alone.jpg").write_bytes((root / "P5" / "0.jpg").read_bytes())
    return root


def test_whose_the_pictures_are(folder):
    people = by_person(PhotoFolder(folder))
    assert sorted(people) == ["P0", "P1", "P2", "P3", "P4", "P5", "alone"]
    assert people["P0"] == ["P0/0.jpg", "P0/1.jpg", "P0/2.jpg", "P0/broken.jpg"]


def test_pairs_are_of_the_same_or_of_different_people_and_no_one_outweighs_the_others():
    people = {f"p{i}": [f"p{i}/{j}" for j in range(2 + 40 * (i == 0))] for i in range(30)}
    pairs = draw_pairs(people, seed=1)
    same = [p for p in pairs if p.same]
    assert len(same) == GENUINE + 29
    assert len({frozenset((p.first, p.second)) for p in pairs}) == len(pairs)
    for pair in pairs:
        assert pair.first != pair.second
        assert (pair.first.split("/")[0] == pair.second.split("/")[0]) is pair.same
    assert draw_pairs(people, seed=1) == pairs
    assert draw_pairs(people, seed=2) != pairs


def test_a_large_folder_is_sampled():
    people = {f"p{i}": [f"p{i}/{j}" for j in range(2)] for i in range(400)}
    different = [p for p in draw_pairs(people, seed=0) if not p.same]
    assert len({frozenset((p.first, p.second)) for p in different}) == len(different) == IMPOSTORS
    assert all(p.first.split("/")[0] != p.second.split("/")[0] for p in different)


def test_known_people_keep_a_picture_to_be_found_by_and_strangers_are_never_enrolled():
    people = {f"p{i}": [f"p{i}/{j}" for j in range(1 + i % 4)] for i in range(40)}
    rows = draw_openset(people, enrol=2, seed=0)
    roles = {}
    for row in rows:
        roles.setdefault(row["person"], []).append(row["role"])
    known = {person for person, own in roles.items() if "enrol" in own}
    assert len(known) == 10  # half of the twenty with three pictures or more
    for person, own in roles.items():
        if person in known:
            assert own.count("enrol") == 2
            assert own.count("probe_known") == len(own) - 2 > 0
        else:
            assert set(own) == {"probe_unknown"}
    assert len(rows) == sum(map(len, people.values()))
    assert draw_openset({"a": ["1", "2", "3"]}, enrol=2, seed=0) is None
    assert draw_openset({"a": ["1"], "b": ["2"]}, enrol=2, seed=0) is None


def test_six_people_are_told_apart(folder):
    photos = PhotoFolder(folder)
    wanted = conditions(None, False, (), False)
    report = evaluate_folder(
        open_models(), by_person(photos), load_photos(photos), wanted, 0.01, 0.01, 0, quiet, subject="holiday"
    )
    figures = dict(report.figures)
    assert figures["people"] == 7
    assert figures["pictures"] == 20
    assert figures["pictures left out (no face)"] == 1
    assert report.files == {"without_face": [], "unreadable": ["P0/broken.jpg"]}
    assert figures["1:N known probes"] == 3
    assert figures["1:N rank-1 [%]"] == 100
    assert figures["1:1 similarity threshold for FMR 1 %"] > 0.8
    assert {t.name for t in report.tables} == {"pairs_quality", "openset_quality"}
    assert {p.name for p in report.plots} == {"pairs_roc", "pairs_det", "pairs_thresholds", "openset_tpir"}
    assert any('PUT /api/v1/threshold with {"one_in":' in note for note in report.notes)
    assert any("too few" in note for note in report.notes)
    everything = str(report.written(False))
    assert "P0" not in everything
    assert "holiday" not in everything


def test_far_away_less_is_recognised(folder):
    photos = PhotoFolder(folder)
    wanted = conditions(None, True, (), False)
    report = evaluate_folder(open_models(), by_person(photos), load_photos(photos), wanted, 0.1, 0.1, 0, quiet)
    tables = {t.name: t.records() for t in report.tables}
    assert [row["condition"] for row in tables["pairs_distance"]] == [
        "as it is", "near (1–4 m)", "middle (4–7 m)", "far (7–10 m)",
    ]  # fmt: skip
    assert [row["left_out"] for row in tables["pairs_distance"]] == sorted(
        row["left_out"] for row in tables["pairs_distance"]
    )
    assert len(tables["openset_distance"]) == 4
    assert [len(plot.series) for plot in report.plots if plot.name.endswith(("roc", "tpir"))] == [4, 4]
    people, load = by_person(photos), load_photos(photos)
    pairs = [pair for pair in draw_pairs(people, 0) if pair.same]
    clean = read_faces(open_models(), [pair.first for pair in pairs], load, Condition(), 0, quiet)
    mean = {
        name: compare(
            open_models().matcher,
            pairs,
            clean,
            read_faces(open_models(), [pair.second for pair in pairs], load, condition, 0, quiet),
        ).scores.mean()
        for name, condition in (("clean", Condition()), ("far", Condition("far")))
    }
    assert mean["far"] < mean["clean"]


def test_the_least_there_can_be_gives_a_report(folder):
    load = load_photos(PhotoFolder(folder))
    people = {"Ada": ["P0/0.jpg", "P0/1.jpg"], "Bob": ["P1/0.jpg"]}
    report = evaluate_folder(open_models(), people, load, conditions(None, True, (), False), 0.001, 0.01, 0, quiet)
    assert dict(report.figures)["pairs"] == 3
    assert any("only pairs were compared" in note for note in report.notes)
    assert "report.html" in report_files(report)
    more = {**people, "Ada": ["P0/0.jpg", "P0/1.jpg", "P0/2.jpg"]}
    report = evaluate_folder(open_models(), more, load, [Condition()], 0.001, 0.01, 0, quiet)
    assert dict(report.figures)["1:N strangers"] == 1
    assert "report.html" in report_files(report)


@pytest.mark.parametrize(
    ("people", "says"),
    [
        ({"Ada": ["P0/0.jpg", "P0/1.jpg"]}, "at least two people"),
        ({"Ada": ["P0/0.jpg"], "Bob": ["P1/0.jpg"]}, "two pictures"),
        ({"Ada": ["P0/broken.jpg", "P0/0.jpg"], "Bob": ["missing.jpg"]}, "no faces were found of at least two"),
    ],
)
def test_too_little_is_said(folder, people, says):
    load = load_photos(PhotoFolder(folder))
    with pytest.raises(EvaluationError, match=says):
        evaluate_folder(open_models(), people, load, [Condition()], 0.01, 0.01, 0, quiet)


def test_conditions_are_named_and_ordered():
    assert [c.name for c in conditions(None, True, (0.0, 2.0), False)][3:6] == [
        "far (7–10 m)",
        "blur 2",
        "near (1–4 m), blur 2",
    ]
    assert [c.name for c in conditions("far", False, (), True)] == ["far (7–10 m), cut tight"]
    assert Condition(tight=True).name == "cut tight"
    assert Condition().clean


def test_a_tight_cut_is_the_face_and_stays_in_the_picture():
    image = np.zeros((50, 60, 3), np.uint8)
    assert cut_tight(image, np.array([10.2, 5, 20.3, 30], np.float32)).shape == (30, 21, 3)
    assert cut_tight(image, np.array([-5, -5, 200, 200], np.float32)).shape == (50, 60, 3)
    assert cut_tight(image, np.array([70, 70, 20, 20], np.float32)).size > 0


def test_distance_takes_detail_not_size_and_is_the_same_whatever_else_is_read(folder):
    image = group_photo()
    face = find_face(open_models().detector, image)
    rng = np.random.default_rng(0)
    worse, scale = Condition("far").apply(image, face.box, rng)
    assert worse.shape == image.shape
    assert 14 <= scale * face.box[2] <= 21
    assert Condition().apply(image, face.box, rng)[0] is image
    load = load_photos(PhotoFolder(folder))
    alone = read_faces(open_models(), ["P1/0.jpg"], load, Condition("far"), 0, quiet).found["P1/0.jpg"]
    beside = read_faces(open_models(), ["P0/0.jpg", "P1/0.jpg"], load, Condition("far"), 0, quiet).found["P1/0.jpg"]
    assert (alone.embedding == beside.embedding).all()
    near = read_faces(open_models(), ["P1/0.jpg"], load, Condition(), 0, quiet).found["P1/0.jpg"]
    assert 10 < alone.width < 25 < near.width
    assert alone.quality < 0.6 * near.quality
    other = read_faces(open_models(), ["P1/0.jpg"], load, Condition("far"), 1, quiet).found["P1/0.jpg"]
    assert (alone.embedding != other.embedding).any()
