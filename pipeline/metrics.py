"""Figures of merit for verification, identification, stated probabilities and estimates, in the terms of ISO/IEC
19795-1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold and what it gives: true accept rate at a false accept rate."""

    far: float
    threshold: float
    tar: float


@dataclass(frozen=True, slots=True)
class ErrorCurve:
    """False match rate and false non-match rate at every threshold (K,) where either changes, rising.

    ROC is 1 − FNMR over FMR, DET is FNMR over FMR.
    """

    threshold: NDArray[np.float64]
    fmr: NDArray[np.float64]
    fnmr: NDArray[np.float64]


def error_curve(genuine: Scores, impostor: Scores) -> ErrorCurve:
    """Of genuine (N,) and impostor (M,) scores; a score at the threshold matches. Raises ``ValueError`` without
    either."""
    if len(genuine) == 0 or len(impostor) == 0:
        raise ValueError("an error curve needs genuine and impostor scores")
    threshold = np.unique(np.concatenate([genuine, impostor]).astype(np.float64))
    threshold = np.append(threshold, np.nextafter(threshold[-1], np.inf))  # where nothing matches
    fnmr = np.searchsorted(np.sort(genuine), threshold, side="left") / len(genuine)
    fmr = 1 - np.searchsorted(np.sort(impostor), threshold, side="left") / len(impostor)
    return ErrorCurve(threshold, fmr, fnmr)


def threshold_at_far(impostor: Scores, far: float) -> float:
    """The lowest score that at most a share ``far`` of impostor scores (N,) reaches. Raises ``ValueError`` without
    scores."""
    if len(impostor) == 0:
        raise ValueError("impostor scores are empty: a false accept rate needs pairs of different people")
    ranked = np.sort(np.asarray(impostor, np.float64))[::-1]
    allowed = int(np.floor(far * len(ranked)))
    if allowed >= len(ranked):
        return float(ranked[-1])
    return float(np.nextafter(ranked[allowed], np.inf))


def operating_point(genuine: Scores, impostor: Scores, far: float) -> OperatingPoint:
    """TAR at a FAR from genuine (N,) and impostor (M,) scores."""
    threshold = threshold_at_far(impostor, far)
    return OperatingPoint(far, threshold, float((_exact(genuine) >= threshold).mean()) if len(genuine) else 0.0)


def _exact(scores: Scores) -> NDArray[np.float64]:
    """A threshold just above a score is that score to float32: they are compared as float64."""
    return np.asarray(scores, np.float64)


def equal_error_rate(genuine: Scores, impostor: Scores) -> float:
    """Where as many genuine pairs are refused as impostor pairs accepted."""
    if len(genuine) == 0 or len(impostor) == 0:
        raise ValueError("the equal error rate needs genuine and impostor scores")
    curve = error_curve(genuine, impostor)
    best = int(np.argmin(np.abs(curve.fnmr - curve.fmr)))
    return float((curve.fnmr[best] + curve.fmr[best]) / 2)


def cross_validated_accuracy(scores: Scores, same: NDArray[np.bool_], folds: int = 10) -> tuple[float, float]:
    """Mean and standard deviation of accuracy over folds, each judged with the threshold that is best on the others.

    The protocol of Labeled Faces in the Wild; pairs are dealt out so that every fold has its share of both kinds.
    Raises ``ValueError`` if one kind has fewer pairs than there are folds.
    """
    scores, same = np.asarray(scores, np.float64), np.asarray(same, bool)
    if min(same.sum(), (~same).sum()) < folds:
        raise ValueError(
            f"{folds} folds need as many pairs of each kind; there are {same.sum()} same, {(~same).sum()} different"
        )
    fold = np.empty(len(scores), int)
    for kind in (True, False):
        index = np.flatnonzero(same == kind)
        fold[index] = np.arange(len(index)) * folds // len(index)
    accuracies = []
    for f in range(folds):
        train, test = fold != f, fold == f
        threshold = best_threshold(scores[train], same[train])
        accuracies.append(float(((scores[test] >= threshold) == same[test]).mean()))
    return float(np.mean(accuracies)), float(np.std(accuracies))


def best_threshold(scores: Scores, same: NDArray[np.bool_]) -> float:
    """The threshold with the most right answers, the middle one where several have; between two scores, so that it is
    not one side's own."""
    order = np.argsort(scores)
    ranked, truth = np.asarray(scores, np.float64)[order], np.asarray(same, bool)[order]
    # Accept everything from position i on: same ones at or after i are right, different ones before i.
    right = np.concatenate([[0], np.cumsum(~truth)]) + np.concatenate([np.cumsum(truth[::-1])[::-1], [0]])
    possible = np.concatenate([[True], ranked[1:] > ranked[:-1], [True]])  # equal scores cannot be told apart
    counted = np.where(possible, right, -1)
    equals = np.flatnonzero(counted == counted.max())
    best = int(equals[len(equals) // 2])
    if best == 0:
        return float(ranked[0])
    if best == len(ranked):
        return float(np.nextafter(ranked[-1], np.inf))
    between = (ranked[best - 1] + ranked[best]) / 2
    return float(max(between, np.nextafter(ranked[best - 1], np.inf)))  # neighbours have nothing between them


@dataclass(frozen=True, slots=True)
class Identification:
    """Open-set identification at one threshold."""

    fpir: float  # share of strangers who get some name
    tpir: float  # share of the enrolled who get their own
    threshold: float


def identification_at(top: Scores, right: NDArray[np.bool_], strangers: Scores, threshold: float) -> Identification:
    """TPIR and FPIR: best scores of known probes (N,) and whether the best candidate was right (N,), best scores of
    strangers (M,)."""
    accepted = _exact(top) >= threshold
    fpir = float((_exact(strangers) >= threshold).mean()) if len(strangers) else 0.0
    return Identification(fpir, float((accepted & right).mean()) if len(top) else 0.0, threshold)


@dataclass(frozen=True, slots=True)
class IdentificationCurve:
    """TPIR and FPIR at every threshold (K,) where either changes, rising."""

    threshold: NDArray[np.float64]
    tpir: NDArray[np.float64]
    fpir: NDArray[np.float64]


def identification_curve(top: Scores, right: NDArray[np.bool_], strangers: Scores) -> IdentificationCurve:
    """Arguments as of :func:`identification_at`. Raises ``ValueError`` without known probes or without strangers."""
    if len(top) == 0 or len(strangers) == 0:
        raise ValueError("an identification curve needs known probes and strangers")
    threshold = np.unique(np.concatenate([top, strangers]).astype(np.float64))
    threshold = np.append(threshold, np.nextafter(threshold[-1], np.inf))
    named = np.sort(np.asarray(top, np.float64)[np.asarray(right, bool)])
    tpir = (len(named) - np.searchsorted(named, threshold, side="left")) / len(top)
    fpir = 1 - np.searchsorted(np.sort(np.asarray(strangers, np.float64)), threshold, side="left") / len(strangers)
    return IdentificationCurve(threshold, tpir, fpir)


def expected_calibration_error(probability: Scores, right: NDArray[np.bool_], bins: int = 10) -> float:
    """Mean distance of stated probability and observed frequency (Guo et al., ICML 2017), weighted by how many fall
    in each bin."""
    probability, right = np.asarray(probability, np.float64), np.asarray(right, bool)
    if len(probability) == 0:
        raise ValueError("calibration needs at least one probability")
    slot = np.minimum((probability * bins).astype(int), bins - 1)
    error = 0.0
    for b in range(bins):
        inside = slot == b
        if inside.any():
            error += inside.mean() * abs(probability[inside].mean() - right[inside].mean())
    return float(error)


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Of ``count`` statements: the mean probability stated, and how often they were right."""

    count: int
    stated: float
    observed: float


def reliability(probability: Scores, right: NDArray[np.bool_], bins: int = 10) -> tuple[ReliabilityBin, ...]:
    """Stated probability beside observed frequency in ``bins`` bins that hold equally many (Nixon et al., CVPR 2019
    workshops), rising; fewer where there are fewer statements.

    Bins of equal width leave most of a confident model's statements in the last one. Raises ``ValueError`` without
    statements.
    """
    probability, right = np.asarray(probability, np.float64), np.asarray(right, bool)
    if len(probability) == 0:
        raise ValueError("calibration needs at least one probability")
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    return tuple(ReliabilityBin(len(p), float(probability[p].mean()), float(right[p].mean())) for p in parts)


def calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Mean distance of stated and observed over the bins of :func:`reliability`, weighted by what they hold."""
    total = sum(b.count for b in bins)
    return sum(b.count * abs(b.stated - b.observed) for b in bins) / total


def coverage_curve(confidence: Scores, right: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coverage (K,) and the accuracy (K,) of the most confident that make it up, one point for each confidence stated
    (El-Yaniv and Wiener, JMLR 2010); coverage rises to 1. Raises ``ValueError`` without statements."""
    confidence, right = np.asarray(confidence, np.float64), np.asarray(right, bool)
    if len(confidence) == 0:
        raise ValueError("coverage needs at least one statement")
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    last = np.append(ranked[1:] != ranked[:-1], True)  # equal confidence cannot be told apart
    count = np.arange(1, len(order) + 1)
    return (count / len(order))[last], (np.cumsum(right[order]) / count)[last]


def mean_absolute_error(estimate: Scores, truth: Scores) -> float:
    """Of estimates (N,); NaN without any."""
    return float(np.abs(np.asarray(estimate) - np.asarray(truth)).mean()) if len(truth) else float("nan")


def interval_coverage(low: Scores, high: Scores, truth: Scores) -> float:
    """Share of the truth (N,) that lies in its interval, ends included; NaN without any."""
    inside = (np.asarray(low) <= truth) & (truth <= np.asarray(high))
    return float(inside.mean()) if len(inside) else float("nan")


def bootstrap_interval(
    statistic: Callable[[NDArray[np.int64]], float],
    owners: NDArray[np.int64],
    draws: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """The percentile bootstrap interval (Efron, 1979) of ``statistic``, which is given indices of observations.

    ``owners`` (N,) says whose each observation is: owners are drawn, with all that is theirs, as observations of one
    person are alike. Raises ``ValueError`` without observations.
    """
    if len(owners) == 0:
        raise ValueError("a bootstrap needs at least one observation")
    order = np.argsort(owners, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(owners[order])) + 1)
    random = np.random.default_rng(seed)
    alone = len(groups) == len(owners)
    values = []
    for _ in range(draws):
        drawn = random.integers(0, len(groups), len(groups))
        values.append(statistic(order[drawn] if alone else np.concatenate([groups[i] for i in drawn])))
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def percentile(values: list[float] | Scores, q: float) -> float:
    """The ``q``-th percentile (0–100); NaN without values."""
    return float(np.percentile(values, q)) if len(values) else float("nan")
