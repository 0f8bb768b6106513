"""Which detection belongs to which track."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracking.geometry import Array, iou_matrix


def position_affinity(tracks: Array, detections: Array) -> NDArray[np.float32]:
    """How well boxes (N, 4) and (M, 4) agree, 0–1: (N, M).

    Overlap, or half the closeness of the centres where a fast face has outrun its box; 0 if one is twice the other's
    size.
    """
    overlap = iou_matrix(tracks, detections)
    if overlap.size == 0:
        return overlap
    centres_a, centres_b = tracks[:, :2] + tracks[:, 2:] / 2, detections[:, :2] + detections[:, 2:] / 2
    distance = np.linalg.norm(centres_a[:, None] - centres_b[None], axis=2)
    size_a, size_b = np.sqrt(tracks[:, 2] * tracks[:, 3]), np.sqrt(detections[:, 2] * detections[:, 3])
    near = 0.5 * np.clip(1 - distance / np.maximum(size_a[:, None], size_b[None]), 0, None)
    ratio = size_a[:, None] / np.maximum(size_b[None], 1e-6)
    return np.where((ratio > 0.5) & (ratio < 2.0), np.maximum(overlap, near), 0).astype(np.float32)


def assign(affinity: NDArray[np.float32], gate: float) -> list[tuple[int, int]]:
    """Pairs (row, column), each used once, best affinity first, none below ``gate``."""
    pairs: list[tuple[int, int]] = []
    if affinity.size == 0:
        return pairs
    rest = affinity.copy()
    while True:
        row, column = np.unravel_index(int(rest.argmax()), rest.shape)
        if rest[row, column] < gate:
            return pairs
        pairs.append((int(row), int(column)))
        rest[row, :] = -1
        rest[:, column] = -1
