"""'Who is this?': gathers varied good samples of one track until there are enough for a name.

No I/O and no clock: observations carry media time, the session saves what comes out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np

from pipeline.matcher import Matcher
from pipeline.results import Observation
from pipeline.templates import fuse_template
from server.live.coverage import Coverage, Pose
from server.storage import NewConsent, NewSample
from tracking import Embedding
from tracking.liveness import Challenge

Mode = Literal["quick", "guided"]
MODES: tuple[Mode, ...] = get_args(Mode)

NEEDED = 5
SPACING = 0.3  # seconds between two samples
GONE_AFTER = 1.0  # seconds without a picture of the face
SWAPPED = 2  # pictures in a row of another face that end a challenge: one may be blurred
SAME_FACE_FPIR = 0.02  # as for the evidence of a track: another face than before, if less alike than this

# quick: a name is typed and shown two or three seconds later
ENOUGH_AFTER = 3  # samples that will do …
PATIENCE = 2.6  # … once this many seconds have passed
TIMEOUT = 20.0  # seconds without enough samples
SAME_VIEW = 0.993  # cosine above which a sample teaches nothing new …
SAME_VIEW_SPACING = 0.55  # … unless this many seconds have passed

# guided: the face turns, comes nearer and goes further
ENOUGH_SECTORS = 5  # of seven: done with five samples …
GUIDED_PATIENCE = 8.0  # … or after this many seconds, for those who hardly move
GUIDED_TIMEOUT = 60.0
VARIED = 0.75  # how much of the way from 'perhaps the same face' to 'the same picture' may be used up at once
RELAXED = 1.6  # seconds after which any view will do: five of them within eight seconds


@dataclass(slots=True)
class Enrolment:
    """One running enrolment. ``hint`` says in the words of docs/protocol.md why the newest picture was not taken."""

    command: int | str | None
    track: int
    name: str
    confirm: str | None = None
    mode: Mode = "quick"
    consent: NewConsent | None = None
    samples: list[NewSample] = field(default_factory=list)
    hint: str | None = None
    coverage: Coverage = field(default_factory=Coverage)
    pose: Pose | None = None  # of the newest picture
    started: float | None = None
    newest: float = 0.0
    last_taken: float = -1e9
    last_seen: float | None = None
    challenge: Challenge | None = None  # what has to be passed before anything is saved
    strangers: int = 0  # pictures in a row that showed another face

    def observe(self, observation: Observation, matcher: Matcher) -> bool:
        """Take or refuse a sample; returns whether something changed that the person should be told."""
        now, quality = observation.time, observation.quality
        self._begin(now)
        self.last_seen = now
        before = (len(self.samples), self.hint)
        self.pose = self.coverage.pose(quality.yaw, quality.pitch, observation.width)
        self.hint = self._judge(observation, matcher)
        if self.hint is None and now - self.last_taken >= SPACING:
            self.samples.append(_sample(observation))
            self.coverage.add(quality.yaw, quality.pitch, observation.width)
            self.pose = self.coverage.pose(quality.yaw, quality.pitch, observation.width)
            self.last_taken = now
        # Who turns wants to see how far.
        return self.mode == "guided" or before != (len(self.samples), self.hint)

    def tick(self, now: float) -> bool:
        """Notice at media time ``now`` that the face has gone; returns whether the hint changed."""
        seen = self._begin(now) if self.last_seen is None else self.last_seen
        if now - seen > GONE_AFTER and self.hint != "face is gone":
            self.hint = "face is gone"
            self.pose = None
            return True
        return False

    @property
    def enough(self) -> bool:
        """Whether there are samples to save, if the person says it is enough."""
        return len(self.samples) >= (NEEDED if self.mode == "guided" else ENOUGH_AFTER)

    def complete(self, now: float) -> bool:
        """Whether there are samples enough, or few but the person has waited long enough."""
        if not self.challenged:
            return False
        waited = now - (now if self.started is None else self.started)
        if self.mode == "guided":
            return self.enough and (len(self.coverage.shown) >= ENOUGH_SECTORS or waited >= GUIDED_PATIENCE)
        return len(self.samples) >= NEEDED or (self.enough and waited >= PATIENCE)

    @property
    def challenged(self) -> bool:
        """Whether the challenge is passed, or there is none."""
        return self.challenge is None or self.challenge.state.passed

    @property
    def kept(self) -> list[NewSample]:
        """The samples as they are saved, marked where a challenge was passed while they were taken."""
        if self.challenge is None:
            return self.samples
        return [replace(sample, challenge="passed") for sample in self.samples]

    @property
    def seconds_left(self) -> float:
        """Until it is given up, at the newest media time."""
        gone = 0.0 if self.started is None else self.newest - self.started
        return max(0.0, self._timeout - gone)

    def expired(self, now: float) -> bool:
        """Whether it has taken too long."""
        return self.started is not None and now - self.started > self._timeout

    def template(self) -> Embedding:
        """The fused samples, of unit length."""
        return fuse_template([s.embedding for s in self.samples], [s.quality for s in self.samples])

    @property
    def _timeout(self) -> float:
        return GUIDED_TIMEOUT if self.mode == "guided" else TIMEOUT

    def _begin(self, now: float) -> float:
        self.newest = now
        if self.started is None:
            self.started = now
        return self.started

    def _judge(self, observation: Observation, matcher: Matcher) -> str | None:
        if self.mode == "guided" and observation.crowded:
            return "two faces"
        complaint = observation.quality.complaint
        if complaint is not None:
            return complaint
        another = self._another_face(observation, matcher)
        self.strangers = self.strangers + 1 if another else 0
        if self.challenge is not None and self.strangers >= SWAPPED:
            self.challenge.fail("swapped")
        if another:
            # Somebody else stands where the track is: wait for the face that was meant.
            return "two faces" if self.mode == "guided" and observation.others else "face is gone"
        return self._same_view(observation, matcher)

    def _another_face(self, observation: Observation, matcher: Matcher) -> bool:
        """By the samples kept, and by what the track showed before this picture, whichever speaks against it."""
        agreement = observation.agreement
        if agreement is not None and agreement < matcher.threshold(1, SAME_FACE_FPIR):
            return True
        if not self.samples:
            return False
        return float(self._similarities(observation).mean()) < matcher.threshold(1)

    def _same_view(self, observation: Observation, matcher: Matcher) -> str | None:
        if not self.samples:
            return None
        nearest = float(self._similarities(observation).max())
        waited = observation.time - self.last_taken
        if self.mode == "quick":
            same = nearest > SAME_VIEW and waited < SAME_VIEW_SPACING
        else:
            assert self.pose is not None
            floor = matcher.threshold(1)
            bar = floor + (1 - floor) * min(1.0, VARIED + (1 - VARIED) * waited / RELAXED)
            same = self.pose.sectors <= self.coverage.shown and waited < RELAXED and nearest > bar
        if not same or waited >= SPACING:
            return "same view" if same else None
        return self.hint if self.hint == "same view" else None

    def _similarities(self, observation: Observation) -> Embedding:
        return np.asarray(np.stack([s.embedding for s in self.samples]) @ observation.embedding, np.float32)


def _sample(observation: Observation) -> NewSample:
    quality, crop = observation.quality, observation.crop
    return NewSample(
        observation.embedding,
        quality.overall,
        "live",
        yaw=quality.yaw,
        pitch=quality.pitch,
        size=observation.width,
        crop=crop.jpeg if crop else None,
        crop_landmarks=crop.landmarks if crop else None,
    )
