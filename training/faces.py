"""Labelled faces to train on: CelebA, UTKFace or a CSV, each face found and aligned by the product's own detector."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.align import face_chip
from pipeline.detect import look_wide
from pipeline.embed import embed_chip
from pipeline.face_models import FaceModels
from pipeline.frame import Image

Split = Literal["train", "calibration", "held-back"]
Layout = Literal["csv", "celeba", "utkface"]

ALIKE = 0.965  # cosine in the open pack's numbers above which two faces may be one person's
CROWD = 40  # faces


class LabelsError(Exception):
    """A table or folder of labels that cannot be read, in words for the person who gave it."""


@dataclass(frozen=True, slots=True)
class Label:
    """What is known of a picture: ``male`` and ``age`` (years) may be unknown."""

    file: str  # relative to the folder of images
    male: bool | None
    age: float | None
    split: Split | None = None  # where the data comes with parts of its own


@dataclass(frozen=True, slots=True)
class LabelledFace:
    """A label and its face: ``landmarks`` (5, 2) and ``width`` in pixels of the picture, ``embedding`` (D,) of unit
    length."""

    label: Label
    path: Path
    landmarks: NDArray[np.float32]
    width: float
    split: Split
    embedding: NDArray[np.float32]

    def picture(self) -> Image:
        """The picture as RGB (H, W, 3)."""
        return read_picture(self.path)


def read_picture(path: Path) -> Image:
    """RGB (H, W, 3). Raises :class:`LabelsError` for a file that is no picture."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise LabelsError(f"{path}: not a picture that can be read")
    return np.ascontiguousarray(image[..., ::-1], np.uint8)


def read_labels(layout: Layout, source: Path) -> list[Label]:
    """Labels of one layout. Raises :class:`LabelsError`.

    - ``csv``: a table with the columns file, gender (male or female) and, if it likes, age and split (train,
      calibration or held-back);
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


def unlabelled(folder: Path) -> list[Label]:
    """Pictures of which nothing is known, to learn from what others see in them. Raises :class:`LabelsError`."""
    files = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not files:
        raise LabelsError(f"{folder}: there are no pictures in it")
    return [Label(str(file), None, None, "train") for file in files]


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
            split = row.get("split") or None
            if split is not None and split not in get_args(Split):
                raise LabelsError(
                    f"{source}, line {table.line_num}: split is {', '.join(get_args(Split))}, not {split!r}"
                )
            yield Label(row["file"], gender == "male", years, cast(Split | None, split))


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
        yield Label(values[0], values[column] == "1", None, partition.get(values[0]))


def _read_utkface(source: Path) -> Iterable[Label]:
    for path in sorted(source.rglob("*.jpg")):
        parts = path.name.split("_")
        if len(parts) >= 3 and parts[0].isdigit() and parts[1] in ("0", "1"):
            file = str(path.relative_to(source))
            yield Label(file, parts[1] == "0", float(parts[0]))


def find_faces(
    labels: Sequence[Label], folder: Path, models: FaceModels, cache: Path, progress: Callable[[int, int], None]
) -> list[LabelledFace]:
    """The main face of every labelled picture in ``folder``, each in its part; pictures without one are left out.

    Data without parts of its own is split by person, as far as the embedder can tell, so that nobody who was trained on
    is measured on. What was found is kept in ``cache`` (a .npz). Raises :class:`LabelsError` for a picture that cannot
    be read.
    """
    files = [label.file for label in labels]
    key = hashlib.sha256("\n".join([models.manifest.digest, *files]).encode()).hexdigest()
    kept = _cached(cache, key)
    if kept is None:
        places = np.full((len(files), 11), np.nan, np.float32)
        embeddings = np.zeros((len(files), models.embedder.spec.dimension), np.float32)
        for i, file in enumerate(files):
            places[i], embeddings[i] = _main_face(read_picture(folder / file), models)
            progress(i + 1, len(files))
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, places=places, embeddings=embeddings, key=key)
        kept = places, embeddings
    places, embeddings = kept
    found = [i for i, row in enumerate(places) if np.isfinite(row[0])]
    parts = split_by_person([files[i] for i in found], embeddings[found])
    return [
        LabelledFace(labels[i], folder / files[i], places[i, 1:].reshape(5, 2), float(places[i, 0]), own, embeddings[i])
        for i, part in zip(found, parts, strict=True)
        for own in [labels[i].split or part]
    ]


def split_by_person(files: Sequence[str], embeddings: NDArray[np.float32]) -> list[Split]:
    """Eight tenths to train, one to calibrate, one held back, by the hash of a file's name: the same on every machine.

    Faces (unit rows of (N, D)) that may be of one person go together, by the first one's name; a crowd of look-alikes
    too large to be one person is trained on.
    """
    first = np.arange(len(files))
    for start in range(0, len(files), 1024):
        for row, column in zip(*np.nonzero(embeddings[start : start + 1024] @ embeddings.T > ALIKE), strict=True):
            a, b = _root(first, start + row), _root(first, column)
            first[max(a, b)] = min(a, b)
    groups = np.array([_root(first, i) for i in range(len(files))])
    sizes = np.bincount(groups, minlength=len(files))
    return ["train" if sizes[group] > CROWD else _part(files[group]) for group in groups]


def _root(first: NDArray[np.int64], i: int) -> int:
    while first[i] != i:
        first[i] = first[first[i]]
        i = int(first[i])
    return i


def _part(file: str) -> Split:
    tenth = int(hashlib.sha256(file.encode()).hexdigest()[:8], 16) % 10
    return "train" if tenth < 8 else "calibration" if tenth == 8 else "held-back"


def _cached(cache: Path, key: str) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    if not cache.exists():
        return None
    with np.load(cache) as kept:
        return (kept["places"], kept["embeddings"]) if str(kept["key"]) == key else None


def _main_face(image: Image, models: FaceModels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Width and landmarks (11,) of the largest face near the middle, and its embedding (D,); not a number if there is
    none."""
    found = look_wide(models.detector, image, 320, 640)
    spec = models.embedder.spec
    best = found.main(image)
    if best is None:
        return np.full(11, np.nan, np.float32), np.zeros(spec.dimension, np.float32)
    points = found.landmarks[best]
    embedding = embed_chip(models.embedder, face_chip(image, points, spec.template, spec.size), mirror=True)
    return np.concatenate([found.boxes[best, 2:3], points.ravel()]), embedding
