"""Figures of merit for verification, identification and tracking, in the terms of ISO/IEC 19795-1."""

from __future__ import annotations

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
    return OperatingPoint(far, threshold, float((np.asarray(genuine) >= threshold).mean()) if len(genuine) else 0.0)


def equal_error_rate(genuine: Scores, impostor: Scores) -> float:
    """Where as many genuine pairs are refused as impostor pairs accepted."""
    if len(genuine) == 0 or len(impostor) == 0:
        raise ValueError("the equal error rate needs genuine and impostor scores")
    thresholds = np.unique(np.concatenate([genuine, impostor]))
    frr = np.searchsorted(np.sort(genuine), thresholds, side="left") / len(genuine)
    far = 1 - np.searchsorted(np.sort(impostor), thresholds, side="left") / len(impostor)
    best = int(np.argmin(np.abs(frr - far)))
    return float((frr[best] + far[best]) / 2)


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
    accepted = np.asarray(top) >= threshold
    fpir = float((np.asarray(strangers) >= threshold).mean()) if len(strangers) else 0.0
    return Identification(fpir, float((accepted & right).mean()) if len(top) else 0.0, threshold)


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


def percentile(values: list[float] | Scores, q: float) -> float:
    """The ``q``-th percentile (0–100); NaN without values."""
    return float(np.percentile(values, q)) if len(values) else float("nan")
