"""Moves a face from one frame to the next by optical flow, checked forward and backward.

After median flow (Kalal, Mikolajczyk, Matas: Forward-Backward Error, ICPR 2010), with a similarity instead of shift
and scale alone, so
that landmarks turn with the head.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tracking.geometry import Array, apply_similarity, fit_similarity, similarity_scale
from tracking.policy import TrackingPolicy

Gray = NDArray[np.uint8]

# Beyond this per-frame change a "face" was torn away by something passing in front of it.
MAX_SCALE_STEP = 1.35
PATCH = 24


@dataclass(frozen=True, slots=True)
class FlowStep:
    """A face moved by one frame: a 2×3 similarity in pixels and the share of points that agree with it (0–1)."""

    matrix: NDArray[np.float64]
    agreement: float


def step_face(previous: Gray, current: Gray, box: Array, policy: TrackingPolicy) -> FlowStep | None:
    """Find how the face in ``box`` (x, y, w, h in ``previous``) moved until ``current``; ``None`` if it cannot be
    told."""
    height, width = previous.shape
    x, y, w, h = (float(v) for v in box)
    if w < 4 or h < 4:
        return None
    margin = 0.4 * max(w, h)
    left, top = max(0, int(x - margin)), max(0, int(y - margin))
    right, bottom = min(width, int(x + w + margin)), min(height, int(y + h + margin))
    if right - left < 12 or bottom - top < 12:
        return None
    scale = min(1.0, policy.flow_face_size / w)
    before, after = previous[top:bottom, left:right], current[top:bottom, left:right]
    if scale < 1.0:
        size = (max(12, round((right - left) * scale)), max(12, round((bottom - top) * scale)))
        before, after = _shrink(before, size, scale), _shrink(after, size, scale)
    ratio = np.array([before.shape[1] / (right - left), before.shape[0] / (bottom - top)])
    points = _grid(x, y, w, h, policy.flow_grid)
    inside = ((points >= (left, top)) & (points < (right, bottom))).all(1)
    if inside.sum() < 6:
        return None
    start = ((points[inside] - (left, top)) * ratio).astype(np.float32)[:, None]
    end, back, good = _track(before, after, start)
    error = np.linalg.norm((back - start)[:, 0], axis=1)
    good &= error < policy.flow_error
    if good.mean() < policy.flow_enough or good.sum() < 5:
        return None
    source, target = start[good, 0], end[good, 0]
    # The background shares the grid's corners: keep the points that move with the median.
    shift = target - source
    distance = np.linalg.norm(shift - np.median(shift, axis=0), axis=1)
    keep = distance <= max(1.5, 2.5 * float(np.median(distance)))
    if keep.sum() < 5:
        return None
    matrix = _in_frame(fit_similarity(source[keep], target[keep]), ratio, left, top)
    zoom = similarity_scale(matrix)
    if not 1 / MAX_SCALE_STEP < zoom < MAX_SCALE_STEP:
        return None
    return FlowStep(matrix, float(keep.sum() / len(points)))


def _grid(x: float, y: float, w: float, h: float, side: int) -> Array:
    """Points over the inner face, hair and background left out: (side², 2)."""
    columns, rows = (
        np.linspace(x + 0.18 * w, x + 0.82 * w, side),
        np.linspace(y + 0.2 * h, y + 0.88 * h, side),
    )
    return np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2).astype(np.float32)


def _shrink(gray: Gray, size: tuple[int, int], scale: float) -> Gray:
    # Averaging over area is several times dearer; linear sampling aliases only below half size.
    return np.asarray(
        cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR), np.uint8
    )


def _track(before: Gray, after: Gray, start: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 8, 0.03)
    options = {"winSize": (11, 11), "maxLevel": 2, "criteria": criteria}
    end, ok, _ = cv2.calcOpticalFlowPyrLK(before, after, start, None, **options)  # type: ignore[call-overload]
    back, ok_back, _ = cv2.calcOpticalFlowPyrLK(after, before, end, None, **options)  # type: ignore[call-overload]
    good = (ok[:, 0] == 1) & (ok_back[:, 0] == 1)
    return np.asarray(end, np.float32), np.asarray(back, np.float32), good


def _in_frame(matrix: NDArray[np.float64], ratio: NDArray[np.float64], left: int, top: int) -> NDArray[np.float64]:
    """The same motion in pixels of the whole frame instead of the shrunken cut-out."""
    zoom = float(ratio.mean())
    rotation = matrix[:, :2]
    origin = np.array([left, top], np.float64)
    shift = matrix[:, 2] / zoom + origin - rotation @ origin
    return np.hstack([rotation, shift[:, None]])


def move_box(box: Array, matrix: NDArray[np.float64]) -> Array:
    """Move and scale a box with a similarity; boxes stay upright."""
    centre = apply_similarity(matrix, (box[:2] + box[2:] / 2)[None])[0]
    size = box[2:] * similarity_scale(matrix)
    return np.concatenate([centre - size / 2, size]).astype(np.float32)


def face_patch(gray: Gray, box: Array) -> NDArray[np.float32] | None:
    """A small grey picture of the face with zero mean and unit length, or ``None`` where there is none to take."""
    height, width = gray.shape
    x, y, w, h = (float(v) for v in box)
    left, top = max(0, round(x)), max(0, round(y))
    right, bottom = min(width, round(x + w)), min(height, round(y + h))
    if right - left < 4 or bottom - top < 4:
        return None
    patch = cv2.resize(gray[top:bottom, left:right], (PATCH, PATCH), interpolation=cv2.INTER_AREA).astype(np.float32)
    patch -= patch.mean()
    length = float(np.linalg.norm(patch))
    return patch / length if length > 1e-3 else None
