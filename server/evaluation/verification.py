"""1:1, are these two the same person: accuracy, error curves, the threshold to set; by distance, quality and group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.face_models import FaceModels
from pipeline.matcher import Matcher
from pipeline.metrics import (
    cross_validated_accuracy,
    equal_error_rate,
    error_curve,
    expected_calibration_error,
    operating_point,
)
from server.evaluation.conditions import Condition, Faces, Load, Progress, left_out, read_faces, staged
from server.evaluation.labels import EvaluationError
from server.evaluation.report import Axis, Cell, Column, Plot, Report, Series, Table, number, text
from server.evaluation.thresholds import Advice, advise, percent

FARS = (1e-2, 1e-3)
PARTS = 10  # by quality
LEAST_PART = 5  # pairs of a kind, for figures about a part of them

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures by name; ``second`` is the one that is made worse."""

    first: str
    second: str
    same: bool
    group: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """Pairs (N,) under one condition; ``quality`` (0–1) is that of the worse picture."""

    scores: Floats
    same: NDArray[np.bool_]
    quality: Floats
    groups: tuple[str, ...]
    left_out: int

    @property
    def genuine(self) -> Floats:
        """Scores of the same person."""
        return self.scores[self.same]

    @property
    def impostor(self) -> Floats:
        """Scores of different people."""
        return self.scores[~self.same]


def evaluate_pairs(
    models: FaceModels,
    pairs: Sequence[Pair],
    load: Load,
    conditions: Sequence[Condition],
    fmr: float,
    seed: int,
    progress: Progress,
    subject: str = "",
) -> Report:
    """Compare pairs of pictures under each condition, of which the first gives the figures. The first picture of a pair
    stays as it is, as an enrolled one does.

    Raises :class:`server.evaluation.labels.EvaluationError`.
    """
    clean = Condition()
    plan = list(dict.fromkeys([clean, *conditions]))
    faces: dict[Condition, Faces] = {}
    for stage, condition in enumerate(plan):
        names = {p.second for p in pairs if condition in conditions} | {p.first for p in pairs if condition.clean}
        tell = staged(progress, stage, len(plan))
        faces[condition] = read_faces(models, sorted(names), load, condition, seed, tell)
    compared = {c.name: compare(models.matcher, pairs, faces[clean], faces[c]) for c in conditions}
    return verification_report(models, compared, fmr, subject, left_out([faces[clean], faces[conditions[0]]]))


def compare(matcher: Matcher, pairs: Sequence[Pair], firsts: Faces, seconds: Faces) -> Compared:
    """Those pairs of which both pictures have a face."""
    usable = [p for p in pairs if p.first in firsts.found and p.second in seconds.found]
    both = [(firsts.found[p.first], seconds.found[p.second]) for p in usable]
    scores = [matcher.similarity(one.embedding, other.embedding) for one, other in both]
    return Compared(
        np.array(scores, np.float64),
        np.array([p.same for p in usable], bool),
        np.array([min(one.quality, other.quality) for one, other in both], np.float64),
        tuple(p.group for p in usable),
        len(pairs) - len(usable),
    )


def verification_report(
    models: FaceModels, compared: Mapping[str, Compared], fmr: float, subject: str, files: Mapping[str, Sequence[str]]
) -> Report:
    """The whole report; ``compared`` by condition, the one that gives the figures first."""
    name, main = next(iter(compared.items()))
    if not main.same.any() or main.same.all():
        raise EvaluationError("pairs of both kinds, with faces in both pictures, are needed")
    condition = "" if name == Condition().name else f", {name}"
    advice = advise(main.impostor, np.arange(len(main.impostor)), fmr, "FMR", models.matcher, 1)
    tables = [_by_condition(compared, advice.threshold)] if len(compared) > 1 else []
    tables += [_by_quality(main, advice.threshold)]
    tables += [_by_group(main, advice.threshold)] if any(main.groups) else []
    return Report(
        f"Verification with pack {models.manifest.name}{condition}",
        (*_figures(models.matcher, main), *advice.figures),
        (*_plots(compared), *tables),
        advice.notes,
        subject,
        files,
        _words(models.matcher, main, advice),
    )


def _figures(matcher: Matcher, pairs: Compared) -> list[tuple[str, Cell]]:
    same, genuine, impostor = pairs.same, pairs.genuine, pairs.impostor
    folds = min(10, len(genuine), len(impostor))
    accuracy = deviation = float("nan")
    if folds > 1:
        even = _even(same)
        accuracy, deviation = cross_validated_accuracy(pairs.scores[even], same[even], folds)
    probability = 1 / (1 + np.exp(-matcher.log_likelihood_ratio(pairs.scores)))
    default = matcher.threshold(1)
    return [
        ("pairs", len(same)),
        ("pairs left out (no face)", pairs.left_out),
        (f"accuracy, {folds} folds [%]" if folds < 10 else "accuracy, 10 folds [%]", round(100 * accuracy, 2)),
        ("standard deviation [%]", round(100 * deviation, 2)),
        ("equal error rate [%]", round(100 * equal_error_rate(genuine, impostor), 2)),
        *((f"TAR at FAR {far:g} [%]", round(100 * operating_point(genuine, impostor, far).tar, 1)) for far in FARS),
        ("default threshold (one person)", round(default, 4)),
        ("FAR there [%]", round(100 * float((impostor >= default).mean()), 2)),
        ("FRR there [%]", round(100 * float((genuine < default).mean()), 2)),
        ("calibration error of the probability", round(expected_calibration_error(probability, same), 4)),
    ]


def _words(matcher: Matcher, pairs: Compared, advice: Advice) -> tuple[str, ...]:
    default = matcher.threshold(1)
    genuine, impostor = pairs.genuine, pairs.impostor
    return (
        f"Of {len(genuine):,} pairs of pictures of the same person {_share(genuine >= default)} are taken for one, at "
        f"the threshold that comes with the models; of {len(impostor):,} pairs of different people "
        f"{_share(impostor >= default)}.",
        f"At {advice.threshold:.3f} instead it would be {_share(genuine >= advice.threshold)} and "
        f"{_share(impostor >= advice.threshold)}.",
    )


def _share(right: NDArray[np.bool_]) -> str:
    return percent(float(right.mean()))


def _even(same: NDArray[np.bool_]) -> NDArray[np.int64]:
    """All pairs, or where one kind is by far the more frequent as many of it as of the other: accuracy is about even
    odds."""
    kinds = [np.flatnonzero(same), np.flatnonzero(~same)]
    fewer, more = sorted(kinds, key=len)
    if len(more) <= 2 * len(fewer):
        return np.arange(len(same))
    return np.sort(np.concatenate([fewer, np.random.default_rng(0).permutation(more)[: len(fewer)]]))


def _plots(compared: Mapping[str, Compared]) -> list[Plot]:
    curves = {
        name: error_curve(c.genuine, c.impostor) for name, c in compared.items() if c.same.any() and not c.same.all()
    }
    least = min(0.1, 10.0 ** np.floor(np.log10(1 / max(len(c.impostor) for c in compared.values()))))
    rates = Axis("false match rate", max(float(least), 1e-5), 1.0, log=True)
    roc = tuple(Series(name, list(c.fmr), list(1 - c.fnmr)) for name, c in curves.items())
    det = tuple(Series(name, list(c.fmr), list(c.fnmr)) for name, c in curves.items())
    main = next(iter(curves.values()))
    by_threshold = tuple(
        Series(name, list(main.threshold), list(errors), steps=True)
        for name, errors in (("FMR", main.fmr), ("FNMR", main.fnmr))
    )
    low, high = float(main.threshold[0]), float(main.threshold[-1])
    return [
        Plot(
            "roc",
            "ROC: how many are recognised, at which risk",
            rates,
            Axis("true accept rate"),
            roc,
            "Share of pairs of the same person that match, over the share of pairs of different people that do. "
            "The nearer to the upper left, the better.",
        ),
        Plot(
            "det",
            "DET: both kinds of error",
            rates,
            Axis("false non-match rate", max(float(least), 1e-4), 1.0, log=True),
            det,
            "Share of pairs of the same person that do not match, over the share of pairs of different people that do. "
            "The nearer to the lower left, the better.",
        ),
        Plot(
            "thresholds",
            "Errors at every threshold",
            Axis("similarity threshold", low, max(high, low + 1e-6), percent=False),
            Axis("rate of errors", 1e-4, 1.0, log=True),
            by_threshold,
            "A higher threshold lets fewer strangers match (FMR) and misses more of the same person (FNMR).",
        ),
    ]


_RATES = (
    number("same", "same person"),
    number("different", "different people"),
    Column("fmr", "FMR", digits=2),
    Column("fnmr", "FNMR"),
)


def _rates(scores: Floats, same: NDArray[np.bool_], threshold: float) -> tuple[Cell, ...]:
    genuine, impostor = scores[same], scores[~same]
    return (
        len(genuine),
        len(impostor),
        float((impostor >= threshold).mean()) if len(impostor) >= LEAST_PART else None,
        float((genuine < threshold).mean()) if len(genuine) >= LEAST_PART else None,
    )


def _by_condition(compared: Mapping[str, Compared], threshold: float) -> Table:
    columns = (
        text("condition", "second picture"),
        *_RATES,
        Column("eer", "equal error rate"),
        *(Column(f"tar_at_{far:g}", f"TAR at FAR {percent(far)}") for far in FARS),
        number("left_out", "left out"),
    )
    rows = []
    for name, pairs in compared.items():
        both = pairs.same.any() and not pairs.same.all()
        genuine, impostor = pairs.genuine, pairs.impostor
        rows.append(
            (
                name,
                *_rates(pairs.scores, pairs.same, threshold),
                equal_error_rate(genuine, impostor) if both else None,
                *(operating_point(genuine, impostor, far).tar if both else None for far in FARS),
                pairs.left_out,
            )
        )
    words = f"FMR and FNMR at the threshold of the first row, {threshold:.4f}; the first picture stays as it is."
    return Table("distance", "By distance", columns, tuple(rows), words)


def _by_quality(pairs: Compared, threshold: float) -> Table:
    columns = (number("from", "quality from", 2), number("to", "to", 2), *_RATES)
    rows = []
    for part in np.array_split(np.argsort(pairs.quality, kind="stable"), min(PARTS, len(pairs.quality))):
        quality = pairs.quality[part]
        rates = _rates(pairs.scores[part], pairs.same[part], threshold)
        rows.append((float(quality[0]), float(quality[-1]), *rates))
    words = f"Tenths of all pairs by the quality of the worse picture, at the threshold {threshold:.4f}."
    return Table("quality", "By quality", columns, tuple(rows), words)


def _by_group(pairs: Compared, threshold: float) -> Table:
    rows = []
    for group in sorted(set(pairs.groups)):
        inside = np.array([g == group for g in pairs.groups], bool)
        rows.append((group or "no group", *_rates(pairs.scores[inside], pairs.same[inside], threshold)))
    words = f"All at the threshold {threshold:.4f}. Fewer than {LEAST_PART} pairs of a kind give no rate."
    return Table("groups", "By group", (text("group", "group"), *_RATES), tuple(rows), words)
