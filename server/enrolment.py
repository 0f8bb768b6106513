"""'Who is this?': gathers varied good samples of one track until there are enough for a name.

No I/O and no clock: observations carry media time, the session saves what comes out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.frame_pipeline import Observation
from pipeline.matcher import Matcher
from pipeline.templates import fuse_template
from server.storage import NewSample
from tracking import Embedding

NEEDED = 5
ENOUGH_AFTER = 3  # samples that will do …
PATIENCE = 2.6  # … once this many seconds have passed
TIMEOUT = 20.0  # seconds without enough samples
SPACING = 0.3  # seconds between two samples
SAME_VIEW = 0.993  # cosine above which a sample teaches nothing new …
SAME_VIEW_SPACING = 0.55  # … unless this many seconds have passed


@dataclass(slots=True)
class Enrolment:
    """One running enrolment. ``hint`` says in the words of docs/protocol.md why the newest picture was not taken."""

    command: int | str | None
    track: int
    name: str
    confirm: str | None = None
    samples: list[NewSample] = field(default_factory=list)
    hint: str | None = None
    started: float | None = None
    last_taken: float = -1e9
    last_seen: float | None = None

    def observe(self, observation: Observation, matcher: Matcher) -> bool:
        """Take or refuse a sample; returns whether something changed that the person should be told."""
        now = observation.time
        if self.started is None:
            self.started = now
        self.last_seen = now
        before = (len(self.samples), self.hint)
        self.hint = self._judge(observation, matcher)
        if self.hint is None and now - self.last_taken >= SPACING:
            self.samples.append(NewSample(observation.embedding, observation.quality.overall, "live"))
            self.last_taken = now
        return before != (len(self.samples), self.hint)

    def tick(self, now: float) -> bool:
        """Notice at media time ``now`` that the face has gone; returns whether the hint changed."""
        if self.started is None:
            self.started = now
        seen = self.started if self.last_seen is None else self.last_seen
        if now - seen > 1.0 and self.hint != "face is gone":
            self.hint = "face is gone"
            return True
        return False

    def complete(self, now: float) -> bool:
        """Whether there are samples enough, or few but the person has waited long enough."""
        if len(self.samples) >= NEEDED:
            return True
        waited = now - (now if self.started is None else self.started)
        return len(self.samples) >= ENOUGH_AFTER and waited >= PATIENCE

    def expired(self, now: float) -> bool:
        """Whether it has taken too long."""
        return self.started is not None and now - self.started > TIMEOUT

    def template(self) -> Embedding:
        """The fused samples, of unit length."""
        return fuse_template([s.embedding for s in self.samples], [s.quality for s in self.samples])

    def _judge(self, observation: Observation, matcher: Matcher) -> str | None:
        complaint = observation.quality.complaint
        if complaint is not None or not self.samples:
            return complaint
        kept = np.stack([s.embedding for s in self.samples])
        similarity = kept @ observation.embedding
        if float(similarity.mean()) < matcher.threshold(1):
            # Somebody else stands where the track is: wait for the face that was meant.
            return "face is gone"
        waited = observation.time - self.last_taken
        if float(similarity.max()) > SAME_VIEW and waited < SAME_VIEW_SPACING:
            return "same view" if waited >= SPACING else self.hint if self.hint == "same view" else None
        return None
