"""``visavis evaluate openset``: known people and strangers against a gallery, by the rule in use and plainer ones."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from pipeline.align import face_chip
from pipeline.embed import embed_chip
from pipeline.face_models import FaceModels, main_face, read_photo
from pipeline.gallery import Gallery, Person
from pipeline.metrics import expected_calibration_error, identification_at, threshold_at_far
from pipeline.templates import fuse_template
from server.commands.pictures import load_picture
from server.commands.report import show, table
from tracking import Embedding, iou_matrix

DRAWS = 1000  # of the bootstrap
RARE = 0.001

Floats = NDArray[np.float32]
Score = Callable[[Floats], Floats]  # probes (M, dimension) → similarity to each person (M, N)


@dataclass(frozen=True, slots=True)
class Views:
    """One face embedded in three ways: with landmarks of a single look and one view, with the mirror image, and as the
    product does with a photo."""

    plain: Embedding
    mirrored: Embedding
    full: Embedding
    quality: float


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


@dataclass(frozen=True, slots=True)
class Protocol:
    """Who is enrolled with which faces, and who is looked for: ``owners`` (known probes,) are indices of ``names``."""

    names: tuple[str, ...]
    enrolled: tuple[tuple[Views, ...], ...]
    known: tuple[Views, ...]
    owners: NDArray[np.int64]
    strangers: tuple[Views, ...]


@dataclass(frozen=True, slots=True)
class _Scores:
    top: Floats  # (known,) best similarity of each known probe
    right: NDArray[np.bool_]  # (known,) whether its person was the best
    strangers: Floats  # best similarity of each stranger


def compare_rules(models: FaceModels, rows: list[dict[str, str]], folder: Path, title: str, as_json: bool) -> None:
    """Embed the files of ``rows`` (role, person, file), judge all rules on them and print."""
    views, without = _embed(models, folder, sorted({row["file"] for row in rows}), quiet=as_json)
    protocol = _protocol(rows, views, title)
    rules = _rules(models, protocol)
    results, scores = [], []
    for name, kind, score in rules:
        result, found = _judge(name, score, kind, protocol, models)
        results.append(result)
        scores.append(found)
    product, found, more = _judge_product(models, protocol)
    results.append(product)
    low, high = gain_interval(scores[0], found, protocol.owners)
    gain = 100 * (product.tpir_at_1_percent - results[0].tpir_at_1_percent)
    details = [
        ("people enrolled", len(protocol.names)),
        ("known probes", len(protocol.known)),
        ("strangers", len(protocol.strangers)),
        ("pictures left out (no face)", len(without)),
        ("rank-1 [%]", round(100 * product.rank_1, 1)),
        ("TPIR at FPIR 1 % [%]", round(100 * product.tpir_at_1_percent, 1)),
        ("threshold that gives it", round(product.threshold_at_1_percent, 4)),
        ("default threshold for this many", round(models.matcher.threshold(len(protocol.names)), 4)),
        ("default: TPIR [%]", round(100 * product.default_tpir, 1)),
        ("default: FPIR [%]", round(100 * product.default_fpir, 2)),
        ("default: wrong names [%]", round(100 * product.default_wrong_names, 2)),
        ("calibration error of the probability", round(more, 4)),
        ("gain in TPIR at FPIR 1 % over the plain mean [points]", round(gain, 1)),
        ("… 95 % interval, from", round(100 * low, 1)),
        ("… to", round(100 * high, 1)),
    ]
    heading = f"Open-set identification with pack {models.manifest.name}: {title}"
    show(heading, details, as_json, without_face=without, rules=[asdict(result) for result in results])
    if not as_json:
        click.echo("\nRules, shares in %; the default columns are at the threshold the pack advises")
        table(
            ("rule", "rank-1", "TPIR@1 %", "TPIR@0.1 %", "at", "default TPIR", "FPIR", "wrong", "ms"),
            [_cells(result) for result in results],
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
    models: FaceModels, folder: Path, names: Iterable[str], quiet: bool
) -> tuple[dict[str, Views], tuple[str, ...]]:
    found: dict[str, Views] = {}
    without = []
    with click.progressbar(list(names), label="Reading faces", file=sys.stderr, hidden=quiet) as bar:
        for name in bar:
            views = _views(models, load_picture(folder / name))
            if views is None:
                without.append(name)
            else:
                found[name] = views
    return found, tuple(without)


def _views(models: FaceModels, image: NDArray[np.uint8]) -> Views | None:
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
        face.embedding,
        face.quality.overall,
    )


def _protocol(rows: list[dict[str, str]], views: dict[str, Views], title: str) -> Protocol:
    by_role = {
        role: [(row["person"], views[row["file"]]) for row in rows if row["role"] == role and row["file"] in views]
        for role in ("enrol", "probe_known", "probe_unknown")
    }
    missing = [role for role, found in by_role.items() if not found]
    if missing:
        raise click.ClickException(f"{title}: no row of role {', '.join(missing)} with a face in its picture")
    names = sorted({name for name, _ in by_role["enrol"]})
    known = by_role["probe_known"]
    return Protocol(
        tuple(names),
        tuple(tuple(face for owner, face in by_role["enrol"] if owner == name) for name in names),
        tuple(face for _, face in known),
        np.array([names.index(name) if name in names else -1 for name, _ in known], np.int64),
        tuple(face for _, face in by_role["probe_unknown"]),
    )


def _rules(models: FaceModels, protocol: Protocol) -> list[tuple[str, str, Score]]:
    """(words, which of the :class:`Views`, score) of each plainer rule, the baseline first. All are cosines."""

    def means(kind: str, weighted: bool = False) -> Score:
        fused = np.stack(
            [
                fuse_template([getattr(f, kind) for f in faces], [f.quality for f in faces] if weighted else None)
                for faces in protocol.enrolled
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


def _judge(name: str, score: Score, kind: str, protocol: Protocol, models: FaceModels) -> tuple[RuleResult, _Scores]:
    known = np.stack([getattr(face, kind) for face in protocol.known])
    strangers = np.stack([getattr(face, kind) for face in protocol.strangers])
    started = time.perf_counter()
    similarities = [score(probe[None])[0] for probe in (*known, *strangers)]
    elapsed = (time.perf_counter() - started) / len(similarities)
    ours = np.stack(similarities[: len(known)])
    best = np.stack(similarities[len(known) :]).max(1)
    scores = _Scores(ours.max(1), ours.argmax(1) == protocol.owners, best)
    default = identification_at(
        scores.top, scores.right, scores.strangers, models.matcher.threshold(len(protocol.names))
    )
    named = scores.top >= default.threshold
    wrong = float((named & ~scores.right).mean())
    return _result(name, scores, default.tpir, default.fpir, wrong, elapsed), scores


def _judge_product(models: FaceModels, protocol: Protocol) -> tuple[RuleResult, _Scores, float]:
    """The rule in use, and the calibration error of its probability."""
    dimension = len(protocol.known[0].full)
    entries = [
        (Person(str(i), name), fuse_template([f.full for f in faces], [f.quality for f in faces]), None)
        for i, (name, faces) in enumerate(zip(protocol.names, protocol.enrolled, strict=True))
    ]
    gallery = Gallery.build(entries, dimension, models.manifest.digest, 1)
    started = time.perf_counter()
    opinions = [models.matcher.decide(face.full, gallery) for face in (*protocol.known, *protocol.strangers)]
    elapsed = (time.perf_counter() - started) / len(opinions)
    known, strange = opinions[: len(protocol.known)], opinions[len(protocol.known) :]
    right = np.array([o.person == str(owner) for o, owner in zip(known, protocol.owners, strict=True)])
    named = np.array([o.verdict == "known" for o in known])
    scores = _Scores(
        np.array([o.similarity for o in known], np.float32),
        right,
        np.array([o.similarity for o in strange], np.float32),
    )
    error = expected_calibration_error(
        np.array([o.probability for o in opinions]), np.concatenate([right, np.zeros(len(strange), bool)])
    )
    fpir = float(np.mean([o.verdict == "known" for o in strange]))
    tpir, wrong = float((named & right).mean()), float((named & ~right).mean())
    return _result("the rule in use: all views, likelihood ratio", scores, tpir, fpir, wrong, elapsed), scores, error


def _result(name: str, scores: _Scores, tpir: float, fpir: float, wrong: float, elapsed: float) -> RuleResult:
    at = [
        identification_at(scores.top, scores.right, scores.strangers, threshold_at_far(scores.strangers, rate))
        for rate in (0.01, RARE)
    ]
    rank_1 = float(scores.right.mean())
    return RuleResult(
        name, rank_1, at[0].tpir, at[1].tpir, float(at[0].threshold), tpir, fpir, wrong, round(1000 * elapsed, 4)
    )


def _cells(result: RuleResult) -> list[str]:
    shares = (result.rank_1, result.tpir_at_1_percent, result.tpir_at_0_1_percent)
    default = (result.default_tpir, result.default_fpir, result.default_wrong_names)
    return [
        result.rule,
        *(f"{100 * share:.1f}" for share in shares),
        f"{result.threshold_at_1_percent:.4f}",
        *(f"{100 * share:.1f}" for share in default),
        f"{result.milliseconds:.3f}",
    ]
