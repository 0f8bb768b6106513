"""How alike two faces are, given how faces vary: the same likeness says more about an unusual face than about one that
resembles everybody."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models import Population

Floats = NDArray[np.float32]


class Cosine:
    """Plain cosine similarity, for packs that do not say how faces vary."""

    def __call__(self, probes: Floats, others: Floats) -> Floats:
        """Unit-length embeddings (M, dimension) and (N, dimension) → (M, N)."""
        return np.asarray(probes @ others.T, np.float32)


class Resemblance:
    """The likelihood ratio 'one person' against 'two' of the two-covariance model, on the scale of the cosine.

    A face is its person's mean plus noise; people's means are normal with covariance B, the noise has variance σ² along
    every axis (Brümmer and de Villiers, Odyssey 2010, "The speaker partitioning problem"; the simplest form of PLDA).
    Along an axis with b = B/σ², and coordinates q and t in units of σ from the mean face, the logarithm of the ratio is

        b / (1 + 2b) · q t  −  ½ b² / ((1 + b)(1 + 2b)) · (q² + t²)

    up to a constant. The pack's ``scale`` and ``offset`` turn it into something that reads like a cosine. It parts from
    the cosine itself by ``limit`` at most, which is more than it does for faces: what is no face gains nothing.
    """

    def __init__(self, population: Population) -> None:
        variance, axes = np.linalg.eigh(population.between.astype(np.float64))
        b = np.maximum(variance, 0) / population.within
        self._mean = population.mean
        self._axes = axes.astype(np.float32)
        unit = population.scale / population.within
        self._cross = (unit * b / (1 + 2 * b)).astype(np.float32)
        self._own = (-0.5 * unit * b**2 / ((1 + b) * (1 + 2 * b))).astype(np.float32)
        self._offset = np.float32(population.offset)
        self._limit = np.float32(population.limit)

    def __call__(self, probes: Floats, others: Floats) -> Floats:
        """Unit-length embeddings (M, dimension) and (N, dimension) → (M, N). Raises ``ValueError`` for another
        dimension."""
        q, t = (probes - self._mean) @ self._axes, (others - self._mean) @ self._axes
        ratio = (q * self._cross) @ t.T + (q**2 @ self._own)[:, None] + (t**2 @ self._own)[None]
        cosine = probes @ others.T
        similarity = np.clip(ratio + self._offset, cosine - self._limit, cosine + self._limit)
        return np.asarray(np.minimum(similarity, 1), np.float32)
