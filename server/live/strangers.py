"""Of the faces of one session: which are strangers worth remembering, and the best look at each. Runs where frames are
recognised, never on the loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.align import face_chip
from pipeline.crop import LAYOUT, SIDE
from pipeline.frame import Frame, Image
from pipeline.frame_pipeline import FramePipeline
from pipeline.masking import alone
from pipeline.results import Face, FrameResult
from tracking import Embedding, IdentityState, Track, TrackState, apply_similarity, fit_similarity

CROP_SIDE = 160  # pixels
JPEG_QUALITY = 88
LEAST_VOTES = 3
LEAST_QUALITY = 0.4
LEAST_TIME = 1.0  # seconds a face has been followed
EVERY = 5.0  # seconds between two reports of one face
BETTER = 0.05  # … and how much better a picture must be to be cut out anew


@dataclass(frozen=True, slots=True)
class Portrait:
    """The picture of a stranger: a JPEG of 160×160 pixels, the face's landmarks (5, 2) in it, and its quality."""

    jpeg: bytes
    landmarks: NDArray[np.float32]
    quality: float


@dataclass(frozen=True, slots=True)
class StrangerSighting:
    """A stranger in the picture now: the track's fused, unit-length template, the embeddings behind it and how good
    the newest was. ``portrait`` only where it is better than those reported before."""

    track: int
    template: Embedding
    votes: int
    quality: float
    portrait: Portrait | None


@dataclass(frozen=True, slots=True)
class Noticed:
    """What one look found. ``named`` pairs tracks that were strangers with the id of the person they turned out to be;
    ``visible`` are all tracks in the picture; ``digest`` is the pack's whose numbers these are."""

    digest: str
    strangers: tuple[StrangerSighting, ...]
    named: tuple[tuple[int, str], ...]
    visible: frozenset[int]

    def __bool__(self) -> bool:
        return bool(self.strangers or self.named)


@dataclass(slots=True)
class StrangerWatch:
    """Remembers of one session what was reported; one for each, used by one thread at a time."""

    _reported: dict[int, float] = field(default_factory=dict)  # media time
    _pictured: dict[int, float] = field(default_factory=dict)  # quality

    def look(self, pipeline: FramePipeline, frame: Frame, result: FrameResult) -> Noticed:
        """What is to be told after ``result = pipeline.look(frame)``."""
        tracks = {track.number: track for track in pipeline.tracker.visible}
        strangers, named = [], []
        for face in result.faces:
            track = tracks.get(face.track)
            if track is None:
                continue
            if face.identity is IdentityState.KNOWN and face.opinion is not None and face.opinion.person is not None:
                if self._reported.pop(face.track, None) is not None:
                    named.append((face.track, face.opinion.person))
            elif self._due(face, track, frame.time):
                template = track.evidence.template()
                if template is not None and face.quality is not None:
                    self._reported[face.track] = frame.time
                    portrait = self._portrait(face, track, frame.image)
                    sighting = StrangerSighting(face.track, template, face.votes, face.quality.overall, portrait)
                    strangers.append(sighting)
        self._tidy(pipeline)
        return Noticed(pipeline.models.manifest.digest, tuple(strangers), tuple(named), frozenset(tracks))

    def _due(self, face: Face, track: Track, now: float) -> bool:
        return (
            face.identity is IdentityState.UNKNOWN
            and track.state is TrackState.CONFIRMED
            and track.fresh
            and face.votes >= LEAST_VOTES
            and face.quality is not None
            and face.quality.overall >= LEAST_QUALITY
            and now - track.started >= LEAST_TIME
            and now - self._reported.get(face.track, -1e9) >= EVERY
        )

    def _portrait(self, face: Face, track: Track, image: Image) -> Portrait | None:
        quality = face.quality.overall if face.quality is not None else 0.0
        if quality < self._pictured.get(face.track, 0.0) + BETTER:
            return None
        self._pictured[face.track] = quality
        return cut_portrait(image, track.landmarks, quality)

    def _tidy(self, pipeline: FramePipeline) -> None:
        alive = {track.number for track in (*pipeline.tracker.visible, *pipeline.tracker.lost)}
        self._reported = {number: time for number, time in self._reported.items() if number in alive}
        self._pictured = {number: quality for number, quality in self._pictured.items() if number in alive}


@dataclass(slots=True)
class PortraitWatch:
    """The best look at each face of one session; one for each, used by one thread at a time."""

    _best: dict[int, float] = field(default_factory=dict)  # quality, by track

    def look(
        self,
        pipeline: FramePipeline,
        frame: Frame,
        result: FrameResult,
        shows: Callable[[Face], bool] | None = None,
    ) -> list[tuple[int, Portrait]]:
        """Portraits that are better than those before, by track, after ``result = pipeline.look(frame)``. With
        ``shows`` only of the faces it holds for, and nobody else is to be recognised in them."""
        tracks = {track.number: track for track in pipeline.tracker.visible}
        found = []
        for face in result.faces:
            track, quality = tracks.get(face.track), face.quality
            if track is None or quality is None or not track.fresh or track.state is not TrackState.CONFIRMED:
                continue
            if shows is not None and not shows(face):
                continue
            if quality.overall >= max(LEAST_QUALITY, self._best.get(face.track, 0.0) + BETTER):
                image = frame.image
                if shows is not None:
                    image = alone(image, track.box, [other.box for other in tracks.values() if other is not track])
                portrait = cut_portrait(image, track.landmarks, quality.overall)
                if portrait is not None:
                    self._best[face.track] = quality.overall
                    found.append((face.track, portrait))
        alive = {track.number for track in (*pipeline.tracker.visible, *pipeline.tracker.lost)}
        self._best = {number: best for number, best in self._best.items() if number in alive}
        return found


def cut_portrait(image: Image, landmarks: NDArray[np.float32], quality: float) -> Portrait | None:
    """Cut a face out of an RGB picture (H, W, 3), upright; ``None`` where its landmarks (5, 2) coincide."""
    layout = (LAYOUT * (CROP_SIDE / SIDE)).astype(np.float32)
    try:
        chip = face_chip(image, landmarks, layout, CROP_SIDE)
        points = apply_similarity(fit_similarity(landmarks, layout), landmarks)
    except ValueError:
        return None
    done, data = cv2.imencode(".jpg", chip[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return Portrait(data.tobytes(), points.astype(np.float32), quality) if done else None
