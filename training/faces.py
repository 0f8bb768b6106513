"""Labelled faces to train on: CelebA, UTKFace or a CSV, each face found and aligned by the product's own detector."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.detect import Detector, look_wide
from pipeline.frame import Image

Split = Literal["train", "calibration", "held-back"]
Layout = Literal["csv", "celeba", "utkface"]


class LabelsError(Exception):
    """A table or folder of labels that cannot be read, in words for the person who gave it."""


@dataclass(frozen=True, slots=True)
class Label:
    """What is known of a picture: ``male`` and ``age`` (years) may be unknown."""

    file: str  # relative to the folder of images
    male: bool | None
    age: float | None
    split: Split


@dataclass(frozen=True, slots=True)
class LabelledFace:
    """A label and its face: ``landmarks`` (5, 2) and ``width`` in pixels of the picture."""

    label: Label
    path: Path
    landmarks: NDArray[np.float32]
    width: float

    def picture(self) -> Image:
        """The picture as RGB (H, W, 3)."""
        return read_picture(self.path)


def read_picture(path: Path) -> Image:
    """RGB (H, W, 3). Raises :class:`LabelsError` for a file that is no picture."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise LabelsError(f"{path}: not a picture that can be read")
    return np.ascontiguousarray(image[..., ::-1], np.uint8)


def split_of(file: str) -> Split:
    """Eight tenths to train, one to calibrate, one held back, by the file's name: the same on every machine."""
    tenth = int(hashlib.sha256(file.encode()).hexdigest()[:8], 16) % 10
    return "train" if tenth < 8 else "calibration" if tenth == 8 else "held-back"


def read_labels(layout: Layout, source: Path) -> list[Label]:
    """Labels of one layout. Raises :class:`LabelsError`.

    - ``csv``: a table with the columns file, gender (male or female) and, if it likes, age;
    - ``celeba``: ``list_attr_celeba.txt``; the official partition is used if ``list_eval_partition.txt`` lies beside;
    - ``utkface``: a folder of pictures named ``AGE_GENDER_…`` (gender 0 male, 1 female).
    """
    try:
        labels = list({"csv": _read_csv, "celeba": _read_celeba, "utkface": _read_utkface}[layout](source))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelsError(f"{source}: {error}") from error
    if not labels:
        raise LabelsError(f"{source}: there are no labelled pictures in it")
    return labels


def _read_csv(source: Path) -> Iterable[Label]:
    with source.open(newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        if not {"file", "gender"} <= set(table.fieldnames or []):
            raise LabelsError(f"{source}: the columns file and gender are needed, age is welcome")
        for row in table:
            gender, age = row["gender"], (row.get("age") or "").strip()
            if gender not in ("male", "female"):
                raise LabelsError(f"{source}, line {table.line_num}: gender is male or female, not {gender!r}")
            try:
                years = float(age) if age else None
            except ValueError:
                raise LabelsError(f"{source}, line {table.line_num}: age is a number, not {age!r}") from None
            yield Label(row["file"], gender == "male", years, split_of(row["file"]))


def _read_celeba(source: Path) -> Iterable[Label]:
    partition: dict[str, Split] = {}
    official = source.with_name("list_eval_partition.txt")
    if official.exists():
        names: dict[str, Split] = {"0": "train", "1": "calibration", "2": "held-back"}
        partition = {file: names[part] for file, part in (line.split() for line in official.read_text().splitlines())}
    lines = source.read_text().splitlines()
    if len(lines) < 3 or "Male" not in lines[1].split():
        raise LabelsError(f"{source}: not CelebA's list of attributes; its second line names them, Male among them")
    column = lines[1].split().index("Male") + 1
    for line in lines[2:]:
        values = line.split()
        if len(values) <= column or values[column] not in ("1", "-1"):
            raise LabelsError(f"{source}: cannot read the line {line[:60]!r}")
        yield Label(values[0], values[column] == "1", None, partition.get(values[0], split_of(values[0])))


def _read_utkface(source: Path) -> Iterable[Label]:
    for path in sorted(source.rglob("*.jpg")):
        parts = path.name.split("_")
        if len(parts) >= 3 and parts[0].isdigit() and parts[1] in ("0", "1"):
            file = str(path.relative_to(source))
            yield Label(file, parts[1] == "0", float(parts[0]), split_of(file))


def find_faces(
    labels: Sequence[Label], folder: Path, detector: Detector, cache: Path, progress: Callable[[int, int], None]
) -> list[LabelledFace]:
    """The main face of every labelled picture in ``folder``; pictures without one are left out.

    What the detector found is kept in ``cache`` (a .npz), so that it is looked for once. Raises :class:`LabelsError`
    for a picture that cannot be read.
    """
    files = [label.file for label in labels]
    key = hashlib.sha256("\n".join(files).encode()).hexdigest()
    found = _cached(cache, key)
    if found is None:
        found = np.full((len(files), 11), np.nan, np.float32)
        for i, file in enumerate(files):
            found[i] = _main_face(read_picture(folder / file), detector)
            progress(i + 1, len(files))
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, found=found, key=key)
    return [
        LabelledFace(label, folder / label.file, row[1:].reshape(5, 2), float(row[0]))
        for label, row in zip(labels, found, strict=True)
        if np.isfinite(row[0])
    ]


def _cached(cache: Path, key: str) -> NDArray[np.float32] | None:
    if not cache.exists():
        return None
    with np.load(cache) as kept:
        return np.asarray(kept["found"], np.float32) if str(kept["key"]) == key else None


def _main_face(image: Image, detector: Detector) -> NDArray[np.float32]:
    """Width and landmarks (11,) of the largest face near the middle; not a number if there is none."""
    found = look_wide(detector, image, 320, 640)
    if not len(found):
        return np.full(11, np.nan, np.float32)
    sides = np.array([image.shape[1], image.shape[0]])
    off = np.linalg.norm((found.boxes[:, :2] + found.boxes[:, 2:] / 2) / sides - 0.5, axis=1)
    best = int(np.argmax(np.sqrt(found.boxes[:, 2] * found.boxes[:, 3]) * (1 - off)))
    return np.concatenate([found.boxes[best, 2:3], found.landmarks[best].ravel()])
