"""``visavis evaluate openset``: known people and strangers against a gallery, by the rule in use and plainer ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.align import face_chip
from pipeline.embed import embed_chip
from pipeline.face_models import FaceModels, main_face, read_photo
from pipeline.frame import Image
from pipeline.metrics import identification_at, threshold_at_far
from pipeline.templates import fuse_template
from server.evaluation.conditions import Condition, Face, Load, Progress, as_taken, chance, picture_under, staged
from server.evaluation.identification import (
    OpenSet,
    Outcome,
    Probes,
    build_protocol,
    decide_all,
    openset_advice,
    openset_figures,
    openset_parts,
    openset_words,
)
from server.evaluation.labels import Row
from server.evaluation.report import Column, Report, Table, number, text
from tracking import Embedding, iou_matrix

DRAWS = 1000  # of the bootstrap
RARE = 0.001

Floats = NDArray[np.float32]
Score = Callable[[Floats], Floats]  # probes (M, dimension) → similarity to each person (M, N)


@dataclass(frozen=True, slots=True)
class Views:
    """One face embedded in three ways: with landmarks of a single look and one view, with the mirror image, and as the
    product does with a photo (``face``)."""

    plain: Embedding
    mirrored: Embedding
    face: Face

    @property
    def full(self) -> Embedding:
        """All views, as in the product."""
        return self.face.embedding


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule gives; shares are of known probes (rank-1, TPIR, wrong names) or of strangers (FPIR)."""

    rule: str
    rank_1: float
    tpir_at_1_percent: float
    tpir_at_0_1_percent: float
    threshold_at_1_percent: float
    default_tpir: float
    default_fpir: float
    default_wrong_names: float
    milliseconds: float  # per decision


RULE_COLUMNS = (
    text("rule", "rule"),
    Column("rank_1", "rank-1"),
    Column("tpir_at_1_percent", "TPIR@1 %"),
    Column("tpir_at_0_1_percent", "TPIR@0.1 %"),
    number("threshold_at_1_percent", "at", 4),
    Column("default_tpir", "default TPIR"),
    Column("default_fpir", "FPIR"),
    Column("default_wrong_names", "wrong"),
    number("milliseconds", "ms", 3),
)


@dataclass(frozen=True, slots=True)
class _Scores:
    top: NDArray[np.float64]  # (known,) best similarity of each known probe
    right: NDArray[np.bool_]  # (known,) whether its person was the best
    strangers: NDArray[np.float64]  # best similarity of each stranger


def compare_rules(
    models: FaceModels,
    rows: Sequence[Row],
    load: Load,
    conditions: Sequence[Condition],
    fpir: float,
    seed: int,
    progress: Progress,
    subject: str,
) -> Report:
    """Judge all rules on the faces of ``rows`` (role, person, file) under the first condition, and the rule in use
    under every one. Enrolled pictures stay as they are.

    Raises :class:`server.evaluation.labels.EvaluationError`.
    """
    clean = Condition()
    plan = list(dict.fromkeys([clean, *conditions]))
    seen: dict[Condition, dict[str, Views]] = {}
    without: set[str] = set()
    for stage, condition in enumerate(plan):
        enrol = {row["file"] for row in rows if row["role"] == "enrol" and condition.clean}
        probes = {row["file"] for row in rows if row["role"] != "enrol" and condition in conditions}
        tell = staged(progress, stage, len(plan))
        seen[condition], missing = _embed(models, sorted(enrol | probes), load, condition, seed, tell)
        without |= missing if condition in (clean, conditions[0]) else set()
    protocols = {c: build_protocol(rows, seen[clean], seen[c]) for c in conditions}
    judged = [_judge(rule, protocols[conditions[0]], models) for rule in _rules(protocols[conditions[0]])]
    outcomes = {c: decide_all(models, _faces(protocol)) for c, protocol in protocols.items()}
    return _report(models, protocols, judged, outcomes, fpir, subject, sorted(without))


def _report(
    models: FaceModels,
    protocols: Mapping[Condition, OpenSet[Views]],
    judged: Sequence[tuple[RuleResult, _Scores]],
    outcomes: Mapping[Condition, Outcome],
    fpir: float,
    subject: str,
    without: Sequence[str],
) -> Report:
    condition, outcome = next(iter(outcomes.items()))
    protocol = _faces(protocols[condition])
    scores = _Scores(outcome.top, outcome.right, outcome.strangers)
    named, right = outcome.named_known, outcome.right
    rates = (float((named & right).mean()), float(outcome.named_strangers.mean()), float((named & ~right).mean()))
    product = _result("the rule in use: all views, likelihood ratio", scores, *rates, outcome.seconds)
    base, base_scores = judged[0]
    low, high = gain_interval(base_scores, scores, protocol.known.owners)
    gain = 100 * (product.tpir_at_1_percent - base.tpir_at_1_percent)
    advice = openset_advice(models, protocol, outcome, fpir)
    parts = openset_parts(
        {c.name: _faces(protocols[c]) for c in outcomes}, {c.name: o for c, o in outcomes.items()}, advice.threshold
    )
    said = "" if condition.clean else f", {condition.name}"
    rules = tuple(tuple(asdict(result).values()) for result in [*(result for result, _ in judged), product])
    return Report(
        f"Open-set identification with pack {models.manifest.name}{said}",
        (
            *openset_figures(models, protocol, outcome, len(without)),
            ("gain in TPIR at FPIR 1 % over the plain mean [points]", round(gain, 1)),
            ("… 95 % interval, from", round(100 * low, 1)),
            ("… to", round(100 * high, 1)),
            *advice.figures,
        ),
        (
            Table("rules", "Rules", RULE_COLUMNS, rules, "The default columns are at the threshold the pack advises."),
            *parts,
        ),
        advice.notes,
        subject,
        {"without_face": without},
        openset_words(protocol, outcome, advice),
    )


def gain_interval(base: _Scores, better: _Scores, owners: NDArray[np.int64], seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of the gain in TPIR at FPIR 1 %, by drawing people and strangers anew (bootstrap).

    A person's probes stay together, as they are alike.
    """
    rng = np.random.default_rng(seed)
    probes = [np.flatnonzero(owners == person) for person in np.unique(owners)]
    gains = []
    for _ in range(DRAWS):
        known = np.concatenate([probes[i] for i in rng.integers(0, len(probes), len(probes))])
        strange = rng.integers(0, len(base.strangers), len(base.strangers))
        tpir = []
        for scores in (base, better):
            threshold = threshold_at_far(scores.strangers[strange], 0.01)
            tpir.append(float(((scores.top[known] >= threshold) & scores.right[known]).mean()))
        gains.append(tpir[1] - tpir[0])
    low, high = np.quantile(gains, [0.025, 0.975])
    return float(low), float(high)


def _embed(
    models: FaceModels, names: Sequence[str], load: Load, condition: Condition, seed: int, progress: Progress
) -> tuple[dict[str, Views], set[str]]:
    found: dict[str, Views] = {}
    for index, name in enumerate(names):
        progress(index, len(names))
        made = picture_under(models.detector, load(name), condition, chance(name, condition, seed))
        views = None if made is None else _views(models, *made)
        if views is not None:
            found[name] = views
    progress(len(names), len(names))
    return found, set(names) - set(found)


def _views(models: FaceModels, image: Image, scale: float) -> Views | None:
    face = main_face(read_photo(models, image), image.shape[1], image.shape[0])
    if face is None:
        return None
    spec = models.embedder.spec
    once = models.detector.detect(image, max(image.shape[:2]))
    overlap = iou_matrix(face.box[None], once.boxes)[0] if len(once) else np.zeros(0)
    seen = len(once) and overlap.max() > 0.3
    plain = once.landmarks[int(overlap.argmax())] if seen else face.landmarks
    chips = [face_chip(image, points, spec.template, spec.size) for points in (plain, face.landmarks)]
    return Views(
        embed_chip(models.embedder, chips[0], mirror=False),
        embed_chip(models.embedder, chips[1], mirror=True),
        as_taken(models, image, face, scale),
    )


def _faces(protocol: OpenSet[Views]) -> OpenSet[Face]:
    """As the product sees them."""
    known, strangers = (
        Probes(tuple(views.face for views in probes.faces), probes.owners, probes.groups)
        for probes in (protocol.known, protocol.strangers)
    )
    return OpenSet(tuple(tuple(v.face for v in own) for own in protocol.enrolled), known, strangers)


def _rules(protocol: OpenSet[Views]) -> list[tuple[str, str, Score]]:
    """(words, which of the :class:`Views`, score) of each plainer rule, the baseline first. All are cosines."""

    def means(kind: str, weighted: bool = False) -> Score:
        fused = np.stack(
            [
                fuse_template([getattr(v, kind) for v in views], [v.face.quality for v in views] if weighted else None)
                for views in protocol.enrolled
            ]
        )
        return lambda probes: probes @ fused.T

    def nearest(kind: str) -> Score:
        samples = np.stack([getattr(face, kind) for faces in protocol.enrolled for face in faces])
        starts = np.cumsum([0, *(len(faces) for faces in protocol.enrolled[:-1])])
        return lambda probes: np.asarray(np.maximum.reduceat(probes @ samples.T, starts, axis=1), np.float32)

    return [
        ("plain mean: one look, one view", "plain", means("plain")),
        ("plain nearest sample", "plain", nearest("plain")),
        ("mean, with the mirror image", "mirrored", means("mirrored")),
        ("mean weighted by quality, with the mirror image", "mirrored", means("mirrored", weighted=True)),
        ("nearest sample (maximum), with the mirror image", "mirrored", nearest("mirrored")),
        ("mean weighted by quality, all views", "full", means("full", weighted=True)),
    ]


def _judge(rule: tuple[str, str, Score], protocol: OpenSet[Views], models: FaceModels) -> tuple[RuleResult, _Scores]:
    name, kind, score = rule
    known = np.stack([getattr(views, kind) for views in protocol.known.faces])
    strangers = np.stack([getattr(views, kind) for views in protocol.strangers.faces])
    started = time.perf_counter()
    similarities = [score(probe[None])[0] for probe in (*known, *strangers)]
    elapsed = (time.perf_counter() - started) / len(similarities)
    ours = np.stack(similarities[: len(known)]).astype(np.float64)
    best = np.stack(similarities[len(known) :]).astype(np.float64).max(1)
    scores = _Scores(ours.max(1), ours.argmax(1) == protocol.known.owners, best)
    default = identification_at(
        scores.top, scores.right, scores.strangers, models.matcher.threshold(len(protocol.enrolled))
    )
    named = scores.top >= default.threshold
    wrong = float((named & ~scores.right).mean())
    return _result(name, scores, default.tpir, default.fpir, wrong, elapsed), scores


def _result(name: str, scores: _Scores, tpir: float, fpir: float, wrong: float, elapsed: float) -> RuleResult:
    at = [
        identification_at(scores.top, scores.right, scores.strangers, threshold_at_far(scores.strangers, rate))
        for rate in (0.01, RARE)
    ]
    rank_1 = float(scores.right.mean())
    return RuleResult(
        name, rank_1, at[0].tpir, at[1].tpir, float(at[0].threshold), tpir, fpir, wrong, round(1000 * elapsed, 4)
    )
