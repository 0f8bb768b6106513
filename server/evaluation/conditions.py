"""Pictures made worse before anybody looks at them: further away, blurred, without surroundings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.align import face_chip
from pipeline.degrade import LEAST_WIDTH, degrade, draw_distance, width_at
from pipeline.detect import Detector, look_wide
from pipeline.distance import BANDS, Band
from pipeline.face_models import FaceModels, PhotoFace, main_face, read_photo
from pipeline.frame import Image
from pipeline.quality import measure_quality
from server.media.decoding import Unreadable
from tracking import Embedding

Load = Callable[[str], Image]  # a picture by its name; raises Unreadable where it is none
Progress = Callable[[int, int], None]  # so many done of so many; may raise to stop
NEAR_SIDE, FAR_SIDE = 320, 640  # pixels that the detector is shown, as for photos


@dataclass(frozen=True, slots=True)
class Condition:
    """How pictures are made worse: nothing, a distance of a band, a blur in pixels of the picture at that distance."""

    band: Band | None = None
    blur: float = 0.0
    tight: bool = False

    @property
    def clean(self) -> bool:
        """Whether pictures stay as they are."""
        return self == Condition()

    @property
    def name(self) -> str:
        """In words."""
        parts = ["as it is" if self.band is None else "{} ({:g}–{:g} m)".format(self.band, *BANDS[self.band])]
        parts += [f"blur {self.blur:g}"] if self.blur else []
        parts += ["cut tight"] if self.tight else []
        return ", ".join(parts if self.clean or self.band else parts[1:])

    def apply(self, image: Image, box: NDArray[np.float32], random: np.random.Generator) -> tuple[Image, float]:
        """An RGB picture (H, W, 3) whose face has ``box`` (x, y, width, height) under this condition, and the scale
        (at most 1) it was taken at: a picture from further away is blown up to its size again."""
        if self.tight:
            image = cut_tight(image, box)
        width = max(float(box[2]), LEAST_WIDTH)
        if self.band is not None:
            target = width_at(draw_distance(self.band, random))
            return degrade(image, width, target, random, self.blur), min(1.0, target / width)
        return (degrade(image, width, width, random, self.blur) if self.blur else image), 1.0


def conditions(distance: Band | None, all_distances: bool, blurs: Sequence[float], tight: bool) -> list[Condition]:
    """Those that options ask for, the mildest first; every distance with every blur."""
    bands: list[Band | None] = [None, *BANDS] if all_distances else [distance]
    return [Condition(band, blur, tight) for blur in blurs or [0.0] for band in bands]


def cut_tight(image: Image, box: NDArray[np.float32]) -> Image:
    """The face alone: its box, as far as it lies in the picture."""
    height, width = image.shape[:2]
    x, y = (int(np.clip(v, 0, side - 2)) for v, side in zip(box[:2], (width, height), strict=True))
    right, bottom = (int(np.ceil(v)) for v in box[:2] + box[2:])
    return np.ascontiguousarray(image[y : max(bottom, y + 2), x : max(right, x + 2)])


@dataclass(frozen=True, slots=True)
class Found:
    """The main face of a picture; ``box`` (4,) and ``landmarks`` (5, 2) in its pixels."""

    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]


def find_face(detector: Detector, image: Image) -> Found | None:
    """The face a picture is of, looked for as in live video; ``None`` where there is none."""
    found = look_wide(detector, image, NEAR_SIDE, FAR_SIDE)
    best = found.main(image)
    return None if best is None else Found(found.boxes[best], found.landmarks[best])


@dataclass(frozen=True, slots=True)
class Face:
    """What recognition takes from a picture: embedding, overall quality (0–1) and width in pixels as it was taken."""

    embedding: Embedding
    quality: float
    width: float


@dataclass(frozen=True, slots=True)
class Faces:
    """The main face of each picture by its name, and the pictures that gave none."""

    found: dict[str, Face]
    without_face: tuple[str, ...]
    unreadable: tuple[str, ...]


def read_faces(
    models: FaceModels, names: Sequence[str], load: Load, condition: Condition, seed: int, progress: Progress
) -> Faces:
    """Embed the main face of every picture under a condition. A name draws the same distance whatever else is read."""
    found: dict[str, Face] = {}
    without, unreadable = [], []
    for index, name in enumerate(names):
        progress(index, len(names))
        try:
            image = load(name)
        except Unreadable:
            unreadable.append(name)
            continue
        face = _read(models, image, condition, chance(name, condition, seed))
        if face is None:
            without.append(name)
        else:
            found[name] = face
    progress(len(names), len(names))
    return Faces(found, tuple(without), tuple(unreadable))


def left_out(readings: Sequence[Faces]) -> dict[str, list[str]]:
    """The files that gave no face in any of these readings, by what befell them."""
    return {
        "without_face": sorted({name for faces in readings for name in faces.without_face}),
        "unreadable": sorted({name for faces in readings for name in faces.unreadable}),
    }


def staged(progress: Progress, stage: int, stages: int) -> Progress:
    """The progress of one of several stages, as that of all."""
    return lambda done, total: progress(stage * total + done, stages * total)


def chance(name: str, condition: Condition, seed: int) -> np.random.Generator:
    """Random numbers of a picture's own, so that figures do not hang on which others are measured."""
    return np.random.default_rng([seed, *name.encode(), *condition.name.encode()])


def picture_under(
    detector: Detector, image: Image, condition: Condition, random: np.random.Generator
) -> tuple[Image, float] | None:
    """An RGB picture (H, W, 3) made worse by the size of its main face, and the scale it was taken at; ``None`` where
    it has no face. See :meth:`Condition.apply`."""
    if condition.clean:
        return image, 1.0
    found = find_face(detector, image)
    return None if found is None else condition.apply(image, found.box, random)


def as_taken(models: FaceModels, image: Image, face: PhotoFace, scale: float) -> Face:
    """A face found in a picture that was taken at this scale: its width and quality are those it had then."""
    width, quality = scale * float(face.box[2]), face.quality
    if scale < 1:
        spec = models.embedder.spec
        quality = measure_quality(face_chip(image, face.landmarks, spec.template, spec.size), face.landmarks, width)
    return Face(face.embedding, quality.overall, width)


def _read(models: FaceModels, image: Image, condition: Condition, random: np.random.Generator) -> Face | None:
    try:
        made = picture_under(models.detector, image, condition, random)
        if made is None:
            return None
        worse, scale = made
        face = main_face(read_photo(models, worse), worse.shape[1], worse.shape[0])
        return None if face is None else as_taken(models, worse, face, scale)
    except ValueError:  # eyes, nose and mouth in one point: no face that could be aligned
        return None
