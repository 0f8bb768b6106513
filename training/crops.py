"""Crops for the soft-biometrics networks, varied and degraded afresh in every epoch, the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from pipeline.align import face_chip
from pipeline.attributes import AGES
from pipeline.degrade import degrade
from pipeline.frame import Image
from training.faces import LabelledFace
from training.losses import age_targets, age_weights, gender_targets


@dataclass(frozen=True, slots=True)
class Variation:
    """How far a crop strays from its picture; shares of the eye distance or of one unless said otherwise."""

    clean: float = 0.25  # share of crops that keep their detail
    least_width: float = 10.0  # pixels across the face at the worst distance
    shift: float = 0.06
    turn: float = 5.0  # degrees
    zoom: float = 0.07
    landmark: float = 0.02  # of each landmark on its own, at full detail
    landmark_pixels: float = 0.4  # … and further, in pixels of the degraded picture
    light: float = 0.18
    grey: float = 0.05


PLAIN = Variation(shift=0, turn=0, zoom=0, landmark=0, landmark_pixels=0, light=0, grey=0)


def draw_width(face: LabelledFace, variation: Variation, random: np.random.Generator) -> float:
    """Pixels across the face after degradation: as it is, or log-uniform down to the least."""
    if random.random() < variation.clean:
        return face.width
    low, high = np.log(variation.least_width), np.log(max(face.width, variation.least_width + 1))
    return float(np.exp(random.uniform(low, high)))


def vary(
    face: LabelledFace,
    template: NDArray[np.float32],
    side: int,
    variation: Variation,
    random: np.random.Generator,
    target: float | None = None,
) -> Image:
    """A crop (side, side, 3) RGB of a face; ``target`` fixes its width after degradation in pixels."""
    image = face.picture()
    width = target or draw_width(face, variation, random)
    if width < face.width:
        blur = float(random.uniform(0, 0.9)) if random.random() < 0.5 else 0.0
        image = degrade(image, face.width, max(width, 4.0), random, blur)
        if random.random() < 0.5:
            image = _compressed(image, int(random.integers(40, 96)))
    points = _strayed(face.landmarks, variation, width / face.width, random)
    crop = face_chip(image, points, template, side)
    if random.random() < 0.5 and variation.shift:
        crop = np.ascontiguousarray(crop[:, ::-1])
    return _lit(crop, variation, random)


def _strayed(
    points: NDArray[np.float32], variation: Variation, scale: float, random: np.random.Generator
) -> NDArray[np.float32]:
    eyes = float(np.linalg.norm(points[1] - points[0]))
    angle = np.deg2rad(random.normal(0, variation.turn))
    zoom = np.exp(random.normal(0, variation.zoom))
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = points.mean(0)
    moved = (points - centre) @ turn.T + centre + random.normal(0, variation.shift * eyes, 2)
    noise = variation.landmark * eyes + variation.landmark_pixels / max(scale, 0.02)
    return np.asarray(moved + random.normal(0, noise, points.shape), np.float32)


def _compressed(image: Image, quality: int) -> Image:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _lit(crop: Image, variation: Variation, random: np.random.Generator) -> Image:
    if not variation.light:
        return crop
    gamma = np.exp(random.normal(0, 1.5 * variation.light))
    tint = np.exp(random.normal(0, 0.3 * variation.light, 3)) * np.exp(random.normal(0, variation.light))
    levels = np.clip((np.arange(256)[:, None] / 255) ** gamma * tint * 255, 0, 255).round().astype(np.uint8)
    crop = np.stack([levels[:, i][crop[..., i]] for i in range(3)], -1)
    if random.random() < variation.grey:
        crop = np.repeat(np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8)[..., None], 3, -1)
    return crop


class CropBatches(keras.utils.PyDataset):
    """Batches of varied crops and their targets; epoch and place in it decide every random draw.

    ``opinions`` are a teacher's probabilities, (N, 2) and (N, A), mixed with the labels by ``trust`` (0–1). With
    ``imitate`` there is a target ``face``: the embedding (N, D) of the picture as it is, however far the crop strays,
    without what all faces have in common.
    """

    def __init__(
        self,
        faces: Sequence[LabelledFace],
        template: NDArray[np.float32],
        side: int,
        batch: int,
        seed: int,
        variation: Variation | None = None,
        opinions: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
        trust: float = 0.5,
        fixed: bool = False,
        imitate: bool = False,
    ) -> None:
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=8)
        self.epoch = 0
        self._faces, self._template, self._side, self._batch = faces, template, side, batch
        self._seed, self._variation, self._fixed = seed, variation or Variation(), fixed
        self._gender = np.stack([gender_targets(face.label.male) for face in faces])
        self._age = np.stack([age_targets(face.label.age, AGES) for face in faces])
        self._embeddings = _centred(np.stack([face.embedding for face in faces])) if imitate else None
        if opinions is not None:
            self._gender = (1 - trust) * self._gender + trust * opinions[0]
            self._age = (1 - trust) * self._age + trust * opinions[1]
        if not fixed:
            ages = [np.nan if face.label.age is None else face.label.age for face in faces]
            self._age *= age_weights(np.array(ages))[:, None]

    def __len__(self) -> int:
        whole = len(self._faces) // self._batch
        return max(1, -(-len(self._faces) // self._batch) if self._fixed else whole)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
        order = np.arange(len(self._faces))
        if not self._fixed:
            order = np.random.default_rng([self._seed, self.epoch]).permutation(len(self._faces))
        chosen = order[index * self._batch : (index + 1) * self._batch]
        random = np.random.default_rng([self._seed, 0 if self._fixed else self.epoch, index, 1])
        crops = [vary(self._faces[i], self._template, self._side, self._variation, random) for i in chosen]
        targets = {"gender": self._gender[chosen], "age": self._age[chosen]}
        if self._embeddings is not None:
            targets["face"] = self._embeddings[chosen]
        return np.stack(crops).astype(np.float32), targets

    def on_epoch_end(self) -> None:
        """Draw afresh."""
        self.epoch += 1


def _centred(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((embeddings - embeddings.mean(0)) / np.maximum(embeddings.std(0), 1e-6), np.float32)


def plain_crops(
    faces: Sequence[LabelledFace], template: NDArray[np.float32], side: int, target: float | None = None, seed: int = 0
) -> NDArray[np.uint8]:
    """Crops (N, side, side, 3) as the product would cut them, from the pictures as they are or ``target`` wide."""
    random = np.random.default_rng(seed)
    return np.stack([vary(face, template, side, PLAIN, random, target or face.width) for face in faces])


def opinions_of(
    model: Any, faces: Sequence[LabelledFace], template: NDArray[np.float32], side: int, scale: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What a trained network says of clean crops and their mirror images: (N, 2) and (N, A) probabilities.

    ``scale`` makes logits of the gender cosines.
    """
    genders, ages = [], []
    for start in range(0, len(faces), 256):
        crops = plain_crops(faces[start : start + 256], template, side).astype(np.float32)
        both = [model.predict(view, verbose=0) for view in (crops, crops[:, :, ::-1])]
        genders.append(_softmax(scale * (both[0]["gender"] + both[1]["gender"]) / 2))
        ages.append(_softmax((both[0]["age"] + both[1]["age"]) / 2))
    return np.concatenate(genders), np.concatenate(ages)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    grown = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(grown / grown.sum(-1, keepdims=True), np.float32)
