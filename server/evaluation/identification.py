"""1:N with strangers, who is this: TPIR over FPIR, the threshold to set; by distance, quality and group."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.face_models import FaceModels
from pipeline.gallery import Gallery, Person
from pipeline.metrics import (
    expected_calibration_error,
    identification_at,
    identification_curve,
    threshold_at_far,
)
from pipeline.templates import fuse_template
from server.evaluation.conditions import Condition, Face, Faces, Load, Progress, left_out, read_faces, staged
from server.evaluation.labels import ROLES, EvaluationError, Row
from server.evaluation.report import Axis, Cell, Column, Plot, Report, Series, Table, number, text
from server.evaluation.thresholds import Advice, advise, people_words, percent

FPIRS = (0.01, 0.001)
PARTS = 5  # by quality
LEAST_PART = 5  # probes of a kind, for figures about a part of them


F = TypeVar("F")  # a face, or several embeddings of one


@dataclass(frozen=True, slots=True)
class Probes(Generic[F]):
    """Faces that are looked for (N,), whose they are, and the groups they are in; names of groups may be empty."""

    faces: tuple[F, ...]
    owners: NDArray[np.int64]
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenSet(Generic[F]):
    """Who is enrolled with which faces, and who is looked for. Owners of ``known`` are indices of ``enrolled`` (−1: of
    nobody), owners of ``strangers`` say which are of one person."""

    enrolled: tuple[tuple[F, ...], ...]
    known: Probes[F]
    strangers: Probes[F]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the rule in use makes of the probes: best similarity of each known one and whether that was the right
    person, best similarity of each stranger, and who was named by default."""

    top: NDArray[np.float64]
    right: NDArray[np.bool_]
    strangers: NDArray[np.float64]
    named_known: NDArray[np.bool_]
    named_strangers: NDArray[np.bool_]
    calibration_error: float
    seconds: float  # per decision

    def rates(self, threshold: float) -> tuple[float, float]:
        """TPIR and FPIR."""
        point = identification_at(self.top, self.right, self.strangers, threshold)
        return point.tpir, point.fpir


def evaluate_openset(
    models: FaceModels,
    rows: Sequence[Row],
    load: Load,
    conditions: Sequence[Condition],
    fpir: float,
    seed: int,
    progress: Progress,
    subject: str = "",
) -> Report:
    """Enrol and look for the people of a protocol (rows with role, person, file and perhaps group) under each
    condition, of which the first gives the figures. Enrolled pictures stay as they are.

    Raises :class:`server.evaluation.labels.EvaluationError`.
    """
    clean = Condition()
    plan = list(dict.fromkeys([clean, *conditions]))
    readings: dict[Condition, Faces] = {}
    for stage, condition in enumerate(plan):
        enrol = {row["file"] for row in rows if row["role"] == "enrol" and condition.clean}
        probes = {row["file"] for row in rows if row["role"] != "enrol" and condition in conditions}
        tell = staged(progress, stage, len(plan))
        readings[condition] = read_faces(models, sorted(enrol | probes), load, condition, seed, tell)
    found = {c: readings[c].found for c in plan}
    protocols = {c.name: build_protocol(rows, found[clean], found[c]) for c in conditions}
    return identification_report(models, protocols, fpir, subject, left_out([readings[clean], readings[conditions[0]]]))


def build_protocol(rows: Sequence[Row], enrolled: Mapping[str, F], probes: Mapping[str, F]) -> OpenSet[F]:
    """From rows and the faces by file. Raises :class:`server.evaluation.labels.EvaluationError` if a role has none."""
    by_role = {
        role: [row for row in rows if row["role"] == role and row["file"] in (enrolled if role == "enrol" else probes)]
        for role in ROLES
    }
    missing = [role for role, found in by_role.items() if not found]
    if missing:
        raise EvaluationError(f"no row of role {', '.join(missing)} with a face in its picture")
    names = {name: index for index, name in enumerate(sorted({row["person"] for row in by_role["enrol"]}))}
    samples: list[list[F]] = [[] for _ in names]
    for row in by_role["enrol"]:
        samples[names[row["person"]]].append(enrolled[row["file"]])
    strangers = {name: i for i, name in enumerate(sorted({row["person"] for row in by_role["probe_unknown"]}))}
    return OpenSet(
        tuple(map(tuple, samples)),
        _probes(by_role["probe_known"], probes, names),
        _probes(by_role["probe_unknown"], probes, strangers),
    )


def _probes(rows: Sequence[Row], faces: Mapping[str, F], numbers: Mapping[str, int]) -> Probes[F]:
    owners = np.array([numbers.get(row["person"], -1) for row in rows], np.int64)
    return Probes(tuple(faces[row["file"]] for row in rows), owners, tuple(row.get("group", "") for row in rows))


def decide_all(models: FaceModels, protocol: OpenSet[Face]) -> Outcome:
    """Decide every probe as the product does."""
    dimension = models.embedder.spec.dimension
    entries = [
        (Person(str(i), str(i)), fuse_template([f.embedding for f in faces], [f.quality for f in faces]), None)
        for i, faces in enumerate(protocol.enrolled)
    ]
    gallery = Gallery.build(entries, dimension, models.manifest.digest, 1)
    started = time.perf_counter()
    faces = (*protocol.known.faces, *protocol.strangers.faces)
    opinions = [models.matcher.decide(face.embedding, gallery) for face in faces]
    seconds = (time.perf_counter() - started) / len(opinions)
    known, strange = opinions[: len(protocol.known.faces)], opinions[len(protocol.known.faces) :]
    right = np.array([o.person == str(owner) for o, owner in zip(known, protocol.known.owners, strict=True)])
    truth = np.concatenate([right, np.zeros(len(strange), bool)])
    return Outcome(
        np.array([o.similarity for o in known], np.float64),
        right,
        np.array([o.similarity for o in strange], np.float64),
        np.array([o.verdict == "known" for o in known]),
        np.array([o.verdict == "known" for o in strange]),
        expected_calibration_error(np.array([o.probability for o in opinions]), truth),
        seconds,
    )


def identification_report(
    models: FaceModels,
    protocols: Mapping[str, OpenSet[Face]],
    fpir: float,
    subject: str,
    files: Mapping[str, Sequence[str]],
) -> Report:
    """The whole report; ``protocols`` by condition, the one that gives the figures first."""
    name, protocol = next(iter(protocols.items()))
    outcomes = {name: decide_all(models, protocol) for name, protocol in protocols.items()}
    condition = "" if name == Condition().name else f", {name}"
    advice = openset_advice(models, protocol, outcomes[name], fpir)
    left = sum(map(len, files.values()))
    return Report(
        f"Open-set identification with pack {models.manifest.name}{condition}",
        (*openset_figures(models, protocol, outcomes[name], left), *advice.figures),
        openset_parts(protocols, outcomes, advice.threshold),
        advice.notes,
        subject,
        files,
        openset_words(protocol, outcomes[name], advice),
    )


def openset_words(protocol: OpenSet[Face], outcome: Outcome, advice: Advice) -> tuple[str, ...]:
    """The most important in sentences."""
    named, right = outcome.named_known, outcome.right
    tpir, fpir = outcome.rates(advice.threshold)
    enrolled = people_words(len(protocol.enrolled))
    return (
        f"With {enrolled} known, {_share(named & right)} of {len(right):,} pictures of them get the right name and "
        f"{_share(named & ~right)} a wrong one, at the threshold that comes with the models.",
        f"Of {len(outcome.strangers):,} pictures of strangers {_share(outcome.named_strangers)} get a name all the "
        f"same. At {advice.threshold:.3f} instead it would be {percent(fpir)}, and {percent(tpir)} of the known would "
        "get their name.",
    )


def _share(of: NDArray[np.bool_]) -> str:
    return percent(float(of.mean()))


def openset_advice(models: FaceModels, protocol: OpenSet[Face], outcome: Outcome, fpir: float) -> Advice:
    """The threshold to set so that strangers get a name at rate ``fpir``."""
    return advise(outcome.strangers, protocol.strangers.owners, fpir, "FPIR", models.matcher, len(protocol.enrolled))


def openset_figures(
    models: FaceModels, protocol: OpenSet[Face], outcome: Outcome, left_out: int
) -> list[tuple[str, Cell]]:
    """The figures in short."""
    threshold = threshold_at_far(outcome.strangers, FPIRS[0])
    named = outcome.named_known
    return [
        ("people enrolled", len(protocol.enrolled)),
        ("known probes", len(protocol.known.faces)),
        ("strangers", len(protocol.strangers.faces)),
        ("pictures left out (no face)", left_out),
        ("rank-1 [%]", round(100 * float(outcome.right.mean()), 1)),
        ("TPIR at FPIR 1 % [%]", round(100 * outcome.rates(threshold)[0], 1)),
        ("threshold that gives it", round(float(threshold), 4)),
        ("default threshold for this many", round(models.matcher.threshold(len(protocol.enrolled)), 4)),
        ("default: TPIR [%]", round(100 * float((named & outcome.right).mean()), 1)),
        ("default: FPIR [%]", round(100 * float(outcome.named_strangers.mean()), 2)),
        ("default: wrong names [%]", round(100 * float((named & ~outcome.right).mean()), 2)),
        ("calibration error of the probability", round(outcome.calibration_error, 4)),
    ]


def openset_parts(
    protocols: Mapping[str, OpenSet[Face]], outcomes: Mapping[str, Outcome], threshold: float
) -> tuple[Plot | Table, ...]:
    """Curve and tables; by condition, the first one being the one the threshold is of."""
    name, protocol = next(iter(protocols.items()))
    parts: list[Plot | Table] = [_curve(outcomes)]
    parts += [_by_condition(outcomes, threshold)] if len(outcomes) > 1 else []
    parts += [_by_quality(protocol, outcomes[name], threshold)]
    grouped = any((*protocol.known.groups, *protocol.strangers.groups))
    parts += [_by_group(protocol, outcomes[name], threshold)] if grouped else []
    return tuple(parts)


def _curve(outcomes: Mapping[str, Outcome]) -> Plot:
    curves = {n: identification_curve(o.top, o.right, o.strangers) for n, o in outcomes.items()}
    least = min(0.1, 10.0 ** np.floor(np.log10(1 / max(len(o.strangers) for o in outcomes.values()))))
    return Plot(
        "tpir",
        "How many are named rightly, at which risk of naming strangers",
        Axis("FPIR: strangers who get a name", max(float(least), 1e-5), 1.0, log=True),
        Axis("TPIR: known people named rightly"),
        tuple(Series(name, list(c.fpir), list(c.tpir)) for name, c in curves.items()),
        "Share of known probes that get the right name, over the share of strangers who get any name. "
        "The nearer to the upper left, the better.",
    )


_RATES = (
    number("known", "known probes"),
    number("strangers", "strangers"),
    Column("tpir", "TPIR"),
    Column("wrong", "wrong names", digits=2),
    Column("fpir", "FPIR", digits=2),
)


def _rates(
    outcome: Outcome, known: NDArray[np.bool_], strangers: NDArray[np.bool_], threshold: float
) -> tuple[Cell, ...]:
    named = outcome.top[known] >= threshold
    right = outcome.right[known]
    enough, strange = len(right) >= LEAST_PART, outcome.strangers[strangers]
    return (
        len(right),
        len(strange),
        float((named & right).mean()) if enough else None,
        float((named & ~right).mean()) if enough else None,
        float((strange >= threshold).mean()) if len(strange) >= LEAST_PART else None,
    )


def _by_condition(outcomes: Mapping[str, Outcome], threshold: float) -> Table:
    columns = (
        text("condition", "probes"),
        *_RATES,
        Column("rank_1", "rank-1"),
        *(Column(f"tpir_at_{rate:g}", f"TPIR at FPIR {percent(rate)}") for rate in FPIRS),
    )
    rows = []
    for name, o in outcomes.items():
        everybody = (np.ones(len(o.top), bool), np.ones(len(o.strangers), bool))
        tpir = [o.rates(threshold_at_far(o.strangers, rate))[0] for rate in FPIRS]
        rows.append((name, *_rates(o, *everybody, threshold), float(o.right.mean()), *tpir))
    words = f"At the threshold of the first row, {threshold:.4f}; enrolled pictures stay as they are."
    return Table("distance", "By distance", columns, tuple(rows), words)


def _by_quality(protocol: OpenSet[Face], outcome: Outcome, threshold: float) -> Table:
    known = np.array([face.quality for face in protocol.known.faces])
    strangers = np.array([face.quality for face in protocol.strangers.faces])
    edges = np.quantile(np.concatenate([known, strangers]), np.linspace(0, 1, PARTS + 1))
    rows = []
    for index, (low, high) in enumerate(pairwise(edges)):
        last = index == PARTS - 1
        inside = [(low <= q) & ((q <= high) if last else (q < high)) for q in (known, strangers)]
        rows.append((float(low), float(high), *_rates(outcome, inside[0], inside[1], threshold)))
    words = f"Fifths of all probes, at the threshold {threshold:.4f}. Fewer than {LEAST_PART} probes give no rate."
    return Table(
        "quality", "By quality", (number("from", "quality from", 2), number("to", "to", 2), *_RATES), tuple(rows), words
    )


def _by_group(protocol: OpenSet[Face], outcome: Outcome, threshold: float) -> Table:
    rows = []
    for group in sorted({*protocol.known.groups, *protocol.strangers.groups}):
        inside = [np.array([g == group for g in p.groups], bool) for p in (protocol.known, protocol.strangers)]
        rows.append((group or "no group", *_rates(outcome, inside[0], inside[1], threshold)))
    words = f"All at the threshold {threshold:.4f}. Fewer than {LEAST_PART} probes give no rate."
    return Table("groups", "By group", (text("group", "group"), *_RATES), tuple(rows), words)
