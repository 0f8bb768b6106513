"""Face detection: boxes, scores and five landmarks in a picture."""

from __future__ import annotations

import copy
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from models import DetectorSpec
from pipeline.beside import both
from pipeline.frame import Image
from tracking import iou_matrix

Array = NDArray[np.float32]
SAME_PLACE = 0.6  # overlap above which two looks saw it at the same scale
SAME_FACE = 0.3  # overlap above which two looks saw the same face


@dataclass(frozen=True, slots=True)
class Detections:
    """N faces in pixels of the picture: ``boxes`` (N, 4) x, y, width, height; ``scores`` (N,); ``landmarks`` (N, 5,
    2)."""

    boxes: Array
    scores: Array
    landmarks: Array

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, index: NDArray[Any] | list[int]) -> Detections:
        """Some of them."""
        return Detections(self.boxes[index], self.scores[index], self.landmarks[index])

    def main(self, image: Image) -> int | None:
        """Which one the picture (H, W, 3) they were found in is of: large and near its middle; ``None`` of none."""
        if not len(self):
            return None
        off = (self.boxes[:, :2] + self.boxes[:, 2:] / 2) / (image.shape[1], image.shape[0]) - 0.5
        size = np.sqrt(self.boxes[:, 2] * self.boxes[:, 3])
        return int(np.argmax(size * (1 - np.linalg.norm(off, axis=1))))

    @staticmethod
    def empty() -> Detections:
        """No face."""
        return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))


class Detector(Protocol):
    """Anything that finds faces."""

    def detect(self, image: Image, max_side: int) -> Detections:
        """Find faces in an RGB picture (H, W, 3), shrunk so that its longer side is at most ``max_side`` pixels."""


@runtime_checkable
class AdjustableDetector(Detector, Protocol):
    """One whose least score can be chosen."""

    def keener(self, least: float) -> Detector:
        """The same network, for which a score of ``least`` is a face."""


class CenterFaceDetector:
    """CenterFace (Xu et al., arXiv:1911.03599) on an ONNX Runtime session.

    The network answers on a grid of stride 4 with a heat map, log sizes, centre offsets and landmarks relative to
    the box.
    """

    def __init__(self, session: Any, spec: DetectorSpec) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name
        self._spec = spec

    def detect(self, image: Image, max_side: int) -> Detections:
        """See :class:`Detector`. Pictures are never enlarged."""
        height, width = image.shape[:2]
        shrink = min(1.0, max_side / max(height, width))
        stride = self._spec.stride
        w, h = (max(stride, round(side * shrink / stride) * stride) for side in (width, height))
        small = image
        if (w, h) != (width, height):
            small = np.asarray(cv2.resize(image, (w, h), interpolation=_interpolation(shrink)), np.uint8)
        blob = np.ascontiguousarray(small.transpose(2, 0, 1)[None], dtype=np.float32)
        heat, scale, offset, points = (output[0] for output in self._session.run(None, {self._input: blob}))
        found = self._decode(heat[0], scale, offset, points)
        ratio = np.array([width / w, height / h], np.float32)
        return Detections(found.boxes * np.tile(ratio, 2), found.scores, found.landmarks * ratio)

    def keener(self, least: float) -> CenterFaceDetector:
        """The same network, for which a score of ``least`` is a face."""
        return CenterFaceDetector(self._session, replace(self._spec, score_threshold=least))

    def _decode(self, heat: Array, scale: Array, offset: Array, points: Array) -> Detections:
        rows, columns = np.where(heat > self._spec.score_threshold)
        if len(rows) == 0:
            return Detections.empty()
        scores = heat[rows, columns]
        h, w = np.exp(scale[0, rows, columns]) * 4, np.exp(scale[1, rows, columns]) * 4
        y = (rows + offset[0, rows, columns] + 0.5) * 4 - h / 2
        x = (columns + offset[1, rows, columns] + 0.5) * 4 - w / 2
        pairs = points[:, rows, columns].T.reshape(-1, 5, 2)
        landmarks = np.stack([pairs[..., 1] * w[:, None] + x[:, None], pairs[..., 0] * h[:, None] + y[:, None]], -1)
        boxes = np.stack([x, y, w, h], 1).astype(np.float32)
        found = Detections(boxes, scores.astype(np.float32), landmarks.astype(np.float32))
        return found.take(suppress(found, self._spec.nms))


class ScrfdDetector:
    """SCRFD of InsightFace's packs, through InsightFace's own class, which wants BGR and answers with corners."""

    def __init__(self, model: Any, spec: DetectorSpec) -> None:
        self._model = model
        self._spec = spec

    def detect(self, image: Image, max_side: int) -> Detections:
        """See :class:`Detector`."""
        side = max(self._spec.stride, round(max_side / self._spec.stride) * self._spec.stride)
        found, points = self._model.detect(np.ascontiguousarray(image[..., ::-1]), input_size=(side, side))
        if len(found) == 0 or points is None:
            return Detections.empty()
        found, points = np.asarray(found, np.float32), np.asarray(points, np.float32)
        keep = found[:, 4] > self._spec.score_threshold
        boxes = np.concatenate([found[:, :2], found[:, 2:4] - found[:, :2]], 1)
        return Detections(boxes[keep], found[keep, 4], points[keep])

    def keener(self, least: float) -> ScrfdDetector:
        """The same network, for which a score of ``least`` is a face."""
        model = copy.copy(self._model)
        model.det_thresh = least
        return ScrfdDetector(model, replace(self._spec, score_threshold=least))


def keener(detector: Detector, least: float) -> Detector:
    """A detector that takes more for a face: what scores ``least`` or more. One of another kind stays as it is."""
    return detector.keener(least) if isinstance(detector, AdjustableDetector) else detector


def suppress(found: Detections, overlap: float) -> list[int]:
    """Greedy non-maximum suppression: indices of the faces to keep, best first."""
    order = np.argsort(-found.scores, kind="stable")
    overlaps = iou_matrix(found.boxes[order], found.boxes[order])
    kept: list[int] = []
    for i in range(len(order)):
        if not any(overlaps[i, j] > overlap for j in kept):
            kept.append(i)
    return [int(order[i]) for i in kept]


def look_wide(
    detector: Detector, image: Image, near_side: int, far_side: int, beside: Executor | None = None
) -> Detections:
    """Look for small faces at ``far_side`` and for frame-filling ones at half ``near_side`` with a border; merged.

    A face cut off by the frame's edges is found better with room around it, hence the border. A thread of ``beside``
    takes one of the two looks, if it has one to spare.
    """
    large, fine = both(
        beside, partial(_look_near, detector, image, near_side), partial(detector.detect, image, far_side)
    )
    return _merge(fine, large)


def _look_near(detector: Detector, image: Image, near_side: int) -> Detections:
    height, width = image.shape[:2]
    border = max(height, width) // 5
    frame = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_CONSTANT, value=(110, 110, 110))
    large = detector.detect(np.asarray(frame, np.uint8), near_side // 2)
    # At this scale only large faces are read well; small ones are the other look's business.
    large = large.take(np.where(large.boxes[:, 2] > 0.3 * min(height, width))[0])
    shift = np.full(2, border, np.float32)
    boxes = np.concatenate([large.boxes[:, :2] - shift, large.boxes[:, 2:]], 1)
    return Detections(boxes, large.scores, large.landmarks - shift)


def _merge(fine: Detections, coarse: Detections) -> Detections:
    """Both looks' faces: the finer landmarks where both saw one, and no eye or cheek of a large face as a face of
    its own."""
    overlaps = iou_matrix(coarse.boxes, fine.boxes)
    only = coarse.take([i for i in range(len(coarse)) if not (overlaps[i] > SAME_FACE).any()])
    keep = []
    for i, (box, score) in enumerate(zip(fine.boxes, fine.scores, strict=True)):
        centre = box[:2] + box[2:] / 2
        inside = ((centre > only.boxes[:, :2]) & (centre < only.boxes[:, :2] + only.boxes[:, 2:])).all(1)
        part = inside & (box[2] * box[3] < 0.3 * only.boxes[:, 2] * only.boxes[:, 3]) & (score < only.scores)
        if not part.any():
            keep.append(i)
    fine = fine.take(keep)
    return Detections(
        np.concatenate([fine.boxes, only.boxes]),
        np.concatenate([fine.scores, only.scores]),
        np.concatenate([fine.landmarks, only.landmarks]),
    )


def steady_landmarks(detector: Detector, image: Image, found: Detections, side: int) -> Detections:
    """The same faces with landmarks averaged over the picture and its mirror image, which a detector reads a little
    differently.

    Costs another look; worth it where the picture stays, as for enrolment.
    """
    mirrored = detector.detect(np.ascontiguousarray(image[:, ::-1]), side)
    if len(found) == 0 or len(mirrored) == 0:
        return found
    width = image.shape[1]
    boxes = mirrored.boxes.copy()
    boxes[:, 0] = width - boxes[:, 0] - boxes[:, 2]
    landmarks = mirrored.landmarks[:, [1, 0, 2, 4, 3]].copy()
    landmarks[..., 0] = width - 1 - landmarks[..., 0]
    overlaps = iou_matrix(found.boxes, boxes)
    steady = found.landmarks.copy()
    for i, twin in enumerate(overlaps.argmax(1)):
        if overlaps[i, twin] > SAME_PLACE:
            steady[i] = (found.landmarks[i] + landmarks[twin]) / 2
    return Detections(found.boxes, found.scores, steady)


def _interpolation(shrink: float) -> int:
    return cv2.INTER_AREA if shrink < 0.5 else cv2.INTER_LINEAR
