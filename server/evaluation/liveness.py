"""How often the challenge of enrolment lets somebody pass: heads, photos and films, and real films of people."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.detect import look_wide
from pipeline.face_models import FaceModels
from pipeline.frame import Frame, Image
from pipeline.frame_pipeline import FramePipeline
from pipeline.gallery import Gallery
from server.evaluation.liveness_stage import RATE, Pose, Shape, Stage
from tracking import Tracker
from tracking.liveness import STEPS, TURNED, Challenge, ChallengeState, Step, judged
from tracking.parallax import FacePoints, Relief, Share, nose_offset, pooled

ASKED = 0.45  # seconds until whoever sees what is asked begins to move …
MOVING = 0.6  # … and until the movement is done
LONGEST = 60.0  # seconds of one try
FILM = (2.5, 1.6, 1.6)  # seconds a film rests before its first movement, holds one, and rests between two
LEAST_FACE = 60  # pixels: width of the faces whose turns are looked at

Acting = Callable[[float, ChallengeState], Pose]


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a real head: what its looks said together."""

    looks: int
    share: Share | None  # None: too few pictures said anything

    @property
    def verdict(self) -> str:
        """``head``, ``sheet`` or ``unclear``."""
        return "unclear" if self.share is None else judged(self.share)


def find_face(models: FaceModels, photo: Image) -> NDArray[np.float32] | None:
    """Landmarks of the largest face; ``None`` without one that looks ahead."""
    found = look_wide(models.detector, photo, 320, 640)
    if not len(found):
        return None
    marks = found.landmarks[int(np.argmax(found.boxes[:, 2]))]
    return marks if abs(nose_offset(marks)) < 0.08 else None


def try_on_stage(
    models: FaceModels, photo: Image, landmarks: NDArray[np.float32], shape: Shape, acting: Acting, seed: int
) -> ChallengeState:
    """One try before the rendered camera; the same seed gives the same."""
    challenge = Challenge(random.Random(seed))
    stage = Stage(photo, landmarks, shape, np.random.default_rng(seed))

    def frames() -> Iterator[Frame]:
        now = 0.0
        while now < LONGEST:
            picture = stage.render(acting(now, challenge.state))
            gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
            yield Frame(gray, now, lambda picture=picture: picture)  # type: ignore[misc]
            now += 1 / RATE

    return run_try(models, frames(), challenge) or challenge.state


def run_try(models: FaceModels, frames: Iterable[Frame], challenge: Challenge) -> ChallengeState | None:
    """A challenge of the first face; ``None`` if there was none, or the pictures ended before it was over."""
    nobody = Gallery.empty(models.embedder.spec.dimension, models.manifest.digest)
    pipeline = FramePipeline(models, lambda: nobody)
    asked = False
    for frame in frames:
        result = pipeline.process(frame)
        if not asked and result.faces:
            track = max(result.faces, key=lambda face: float(face.box[2])).track
            pipeline.watch(track)
            pipeline.challenges.begin(track, challenge)
            asked = True
        if challenge.state.over:
            return challenge.state
    return None


def obeying(degrees: float) -> Acting:
    """Does what is asked, as soon as somebody can: turns so far, or comes from 60 cm to 46."""
    asked: dict[str, float] = {}
    was = {"pose": Pose(), "from": Pose()}

    def act(now: float, state: ChallengeState) -> Pose:
        key = f"{state.number} {state.step}"
        if key not in asked:
            asked[key], was["from"] = now, was["pose"]
        share = float(np.clip((now - asked[key] - ASKED) / MOVING, 0, 1))
        was["pose"] = _between(was["from"], _pose(state.step, degrees), share)
        return was["pose"]

    return act


def film(steps: tuple[Step, ...], degrees: float) -> Acting:
    """Goes through these steps whatever is asked, and begins again."""
    first, hold, rest = FILM
    whole = 2 * MOVING + hold + rest

    def act(now: float, _state: ChallengeState) -> Pose:
        number, at = divmod(now - first, whole)
        if number < 0:
            return Pose()
        share = float(np.interp(at, [0, MOVING, MOVING + hold, 2 * MOVING + hold], [0, 1, 1, 0]))
        return _between(Pose(), _pose(steps[int(number) % len(steps)], degrees), share)

    return act


def any_order(seed: int) -> tuple[Step, ...]:
    """An order that knows nothing of what will be asked."""
    return tuple(random.Random(f"film {seed}").sample(STEPS, len(STEPS)))


def _pose(step: Step | None, degrees: float) -> Pose:
    match step:
        case "left":
            return Pose(degrees)
        case "right":
            return Pose(-degrees)
        case "nearer":
            return Pose(0.0, 0.46)
        case None:
            return Pose()


def _between(one: Pose, other: Pose, share: float) -> Pose:
    eased = share * share * (3 - 2 * share)
    return Pose(one.yaw + eased * (other.yaw - one.yaw), one.distance + eased * (other.distance - one.distance))


# -- real films -----------------------------------------------------------------------------------------------------


def turns_of(models: FaceModels, frames: Iterable[Frame], every: int = 3) -> list[Turn]:
    """The turns of everybody in a film, cut out by their own pose: from a picture that looks ahead to the end of a turn
    as far as the challenge asks. A face is looked for in one of so many frames."""
    tracker = Tracker()
    watched: dict[int, _Watch] = {}
    found: list[Turn] = []
    for number, frame in enumerate(frames):
        tracker.predict(frame.gray, frame.time)
        here = {track.number: track for track in tracker.visible}
        for gone in set(watched) - set(here):
            found += watched.pop(gone).close()
        for key, watch in watched.items():
            watch.points.advance(frame.gray, here[key].box, here[key].landmarks)
        if number % every:
            continue
        seen = models.detector.detect(frame.image, 320)
        tracker.update(seen.boxes, seen.scores, seen.landmarks, frame.time)
        for track in tracker.visible:
            if not track.fresh or track.width < LEAST_FACE:
                continue
            nose, known = nose_offset(track.landmarks), watched.get(track.number)
            if known is not None and not known.ended(nose, frame.time):
                known.look(track.landmarks, track.box)
                continue
            if known is not None:
                found += watched.pop(track.number).close()
            if abs(nose) < STRAIGHT:
                watched[track.number] = _Watch(FacePoints(frame.gray, track.box, track.landmarks), frame.time)
    for watch in watched.values():
        found += watch.close()
    return found


STRAIGHT = 0.08  # a picture to measure turns from
STALE = 4.0  # seconds that such a picture is of use


class _Watch:
    def __init__(self, points: FacePoints, began: float) -> None:
        self.points, self._began = points, began
        self._turned: list[Relief] = []
        self._still: list[float] = []
        self._looks = 0

    def look(self, landmarks: NDArray[np.float32], box: NDArray[np.float32]) -> None:
        relief = self.points.relief(landmarks, box)
        turned = nose_offset(landmarks) - nose_offset(self.points.landmarks)
        self._looks += abs(turned) >= TURNED
        if relief is None:
            return
        if abs(turned) >= TURNED:
            self._turned.append(relief)
        elif abs(turned) < STRAIGHT:
            self._still.append(relief.moved - relief.expected)

    def ended(self, nose: float, now: float) -> bool:
        back = abs(nose - nose_offset(self.points.landmarks)) < STRAIGHT
        return (back and self._looks > 0) or (now - self._began > STALE and (back or not self._looks))

    def close(self) -> list[Turn]:
        if self._looks < 2:
            return []
        if len(self._turned) < 2:
            return [Turn(self._looks, None)]
        still = float(np.sqrt(np.mean(np.square(self._still)))) if self._still else 0.0
        return [Turn(self._looks, pooled(self._turned, still))]
