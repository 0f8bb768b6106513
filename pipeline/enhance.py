"""Mends a face's picture where its histogram says that it needs it, and leaves a good one alone."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from pipeline.frame import Image

Enhancement = Literal["none", "contrast", "denoise"]

DARK = 45.0  # mean lightness, 0–255, below which a face is dark …
FLAT = 16.0  # … and standard deviation below which it is flat
GRAIN = 0.08  # of the standard deviation: with more, stretching the contrast would stretch the grain as well
NOISE = 3.0  # grey levels of grain below which nobody minds it on a well lit face
CLIP, TILES = 3.0, 4  # of the adaptive histogram equalisation
# What helps recognition by measurement (docs/benchmarks.md); stretching the contrast of dark pictures does not.
WORTH: frozenset[Enhancement] = frozenset({"denoise"})


def choose_enhancement(chip: Image) -> Enhancement:
    """What an aligned RGB chip (S, S, 3) needs, by the histogram and the grain of its middle: ``contrast`` where it is
    dark or flat, ``denoise`` where grain would drown what stretching brings out, ``none`` where it is good."""
    cut = chip.shape[0] // 5
    gray = np.asarray(cv2.cvtColor(chip[cut:-cut, cut:-cut], cv2.COLOR_RGB2GRAY), np.uint8)
    mean, spread, noise = float(gray.mean()), float(gray.std()), noise_level(gray)
    grainy = noise > GRAIN * max(spread, 1.0)
    if mean < DARK or spread < FLAT:
        return "denoise" if grainy else "contrast"
    return "denoise" if grainy and noise > NOISE else "none"


def enhance(chip: Image, kind: Enhancement) -> Image:
    """An RGB chip (S, S, 3) mended as :func:`choose_enhancement` advises; ``none`` gives it back as it is.

    ``contrast`` is contrast-limited adaptive histogram equalisation (Zuiderveld, Graphics Gems IV, 1994) of lightness,
    so that colours stay what they are; ``denoise`` is a bilateral filter (Tomasi and Manduchi, ICCV 1998).
    """
    if kind == "none":
        return chip
    if kind == "denoise":
        return np.asarray(cv2.bilateralFilter(chip, 5, 30, 3), np.uint8)
    lab = cv2.cvtColor(chip, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(CLIP, (TILES, TILES)).apply(np.ascontiguousarray(lab[..., 0]))
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def mended(chip: Image) -> tuple[Image, Enhancement]:
    """A chip as it is embedded, wherever it comes from, and what was done to it: only what is worth it."""
    kind = choose_enhancement(chip)
    return (enhance(chip, kind), kind) if kind in WORTH else (chip, "none")


def noise_level(gray: Image) -> float:
    """Standard deviation of grain in grey levels, from a grey picture (H, W), whatever it shows (Immerkær, 'Fast Noise
    Variance Estimation', 1996, with the median in place of the mean, so that edges count less)."""
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    grain = np.abs(cv2.filter2D(gray.astype(np.float32), cv2.CV_32F, mask))
    return float(np.median(grain)) / 6 / 0.6745
