"""Fits how a pack compares faces, its threshold and its calibration on labelled pictures; prints them as the manifest
wants them.

    python -m training.calibrate PAIRS.csv --images DIR --population OUT.npz [--pack open] [--leave-out PROTOCOL.csv]

PAIRS.csv has the columns first,second; file names are PERSON/FILE, and all pairs are formed anew. People in the column
``file`` of PROTOCOL.csv stay out of the fit, so that the protocol measures on people never seen. Fitted are:

- **Population**: :mod:`training.population`, on everybody; written to OUT.npz. For what follows people are halved, and
  each half is compared with what was fitted on the other: nobody is judged by numbers fitted on their own face.
- **Calibration**: a straight line from similarity to the logarithm of the likelihood ratio, by logistic regression on
  all pairs with both kinds weighted alike (Platt 1999; Brümmer and du Preez 2006).
- **Threshold**: galleries of 1 … 180 people are drawn at random from those with two pictures, everybody else is a
  stranger; the similarity that 1 % of strangers reach is written against 1 % divided by the size. Drawing whole
  galleries, rather than counting single comparisons, takes into account that some faces resemble everybody.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models import Population, default_cache_dir, load_pack
from pipeline.face_models import FaceModels, main_face, read_photo
from pipeline.resemblance import Cosine, Resemblance
from pipeline.templates import fuse_template
from training.population import fit_population, read_like_cosines

Embedding = NDArray[np.float32]
Compare = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]

SIZES = (1, 3, 10, 30, 100, 180)
TARGET = 0.01
DRAWS = 80
LIMIT = 0.02  # by which likeness may part from the cosine: faces stay within three quarters of it


@dataclass(frozen=True, eq=False, slots=True)
class Faces:
    """Embeddings (N, dimension) of people (N,), numbered 0 … without gaps."""

    embeddings: NDArray[np.float32]
    people: NDArray[np.int64]

    def of(self, chosen: NDArray[np.int64]) -> Faces:
        """Those of some people, numbered anew."""
        keep = np.isin(self.people, chosen)
        return Faces(self.embeddings[keep], np.unique(self.people[keep], return_inverse=True)[1])

    def halves(self, seed: int) -> tuple[Faces, Faces]:
        """Two with other people in each, alike in how many photos they have."""
        photos = np.bincount(self.people)
        order = np.lexsort((np.random.default_rng(seed).random(len(photos)), photos))
        return self.of(order[::2]), self.of(order[1::2])


def fit_ratio(scores: NDArray[np.float64], same: NDArray[np.bool_], steps: int = 50) -> tuple[float, float]:
    """Slope and intercept of the log-likelihood ratio, by Newton's method. Raises ``ValueError`` without both kinds."""
    if same.all() or not same.any():
        raise ValueError("calibration needs pairs of the same person and of different people")
    centre, spread = float(scores.mean()), float(scores.std())
    x = np.stack([(scores - centre) / spread, np.ones_like(scores)], 1)
    weight = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    # Targets a little inside 0 and 1, as Platt has it, keep the line from growing steep on data that separate well.
    target = np.where(same, (same.sum() + 1) / (same.sum() + 2), 1 / ((~same).sum() + 2))
    theta = np.zeros(2)
    for _ in range(steps):
        p = 1 / (1 + np.exp(-x @ theta))
        gradient = x.T @ (weight * (p - target))
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        theta -= step
        if np.abs(step).max() < 1e-9:
            break
    slope = theta[0] / spread
    return float(slope), float(theta[1] - slope * centre)


def pair_scores(faces: Faces, compare: Compare) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Similarity of every pair of photos, and whether they are of one person."""
    first, second = np.triu_indices(len(faces.embeddings), 1)
    scores = compare(faces.embeddings, faces.embeddings)[first, second].astype(np.float64)
    return scores, faces.people[first] == faces.people[second]


def fit_thresholds(tests: Sequence[tuple[Faces, Compare]], seed: int = 0) -> list[tuple[float, float]]:
    """(rate per comparison, similarity) for each gallery size that the people suffice for, over all ``tests``."""
    rng = np.random.default_rng(seed)
    prepared = []
    for faces, compare in tests:
        photos = np.bincount(faces.people)
        groups = [faces.embeddings[faces.people == i] for i in range(len(photos))]
        enrolled = np.flatnonzero(photos >= 2)
        templates = np.stack([fuse_template(list(groups[i][:2])) for i in enrolled])
        prepared.append((compare(np.stack([group[0] for group in groups]), templates), enrolled))
    points = []
    for size in SIZES:
        if size > 0.8 * min(len(enrolled) for _, enrolled in prepared):
            break
        found = []
        for _ in range(DRAWS):
            for scores, enrolled in prepared:
                chosen = rng.choice(len(enrolled), size, replace=False)
                strangers = np.setdiff1d(np.arange(len(scores)), enrolled[chosen])
                found.append(float(np.quantile(scores[np.ix_(strangers, chosen)].max(1), 1 - TARGET)))
        points.append((TARGET / size, float(np.mean(found))))
    return points


def fit_scale(faces: Faces, seed: int = 0) -> tuple[float, float]:
    """Scale and offset of a population's likelihood ratio, on halves fitted crosswise."""
    ratios, cosines = [], []
    for fitted, judged in _crosswise(faces, seed):
        ratio, same = pair_scores(judged, Resemblance(fit_population(fitted.embeddings, fitted.people)))
        ratios.append(ratio[~same])
        cosines.append(pair_scores(judged, Cosine())[0][~same])
    return read_like_cosines(np.concatenate(ratios), np.concatenate(cosines))


def calibrate(faces: Faces, seed: int = 0) -> tuple[Population, tuple[float, float], list[tuple[float, float]]]:
    """Population, (slope, intercept) of the calibration, and thresholds."""
    scale, offset = fit_scale(faces, seed)
    tests: list[tuple[Faces, Compare]] = []
    for fitted, judged in _crosswise(faces, seed):
        population = fit_population(fitted.embeddings, fitted.people)
        tests.append((judged, Resemblance(replace(population, scale=scale, offset=offset, limit=LIMIT))))
    scores, same = zip(*(pair_scores(judged, compare) for judged, compare in tests), strict=True)
    population = replace(fit_population(faces.embeddings, faces.people), scale=scale, offset=offset, limit=LIMIT)
    return population, fit_ratio(np.concatenate(scores), np.concatenate(same)), fit_thresholds(tests)


def main() -> None:
    """Read, embed, fit, print."""
    parser = argparse.ArgumentParser(description="Fit how a pack compares faces on labelled pictures.")
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--population", type=Path, required=True)
    parser.add_argument("--leave-out", type=Path)
    parser.add_argument("--pack", default="open")
    args = parser.parse_args()
    left_out: set[str] = set()
    if args.leave_out:
        with args.leave_out.open(newline="") as file:
            left_out = {row["file"].split("/")[0] for row in csv.DictReader(file)}
    with args.pairs.open(newline="") as file:
        names = {row[side] for row in csv.DictReader(file) for side in ("first", "second")}
    faces = _embed(args.pack, args.images, sorted(name for name in names if name.split("/")[0] not in left_out))
    population, (slope, intercept), thresholds = calibrate(faces)
    np.savez(args.population, mean=population.mean, between=population.between, within=np.float64(population.within))
    print("fmr = [" + ", ".join(f"[{rate:.3g}, {s:.4f}]" for rate, s in thresholds) + "]")
    print(f"calibration_slope = {slope:.2f}\ncalibration_intercept = {intercept:.2f}")
    print(f"[matching.population]\nscale = {population.scale:.6g}\noffset = {population.offset:.6g}")
    print(f"limit = {population.limit:g}")


def _crosswise(faces: Faces, seed: int) -> list[tuple[Faces, Faces]]:
    one, other = faces.halves(seed)
    return [(one, other), (other, one)]


def _embed(pack: str, folder: Path, names: Sequence[str]) -> Faces:
    models = FaceModels.from_pack(load_pack(pack, default_cache_dir(), "cpu", print))
    embeddings: list[Embedding] = []
    people: list[str] = []
    for done, name in enumerate(names):
        print(f"\r{done + 1} of {len(names)} pictures", end="", flush=True)
        picture = cv2.imread(str(folder / name))
        if picture is None:
            raise SystemExit(f"\n{folder / name}: not a picture that can be read")
        image = np.ascontiguousarray(picture[..., ::-1], np.uint8)
        face = main_face(read_photo(models, image), image.shape[1], image.shape[0])
        if face is not None:
            embeddings.append(face.embedding)
            people.append(name.split("/")[0])
    print(f"\n{len(names) - len(people)} without a face, {len(set(people))} people")
    return Faces(np.stack(embeddings), np.unique(people, return_inverse=True)[1])


if __name__ == "__main__":
    main()
