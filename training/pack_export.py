"""Writes a trained embedder as a pack the server can run at once: a folder with ``pack.toml`` in the models folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import available_packs, ensure_pack, load_manifest, verify_pack
from models.lockfile import file_sha256, write_atomically
from models.manifest import OWN_MANIFEST
from pipeline.metrics import OperatingPoint, cross_validated_accuracy, equal_error_rate, operating_point
from pipeline.resemblance import Cosine
from training.calibrate import Faces, fit_ratio, fit_thresholds, pair_scores

EMBEDDER = "embedder.onnx"
INPUT_MEAN, INPUT_SCALE = 127.5, 1 / 128  # RGB 0–255 to about −1 … 1, FaceNet's fixed standardisation
MARGIN = 0.05  # of how far one person's pictures lie from two people's, by which the best must lead
SAME_FACE_ODDS = 19.0  # likelihood ratio from which two faces in one session are taken for one
PAIRS = 6000  # of each kind, at most, for the accuracy by folds


class PackRefused(Exception):
    """A pack that is not written, in words for the person who asked for it."""


@dataclass(frozen=True, slots=True)
class Verification:
    """How well people never learnt are told apart, on all pairs of their pictures."""

    people: int
    genuine: int
    impostor: int
    accuracy: float
    deviation: float
    equal_error: float
    points: tuple[OperatingPoint, ...]

    def lines(self) -> list[str]:
        """In words."""
        return [
            f"on {self.people} people it never learnt ({self.genuine} pairs of one person, {self.impostor} of two):",
            f"accuracy by folds {100 * self.accuracy:.1f} ± {100 * self.deviation:.1f} %, "
            f"equal error rate {100 * self.equal_error:.1f} %",
            *(f"TAR at FAR {point.far:g}: {100 * point.tar:.1f} %" for point in self.points),
        ]


@dataclass(frozen=True, slots=True)
class Matching:
    """What the manifest says of similarities; see :class:`models.MatchingSpec`."""

    fmr: tuple[tuple[float, float], ...]
    slope: float
    intercept: float
    margin: float
    same_face: float


def verify(faces: Faces, seed: int = 0) -> Verification:
    """Figures on labelled embeddings. Raises ``ValueError`` without pairs of both kinds."""
    scores, same = pair_scores(faces, Cosine())
    genuine, impostor = scores[same], scores[~same]
    random = np.random.default_rng(seed)
    count = min(len(genuine), len(impostor), PAIRS)
    folds = min(10, count)
    if folds < 2:
        raise ValueError("verification needs at least two pairs of one person and two of different people")
    drawn = np.concatenate([random.choice(kind, count, replace=False) for kind in (genuine, impostor)])
    accuracy, deviation = cross_validated_accuracy(drawn, np.arange(2 * count) < count, folds)
    points = tuple(operating_point(genuine, impostor, far) for far in (1e-1, 1e-2, 1e-3))
    people = len(np.unique(faces.people))
    error = equal_error_rate(genuine, impostor)
    return Verification(people, len(genuine), len(impostor), accuracy, deviation, error, points)


def fit_matching(faces: Faces) -> Matching:
    """Threshold and calibration as :mod:`training.calibrate` fits them, for plain cosines.

    Raises :class:`PackRefused` if one person's pictures are no more alike than two people's.
    """
    scores, same = pair_scores(faces, Cosine())
    slope, intercept = fit_ratio(scores, same)
    if slope <= 0:
        raise PackRefused("pictures of one person are no more alike to this network than pictures of two: train longer")
    points: list[tuple[float, float]] = []
    for rate, similarity in fit_thresholds([(faces, Cosine())]):
        similarity = min(similarity, 1.0)
        if not points or similarity > points[-1][1]:  # few people leave steps in it
            points.append((rate, similarity))
    if not points:
        raise PackRefused("too few people to fit a threshold: at least two with two pictures are needed")
    apart = float(scores[same].mean() - scores[~same].mean())
    same_face = float(np.clip((np.log(SAME_FACE_ODDS) - intercept) / slope, -0.99, 0.999))
    return Matching(tuple(points), slope, intercept, max(MARGIN * apart, 0.0), same_face)


def write_pack(
    models_dir: Path,
    name: str,
    embedder: Path,
    *,
    side: int,
    dimension: int,
    template: NDArray[np.float32],
    matching: Matching,
    licence: str,
    summary: str,
) -> Path:
    """Write the pack ``name`` with an ONNX embedder and the open pack's detector; returns its folder.

    A pack of that name that is the user's own is replaced. Raises :class:`PackRefused` for a name that cannot be, and
    :class:`models.ModelError` if what was written does not verify.
    """
    folder = claim_name(models_dir, name)
    detector = load_manifest("open").detector
    found = ensure_pack("open", models_dir, lambda line: None) / detector.file
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(found, folder / detector.file)
    if embedder.resolve() != (folder / EMBEDDER).resolve():
        shutil.copyfile(embedder, folder / EMBEDDER)
    files = {detector.file: "MIT", EMBEDDER: licence}
    tables: list[tuple[str, Mapping[str, object]]] = [
        ("", {
            "name": name, "summary": summary, "licence": f"{licence} (detector: MIT)", "origin": "own",
            "default": False, "size": sum((folder / file).stat().st_size for file in files),
        }),
        *(("[files]", {"name": file, "licence": terms, "sha256": file_sha256(folder / file)})
          for file, terms in files.items()),
        ("detector", {
            "kind": detector.kind, "file": detector.file, "score_threshold": detector.score_threshold,
            "nms": detector.nms, "stride": detector.stride,
        }),
        ("embedder", {
            "kind": "facenet", "file": EMBEDDER, "size": side, "dimension": dimension, "mean": INPUT_MEAN,
            "scale": INPUT_SCALE, "mirror": True, "template": np.round(template.astype(float), 3).tolist(),
        }),
        ("matching", {
            "metric": "cosine", "fmr": [[round(r, 9), round(s, 6)] for r, s in matching.fmr], "target_fpir": 0.01,
            "margin": round(matching.margin, 6), "calibration_slope": round(matching.slope, 4),
            "calibration_intercept": round(matching.intercept, 4), "same_face": round(matching.same_face, 6),
            "min_face": load_manifest("open").matching.min_face,
        }),
    ]  # fmt: skip
    write_atomically(folder / OWN_MANIFEST, _toml(tables).encode())
    load_manifest(name, models_dir)  # what was written can be read
    if any(status.state != "ok" for status in verify_pack(name, models_dir)):
        raise PackRefused(f"{folder} was changed while it was written; export again")
    return folder


def claim_name(models_dir: Path, name: str) -> Path:
    """The folder of one's own pack ``name``. Raises :class:`PackRefused` if the name is taken or no name for a pack."""
    folder = models_dir / name
    if not name or not all(c in "abcdefghijklmnopqrstuvwxyz0123456789_" for c in name) or name.startswith("_"):
        raise PackRefused(f"{name!r} is no name for a pack: small letters, digits and _")
    if name in {pack.name for pack in available_packs()}:
        raise PackRefused(f"{name!r} is the name of a pack that comes with Visavis; choose another")
    if folder.exists() and not (folder / OWN_MANIFEST).exists() and any(folder.iterdir()):
        raise PackRefused(f"{folder} holds something else; choose another name")
    return folder


def _toml(tables: Sequence[tuple[str, Mapping[str, object]]]) -> str:
    """TOML of flat tables; strings, numbers, flags and lists of numbers are written as JSON has them."""
    text = "# Written by python -m training.facenet; docs/training.md says what each field means.\n"
    for title, values in tables:
        text += f"\n[{title}]\n" if title else "\n"
        text += "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())
    return text
