"""Apparent gender and age: how often they are right, how often that is known, and where nothing should be said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.align import face_chip
from pipeline.attributes import AttributeReader, conclude
from pipeline.enhance import mended
from pipeline.face_models import FaceModels
from pipeline.quality import measure_quality
from server.evaluation.conditions import Condition, Load, Progress, chance, find_face
from server.evaluation.labels import EvaluationError, Row
from server.media.decoding import Unreadable

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture's main face: its ``gender`` as labelled, its ``age`` in years and ``group`` where they are given."""

    file: str
    male: bool
    age: float | None
    group: str = ""


@dataclass(frozen=True, slots=True)
class Looks:
    """What one reader said of the faces (N,) found under one condition, beside the labels.

    ``male`` is the stated probability; ``age`` (NaN where none is said), ``low`` and ``high`` are years; ``said`` is
    whether a gender is said at all. ``true_age`` is NaN where it is not labelled, ``quality`` 0–1. ``width`` is the
    measured one in pixels of the picture as it was taken, before one from far away was blown up to its size again.
    """

    true_male: Flags
    true_age: Floats
    groups: tuple[str, ...]
    width: Floats
    quality: Floats
    male: Floats
    said: Flags
    age: Floats
    low: Floats
    high: Floats

    def __len__(self) -> int:
        return len(self.male)

    @property
    def right(self) -> Flags:
        """Whether the likelier gender is the labelled one."""
        return np.equal(self.male > 0.5, self.true_male)

    @property
    def confidence(self) -> Floats:
        """Of the likelier gender, 0.5–1."""
        return np.maximum(self.male, 1 - self.male)

    def take(self, inside: Flags) -> Looks:
        """Those where the mask (N,) is set."""
        return Looks(
            self.true_male[inside],
            self.true_age[inside],
            tuple(group for group, kept in zip(self.groups, inside, strict=True) if kept),
            self.width[inside],
            self.quality[inside],
            self.male[inside],
            self.said[inside],
            self.age[inside],
            self.low[inside],
            self.high[inside],
        )

    @staticmethod
    def together(parts: Sequence[Looks]) -> Looks:
        """All of several."""

        def joined(field: str) -> NDArray[np.generic]:
            return np.concatenate([getattr(part, field) for part in parts])

        arrays = {f: joined(f) for f in Looks.__slots__ if f != "groups"}
        return Looks(groups=tuple(g for part in parts for g in part.groups), **arrays)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that was read: ``looks`` by reader and condition, and how many files gave no face under each."""

    looks: dict[tuple[str, Condition], Looks]
    not_found: dict[Condition, int]
    files: int
    without_face: tuple[str, ...]
    unreadable: tuple[str, ...]


def labelled_faces(rows: Sequence[Row], limit: int | None, seed: int) -> list[Labelled]:
    """The rows of a table with file, gender and perhaps age and group; with ``limit`` so many of them, drawn."""
    chosen = np.arange(len(rows))
    if limit is not None and limit < len(rows):
        chosen = np.sort(np.random.default_rng([seed, 3]).permutation(len(rows))[:limit])
    picked = [rows[index] for index in chosen.tolist()]
    return [
        Labelled(r["file"], r["gender"] == "male", float(r["age"]) if r["age"] else None, r["group"]) for r in picked
    ]


def read_attributes(
    models: FaceModels,
    readers: Sequence[AttributeReader],
    faces: Sequence[Labelled],
    load: Load,
    conditions: Sequence[Condition],
    seed: int,
    progress: Progress,
) -> Measured:
    """Find and align the main face of every picture under every condition, and let every reader look at it once.

    Raises :class:`server.evaluation.labels.EvaluationError` if no face is found at all.
    """
    seen: dict[tuple[str, Condition], list[_Look]] = {(r.name, c): [] for c in conditions for r in readers}
    not_found = dict.fromkeys(conditions, 0)
    without, unreadable = [], []
    for index, face in enumerate(faces):
        progress(index, len(faces))
        try:
            image = load(face.file)
        except Unreadable:
            unreadable.append(face.file)
            continue
        clean = find_face(models.detector, image)
        if clean is None:
            without.append(face.file)
            continue
        for condition in conditions:
            random = chance(face.file, condition, seed)
            worse, scale = condition.apply(image, clean.box, random)
            found = clean if condition.clean else find_face(models.detector, worse)
            spec = models.embedder.spec
            try:
                chip = None if found is None else face_chip(worse, found.landmarks, spec.template, spec.size)
            except ValueError:  # eyes, nose and mouth in one point: no face that could be aligned
                chip = None
            if found is None or chip is None:
                not_found[condition] += 1
                continue
            width = float(found.box[2])
            taken = scale * width
            quality = measure_quality(chip, found.landmarks, taken).overall
            digest = models.manifest.digest
            seen_so = any(reader.embedder == digest for reader in readers)
            embedding = models.embedder.embed([mended(chip)[0]])[0] if seen_so else None
            for reader in readers:
                known = embedding if reader.embedder == digest else None
                evidence = reader.read(worse, found.landmarks, width, known)
                apparent = conclude([evidence], taken, reader)
                male = float(1 / (1 + np.exp(-evidence.log_odds)))
                age = float("nan") if apparent.age is None else apparent.age
                said = apparent.gender is not None
                look = _Look(face, taken, quality, male, said, age, apparent.age_low, apparent.age_high)
                seen[reader.name, condition].append(look)
    progress(len(faces), len(faces))
    if not any(seen.values()):
        raise EvaluationError("no face was found in any of the pictures")
    looks = {key: _gathered(found) for key, found in seen.items()}
    return Measured(looks, not_found, len(faces), tuple(without), tuple(unreadable))


@dataclass(frozen=True, slots=True)
class _Look:
    face: Labelled
    width: float
    quality: float
    male: float
    said: bool
    age: float
    low: float
    high: float


def _gathered(looks: Sequence[_Look]) -> Looks:
    def column(value: Callable[[_Look], float | None]) -> Floats:
        return np.array([np.nan if (v := value(look)) is None else v for look in looks], np.float64)

    return Looks(
        np.array([look.face.male for look in looks], bool),
        column(lambda look: look.face.age),
        tuple(look.face.group for look in looks),
        column(lambda look: look.width),
        column(lambda look: look.quality),
        column(lambda look: look.male),
        np.array([look.said for look in looks], bool),
        column(lambda look: look.age),
        column(lambda look: look.low),
        column(lambda look: look.high),
    )
