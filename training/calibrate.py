"""Fits a pack's threshold and calibration on labelled pictures and prints them as the manifest wants them.

    python -m training.calibrate PAIRS.csv --images DIR [--pack open]

PAIRS.csv has the columns first,second,same; file names are PERSON/FILE. Two things are fitted:

- **Calibration**: a straight line from cosine similarity to the logarithm of the likelihood ratio, by logistic
regression on the pairs with
  both kinds weighted alike (Platt 1999; Brümmer and du Preez 2006).
- **Threshold**: galleries of 1 … 300 people are drawn at random from those with two pictures, everybody else is a
stranger; the
  similarity that 1 % of strangers reach is written against 1 % divided by the size. Drawing whole galleries, rather
  than counting single
  comparisons, takes into account that some faces resemble everybody.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models import default_cache_dir, load_pack
from pipeline.face_models import FaceModels, main_face, read_photo
from pipeline.templates import fuse_template

Embedding = NDArray[np.float32]

SIZES = (1, 3, 10, 30, 100, 300)
TARGET = 0.01
DRAWS = 80


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


def fit_thresholds(people: dict[str, list[Embedding]], seed: int = 0) -> list[tuple[float, float]]:
    """(rate per comparison, similarity) for each gallery size that the people suffice for."""
    rng = np.random.default_rng(seed)
    names = list(people)
    probes = np.stack([people[name][0] for name in names])
    enrolled = np.array([i for i, name in enumerate(names) if len(people[name]) >= 2])
    templates = {i: fuse_template(people[names[i]][:2]) for i in enrolled}
    points = []
    for size in SIZES:
        if size > 0.8 * len(enrolled):
            break
        found = []
        for _ in range(DRAWS):
            chosen = rng.choice(enrolled, size, replace=False)
            strangers = np.setdiff1d(np.arange(len(names)), chosen)
            best = (probes[strangers] @ np.stack([templates[i] for i in chosen]).T).max(1)
            found.append(float(np.quantile(best, 1 - TARGET)))
        points.append((TARGET / size, float(np.mean(found))))
    return points


def main() -> None:
    """Read, embed, fit, print."""
    parser = argparse.ArgumentParser(description="Fit a pack's threshold and calibration on labelled pictures.")
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--pack", default="open")
    args = parser.parse_args()
    models = FaceModels.from_pack(load_pack(args.pack, default_cache_dir(), "cpu", print))

    with args.pairs.open(newline="") as file:
        rows = list(csv.DictReader(file))
    files = sorted({row[side] for row in rows for side in ("first", "second")})
    embeddings: dict[str, Embedding] = {}
    for done, name in enumerate(files):
        print(f"\r{done + 1} of {len(files)} pictures", end="", flush=True)
        picture = cv2.imread(str(args.images / name))
        if picture is None:
            raise SystemExit(f"\n{args.images / name}: not a picture that can be read")
        image = np.ascontiguousarray(picture[..., ::-1], np.uint8)
        face = main_face(read_photo(models, image), image.shape[1], image.shape[0])
        if face is not None:
            embeddings[name] = face.embedding
    print(f"\n{len(files) - len(embeddings)} without a face")

    usable = [row for row in rows if row["first"] in embeddings and row["second"] in embeddings]
    scores = np.array([embeddings[r["first"]] @ embeddings[r["second"]] for r in usable], np.float64)
    slope, intercept = fit_ratio(scores, np.array([r["same"] == "1" for r in usable]))
    people: dict[str, list[Embedding]] = defaultdict(list)
    for name, embedding in embeddings.items():
        people[name.split("/")[0]].append(embedding)
    print(f"calibration_slope = {slope:.2f}\ncalibration_intercept = {intercept:.2f}")
    print("fmr = [" + ", ".join(f"[{rate:.3g}, {s:.4f}]" for rate, s in fit_thresholds(people)) + "]")


if __name__ == "__main__":
    main()
