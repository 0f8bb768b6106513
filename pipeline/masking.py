"""Hides the faces that may not be shown: which regions of a picture, and how they are covered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.detect import Detector, keener, look_wide
from pipeline.frame import Image
from tracking import iou_matrix

Array = NDArray[np.float32]
Plane = NDArray[np.uint8]

SIDE = 320  # longer side of the picture that the detector looks at, in pixels
LEAST_SCORE = 0.3  # a detection this sure is covered: what turns out to be no face costs nobody anything
HOLD = 0.6  # seconds a region stays covered in which nothing is found any more
GROWTH = 1.5  # … and by what share of its sides it grows in a second, as a face may have moved on
BRIDGED = 0.2  # seconds without a detection over which optical flow is trusted with a face that may be shown
SAME = 0.3  # overlap above which a detection is the face that is followed
CHECKED = 1.0  # seconds after which a face that is shown is looked at again
SETTLED = 0.5  # overlap above which a face that may be shown is the one that was covered
NEAR = 0.1  # overlap with another face above which it is uncertain whose face is whose
RADII = (0.85, 0.8)  # of the ellipse that covers a head, in widths and heights of the detected face …
RAISED = 0.08  # … whose middle is this many heights above the face's: foreheads are outside the box
GRID = (3, 4)  # cells of what stays of a head, across and down
STEPS = (24, 12)  # levels of brightness, and of colour, that are made one
LEAST = 12  # pixels: radius of the smallest ellipse


@dataclass(frozen=True, slots=True)
class Followed:
    """A face that is followed: ``box`` (4,) in pixels of the picture to be shown, whether its name allows it to be
    shown, how often it was looked at to be recognised, and for how many seconds nothing has confirmed its place."""

    track: int
    box: Array
    clear: bool
    looks: int
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class Masking:
    """What is to be covered in one picture, ``boxes`` (N, 4) of faces in its pixels; ``clear`` are the tracks that are
    shown, ``doubted`` those whose face should be looked at again."""

    boxes: Array
    clear: frozenset[int] = frozenset()
    doubted: frozenset[int] = frozenset()


@dataclass(slots=True)
class _Permit:
    """A followed face: when the detector last found it, how many looks at it there have been and when the last was,
    and how many there had been when it was last in doubt."""

    found: float
    looks: int
    looked: float
    lapsed_at: int | None = None


@dataclass(slots=True)
class _Covered:
    """A region that was covered: where, when a face was last found in it, and how it moves in pixels a second."""

    box: Array
    found: float
    speed: Array
    track: int | None = None


class Masker:
    """Decides for the pictures of one camera. A face is shown only where the detector finds it in this very picture,
    apart from all others, at the place of a track whose name allows it; everything else is covered."""

    def __init__(self, detector: Detector) -> None:
        self._detector = keener(detector, LEAST_SCORE)
        self._permits: dict[int, _Permit] = {}
        self._covered: list[_Covered] = []
        self._before: float | None = None

    def look(self, small: Image, scale: tuple[float, float], faces: Sequence[Followed], now: float) -> Masking:
        """What is to be covered. ``small`` is the RGB picture (H, W, 3), its longer side at most :data:`SIDE`;
        ``scale`` leads from its pixels to those of the picture to be shown; ``now`` in seconds, rising."""
        found = look_wide(self._detector, small, SIDE, SIDE)
        boxes = (found.boxes * np.array([*scale, *scale], np.float32)).astype(np.float32)
        return self.decide(boxes, faces, now)

    def decide(self, boxes: Array, faces: Sequence[Followed], now: float) -> Masking:
        """The same for detections (N, 4) in pixels of the picture to be shown."""
        shown = self._shown(boxes, faces, now)
        taken = {index for index in shown.values() if index is not None}
        covered = [_Covered(boxes[i], now, _still()) for i in range(len(boxes)) if i not in taken]
        covered += [
            _Covered(face.box, now - face.age, _still(), face.track) for face in faces if face.track not in shown
        ]
        self._follow(covered, now)
        clear = [boxes[index] if index is not None else _of(faces, track) for track, index in shown.items()]
        held = [region for region in self._covered if self._held(region, covered, clear, shown, now)]
        self._covered = covered + held
        self._before = now
        doubted = frozenset(
            face.track
            for face in faces
            if face.clear and (face.track not in shown or now - self._permits[face.track].looked > CHECKED)
        )
        return Masking(_stack([*(one.box for one in covered), *(_moved(one, now) for one in held)]), frozenset(shown),
                       doubted)  # fmt: skip

    def _shown(self, boxes: Array, faces: Sequence[Followed], now: float) -> dict[int, int | None]:
        """Tracks that may be shown, and which detection is theirs; ``None`` where flow bridges a moment."""
        self._permits = {face.track: self._permit(face, now) for face in faces}
        if not any(face.clear for face in faces):
            return {}
        overlaps = iou_matrix(_stack([face.box for face in faces]), boxes)
        among = iou_matrix(_stack([face.box for face in faces]), _stack([face.box for face in faces]))
        shown: dict[int, int | None] = {}
        for row, face in enumerate(faces):
            if not face.clear:
                continue
            permit = self._permits[face.track]
            best = int(overlaps[row].argmax()) if len(boxes) else None
            if best is not None and overlaps[row, best] < SAME:
                best = None
            others = [i for i in range(len(boxes)) if i != best and overlaps[row, i] > NEAR]
            close = [i for i in range(len(faces)) if i != row and among[row, i] > NEAR]
            wanted = best is not None and int(overlaps[:, best].argmax()) != row  # another track's rather
            if others or close or wanted:
                permit.lapsed_at = face.looks  # whose face is whose has to be seen again
                continue
            if best is None:
                if permit.lapsed_at is None and face.age == 0.0 and now - permit.found <= BRIDGED:
                    shown[face.track] = None
                else:
                    permit.lapsed_at = face.looks
                continue
            if permit.lapsed_at is not None and face.looks <= permit.lapsed_at:
                continue
            permit.lapsed_at, permit.found = None, now
            shown[face.track] = best
        return shown

    def _permit(self, face: Followed, now: float) -> _Permit:
        permit = self._permits.get(face.track) or _Permit(now, face.looks, now)
        if face.looks > permit.looks:
            permit.looks, permit.looked = face.looks, now
        return permit

    def _follow(self, covered: Sequence[_Covered], now: float) -> None:
        """How fast each region moves, by the one before it."""
        step = 0.0 if self._before is None else now - self._before
        if not self._covered or not covered or step <= 0:
            return
        overlaps = iou_matrix(_stack([one.box for one in covered]), _stack([one.box for one in self._covered]))
        for one, row in zip(covered, overlaps, strict=True):
            best = int(row.argmax())
            if row[best] > NEAR:
                before = self._covered[best]
                speed = (_middle(one.box) - _middle(before.box)) / step
                one.speed = ((speed + before.speed) / 2).astype(np.float32)

    def _held(
        self,
        region: _Covered,
        covered: Sequence[_Covered],
        clear: Sequence[Array],
        shown: dict[int, int | None],
        now: float,
    ) -> bool:
        """Whether a region in which nothing is found now is to stay covered."""
        if now - region.found > HOLD or region.track in shown:
            return False
        here = _moved(region, now)[None]
        if covered and float(iou_matrix(here, _stack([one.box for one in covered])).max()) > SAME:
            return False
        return not (clear and float(iou_matrix(here, _stack(clear)).max()) > SETTLED)


def cover(planes: tuple[Plane, Plane, Plane], boxes: Array) -> None:
    """Make what is in these faces' surroundings unrecognisable, in place. ``planes``: Y (H, W), and U and V of half the
    sides, as 4:2:0 has it; ``boxes`` (N, 4) in pixels of Y."""
    for box in boxes:
        x, y, across, down = ellipse(box)
        for number, plane in enumerate(planes):
            half = 1 if number == 0 else 2
            _blot(plane, x / half, y / half, across / half, down / half, STEPS[half - 1])


def alone(image: Image, box: Array, others: Sequence[Array]) -> Image:
    """A copy of an RGB picture (H, W, 3) in which nothing but the head of this face (4,) can be recognised, and of that
    only what belongs to none of the ``others``."""
    height, width = image.shape[:2]
    own = covering(_stack([box]), height, width) & ~covering(_stack(others), height, width)
    cell = max(1.0, 2 * RADII[0] * float(box[2]) / GRID[0])
    size = max(1, round(width / cell)), max(1, round(height / cell))
    cells = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    cells = np.minimum(cells // STEPS[0] * STEPS[0] + STEPS[0] // 2, 255).astype(np.uint8)
    coarse = cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(own[..., None], image, coarse).astype(np.uint8)


def ellipse(box: Array) -> tuple[float, float, float, float]:
    """Middle and radii, in pixels, of the ellipse that covers the head of a face with this box (4,)."""
    x, y, w, h = (float(v) for v in box)
    return x + w / 2, y + h / 2 - RAISED * h, max(RADII[0] * w, LEAST), max(RADII[1] * h, LEAST)


def covering(boxes: Array, height: int, width: int) -> NDArray[np.bool_]:
    """Which pixels of a picture (H, W) :func:`cover` changes."""
    mask = np.zeros((height, width), np.uint8)
    for box in boxes:
        x, y, across, down = ellipse(box)
        left, top, right, bottom = _corners(x, y, across, down)
        window = _clip(mask, left, top, right, bottom)
        if window is not None:
            rows, columns = window
            shape = _disc(right - left, bottom - top)
            mask[rows, columns] |= shape[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return mask.astype(bool)


def _blot(plane: Plane, x: float, y: float, across: float, down: float, step: int) -> None:
    left, top, right, bottom = _corners(x, y, across, down)
    window = _clip(plane, left, top, right, bottom)
    if window is None:
        return
    rows, columns = window
    place = plane[rows, columns]
    cells = cv2.resize(place, GRID, interpolation=cv2.INTER_AREA)
    # Coarse levels as well: the averages of many pictures that differ a little would else add up to more than one.
    cells = np.minimum(cells // step * step + step // 2, 255).astype(np.uint8)
    blurred = cv2.resize(cells, (place.shape[1], place.shape[0]), interpolation=cv2.INTER_LINEAR)
    shape = _disc(right - left, bottom - top)
    shape = shape[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    np.copyto(place, np.asarray(blurred, np.uint8), where=shape.astype(bool))


def _corners(x: float, y: float, across: float, down: float) -> tuple[int, int, int, int]:
    return (
        int(np.floor(x - across)),
        int(np.floor(y - down)),
        int(np.ceil(x + across)) + 1,
        int(np.ceil(y + down)) + 1,
    )


def _clip(plane: Plane, left: int, top: int, right: int, bottom: int) -> tuple[slice, slice] | None:
    """The part of a window that lies in a plane; ``None`` where there is none."""
    height, width = plane.shape
    rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None


@lru_cache(maxsize=256)
def _disc(width: int, height: int) -> Plane:
    """A filled ellipse that touches the sides of its window: 1 inside, 0 outside."""
    mask = np.zeros((height, width), np.uint8)
    axes = ((width - 1) / 2, (height - 1) / 2)
    y, x = np.ogrid[:height, :width]
    mask[((x - axes[0]) / max(axes[0], 0.5)) ** 2 + ((y - axes[1]) / max(axes[1], 0.5)) ** 2 <= 1.0] = 1
    return mask


def _moved(region: _Covered, now: float) -> Array:
    """Where what was in a region may be now: moved on, and larger the longer it was not seen."""
    age = max(0.0, now - region.found)
    grown = 1 + GROWTH * age
    middle = _middle(region.box) + region.speed * age
    sides = region.box[2:] * grown
    return np.concatenate([middle - sides / 2, sides]).astype(np.float32)


def _middle(box: Array) -> Array:
    return np.asarray(box[:2] + box[2:] / 2, np.float32)


def _still() -> Array:
    return np.zeros(2, np.float32)


def _of(faces: Sequence[Followed], track: int) -> Array:
    return next(face.box for face in faces if face.track == track)


def _stack(boxes: Sequence[Array]) -> Array:
    return np.array(boxes, np.float32).reshape(-1, 4)
