"""Whether what turned is a head or a sheet: the turned picture is laid back upon the still one, and what remains of
motion is held against the relief of a face.

A flat picture that turns moves by a homography, a bent one (as bent as paper bends) by that and by little more than
quadratic terms. Both are taken out. What is left to a head is its nose, which moves against the cheeks beside it. How
far it has to move is known: as far as the nose did between eyes and mouth, by the detector's landmarks. So the answer
is a share, 1 for a head and 0 for a sheet, however far the head was turned and however large its nose is.

After plane plus parallax (Irani, Anandan: Parallax Geometry of Pairs of Points for 3D Scene Analysis, ECCV 1996).
Lengths are in pixels of a cut-out in which the face is :data:`FACE` wide, unless they say otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tracking.flow import Gray
from tracking.geometry import Array, apply_similarity, fit_similarity

Points = NDArray[np.float64]

FACE = 160  # a face is shrunk or enlarged to this width
MARGIN = 0.6  # of its width, around it
SHADE = 8  # light and shade wider than this are taken out, as they change when a head turns
CELLS = 13  # along each side of the grid: one point in each cell, where there is most to hold on to
WINDOW = 15  # side of the patch a point is followed by
RETURN = 1.0  # how far from where it began a point may end that is followed there and back
ENOUGH = 40  # points that have to be found again for anything to be said
FARTHEST = 0.5  # eye distances that no part of a face moves against the others
ROUNDS = 4  # of weighing outliers down
AREA = (0.78, -0.85, 0.72)  # half width, top and bottom of what is followed, eye distances from between eyes and mouth
PATCH = WINDOW * 2.17 / FACE  # the same in eye distances: a detected face is so many wide (pipeline/distance.py)
# Errors of neighbouring points are alike, as their patches overlap: as if there were fewer points.
OVERLAP = PATCH / (2 * AREA[0] / CELLS)

# The ridge of the nose and the lips above the plane of eyes and mouth corners, from the eyes down; the tip is 1.
# After the usual six-point model of a head (nose 27 mm before the outer corners of the eyes, chin 14, mouth corners 2).
_DOWN = (-0.9, -0.55, -0.4, 0.0, 0.14, 0.25, 0.5, 0.8)
_HEIGHT = (0.2, 0.1, 0.25, 1.0, 0.65, 0.25, 0.4, 0.3)
_WIDTH = (0.2, 0.1, 0.12, 0.22, 0.25, 0.25, 0.4, 0.4)  # where the height has fallen to a third


@dataclass(frozen=True, slots=True)
class Relief:
    """How far the nose moved against the sheet that explains the rest, with its standard error, and how far it should
    have moved by the landmarks; all along the line of the eyes, in eye distances."""

    moved: float
    error: float
    expected: float


@dataclass(frozen=True, slots=True)
class Share:
    """What of the expected movement there was: 1 for a head, 0 for a sheet, with its standard error."""

    value: float
    error: float


def pooled(reliefs: list[Relief], still: float) -> Share:
    """One share from several pictures of one turn. ``still`` is how far the nose seemed to move while it did not
    (root mean square, eye distances). Errors are not averaged away: all pictures are held against the same one.

    Raises ``ValueError`` without pictures."""
    if not reliefs:
        raise ValueError("reliefs is empty: there is no picture of the turn")
    moved, error, expected = (np.array([getattr(r, name) for r in reliefs]) for name in ("moved", "error", "expected"))
    energy = max(float((expected**2).sum()), 1e-9)
    spread = np.sqrt(float((expected**2 * (error**2 + still**2)).sum()) / energy)
    return Share(float((moved * expected).sum() / energy), float(spread / np.sqrt(energy / len(reliefs))))


def nose_offset(landmarks: Array) -> float:
    """Where the nose is between the eyes and the corners of the mouth, along the line of the eyes in eye distances.

    No turning of a flat picture changes it, but for what perspective adds. Positive to the right of the picture.
    """
    points = np.asarray(landmarks, np.float64)
    across, down = points[1] - points[0], points[3:].mean(0) - points[:2].mean(0)
    frame = np.stack([across, down], 1)
    if abs(np.linalg.det(frame)) < 1e-6:
        return 0.0
    return float(np.linalg.solve(frame, points[2] - _centre(points))[0])


def relief_at(points: Points) -> NDArray[np.float64]:
    """The height of nose and lips at points (N, 2): eye distances right and down of the middle of eyes and mouth. The
    tip's is 1."""
    x, y = points.T
    height, width = np.interp(y, _DOWN, _HEIGHT), np.interp(y, _DOWN, _WIDTH)
    return np.asarray(height * np.exp(-((x / width) ** 2)), np.float64)


def share_of_relief(points: Points, moved: Points) -> tuple[float, float]:
    """How much of ``moved`` (N, 2), along the first axis, is the relief's and no sheet's, with its standard error.

    ``points`` and ``moved`` are in eye distances, in the axes of the face. Raises ``ValueError`` for too few points.
    """
    if len(points) < 20:
        raise ValueError(f"points has {len(points)} rows; a sheet and a relief are told apart by 20 or more")
    basis, _ = np.linalg.qr(_quadratic(points))
    relief = _as_followed(points)
    relief = relief - basis @ (basis.T @ relief)
    left = moved[:, 0] - basis @ (basis.T @ moved[:, 0])
    weight = np.ones(len(points))
    share, strength, rest = 0.0, 0.0, left
    for _ in range(ROUNDS):
        strength = max(float((weight * relief * relief).sum()), 1e-9)
        share = float((weight * relief * left).sum()) / strength
        rest = left - share * relief
        weight = _trust(np.abs(rest))
    return share, float(OVERLAP * _noise(points, rest) / np.sqrt(strength))


def _noise(points: Points, rest: NDArray[np.float64]) -> float:
    """The standard deviation of what is left, between points just so far apart that their patches share nothing: a
    face's cheeks and brows are no noise, and alike at both."""
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    one, other = np.nonzero(np.triu((apart >= PATCH) & (apart < 1.5 * PATCH), 1))
    if len(one) < 20:
        return float(rest.std())
    return float(1.4826 * np.median(np.abs(rest[one] - rest[other])) / np.sqrt(2))


def _as_followed(points: Points) -> NDArray[np.float64]:
    """The relief as patches see it that are followed as a whole: its mean over each."""
    steps = PATCH * np.linspace(-0.5, 0.5, 5)
    around = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 1, 2)
    seen = relief_at((points + around).reshape(-1, 2)).reshape(len(around), -1)
    return np.asarray(seen.mean(0), np.float64)


def _quadratic(places: Points) -> Points:
    """What the movement of a sheet is made of, at points (N, 2): (N, 6)."""
    x, y = places.T
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 1)


def _sheet(places: Points, found: Points) -> Points:
    """The movement of a sheet (6, 2) that takes points nearest to where they were found."""
    design, weight = _quadratic(places), np.ones(len(places))
    fitted: Points = np.zeros((design.shape[1], 2))
    for _ in range(ROUNDS):
        root = np.sqrt(weight)[:, None]
        fitted = np.asarray(np.linalg.lstsq(design * root, found * root, rcond=None)[0], np.float64)
        weight = _trust(np.linalg.norm(found - design @ fitted, axis=1))
    return fitted


def _trust(off: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights after Huber: blinking eyes and a mouth that talks are outliers."""
    return np.asarray(1 / np.maximum(1.0, off / max(3 * float(np.median(off)), 1e-4)), np.float64)


class FacePoints:
    """Points of one face from a still picture on, followed from frame to frame."""

    def __init__(self, gray: Gray, box: Array, landmarks: Array) -> None:
        self.landmarks = np.asarray(landmarks, np.float32).copy()
        self._gray = gray
        self._at = self.landmarks  # where the landmarks are in the newest frame
        self._still, self._to_still = _cut(gray, box)
        still = _apply(self._to_still, self.landmarks)
        self._axes = _Axes(still)
        self.points = _choose(self._still, self._axes)
        self._now = _apply(_back(self._to_still), self.points)  # in the newest frame
        self._alive = np.ones(len(self.points), bool)

    @property
    def alive(self) -> float:
        """The share of the points that were followed without a break."""
        return float(self._alive.mean()) if len(self._alive) else 0.0

    def advance(self, gray: Gray, box: Array, landmarks: Array) -> None:
        """Follow to the next frame; ``box`` and ``landmarks`` are where the tracker has the face in it."""
        if gray.shape != self._gray.shape or not self._alive.any():
            self._alive[:] = False
            self._gray = gray
            return
        before, matrix = _cut(self._gray, box)
        after, _ = _cut(gray, box)
        guess = apply_similarity(fit_similarity(self._at, landmarks), self._now.astype(np.float32))
        start, towards = _apply(matrix, self._now), _apply(matrix, np.asarray(guess, np.float64))
        end, good = _follow(before, after, start, towards)
        self._now = _apply(_back(matrix), end)
        self._alive &= good
        self._gray, self._at = gray, np.asarray(landmarks, np.float32).copy()

    def relief(self, landmarks: Array, box: Array) -> Relief | None:
        """What the newest frame says, whose landmarks a detector found; ``None`` if too few points were found
        again."""
        alive, axes = self._alive, self._axes
        if alive.sum() < ENOUGH:
            return None
        current, matrix = _cut(self._gray, box)
        found = axes.places(_apply(matrix, self._now[alive]))
        still = axes.places(self.points[alive])
        sheet = _sheet(still, found)
        guess = self.points.copy()
        guess[alive] += axes.pixels(found - _quadratic(still) @ sheet)
        # What was followed over many frames has slid a little: look again, in the picture laid back as a sheet.
        end, good = _follow(self._still, self._laid(current, sheet), self.points, guess)
        moved = axes.directions(end - self.points)
        good &= np.abs(moved).max(1) < FARTHEST
        if good.sum() < ENOUGH:
            return None
        share, error = share_of_relief(axes.places(self.points[good]), moved[good])
        return Relief(share, error, nose_offset(landmarks) - nose_offset(self.landmarks))

    def _laid(self, current: Gray, sheet: Points) -> Gray:
        """A cut-out laid back upon the still one."""
        height, width = self._still.shape
        xs, ys = np.meshgrid(np.arange(width), np.arange(height))
        places = self._axes.places(np.stack([xs.ravel(), ys.ravel()], 1).astype(np.float64))
        way = (self._axes.pixels(_quadratic(places) @ sheet) + self._axes.centre).astype(np.float32)
        x, y = way.reshape(height, width, 2).transpose(2, 0, 1)
        return np.asarray(cv2.remap(current, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


class _Axes:
    """The axes of a face: eye distances right and down of the middle of eyes and mouth."""

    def __init__(self, landmarks: Points) -> None:
        across, down = landmarks[1] - landmarks[0], landmarks[3:].mean(0) - landmarks[:2].mean(0)
        self.centre = _centre(landmarks)
        self.frame = np.stack([across, down], 1)
        self._inverse = np.linalg.pinv(self.frame)

    def places(self, points: Points) -> Points:
        return np.asarray((points - self.centre) @ self._inverse.T, np.float64)

    def directions(self, moved: Points) -> Points:
        return np.asarray(moved @ self._inverse.T, np.float64)

    def pixels(self, directions: Points) -> Points:
        return np.asarray(directions @ self.frame.T, np.float64)


def _centre(landmarks: Points) -> Points:
    return np.asarray((landmarks[:2].mean(0) + landmarks[3:].mean(0)) / 2, np.float64)


def _cut(gray: Gray, box: Array) -> tuple[Gray, Points]:
    """The face with a margin, scaled, without light and shade, and the 3×3 matrix that leads there."""
    x, y, w, h = (float(v) for v in box)
    scale = FACE / max(w, 4.0)
    left, top = x - MARGIN * w, y - MARGIN * w
    size = (round((1 + 2 * MARGIN) * FACE), round((h + 2 * MARGIN * w) * scale))
    matrix = np.array([[scale, 0, -scale * left], [0, scale, -scale * top], [0, 0, 1]])
    flags = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
    if scale < 0.5:  # linear sampling aliases
        gray = np.asarray(cv2.GaussianBlur(gray, (0, 0), 0.4 / scale), np.uint8)
    cut = cv2.warpAffine(gray, matrix[:2], size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return _even(np.asarray(cut, np.uint8)), matrix


def _even(gray: Gray) -> Gray:
    """The same with light and shade taken out."""
    fine = gray.astype(np.float32)
    mean = cv2.GaussianBlur(fine, (0, 0), SHADE)
    spread = np.sqrt(np.maximum(cv2.GaussianBlur(fine * fine, (0, 0), SHADE) - mean * mean, 0))
    return np.asarray(np.clip(128 + 50 * (fine - mean) / (spread + 6), 0, 255), np.uint8)


def _choose(still: Gray, axes: _Axes) -> Points:
    """In each cell of a grid over the face, the pixel with the strongest corner."""
    strength = cv2.cornerMinEigenVal(still, 5)
    half, top, bottom = AREA
    height, width = still.shape
    ys, xs = np.mgrid[0:height, 0:width]
    places = axes.places(np.stack([xs.ravel(), ys.ravel()], 1).astype(np.float64))
    column = np.floor((places[:, 0] + half) / (2 * half) * CELLS).astype(int)
    row = np.floor((places[:, 1] - top) / (bottom - top) * CELLS).astype(int)
    inside = (column >= 0) & (column < CELLS) & (row >= 0) & (row < CELLS)
    index = np.flatnonzero(inside)
    order = index[np.argsort(-strength.ravel()[index], kind="stable")]
    _, first = np.unique(row[order] * CELLS + column[order], return_index=True)
    chosen = order[first]
    chosen = chosen[strength.ravel()[chosen] > 0]
    return np.stack([chosen % width, chosen // width], 1).astype(np.float64)


def _follow(before: Gray, after: Gray, start: Points, towards: Points) -> tuple[Points, NDArray[np.bool_]]:
    """Where points of one picture are in another, and which of them come back to where they began."""
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.01)
    options = {
        "winSize": (WINDOW, WINDOW),
        "maxLevel": 1,
        "criteria": criteria,
        "flags": cv2.OPTFLOW_USE_INITIAL_FLOW,
    }
    one, two = start.astype(np.float32)[:, None], towards.astype(np.float32)[:, None]
    end, ok, _ = cv2.calcOpticalFlowPyrLK(before, after, one, two.copy(), **options)  # type: ignore[call-overload]
    back, ok_back, _ = cv2.calcOpticalFlowPyrLK(after, before, end, one.copy(), **options)  # type: ignore[call-overload]
    error = np.linalg.norm((back - one)[:, 0], axis=1)
    good = (ok[:, 0] == 1) & (ok_back[:, 0] == 1) & (error < RETURN)
    return np.asarray(end[:, 0], np.float64), np.asarray(good, np.bool_)


def _back(matrix: Points) -> Points:
    return np.asarray(np.linalg.inv(matrix), np.float64)


def _apply(matrix: Points, points: Array | Points) -> Points:
    homogeneous = np.hstack([np.asarray(points, np.float64), np.ones((len(points), 1))]) @ matrix.T
    return np.asarray(homogeneous[:, :2] / homogeneous[:, 2:], np.float64)
