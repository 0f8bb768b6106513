"""Apparent gender and age of a face: what one look says, fused over the track, and when to say nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from models import AttributePack, AttributeSpec, Pack, ProviderSetting, load_attributes
from pipeline.align import face_chip
from pipeline.frame import Image
from tracking import Embedding

Gender = Literal["male", "female"]
Reason = Literal["too far", "not sure"]
Array = NDArray[np.float32]

AGES = np.arange(15, 101)  # years; the classes of AttributeEvidence.ages
INTERVAL = 0.8  # of the age interval
MAX_LOOKS = 12  # a track's opinion has settled by then
BETTER = 1.3  # a face this many times as wide as ever before is worth another look
BETWEEN = 0.3  # seconds between looks, which would say the same


@dataclass(frozen=True, slots=True)
class AttributeEvidence:
    """What one look at a face says. ``log_odds`` (natural) of apparent male against female and the probabilities
    ``ages`` (A,) over :data:`AGES`, both calibrated; ``weight`` 0–1 is how much it counts among other looks."""

    log_odds: float
    ages: Array
    weight: float


@dataclass(frozen=True, slots=True)
class Apparent:
    """What is said of a face. ``gender_probability`` (0.5–1) is of the likelier gender, also where ``gender`` is not
    said; ``age_low`` to ``age_high`` holds the age in 80 of 100 cases. ``reason`` says why something is left out."""

    gender: Gender | None
    gender_probability: float
    age: float | None
    age_low: float
    age_high: float
    reason: Reason | None


class AttributeReader(Protocol):
    """Anything that reads gender and age from a face. ``sure`` and ``min_width`` (pixels): below them nothing is
    said. ``embedder`` is the digest of the pack whose embeddings it understands, if there is one."""

    name: str
    sure: float
    min_width: float
    embedder: str | None

    def read(
        self, image: Image, landmarks: Array, width: float, embedding: Embedding | None = None
    ) -> AttributeEvidence:
        """One look at the face with these landmarks (5, 2), ``width`` pixels wide, in an RGB picture (H, W, 3).
        ``embedding`` (D,) is what ``embedder`` made of it, where that is known anyway."""


class EnsembleReader:
    """The networks that ship with the product, averaged and calibrated."""

    def __init__(self, pack: AttributePack) -> None:
        self.spec: AttributeSpec = pack.spec
        self.name, self.sure, self.min_width = "ensemble", pack.spec.sure, pack.spec.min_width
        self.embedder = None if pack.spec.embedding is None else pack.spec.embedding.pack
        self._sessions = pack.sessions
        self._classes = np.arange(pack.spec.first_age, pack.spec.last_age + 1)

    def read(
        self, image: Image, landmarks: Array, width: float, embedding: Embedding | None = None
    ) -> AttributeEvidence:
        """See :class:`AttributeReader`. The crop has the context the networks were trained with, whatever the box."""
        crop = face_chip(image, landmarks, self.spec.template, self.spec.size)
        gender, ages = self.raw(crop)
        detail = crop_detail(crop)
        log_odds = self._log_odds(gender, detail, embedding)
        return AttributeEvidence(log_odds, self._calibrated(ages, detail), max(0.05, detail))

    def _log_odds(self, gender: float, detail: float, embedding: Embedding | None) -> float:
        known = self.spec.embedding
        if embedding is None or known is None:
            return gender * _between(self.spec.gender_slope, detail)
        seen = float(known.direction @ embedding) + known.bias
        return gender * _between(known.slope[:2], detail) + seen * _between(known.slope[2:], detail)

    def raw(self, crop: Image) -> tuple[float, Array]:
        """Weighted means of the networks' log odds and age logits (A,) on a crop, before calibration."""
        blob = crop[None].astype(np.float32)
        gender, ages, total = 0.0, np.zeros(len(self._classes), np.float64), 0.0
        for session, entry in zip(self._sessions, self.spec.networks, strict=True):
            cosines, logits = session.run(["gender", "age"], {"image": blob})
            gender += entry.weight * self.spec.gender_scale * float(cosines[0, 1] - cosines[0, 0])
            ages += entry.weight * (logits[0] - logits[0].max())
            total += entry.weight
        return gender / total, np.asarray(ages / total, np.float32)

    def _calibrated(self, logits: Array, detail: float) -> Array:
        probabilities = _softmax(logits / _between(self.spec.age_temperature, detail))
        return _widen(_onto_ages(self._classes, probabilities), self.spec.age_floor)


class GenderAgeReader:
    """``genderage`` of an InsightFace pack. It gives a gender and an age without a calibrated doubt, so what is said
    stays cautious: its logits count by half, its age with a spread of eight years."""

    sure, min_width = 0.8, 36.0
    embedder: str | None = None
    SPREAD = 8.0

    def __init__(self, model: Any, name: str) -> None:
        self.name = name
        self.side = int(model.input_size[0])
        self._model = model

    def read(
        self, image: Image, landmarks: Array, width: float, embedding: Embedding | None = None
    ) -> AttributeEvidence:
        """See :class:`AttributeReader`. The crop is 1.5 times the face, upright, as the network was trained."""
        scale = self.side / (1.5 * width * 1.2)
        centre, middle = landmarks.mean(0), self.side / 2
        matrix = np.array([[scale, 0, middle - scale * centre[0]], [0, scale, middle - scale * centre[1]]])
        log_odds, age = self.raw(np.asarray(cv2.warpAffine(image, matrix, (self.side, self.side)), np.uint8))
        years = float(np.clip(age[0], AGES[0], AGES[-1]))
        ages = _softmax(np.asarray(-0.5 * ((AGES - years) / self.SPREAD) ** 2, np.float32))
        return AttributeEvidence(log_odds, ages, float(np.clip(width / 100, 0.05, 1)))

    def raw(self, crop: Image) -> tuple[float, Array]:
        """Half the network's log odds, and its age in years (1,), on a crop (side, side, 3)."""
        blob = ((crop.astype(np.float32) - self._model.input_mean) / self._model.input_std).transpose(2, 0, 1)[None]
        answer = self._model.session.run(self._model.output_names, {self._model.input_name: blob})[0][0]
        return 0.5 * float(answer[1] - answer[0]), np.asarray(answer[2:3] * 100, np.float32)


class ApparentEvidence:
    """What a track has shown so far. Looks at one face say much the same, so they are averaged and never multiplied:
    a hundred blurred looks are no surer than one."""

    def __init__(self, reader: AttributeReader) -> None:
        self.reader = reader
        self._looks: list[tuple[AttributeEvidence, float]] = []  # with what they are worth, the best first
        self._newest = -np.inf
        self.best_width = 0.0  # pixels, of the widest look
        self.looks = 0
        self.apparent: Apparent | None = None  # what to say now; nothing before the first look

    def wanted(self, width: float, now: float) -> bool:
        """Whether another look, at a face ``width`` pixels wide, would improve the evidence; ``now`` in seconds."""
        if width < 0.5 * self.reader.min_width or now < self._newest + BETWEEN:
            return False
        return len(self._looks) < MAX_LOOKS or width > BETTER * self.best_width

    def add(self, evidence: AttributeEvidence, width: float, now: float) -> None:
        """Take in a look; the worst one makes room."""
        self._looks.append((evidence, width * evidence.weight))
        self._looks.sort(key=lambda look: -look[1])
        del self._looks[MAX_LOOKS:]
        self._newest = now
        self.best_width = max(self.best_width, width)
        self.looks += 1
        self.apparent = conclude([evidence for evidence, _ in self._looks], self.best_width, self.reader)


def conclude(looks: list[AttributeEvidence], width: float, reader: AttributeReader) -> Apparent:
    """What looks at one face say together; ``width`` in pixels is the widest of them. Raises ``ValueError`` for no
    look."""
    if not looks:
        raise ValueError("nothing is said of a face that was never looked at")
    weights = np.array([look.weight for look in looks], np.float64)
    weights /= weights.sum()
    log_odds = float(weights @ [look.log_odds for look in looks])
    ages = np.asarray(weights @ np.stack([look.ages for look in looks]))
    probability = float(1 / (1 + np.exp(-abs(log_odds))))
    low, middle, high = age_quantiles(ages, ((1 - INTERVAL) / 2, 0.5, (1 + INTERVAL) / 2))
    if width < reader.min_width:
        return Apparent(None, probability, None, low, high, "too far")
    if probability < reader.sure:
        return Apparent(None, probability, middle, low, high, "not sure")
    return Apparent("male" if log_odds > 0 else "female", probability, middle, low, high, None)


def age_quantiles(ages: NDArray[Any], at: tuple[float, ...]) -> tuple[float, ...]:
    """Ages in years below which the shares ``at`` of a distribution (A,) over :data:`AGES` lie."""
    cumulative = np.concatenate([[0.0], np.cumsum(ages) / ages.sum()])
    edges = np.arange(AGES[0] - 0.5, AGES[-1] + 1)
    return tuple(float(np.interp(share, cumulative, edges)) for share in at)


def crop_detail(crop: Image) -> float:
    """How much fine detail a crop (S, S, 3) has, 0 (blurred) to 1 (sharp): the finest structure against contrast."""
    gray = np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.float32)
    fine = float(np.abs(gray - cv2.GaussianBlur(gray, (0, 0), 1.5)).mean())
    ratio = max(fine - 0.35, 0.01) / max(float(gray.std()), 4.0)
    return float(np.clip((np.log2(ratio) + 6.0) / 4.0, 0, 1))


def load_attribute_reader(pack: Pack | None, provider: ProviderSetting = "auto") -> AttributeReader:
    """InsightFace's ``genderage`` where such a pack is chosen and has one, else the shipped ensemble.

    Raises :class:`models.PackDamaged` if that cannot be loaded.
    """
    if pack is not None and pack.attributes is not None:
        return GenderAgeReader(pack.attributes, pack.manifest.name)
    return EnsembleReader(load_attributes(provider))


def _between(slope: tuple[float, ...], detail: float) -> float:
    blurred, sharp = slope
    return blurred + (sharp - blurred) * detail


def _softmax(logits: Array) -> Array:
    grown = np.exp(logits - logits.max())
    return np.asarray(grown / grown.sum(), np.float32)


def _onto_ages(classes: NDArray[Any], probabilities: Array) -> Array:
    """Probabilities over other years' classes, on :data:`AGES`; what lies outside counts for the nearest year."""
    places = np.clip(classes, AGES[0], AGES[-1]) - AGES[0]
    return np.asarray(np.bincount(places, probabilities, len(AGES)), np.float32)


def _widen(ages: Array, spread: float) -> Array:
    """A distribution over years, blurred by a normal one of ``spread`` years."""
    if spread <= 0:
        return ages
    reach = int(np.ceil(3 * spread))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / spread) ** 2)
    padded = np.convolve(ages, kernel / kernel.sum(), "full")
    inner = padded[reach : reach + len(ages)].copy()
    inner[0] += padded[:reach].sum()
    inner[-1] += padded[reach + len(ages) :].sum()
    return np.asarray(inner, np.float32)
