"""Follows faces through a video with the same pipeline as a live session, and writes down what it finds as it goes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.crop import cut_crop
from pipeline.face_models import FaceModels
from pipeline.frame import Frame, Image
from pipeline.frame_pipeline import FramePipeline
from pipeline.gallery import Gallery
from pipeline.results import Face
from server.videos.files import Interval, Pick, ResultWriter, TrackRecord
from server.videos.limits import TRACKS, VideoRefused
from server.videos.paths import BoxPath
from server.videos.reading import RATE
from tracking import DEFAULT_POLICY, Embedding, TrackState

LIVE_RATE = 30.0  # frames a second that the tracking policy was made for
GAP = 1.0  # seconds out of sight that do not end an interval
LEAST = 0.3  # seconds; a face never recognised and seen for less is noise
PICKS = 6  # pictures kept of a track …
APART = 0.7  # … so many seconds from each other
FRAME_SIDE = 960  # pixels of the best frame's longer side
CLEARLY = 1.05  # times better a picture has to be for the whole frame to be kept anew
QUALITY = 85  # of the JPEG


@dataclass(slots=True)
class _Look:
    """A good look while its track goes on."""

    score: float
    pick: Pick
    jpeg: bytes


@dataclass(slots=True)
class _Followed:
    """What is known of a track until it is over."""

    intervals: list[Interval]
    last: float  # when it was in the picture
    path: BoxPath = field(default_factory=BoxPath)
    here: bool = True
    embedded: int = 0
    votes: int = 0
    template: Embedding | None = None
    looks: list[_Look] = field(default_factory=list)
    frame: bytes | None = None
    frame_score: float = 0.0

    def see(self, begin: float, end: float) -> None:
        """It was seen from then to then."""
        if begin - self.intervals[-1][1] > GAP:
            self.intervals.append((begin, end))
        else:
            self.intervals[-1] = (self.intervals[-1][0], max(end, self.intervals[-1][1]))


class Follower:
    """One video. It knows nobody: whose faces those are is asked of the people there are when somebody looks.

    Raises :class:`VideoRefused` from :meth:`take` when there are more faces than any video of people has.
    """

    def __init__(self, models: FaceModels, out: ResultWriter, rate: float = RATE) -> None:
        nobody = Gallery.empty(models.embedder.spec.dimension, models.manifest.digest)
        # A look every so many seconds, however many frames there are in one.
        share = DEFAULT_POLICY.max_share * LIVE_RATE / rate
        self._pipeline = FramePipeline(models, lambda: nobody, policy=replace(DEFAULT_POLICY, max_share=share))
        self._out = out
        self._tracks: dict[int, _Followed] = {}
        self._written = 0

    def take(self, frame: Frame) -> int:
        """The next frame; returns how many faces are in it."""
        faces = [f for f in self._pipeline.process(frame).faces if f.state is not TrackState.TENTATIVE]
        scale = np.array([frame.width, frame.height] * 2, np.float32)
        for face in faces:
            self._see(face, frame, scale)
        here = {face.track for face in faces}
        forget = DEFAULT_POLICY.forget_after + GAP
        for number, track in list(self._tracks.items()):
            if number not in here:
                self._leave(number, track)
                if frame.time - track.last > forget:
                    self._finish(number)
        return len(faces)

    def end(self) -> None:
        """The video is over."""
        for number, track in list(self._tracks.items()):
            self._leave(number, track)
            self._finish(number)

    def _see(self, face: Face, frame: Frame, scale: NDArray[np.float32]) -> None:
        now = frame.time
        track = self._tracks.get(face.track)
        if track is None:
            if len(self._tracks) + self._written >= TRACKS:
                raise VideoRefused(f"There are more than {TRACKS:,} faces in this video.")
            track = self._tracks[face.track] = _Followed([(now, now)], now)
        seen = max(now - face.age, track.last if track.here else now - face.age)
        track.see(min(seen, now), min(seen, now))
        track.last, track.here = now, True
        track.votes, track.template = face.votes, face.template
        for time, box in track.path.add(now, face.box / scale):
            self._out.box(face.track, time, box)
        if face.embedded > track.embedded:  # then this very frame was measured
            track.embedded = face.embedded
            _consider(track, face, frame)

    def _leave(self, number: int, track: _Followed) -> None:
        if track.here:
            track.here = False
            for time, box in track.path.end():
                self._out.box(number, time, box)

    def _finish(self, number: int) -> None:
        track = self._tracks.pop(number)
        if not track.votes and sum(end - begin for begin, end in track.intervals) < LEAST:
            return
        self._written += 1
        picks = []
        for index, look in enumerate(sorted(track.looks, key=lambda look: -look.score)):
            name = self._out.picture(f"{number}-{index}.jpg", look.jpeg)
            picks.append(replace(look.pick, file=name))
        frame = None if track.frame is None else self._out.picture(f"{number}.jpg", track.frame)
        intervals = tuple((round(begin, 3), round(end, 3)) for begin, end in track.intervals)
        self._out.track(TrackRecord(number, intervals, track.votes, track.template, tuple(picks), frame))


def _consider(track: _Followed, face: Face, frame: Frame) -> None:
    """Keep a picture of this look if it is among the best: sharp, well lit, frontal and large."""
    quality = face.quality
    if quality is None:
        return
    width = float(face.box[2])
    score = quality.overall * (width / frame.height) ** 0.2
    near = [look for look in track.looks if abs(look.pick.time - frame.time) < APART]
    if any(look.score >= score for look in near):
        return
    kept = [look for look in track.looks if look not in near]
    if len(kept) >= PICKS:
        worst = min(kept, key=lambda look: look.score)
        if worst.score >= score:
            return
        kept.remove(worst)
    try:
        crop = cut_crop(frame.image, face.landmarks)
    except ValueError:  # landmarks that coincide
        return
    landmarks = tuple(round(float(v), 2) for v in crop.landmarks.reshape(-1))
    pick = Pick("", round(frame.time, 3), round(quality.overall, 3), quality.yaw, quality.pitch, width, landmarks)
    track.looks = [*kept, _Look(score, pick, crop.jpeg)]
    if score > CLEARLY * track.frame_score:
        track.frame, track.frame_score = _small(frame.image), score


def _small(image: Image) -> bytes | None:
    """A picture as JPEG, no longer than it is looked at."""
    scale = min(1.0, FRAME_SIDE / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return data.tobytes() if done else None
