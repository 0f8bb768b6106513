"""How a person's samples become the one template they are recognised by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tracking import Embedding


def fuse_template(samples: Sequence[Embedding], weights: Sequence[float] | None = None) -> Embedding:
    """A person's template: the weighted mean of their samples, of unit length."""
    mean = np.average(np.stack(samples), axis=0, weights=weights)
    return (mean / np.linalg.norm(mean)).astype(np.float32)


def choose_samples(embeddings: NDArray[np.float32], qualities: NDArray[np.floating], limit: int) -> NDArray[np.int64]:
    """Which of embeddings (N, dimension) with qualities (N,) to keep, ``limit`` at most: good ones that differ.

    The best comes first, then always the one that is farthest from those chosen (farthest-first traversal, Gonzalez
    1985), its distance weighted by its quality. Rising indices; all of them if there are no more than ``limit``.
    """
    if limit < 1:
        raise ValueError(f"limit must be 1 or more, not {limit}")
    if len(embeddings) <= limit:
        return np.arange(len(embeddings))
    weights = np.clip(np.asarray(qualities, np.float64), 0.02, 1)
    chosen = [int(weights.argmax())]
    apart = 1 - embeddings @ embeddings[chosen[0]]
    while len(chosen) < limit:
        gain = np.maximum(apart, 0) * weights
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
        apart = np.minimum(apart, 1 - embeddings @ embeddings[chosen[-1]])
    return np.sort(np.array(chosen, np.int64))
