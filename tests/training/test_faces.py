"""Labels of three layouts, faces found once, nobody in two parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.face_models import FaceModels
from tests.training.labelled import labelled_folder
from training.faces import LabelsError, find_faces, read_labels, split_by_person, unlabelled

CELEBA = """3
5_o_Clock_Shadow Male Young
000001.jpg  1 -1  1
000002.jpg -1  1  1
000003.jpg -1 -1 -1
"""


def test_a_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("file,gender,age\na.jpg,male,30\nb.jpg,female,\n")
    labels = read_labels("csv", tmp_path / "a.csv")
    assert [(label.file, label.male, label.age) for label in labels] == [("a.jpg", True, 30), ("b.jpg", False, None)]


def test_celeba(tmp_path: Path) -> None:
    (tmp_path / "list_attr_celeba.txt").write_text(CELEBA)
    assert [label.male for label in read_labels("celeba", tmp_path / "list_attr_celeba.txt")] == [False, True, False]
    (tmp_path / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg 1\n000003.jpg 2\n")
    parts = [label.split for label in read_labels("celeba", tmp_path / "list_attr_celeba.txt")]
    assert parts == ["train", "calibration", "held-back"]


def test_utkface(tmp_path: Path) -> None:
    for name in ("25_0_1_20170101.jpg", "61_1_0_20170101.jpg", "61_3_20170101.jpg", "notes.jpg"):
        (tmp_path / name).touch()
    assert [(label.male, label.age) for label in read_labels("utkface", tmp_path)] == [(True, 25), (False, 61)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("file,age\na.jpg,3\n", "gender are needed"),
        ("file,gender\na.jpg,m\n", "line 2.*'m'"),
        ("file,gender,age\na.jpg,male,old\n", "age is a number, not 'old'"),
        ("file,gender,split\na.jpg,male,test\n", "not 'test'"),
        ("file,gender\n", "no labelled pictures"),
        ("\x00\xff", "."),
    ],
)
def test_a_bad_table_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(LabelsError, match=complaint):
        read_labels("csv", tmp_path / "a.csv")


@pytest.mark.parametrize("text", ["", "1\nYoung\na.jpg 1\n", "1\nMale\na.jpg 7\n", "1\nMale\na.jpg\n"])
def test_a_bad_celeba_list_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(LabelsError):
        read_labels("celeba", tmp_path / "list.txt")


def test_faces_are_found_once(models: FaceModels, tmp_path: Path) -> None:
    table = labelled_folder(models, tmp_path, 12)
    (tmp_path / "images" / "empty.jpg").write_bytes((tmp_path / "images" / "000.jpg").read_bytes())
    labels = read_labels("csv", table)
    steps: list[int] = []
    faces = find_faces(labels, tmp_path / "images", models, tmp_path / "f.npz", lambda done, _: steps.append(done))
    assert len(faces) == 12
    assert steps[-1] == 12
    assert all(60 < face.width < 128 for face in faces)
    again = find_faces(labels, tmp_path / "images", models, tmp_path / "f.npz", lambda done, _: steps.append(-1))
    assert [face.split for face in again] == [face.split for face in faces]
    assert -1 not in steps
    people = {tuple(face.split for face in faces if int(face.label.file[:3]) % 6 == n) for n in range(6)}
    assert all(len(set(parts)) == 1 for parts in people), "somebody is in two parts"


def test_a_broken_picture_is_named(models: FaceModels, tmp_path: Path) -> None:
    table = labelled_folder(models, tmp_path, 2)
    (tmp_path / "images" / "001.jpg").write_bytes(b"no picture")
    with pytest.raises(LabelsError, match=r"001\.jpg"):
        find_faces(read_labels("csv", table), tmp_path / "images", models, tmp_path / "f.npz", lambda *_: None)


def test_pictures_without_labels_are_only_learnt_from(models: FaceModels, tmp_path: Path) -> None:
    labelled_folder(models, tmp_path, 12)
    found = unlabelled(tmp_path)
    assert [label.file for label in found] == [f"images/{i:03d}.jpg" for i in range(12)]  # the table is no picture
    faces = find_faces(found, tmp_path, models, tmp_path / "f.npz", lambda *_: None)
    assert {(face.split, face.label.male, face.label.age) for face in faces} == {("train", None, None)}
    assert np.linalg.norm(faces[0].embedding) == pytest.approx(1, abs=0.01)
    (tmp_path / "none").mkdir()
    with pytest.raises(LabelsError, match="no pictures"):
        unlabelled(tmp_path / "none")


def test_who_looks_alike_goes_together() -> None:
    random = np.random.default_rng(0)
    people = random.normal(size=(300, 128))
    faces = np.repeat(people, 3, 0) + 0.01 * random.normal(size=(900, 128))
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    parts = split_by_person([f"{i}.jpg" for i in range(900)], faces.astype(np.float32))
    assert all(len(set(parts[i : i + 3])) == 1 for i in range(0, 900, 3))
    assert 0.7 < parts.count("train") / 900 < 0.9
    assert set(parts) == {"train", "calibration", "held-back"}
