"""Boxes, overlaps and similarity transforms on plain arrays.

Boxes are float32 ``x, y, width, height`` in pixels; points are ``x, y`` in pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def iou_matrix(a: Array, b: Array) -> Array:
    """Intersection over union of every box of ``a`` (N, 4) with every box of ``b`` (M, 4): (N, M)."""
    if len(a) == 0 or len(b) == 0:
        return np.zeros((len(a), len(b)), np.float32)
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    side = np.clip(bottom_right - top_left, 0, None)
    inter = side[..., 0] * side[..., 1]
    area_a, area_b = a[:, 2] * a[:, 3], b[:, 2] * b[:, 3]
    union = area_a[:, None] + area_b[None, :] - inter
    return np.asarray(inter / np.maximum(union, 1e-6), np.float32)


def fit_similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """Least-squares rotation, uniform scale and shift that takes ``source`` to ``target``.

    Both are (N, 2) with N ≥ 2; the result is a 2×3 matrix for :func:`apply_similarity`. This is the closed form of
    Umeyama (PAMI 1991) in two dimensions, without reflection. Raises ``ValueError`` if all source points coincide.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    mean_s, mean_t = source.mean(0), target.mean(0)
    p, q = source - mean_s, target - mean_t
    spread = float((p**2).sum())
    if spread < 1e-12:
        raise ValueError("source points coincide: no similarity can be fitted")
    c = float((p * q).sum()) / spread
    d = float((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum()) / spread
    rotation = np.array([[c, -d], [d, c]])
    return np.hstack([rotation, (mean_t - rotation @ mean_s)[:, None]])


def apply_similarity(matrix: NDArray[np.float64], points: NDArray[np.floating]) -> Array:
    """Move points (N, 2) by a 2×3 matrix."""
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def similarity_scale(matrix: NDArray[np.float64]) -> float:
    """How much a 2×3 similarity enlarges."""
    return float(np.hypot(matrix[0, 0], matrix[1, 0]))
