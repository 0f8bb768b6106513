"""Follows faces from frame to frame and gives them numbers that last.

The tracker never detects, embeds or reads a clock: the caller hands it grey frames, detections and media time.
``predict`` is for
every frame, ``update`` for keyframes only: not having looked is not the same as having found nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from tracking.association import assign, position_affinity
from tracking.evidence import Embedding, Evidence
from tracking.flow import Gray, face_patch, move_box, step_face
from tracking.geometry import Array, apply_similarity
from tracking.identity import Identity
from tracking.policy import DEFAULT_POLICY, TrackingPolicy


class TrackState(StrEnum):
    """Where a track stands in its life; see tracking/policy.py."""

    TENTATIVE = "tentative"
    CONFIRMED = "confirmed"
    LOST = "lost"


@dataclass(slots=True)
class Track:
    """A face over time. ``box`` is x, y, width, height and ``landmarks`` (5, 2), in pixels of the newest frame."""

    number: int
    box: Array
    landmarks: Array
    score: float
    state: TrackState
    started: float  # media time of the first detection
    detected: float  # … of the newest detection
    fresh: bool = True  # landmarks come from a detection of this very frame
    doubtful: bool = False
    blind: bool = False  # flow has failed: the box stands where the face was last seen
    misses: int = 0
    cut: bool = False  # lost at a change of scene: its position means nothing
    suspect: bool = False  # its position was lost for a moment: the face wants checking
    patch: Array | None = None
    evidence: Evidence = field(default_factory=Evidence)
    identity: Identity = field(default_factory=Identity)

    @property
    def width(self) -> float:
        """Face width in pixels."""
        return float(self.box[2])


class Tracker:
    """The faces of one camera. Numbers belong to the instance and are never given twice."""

    def __init__(self, policy: TrackingPolicy = DEFAULT_POLICY) -> None:
        self.policy = policy
        self.visible: list[Track] = []
        self.lost: list[Track] = []
        self._next_number = 1
        self._gray: Gray | None = None

    def predict(self, gray: Gray, now: float) -> None:
        """Move every visible track to this frame (H, W, uint8). Tracks whose flow fails become doubtful and stay
        where they were."""
        previous, self._gray = self._gray, gray
        if previous is not None and previous.shape != gray.shape:
            self._rescale(gray.shape[1] / previous.shape[1], gray.shape[0] / previous.shape[0])
            previous = None
        for track in self.visible:
            track.fresh = False
            if previous is None:
                track.doubtful = True
                continue
            step = step_face(previous, gray, track.box, self.policy)
            track.blind = step is None
            if step is None:
                track.doubtful = True
                continue
            track.box = move_box(track.box, step.matrix)
            track.landmarks = apply_similarity(step.matrix, track.landmarks)
            track.doubtful = step.agreement < self.policy.flow_sure or not self._looks_the_same(track, gray)
        self._retire(now)

    def update(self, boxes: Array, scores: Array, landmarks: Array, now: float) -> list[Track]:
        """Meet the detections of this frame: boxes (N, 4), scores (N,), landmarks (N, 5, 2). Returns the tracks that
        are new.

        Call :meth:`predict` with the frame first.
        """
        detections = np.asarray(boxes, np.float32).reshape(-1, 4)
        positions = np.array([t.box for t in self.visible], np.float32).reshape(-1, 4)
        affinity = position_affinity(positions, detections)
        pairs = assign(affinity, self.policy.position_gate)
        for row, column in pairs:
            track = self.visible[row]
            track.suspect |= affinity[row, column] < self.policy.suspect_affinity or track.misses > 1
            self._see(track, detections[column], float(scores[column]), landmarks[column], now)
        seen = {row for row, _ in pairs}
        for index, track in enumerate(self.visible):
            if index not in seen:
                track.misses += 1
                track.doubtful = True
        taken = {column for _, column in pairs}
        rest = [i for i in range(len(detections)) if i not in taken]
        new = self._start_or_recover(detections[rest], np.asarray(scores)[rest], np.asarray(landmarks)[rest], now)
        self._retire(now)
        return new

    def _start_or_recover(self, boxes: Array, scores: Array, landmarks: Array, now: float) -> list[Track]:
        """New tracks, but for faces where a track was lost a moment ago: those go on, to be checked by face."""
        recent = [t for t in self.lost if now - t.detected <= self.policy.recover_within and not t.cut]
        recovered = {}
        for row, column in assign(position_affinity(boxes_of(recent), boxes), self.policy.suspect_affinity):
            track = recent[row]
            self.lost.remove(track)
            track.suspect = True
            self._see(track, boxes[column], float(scores[column]), landmarks[column], now)
            self.visible.append(track)
            recovered[column] = track
        rest = [i for i in range(len(boxes)) if i not in recovered]
        return [self._start(boxes[i], float(scores[i]), landmarks[i], now) for i in rest]

    def cut(self) -> None:
        """A new scene: positions mean nothing any more; only faces can find their tracks again."""
        self.lost += [t for t in self.visible if t.state is TrackState.CONFIRMED]
        for track in self.lost:
            track.state, track.cut = TrackState.LOST, True
        self.visible = []

    def find_lost(self, embedding: Embedding, same_face: float, margin: float = 0.0) -> Track | None:
        """The lost track whose face this unit-length embedding shows, or ``None``.

        It must resemble it by at least ``same_face`` (cosine), and more than any other lost track by ``margin``
        unless those bear the same
        name.
        """
        ranked = []
        for track in self.lost:
            template = track.evidence.template()
            if template is not None:
                ranked.append((float(template @ embedding), track))
        ranked.sort(key=lambda pair: pair[0], reverse=True)
        if not ranked or ranked[0][0] < same_face:
            return None
        if len(ranked) > 1 and ranked[0][0] - ranked[1][0] < margin:
            first, second = (t.identity.opinion.person if t.identity.opinion else None for _, t in ranked[:2])
            if first is None or first != second:
                return None
        return ranked[0][1]

    def resume(self, newcomer: Track, lost: Track) -> Track:
        """Give a new track the number, evidence and name of a lost one whose face it shows; returns the track that
        goes on."""
        self.lost.remove(lost)
        lost.box, lost.landmarks, lost.score = newcomer.box, newcomer.landmarks, newcomer.score
        lost.detected, lost.fresh, lost.patch = newcomer.detected, newcomer.fresh, newcomer.patch
        lost.doubtful, lost.blind, lost.misses, lost.suspect, lost.cut = False, False, 0, False, False
        lost.state = TrackState.CONFIRMED
        lost.evidence.absorb(newcomer.evidence)
        self.visible[self.visible.index(newcomer)] = lost
        return lost

    def split(self, track: Track, now: float) -> Track:
        """Another face has slipped under this track: lose the old one, go on with a new number at the same place."""
        heir = self._start(track.box, track.score, track.landmarks, now)
        heir.patch = track.patch
        self.visible.remove(track)
        track.state = TrackState.LOST
        self.lost.append(track)
        return heir

    def _start(self, box: Array, score: float, landmarks: Array, now: float) -> Track:
        sure = score >= self.policy.confirm_score
        track = Track(
            number=self._next_number,
            box=np.asarray(box, np.float32),
            landmarks=np.asarray(landmarks, np.float32),
            score=score,
            state=TrackState.CONFIRMED if sure else TrackState.TENTATIVE,
            started=now,
            detected=now,
        )
        self._next_number += 1
        if self._gray is not None:
            track.patch = face_patch(self._gray, track.box)
        self.visible.append(track)
        return track

    def _see(self, track: Track, box: Array, score: float, landmarks: Array, now: float) -> None:
        track.box, track.landmarks = np.asarray(box, np.float32), np.asarray(landmarks, np.float32)
        track.score, track.detected, track.misses = score, now, 0
        track.fresh, track.doubtful, track.blind, track.cut = True, False, False, False
        track.state = TrackState.CONFIRMED
        if self._gray is not None:
            track.patch = face_patch(self._gray, track.box)

    def _looks_the_same(self, track: Track, gray: Gray) -> bool:
        if track.patch is None:
            return True
        patch = face_patch(gray, track.box)
        return patch is not None and float((patch * track.patch).sum()) >= self.policy.appearance_sure

    def _retire(self, now: float) -> None:
        """Move tracks that were not seen for too long to the lost ones, and forget those that stay away."""
        staying: list[Track] = []
        for track in self.visible:
            if track.state is TrackState.TENTATIVE and track.misses > self.policy.tentative_misses:
                continue
            gone = track.misses > 0 and (track.blind or now - track.detected > self.policy.coast)
            if gone or self._outside(track):
                if track.state is TrackState.CONFIRMED:
                    track.state = TrackState.LOST
                    self.lost.append(track)
                continue
            staying.append(track)
        self.visible = staying
        self.lost = [t for t in self.lost if now - t.detected <= self.policy.forget_after and len(t.evidence)]

    def _outside(self, track: Track) -> bool:
        if self._gray is None:
            return False
        height, width = self._gray.shape[:2]
        x, y, w, h = (float(v) for v in track.box)
        across = min(x + w, width) - max(x, 0.0)
        down = min(y + h, height) - max(y, 0.0)
        least = self.policy.least_visible
        return bool(across < least * w or down < least * h)

    def _rescale(self, sx: float, sy: float) -> None:
        """The sender changed the picture's size: the same scene at another resolution keeps its tracks, a turned one
        does not."""
        if not 0.95 < sx / sy < 1.05:
            self.cut()
            return
        for track in self.visible:
            track.box = (track.box * np.array([sx, sy, sx, sy])).astype(np.float32)
            track.landmarks = (track.landmarks * np.array([sx, sy])).astype(np.float32)


def boxes_of(tracks: Sequence[Track]) -> Array:
    """The boxes of some tracks as one (N, 4) array."""
    return np.array([t.box for t in tracks], np.float32).reshape(-1, 4)
