"""A folder of identities as CASIA-WebFace has it, DIR/PERSON/PICTURE: read, aligned, split into parts.

Faces are found by the pack's own detector and brought upright by its five landmarks, so that a network learns from
what the server will show it. Aligned crops are kept in a folder the user names: finding the faces takes longer than an
epoch. They are a seventh wider than what the network takes, so that it never sees the same cut-out twice (182 pixels
for 160, as FaceNet's are).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models import load_manifest
from models.lockfile import write_atomically
from pipeline.align import face_chip
from pipeline.detect import Detector, look_wide
from pipeline.frame import Image

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
MOST_MEASURED, MOST_OF_ONE = 500, 8  # people and pictures of each for verification: all pairs are eight million
ROOM = 182 / 160  # sides of a kept crop and of what the network takes


class IdentitiesError(Exception):
    """A folder of people that cannot be used, in words for the person who gave it."""


@dataclass(frozen=True, slots=True)
class Person:
    """The pictures of one person, in an order that is the same on every machine but says nothing."""

    name: str
    pictures: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Crop:
    """An aligned face on disk and whose it is, as a number."""

    path: Path
    person: int

    def read(self) -> Image:
        """RGB (C, C, 3). Raises :class:`IdentitiesError` if the file is gone."""
        return read_picture(self.path)


@dataclass(frozen=True, slots=True)
class Parts:
    """Crops to learn from, crops of the same people to stop by, and crops of people never learnt from.

    People are numbered from 0 in the first two together, and again in ``verification``.
    """

    train: tuple[Crop, ...]
    validation: tuple[Crop, ...]
    verification: tuple[Crop, ...]

    @property
    def people(self) -> int:
        """How many are learnt."""
        return 1 + max(crop.person for crop in self.train)


def read_picture(path: Path) -> Image:
    """RGB (H, W, 3). Raises :class:`IdentitiesError` for a file that is no picture."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise IdentitiesError(f"{path}: not a picture that can be read")
    return np.ascontiguousarray(image[..., ::-1], np.uint8)


def read_identities(folder: Path, most: int, least: int = 1) -> list[Person]:
    """Everybody with at least ``least`` pictures, at most ``most`` pictures each; which ones is drawn by file name.

    Raises :class:`IdentitiesError` if there are fewer than two people.
    """
    people = []
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        pictures = [path for path in place.iterdir() if path.suffix.lower() in SUFFIXES]
        if len(pictures) >= least:
            drawn = sorted(pictures, key=lambda path: draw(f"{path.parent.name}/{path.name}"))
            people.append(Person(place.name, tuple(drawn[:most])))
    if len(people) < 2:
        raise IdentitiesError(
            f"{folder}: {len(people)} people with at least {least} pictures, two are needed; "
            f"expected a folder for each person with their pictures in it"
        )
    return people


def chip_template(side: int) -> NDArray[np.float32]:
    """Where the landmarks lie in the chip a network of this side takes, (5, 2): as in the open pack, rescaled."""
    spec = load_manifest("open").embedder
    return np.asarray((spec.template + 0.5) * (side / spec.size) - 0.5, np.float32)


def crop_side(side: int) -> int:
    """The side of the kept crop for a network's chip; what is over is even, so that the chip can be cut from the
    middle."""
    return side + 2 * round(side * (ROOM - 1) / 2)


def middle(crop: Image, side: int) -> Image:
    """The chip (side, side, 3) in the middle of a crop, as the server would cut it."""
    start = (len(crop) - side) // 2
    return np.ascontiguousarray(crop[start : start + side, start : start + side])


def align(
    people: Sequence[Person], detector: Detector, side: int, folder: Path, progress: Callable[[int, int], None]
) -> tuple[list[list[Path]], int]:
    """The aligned crop of each person's pictures, made where ``folder`` does not have it yet; and how many pictures had
    no face or could not be read.

    Raises :class:`IdentitiesError` if the folder holds crops of another size.
    """
    room = (crop_side(side) - side) // 2
    template = chip_template(side) + np.float32(room)
    _claim(folder, side)
    total = sum(len(person.pictures) for person in people)
    done = left_out = 0
    crops: list[list[Path]] = []
    for person in people:
        crops.append([])
        for picture in person.pictures:
            crop = folder / person.name / f"{picture.name}.jpg"
            if not crop.exists() or crop.stat().st_mtime < picture.stat().st_mtime:
                _cut(picture, detector, template, crop_side(side), crop)
            if crop.stat().st_size:
                crops[-1].append(crop)
            else:
                left_out += 1
            done += 1
            progress(done, total)
    return crops, left_out


def split(crops: Sequence[Sequence[Path]], held_out: float, held_back: float = 0.1) -> Parts:
    """Parts by identity and picture, the same on every machine.

    A share ``held_out`` of those with two pictures or more is for verification, no more than are needed; of the others
    with two or more, a share ``held_back`` of the pictures is for validation.

    Raises :class:`IdentitiesError` if that leaves a part empty.
    """
    ranked = sorted((sorted(own, key=_rank) for own in crops if own), key=lambda own: draw(own[0].parent.name))
    several = [own for own in ranked if len(own) >= 2]
    away = min(max(2, round(held_out * len(several))), MOST_MEASURED)
    verification = several[:away]
    kept_out = {own[0].parent for own in verification}
    known = [own for own in ranked if own[0].parent not in kept_out]
    if len(known) < 2 or not any(len(own) >= 2 for own in known):
        raise IdentitiesError(
            f"{len(several)} people have two pictures with a face or more; at least four are needed: "
            f"{away} to be measured on, and two to learn from"
        )
    train, validation = [], []
    for number, own in enumerate(known):
        share = len(own) * held_back
        # By chance where it is not a whole picture, so that many people with few pictures give some too.
        count = min(len(own) - 1, int(share) + (_fraction(f"{own[0].parent.name} back") < share % 1))
        validation += [Crop(path, number) for path in own[:count]]
        train += [Crop(path, number) for path in own[count:]]
    if not validation:
        most = max(range(len(known)), key=lambda number: len(known[number]))
        taken = next(crop for crop in train if crop.person == most)
        train.remove(taken)
        validation.append(taken)
    others = [Crop(path, number) for number, own in enumerate(verification) for path in own[:MOST_OF_ONE]]
    return Parts(tuple(train), tuple(validation), tuple(others))


def _claim(folder: Path, side: int) -> None:
    """Write down what the folder's crops are, or make sure that they are that."""
    note = folder / "crops.json"
    wanted = {"chip": side, "side": crop_side(side), "template": chip_template(side).round(4).tolist()}
    if note.exists():
        if json.loads(note.read_text()) != json.loads(json.dumps(wanted)):
            raise IdentitiesError(f"{folder} holds crops of another size or alignment; name another folder for these")
        return
    if folder.exists() and any(folder.iterdir()):
        raise IdentitiesError(f"{folder} holds something else; name a new folder for the crops")
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(wanted, indent=1))


def _cut(picture: Path, detector: Detector, template: NDArray[np.float32], side: int, into: Path) -> None:
    """Write the crop of a picture's main face; an empty file where there is none: it is not looked for again."""
    data = b""
    image = cv2.imread(str(picture), cv2.IMREAD_COLOR)
    landmarks = None if image is None else main_landmarks(np.ascontiguousarray(image[..., ::-1], np.uint8), detector)
    if image is not None and landmarks is not None:
        chip = face_chip(np.ascontiguousarray(image[..., ::-1], np.uint8), landmarks, template, side)
        data = cv2.imencode(".jpg", chip[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    into.parent.mkdir(exist_ok=True)
    write_atomically(into, data)


def main_landmarks(image: Image, detector: Detector) -> NDArray[np.float32] | None:
    """Landmarks (5, 2) of the face an RGB picture is of: large and near its middle."""
    found = look_wide(detector, image, 320, 640)
    best = found.main(image)
    return None if best is None else np.asarray(found.landmarks[best])


def _rank(crop: Path) -> str:
    return draw(f"{crop.parent.name}/{crop.name}")


def draw(text: str) -> str:
    """What to sort by for an order that is by chance but the same on every machine."""
    return hashlib.sha256(text.encode()).hexdigest()


def _fraction(text: str) -> float:
    return int(draw(text)[:8], 16) / 2**32
