"""Fits how faces vary (:class:`models.Population`) on embeddings of people with several photos each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models import Population

Floats = NDArray[np.float64]
SHRINKAGE = 0.3  # share by which the covariance of people is drawn to a round one; chosen by cross-validation
UNLIMITED = 1e9  # while fitting
EQUAL_AT = (1e-2, 1e-4)  # shares of pairs of two people at whose similarity both scales agree


def fit_population(embeddings: NDArray[np.float32], people: NDArray[np.int64]) -> Population:
    """The two-covariance model of embeddings (N, dimension) of ``people`` (N,), numbered 0 … without gaps; its scale is
    that of the likelihood ratio itself.

    Moments with one correction: the mean of few photos varies more than the person does. Raises ``ValueError`` without
    two people, or anybody with two photos.
    """
    x = embeddings.astype(np.float64)
    photos = np.bincount(people)
    if len(photos) < 2 or not (photos > 1).any():
        raise ValueError("fitting needs two people or more, and two photos of some")
    means = np.zeros((len(photos), x.shape[1]))
    np.add.at(means, people, x)
    means /= photos[:, None]
    apart = (x - means[people])[photos[people] > 1]
    noise = apart.T @ apart / (photos[photos > 1] - 1).sum()
    between = np.cov(means.T) - noise * np.mean(1 / photos)
    variance, axes = np.linalg.eigh(between)
    variance = np.maximum(variance, 1e-6)
    variance = (1 - SHRINKAGE) * variance + SHRINKAGE * variance.mean()
    return Population(
        means.mean(0).astype(np.float32),
        ((axes * variance) @ axes.T).astype(np.float32),
        float(np.trace(noise)) / x.shape[1],
        scale=1.0,
        offset=0.0,
        limit=UNLIMITED,
    )


def read_like_cosines(ratio: Floats, cosine: Floats) -> tuple[float, float]:
    """Scale and offset that bring the ratios (N,) of pairs of two people to their cosines (N,) in the tail."""
    first, last = (np.quantile(scores, [1 - share for share in EQUAL_AT]) for scores in (ratio, cosine))
    scale = float((last[1] - last[0]) / (first[1] - first[0]))
    return scale, float(last[0] - scale * first[0])
