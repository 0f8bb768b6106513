"""What one session was given, and what that changes for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pipeline.frame_pipeline import FramePipeline
from pipeline.results import Face
from server.load.budget import FULL_SIZE, MAX_RATE
from server.load.pace import Pace
from server.load.share import Demand, Need, Reason, Share
from tracking import IdentityState, TrackingPolicy
from tracking.pacing import paced

DECIDED = (IdentityState.KNOWN, IdentityState.UNKNOWN, IdentityState.UNREADABLE)
STILL = 0.15  # face widths in a second, under which it sits still
LARGE = 1.25  # times the least width of a face: what it is to keep in a smaller picture, as a face comes and goes
USED_UP = 0.9  # of its share: a sender that sends so much could use more
MORE = 1.25  # times what it sends where it may send more: what it may want in a moment
FREE_FOR = 4.0  # seconds after which what it sends says what it can: whoever was held to less needs some to speed up
NOTABLE = 0.1  # change of a rate that is worth a message
RISE_AFTER = 1.5  # seconds that more must last before it is told
UNASKED = 100  # ages of answers that are kept until somebody asks
OBSERVED_OVER = 2.0  # seconds over which a sender's own rate is averaged


class Sender(Protocol):
    """The link of the session as it is now."""

    pace: Pace

    def frame_counts(self) -> tuple[int, int]:
        """Frames that came, and those of them that newer ones overtook."""


class Allotment:
    """Asked by :class:`server.load.fair_load.FairLoad` what its session could use, and told what it gets."""

    def __init__(
        self,
        pipeline: FramePipeline,
        policy: TrackingPolicy,
        sender: Callable[[], Sender],
        say: Callable[..., None],
    ) -> None:
        self._pipeline, self._policy, self._sender, self._say = pipeline, policy, sender, say
        self._ages: deque[float] = deque(maxlen=UNASKED)
        self._answered = 0
        self._width = FULL_SIZE[0]  # of the newest picture
        self._seen: tuple[Sender, int, float] | None = None  # whose frames were counted, how many, when
        self._observed: float | None = None  # frames a second
        self._places: dict[int, tuple[float, float]] = {}
        self._more_since: float | None = None
        self._free_since: float | None = None  # since when it has had all it could use
        self._sessions = 1
        self.share: Share | None = None

    def answered(self, age: float | None, width: int) -> None:
        """A picture, so many pixels wide, was answered so many seconds after it had come."""
        self._answered += 1
        self._width = width
        if age is not None:
            self._ages.append(age)

    def take(self) -> tuple[int, list[float]]:
        """How many were answered since this was last asked, and how late."""
        taken = self._answered, list(self._ages)
        self._answered = 0
        self._ages.clear()
        return taken

    def demand(self, faces: Sequence[Face], enrolling: bool, now: float) -> Demand:
        """What the session could use, by who is in its newest picture and by what its sender sends."""
        seconds = self._observe(now)
        rate = MAX_RATE
        share, free = self.share, self._free_since is not None and now - self._free_since > FREE_FOR
        if free and self._observed is not None and share is not None and self._observed < USED_UP * share.fps:
            rate = min(MAX_RATE, MORE * self._observed)
        return Demand(self._need(faces, enrolling, seconds), rate, self._needed(faces))

    def give(self, share: Share, sessions: int, now: float) -> None:
        """This is what it gets from now on, one of so many sessions."""
        before = self.share
        if share.reason is not Reason.ALONE:
            self._free_since = None
        elif self._free_since is None:
            self._free_since = now
        if before is not None and not self._worth_telling(before, share, now):
            return
        self._more_since = None
        self.share, self._sessions = share, sessions
        self._sender().pace.allow(share.fps)
        self._look(share.fps, share)
        self.tell()

    def tell(self) -> None:
        """Tell the page, as often as it begins anew; it then sends no more than it was given."""
        if (share := self.share) is None:
            return
        self._sender().pace.allow(share.fps)
        self._say("budget", **told(share, self._sessions))

    def _worth_telling(self, before: Share, share: Share, now: float) -> bool:
        same_size = (before.width, before.height) == (share.width, share.height)
        near = abs(share.fps - before.fps) <= NOTABLE * before.fps
        if near and same_size and before.reason == share.reason:
            self._look(before.fps, share)  # which concerns nobody but us
            return False
        if share.fps < before.fps:
            return True
        # More is told when it lasts: every change makes a browser's encoder begin anew.
        self._more_since = self._more_since or now
        return now - self._more_since >= RISE_AFTER

    def _look(self, fps: float, share: Share) -> None:
        policy = paced(self._policy, fps, share.keyframe_interval, frugal=share.frugal)
        self._pipeline.change_policy(policy, frugal=share.frugal)

    def _observe(self, now: float) -> float:
        sender = self._sender()
        frames, _ = sender.frame_counts()
        before, self._seen = self._seen, (sender, frames, now)
        if before is None or before[0] is not sender or now <= before[2]:
            self._observed = None
            return 0.0
        seconds = now - before[2]
        rate = max(0, frames - before[1]) / seconds
        weight = min(1.0, seconds / OBSERVED_OVER)
        self._observed = rate if self._observed is None else self._observed + weight * (rate - self._observed)
        return seconds

    def _needed(self, faces: Sequence[Face]) -> float:
        """Pixels of a picture's width in which everybody can be recognised of whom it is not said yet who they are, and
        who can be at the full width."""
        least = LARGE * self._pipeline.min_face
        widths = [
            least * self._width / max(1.0, float(face.box[2]))
            for face in faces
            if face.identity not in (IdentityState.KNOWN, IdentityState.UNKNOWN)
        ]
        return max((width for width in widths if width <= LARGE * FULL_SIZE[0]), default=0.0)

    def _need(self, faces: Sequence[Face], enrolling: bool, seconds: float) -> Need:
        places = {face.track: (float(face.box[0] + face.box[2] / 2), float(face.box[1])) for face in faces}
        before, self._places = self._places, places
        if enrolling or any(face.identity not in DECIDED for face in faces):
            return Need.NEW_FACE
        for face in faces:
            was, place = before.get(face.track), places[face.track]
            moved = None if was is None else max(abs(place[0] - was[0]), abs(place[1] - was[1]))
            if moved is None or moved > STILL * max(seconds, 0.1) * float(face.box[2]):
                return Need.ORDINARY
        return Need.SETTLED


def told(share: Share, sessions: int) -> dict[str, Any]:
    """The fields of the message ``budget``."""
    return {
        "fps": share.fps,
        "width": share.width,
        "height": share.height,
        "keyframe_interval": share.keyframe_interval,
        "reason": share.reason.value,
        "sessions": sessions,
    }
