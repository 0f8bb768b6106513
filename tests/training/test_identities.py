"""Folders of people: what is taken, how it is cut, how it is split."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.align import face_chip
from pipeline.face_models import FaceModels, main_face, read_photo
from tests.training.people import people_folder
from training.identities import (
    MOST_MEASURED,
    MOST_OF_ONE,
    IdentitiesError,
    Person,
    align,
    chip_template,
    crop_side,
    main_landmarks,
    middle,
    read_identities,
    read_picture,
    split,
)


@pytest.fixture(scope="module")
def folder(models: FaceModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return people_folder(models, tmp_path_factory.mktemp("people"), 4)


def quiet(done: int, total: int) -> None:
    pass


def test_everybody_is_read_with_so_many_pictures_and_no_more(folder: Path) -> None:
    people = read_identities(folder, most=3)
    assert [person.name for person in people] == [f"person {i}" for i in range(6)]
    assert {len(person.pictures) for person in people} == {3}
    assert read_identities(folder, most=3) == people
    assert set(people[0].pictures) < set(read_identities(folder, most=9)[0].pictures)


def test_people_with_too_few_pictures_stay_out_and_a_wrong_folder_is_told(folder: Path, tmp_path: Path) -> None:
    assert len(read_identities(folder, most=9, least=4)) == 6
    with pytest.raises(IdentitiesError, match=r"0 people with at least 5 pictures.*a folder for each person"):
        read_identities(folder, most=9, least=5)
    (tmp_path / "note.txt").write_text("not a person")
    with pytest.raises(IdentitiesError, match="0 people"):
        read_identities(tmp_path, most=9)


def test_crops_are_what_the_server_will_show_the_network(models: FaceModels, folder: Path, tmp_path: Path) -> None:
    crops, left_out = align(read_identities(folder, 2), models.detector, 96, tmp_path / "crops", quiet)
    assert left_out == 0
    assert [len(own) for own in crops] == [2] * 6
    for person, (path, _) in zip(read_identities(folder, 2), crops, strict=True):
        image = read_picture(person.pictures[0])
        found = main_landmarks(image, models.detector)
        assert found is not None
        chip = face_chip(image, found, chip_template(96), 96).astype(int)
        assert read_picture(path).shape == (crop_side(96), crop_side(96), 3)
        assert np.abs(middle(read_picture(path), 96) - chip).mean() < 3  # JPEG


def test_the_middle_of_a_crop_is_the_chip_that_alignment_alone_would_give() -> None:
    crop = np.arange(110 * 110 * 3).reshape(110, 110, 3).astype(np.uint8)
    np.testing.assert_array_equal(middle(crop, 96), crop[7:103, 7:103])


def test_faces_are_looked_for_once_unless_a_picture_changes(
    models: FaceModels, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = read_identities(folder, 1)
    first, _ = align(people, models.detector, 96, tmp_path / "crops", quiet)

    class Forbidden:
        def detect(self, image: object, max_side: int) -> None:
            raise AssertionError("looked again")

    assert align(people, Forbidden(), 96, tmp_path / "crops", quiet)[0] == first  # type: ignore[arg-type]
    with pytest.raises(IdentitiesError, match="another size"):
        align(people, models.detector, 128, tmp_path / "crops", quiet)


def test_what_has_no_face_is_counted_and_left_out(models: FaceModels, tmp_path: Path) -> None:
    place = tmp_path / "people" / "wall"
    place.mkdir(parents=True)
    cv2.imwrite(str(place / "grey.png"), np.full((90, 90, 3), 128, np.uint8))
    (place / "broken.jpg").write_bytes(b"no picture")
    person = Person("wall", tuple(sorted(place.iterdir())))
    for _ in range(2):
        assert align([person], models.detector, 96, tmp_path / "crops", quiet) == ([[]], 2)


def test_a_folder_with_something_else_in_it_is_not_written_to(models: FaceModels, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(IdentitiesError, match="something else"):
        align(read_identities(folder, 1), models.detector, 96, tmp_path, quiet)


def test_nobody_who_is_measured_on_is_learnt_from() -> None:
    crops = [[Path(f"p{i}/{j}.jpg") for j in range(1 + i % 5)] for i in range(60)]
    parts = split(crops, held_out=0.25)
    learnt = {crop.path.parent for crop in (*parts.train, *parts.validation)}
    measured = {crop.path.parent for crop in parts.verification}
    assert not learnt & measured
    assert len(measured) == 12  # a quarter of the 48 with two pictures or more
    assert not {crop.path for crop in parts.train} & {crop.path for crop in parts.validation}
    assert len(parts.train) + len(parts.validation) + len(parts.verification) == sum(map(len, crops))
    assert {crop.person for crop in parts.train} == set(range(parts.people)) >= {c.person for c in parts.validation}
    assert 0.02 < len(parts.validation) / len(parts.train) < 0.2
    assert split(list(reversed(crops)), held_out=0.25) == parts


def test_too_few_people_to_split_are_told() -> None:
    crops = [[Path(f"p{i}/{j}.jpg") for j in range(2)] for i in range(3)]
    with pytest.raises(IdentitiesError, match=r"3 people have two pictures.*at least four"):
        split(crops, held_out=0.2)


def test_a_small_folder_still_has_every_part() -> None:
    parts = split([[Path(f"p{i}/{j}.jpg") for j in range(2)] for i in range(4)], held_out=0.2)
    assert [len(parts.train), len(parts.validation), len(parts.verification)] == [3, 1, 4]


def test_main_landmarks_are_those_of_the_main_face(models: FaceModels, folder: Path) -> None:
    image = read_picture(folder / "person 0" / "0.jpg")
    face = main_face(read_photo(models, image), 160, 160)
    found = main_landmarks(image, models.detector)
    assert face is not None
    assert found is not None
    assert np.abs(found - face.landmarks).max() < 4


def test_no_more_is_measured_on_than_is_needed() -> None:
    crops = [[Path(f"p{i}/{j}.jpg") for j in range(12)] for i in range(1200)]
    parts = split(crops, held_out=0.5)
    assert len({crop.person for crop in parts.verification}) == MOST_MEASURED
    assert len(parts.verification) == MOST_MEASURED * MOST_OF_ONE
    assert parts.people == 1200 - MOST_MEASURED  # the others are learnt
