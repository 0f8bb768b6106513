"""Weights and calibration of the soft-biometrics ensemble, and its figures by distance: plain arithmetic."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.attributes import INTERVAL

Array = NDArray[Any]

LEAST_SAY = 0.1  # weight of a network: others that err elsewhere steady the mean on pictures nobody calibrated on
ENOUGH = 3000  # looks to fit ages on


@dataclass(frozen=True, slots=True)
class Observed:
    """What K networks said of N looks at faces: ``gender`` (N, K) raw log odds, ``ages`` (N, K, A) raw logits; and
    ``embedded`` (N,), the raw log odds that the embedder's numbers give.

    ``width`` (N,) is the face's in pixels after degradation, 0 where it was left as it was; ``detail`` (N,) is what
    :func:`pipeline.attributes.crop_detail` measured; ``age`` is not a number where unknown.
    """

    width: Array
    male: Array
    age: Array
    detail: Array
    gender: Array
    ages: Array
    embedded: Array
    classes: Array

    def at(self, width: float | None) -> Observed:
        """The looks of one width."""
        return self.where(self.width == (width or 0.0))

    def where(self, chosen: Array) -> Observed:
        """Some of the looks."""
        return Observed(
            self.width[chosen], self.male[chosen], self.age[chosen], self.detail[chosen], self.gender[chosen],
            self.ages[chosen], self.embedded[chosen], self.classes,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Calibration:
    """See :class:`models.AttributeSpec` for the terms; ``shared`` are the slopes with the embedder's opinion."""

    weights: tuple[float, ...]
    slope: tuple[float, float]
    shared: tuple[float, float, float, float]
    age_temperature: tuple[float, float]
    age_floor: float
    sure: float = 0.75


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one group of looks; rates 0–1, ages in years. ``accuracy`` counts every face, ``said`` only those for which a
    gender was said, which is ``coverage`` of them."""

    name: str
    faces: int
    accuracy: float
    confidence: float
    said: float
    coverage: float
    age_error: float
    age_bias: float
    age_inside: float

    def line(self) -> str:
        """For a terminal."""
        return (
            f"{self.name:>16}  n {self.faces:5d}  gender {self.accuracy:6.1%} (confidence {self.confidence:6.1%}; "
            f"said {self.said:6.1%} of {self.coverage:6.1%})  age ±{self.age_error:4.1f} (bias {self.age_bias:+4.1f}), "
            f"in the interval {self.age_inside:6.1%}"
        )


def fit_calibration(seen: Observed) -> Calibration:
    """Weights by the likelihood of the labels over a grid, slopes by logistic regression, ages by coverage."""
    count = seen.gender.shape[1]
    shares = np.linspace(0, 1, 11) if count == 1 else np.linspace(LEAST_SAY, 1, 10)
    steps = [w for w in itertools.product(shares, repeat=count) if abs(sum(w) - 1) < 1e-6]
    fits = []
    for weights in steps:
        odds = seen.gender @ np.array(weights)
        slope = fit_slopes(odds, seen.detail, seen.male)
        fits.append((_gender_loss(odds, seen.detail, seen.male, slope) + _age_loss(seen, weights) / 4, weights, slope))
    _, best, slope = min(fits, key=lambda fit: fit[0])
    temperature, floor = _fit_ages(seen, best)
    weights = tuple(round(float(w), 2) for w in best)
    shared = fit_shared_slopes(seen.gender @ np.array(best), seen.embedded, seen.detail, seen.male)
    return Calibration(weights, (round(slope[0], 4), round(slope[1], 4)), shared, temperature, floor)


def fit_direction(embeddings: Array, male: Array, doubt: float = 10.0) -> tuple[Array, float]:
    """A linear reading (D,) of embeddings (N, D) and its bias, in raw log odds of male: logistic regression on
    standardised columns, ``doubt`` being the weight of the squared coefficients."""
    middle, spread = embeddings.mean(0), np.maximum(embeddings.std(0), 1e-9)
    columns = np.concatenate([(embeddings - middle) / spread, np.ones((len(embeddings), 1))], 1)
    fitted = _newton(columns, male, doubt)
    direction = fitted[:-1] / spread
    return np.asarray(direction, np.float32), float(fitted[-1] - direction @ middle)


def fit_shared_slopes(odds: Array, embedded: Array, detail: Array, male: Array) -> tuple[float, float, float, float]:
    """As :func:`fit_slopes` for log odds of the networks (N,) and of the embedder (N,) together: slopes of the first
    on blurred and sharp faces, then of the second. Nobody's opinion is turned round: one that would be is left out."""
    four = _newton(np.stack([x * share for x in (odds, embedded) for share in (1 - detail, detail)], 1), male)
    if (four < 0).any() or four[0] > four[1] or four[2] > four[3]:
        two = _newton(np.stack([odds, embedded], 1), male)
        if two[0] < 0:
            two = np.array([0.0, max(0.0, _newton(embedded[:, None], male)[0])])
        elif two[1] < 0:
            two = np.array([max(0.0, _newton(odds[:, None], male)[0]), 0.0])
        four = np.repeat(two, 2)
    blurred, sharp, own_blurred, own_sharp = (round(float(slope), 4) for slope in four)
    return blurred, sharp, own_blurred, own_sharp


def fit_slopes(odds: Array, detail: Array, male: Array) -> tuple[float, float]:
    """Slopes on blurred and on sharp faces that make log odds (N,) honest: logistic regression without an intercept,
    so that neither gender is favoured.

    Where a blurred face would get the steeper one, both get one slope: blur never makes anybody surer.
    """
    blurred, sharp = _newton(np.stack([odds * (1 - detail), odds * detail], 1), male)
    if blurred > sharp:
        blurred = sharp = float(_newton(odds[:, None], male)[0])
    return float(blurred), float(sharp)


def _newton(parts: Array, male: Array, doubt: float = 1e-3) -> Array:
    """The K slopes of columns (N, K) that make the labels likeliest, by Newton's method; ``doubt`` weighs their
    squares. A step that overshoots, as near the end it may, is halved."""
    signed = np.where(male, 1.0, -1.0)[:, None] * parts

    def cost(slope: Array) -> float:
        return float(np.logaddexp(0, -(signed @ slope)).sum() + doubt / 2 * slope @ slope)

    slope = np.zeros(parts.shape[1])
    for _ in range(50):
        wrong = 1 / (1 + np.exp(np.clip(signed @ slope, -30, 30)))
        gradient = doubt * slope - signed.T @ wrong
        curvature = (signed * (wrong * (1 - wrong))[:, None]).T @ signed + doubt * np.eye(len(slope))
        step = np.linalg.solve(curvature, gradient)
        while cost(slope - step) > cost(slope) + 1e-9 and np.abs(step).max() > 1e-9:
            step = step / 2
        slope = slope - step
        if np.abs(step).max() < 1e-7:
            break
    return np.asarray(slope)


def _gender_loss(odds: Array, detail: Array, male: Array, slope: tuple[float, float]) -> float:
    signed = np.where(male, 1, -1) * odds * (slope[0] * (1 - detail) + slope[1] * detail)
    return float(np.logaddexp(0, -signed).mean())


def _age_loss(seen: Observed, weights: tuple[float, ...]) -> float:
    known = np.isfinite(seen.age)
    if not known.any():
        return 0.0
    middle = expected_age(age_distribution(seen.where(known), weights, (1.0, 1.0), 0.0), seen.classes)
    return float(np.abs(middle - seen.age[known]).mean()) / 10


def age_distribution(
    seen: Observed, weights: tuple[float, ...], temperature: tuple[float, float], floor: float
) -> Array:
    """Probabilities (N, A) over the classes: the weighted mean of logits, softened, and blurred by ``floor`` years."""
    logits = np.tensordot(seen.ages, np.array(weights), axes=([1], [0])) / _between(temperature, seen)[:, None]
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    if floor > 0:
        apart = seen.classes[:, None] - seen.classes[None, :]
        blur = np.exp(-0.5 * (apart / floor) ** 2)
        p = p @ (blur / blur.sum(1, keepdims=True))
    return np.asarray(p)


def expected_age(p: Array, classes: Array) -> Array:
    """The median age of each distribution (N, A), in years."""
    return _quantile(p, classes, 0.5)


def _quantile(p: Array, classes: Array, share: float) -> Array:
    """Where the cumulated distribution reaches ``share``, in years, between the edges of a class."""
    cumulative = np.cumsum(p, 1) / p.sum(1, keepdims=True)
    place = np.minimum((cumulative < share).sum(1), len(classes) - 1)
    row = np.arange(len(p))
    before = np.where(place > 0, cumulative[row, np.maximum(place - 1, 0)], 0.0)
    within = (share - before) / np.maximum(cumulative[row, place] - before, 1e-12)
    return np.asarray(classes[place] - 0.5 + np.clip(within, 0, 1))


def _fit_ages(seen: Observed, weights: tuple[float, ...]) -> tuple[tuple[float, float], float]:
    """Temperatures of a blurred face and of a sharp one, and a blur in years, for which the interval holds what it says
    at every width, evenly."""
    known = seen.where(np.isfinite(seen.age))
    if not len(known.age):
        return (1.0, 1.0), 0.0
    known = known.where(np.random.default_rng(0).permutation(len(known.age))[:ENOUGH])
    index = np.clip(np.round(known.age - known.classes[0]).astype(int), 0, len(known.classes) - 1)
    steps = np.arange(0.4, 1.61, 0.1)
    best = (np.inf, (1.0, 1.0), 0.0)
    for blurred, sharp, floor in itertools.product(steps, steps, np.arange(0, 5.1, 1.0)):
        p = age_distribution(known, weights, (blurred, sharp), floor)
        inside = _inside(p, known)
        off = [abs(float(inside[known.width == width].mean()) - INTERVAL) for width in np.unique(known.width)]
        surprise = float(-np.log(np.maximum(p[np.arange(len(p)), index], 1e-9)).mean())
        cost = float(np.mean(off)) + max(off) / 2 + 0.02 * surprise
        best = min(best, (cost, (round(float(blurred), 2), round(float(sharp), 2)), float(floor)))
    return best[1:]


def _inside(p: Array, seen: Observed) -> Array:
    low = _quantile(p, seen.classes, (1 - INTERVAL) / 2)
    high = _quantile(p, seen.classes, (1 + INTERVAL) / 2)
    return np.asarray((seen.age >= low) & (seen.age <= high))


def measure(seen: Observed, fitted: Calibration, width: float | None, shared: bool = False) -> Figures:
    """Figures of the looks at one width in pixels; ``None``: as the pictures are."""
    return figures("as it is" if width is None else f"{width:g} px", seen.at(width), fitted, shared)


def figures(name: str, seen: Observed, fitted: Calibration, shared: bool = False) -> Figures:
    """Figures of some looks, of the networks alone or ``shared`` with the embedder; not a number where there are
    none."""
    odds = seen.gender @ np.array(fitted.weights)
    if shared:
        odds = odds * _between(fitted.shared[:2], seen) + seen.embedded * _between(fitted.shared[2:], seen)
    else:
        odds = odds * _between(fitted.slope, seen)
    right = (odds > 0) == seen.male
    sure = 1 / (1 + np.exp(-np.abs(odds)))
    said = sure >= fitted.sure
    known = seen.where(np.isfinite(seen.age))
    p = age_distribution(known, fitted.weights, fitted.age_temperature, fitted.age_floor)
    off = expected_age(p, known.classes) - known.age if len(known.age) else np.array([np.nan])
    return Figures(
        name,
        len(right),
        _mean(right),
        _mean(sure),
        _mean(right[said]),
        _mean(said),
        float(np.abs(off).mean()),
        float(off.mean()),
        _mean(_inside(p, known)) if len(known.age) else float("nan"),
    )


def _between(slope: tuple[float, ...], seen: Observed) -> Array:
    blurred, sharp = slope
    return np.asarray(blurred + (sharp - blurred) * seen.detail)


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else float("nan")
