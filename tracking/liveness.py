"""A hurdle for a photo held up: turn left, turn right and come nearer, asked one after the other in random order.

Before each movement the face has to rest, and is then asked after a pause nobody knows. A movement made before it was
asked, or another one, ends the challenge; so does a turn without the parallax of a head (:mod:`tracking.parallax`). It
is no proof: a film of the person who does the same at the right moment passes, and so does a mask with a nose.

No I/O and no clock: times are seconds of media time. Left and right are the person's own; in a picture that is not
mirrored their nose then moves to the right and to the left.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from tracking.geometry import Array
from tracking.parallax import Relief, Share, nose_offset, pooled

Liveness = Literal["off", "ask", "require"]  # what a server wants of whoever is enrolled
LIVENESS: tuple[Liveness, ...] = get_args(Liveness)
Step = Literal["left", "right", "nearer"]
STEPS: tuple[Step, ...] = get_args(Step)
Failure = Literal["early", "wrong", "flat", "unclear", "broken", "late", "restless", "swapped"]
Hint = Literal["look straight", "hold still", "further", "hold", "nearer"]

LIMIT = 6.0  # seconds for one movement …
REST_LIMIT = 12.0  # … and for the face to come to rest before it
REST = 0.4  # seconds of rest before the pause begins …
REST_LOOKS = 3  # … and pictures of it, by which noise is measured
PAUSE = (0.3, 1.5)  # seconds between which the pause is drawn
REACTION = 0.25  # nobody has turned sooner than this after being asked: reaction 0.2 s, and the movement itself
LOOKS = 2  # pictures that have to show the movement

# Of the nose between eyes and mouth, in eye distances: sin of the turn times its height, about 0.45.
TURNED = 0.1  # 13°: as guided enrolment takes a face for turned
FRONT = 0.08  # how far a face at rest may be turned by itself, or be from where it rested at first
STILL = 0.045  # how far a face at rest may move
NEARER = 1.22  # times the size at rest: from 60 cm to 49
STEADY = 1.07  # how much the size of a face at rest may change

# A head's share of the expected parallax is 1, a sheet's 0. A head's has to be in the upper half, and three errors away
# from a sheet's; a sheet's in the lower half, with an error that leaves a head's two away.
HALF, SURE, CLEAR = 0.5, 3.0, 0.25
SHEET_LOOKS = 4  # pictures before a turn is taken for a sheet's: one may be blurred


@dataclass(frozen=True, slots=True)
class ChallengeState:
    """Where a challenge stands. ``step`` is ``None`` while the face has to rest; ``number`` counts from 1."""

    step: Step | None
    number: int
    seconds_left: float
    hint: Hint | None = None
    passed: bool = False
    failure: Failure | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.passed or self.failure is not None


@dataclass(slots=True)
class _Rest:
    """Where a face rests: the mean of what was seen since it came to rest."""

    began: float
    noses: list[float]
    sizes: list[float]
    noise: list[float]

    @property
    def nose(self) -> float:
        return float(np.mean(self.noses))

    @property
    def size(self) -> float:
        return float(np.mean(self.sizes))

    def settled(self, now: float) -> bool:
        return len(self.noses) >= REST_LOOKS and now - self.began >= REST


class Challenge:
    """One try of one face. Give it every picture in which a detector found the face, and every break."""

    def __init__(self, chance: random.Random) -> None:
        self.steps: tuple[Step, ...] = tuple(chance.sample(STEPS, len(STEPS)))
        self._pauses = [chance.uniform(*PAUSE) for _ in STEPS]
        self._done = 0
        self._since: float | None = None  # when this rest or movement was asked for
        self._now = 0.0
        self._rest: _Rest | None = None
        self._first: _Rest | None = None  # of the whole challenge
        self._base: _Rest | None = None  # what movements are measured from; of this step's first settled rest
        self._asked = False
        self._looks: list[Relief] = []
        self._seen = 0
        self._hint: Hint | None = "look straight"
        self._failure: Failure | None = None

    @property
    def state(self) -> ChallengeState:
        """Where it stands at the newest picture."""
        passed = self._done == len(self.steps)
        limit = LIMIT if self._asked else REST_LIMIT
        left = limit if self._since is None else max(0.0, limit - (self._now - self._since))
        step = self.steps[self._done] if self._asked and not passed else None
        number = min(self._done + 1, len(self.steps))
        return ChallengeState(step, number, left, self._hint, passed and self._failure is None, self._failure)

    def fail(self, reason: Failure) -> None:
        """End it, unless it is over."""
        if not self.state.over:
            self._failure = reason

    def tick(self, now: float) -> None:
        """Notice at any frame that time is over."""
        self._now = now
        if self._since is None:
            self._since = now
        if now - self._since > (LIMIT if self._asked else REST_LIMIT):
            unclear = self._asked and self._seen >= LOOKS
            self.fail("unclear" if unclear else "late" if self._asked else "restless")

    def look(self, now: float, landmarks: Array, relief: Relief | None) -> bool:
        """Take in a picture with fresh landmarks (5, 2); ``relief`` is what its points say against the newest still
        picture. Returns whether this is the still picture from now on."""
        self.tick(now)
        if self.state.over:
            return False
        nose, size = nose_offset(landmarks), face_height(landmarks)
        if self._asked:
            self._move(now, nose, size, relief)
            return False
        return self._settle(now, nose, size, relief)

    def _settle(self, now: float, nose: float, size: float, relief: Relief | None) -> bool:
        if self._moved_early(nose, size):
            self.fail("early")
            return False
        middle = 0.0 if self._first is None else self._first.nose
        if abs(nose - middle) > FRONT:
            self._rest, self._hint = None, "look straight"
            return False
        rest = self._rest
        if rest is None or abs(nose - rest.nose) > STILL or not 1 / STEADY < size / rest.size < STEADY:
            self._hint = "look straight" if rest is None else "hold still"
            self._rest = _Rest(now, [nose], [size], [])
            return True
        rest.noses.append(nose)
        rest.sizes.append(size)
        if relief is not None:
            rest.noise.append(relief.moved - relief.expected)
        self._hint = "hold still"
        if rest.settled(now):
            self._base = self._base or rest
            self._first = self._first or rest
            if now - rest.began >= REST + self._pauses[self._done]:
                self._ask(now, rest)
        return False

    def _moved_early(self, nose: float, size: float) -> bool:
        """Whether a movement was made that nobody has asked for: from where the face rested in this step, or beyond the
        middle on the way back from the last one."""
        if self._base is not None:
            return abs(nose - self._base.nose) >= TURNED or size / self._base.size >= NEARER
        last = self.steps[self._done - 1] if self._done else None
        if last is None or self._first is None:
            return False
        turned = nose - self._first.nose
        return (turned >= TURNED and last != "left") or (turned <= -TURNED and last != "right")

    def _ask(self, now: float, rest: _Rest) -> None:
        self._asked, self._since, self._base = True, now, rest
        self._looks, self._seen, self._hint = [], 0, None

    def _move(self, now: float, nose: float, size: float, relief: Relief | None) -> None:
        base, step = self._base, self.steps[self._done]
        assert base is not None
        assert self._since is not None
        turned, grown = nose - base.nose, size / base.size
        sign = {"left": 1, "right": -1, "nearer": 0}[step]
        if (abs(turned) >= TURNED and turned * sign <= 0) or (grown >= NEARER and sign):
            self.fail("wrong")
            return
        there = _is_turned(turned * sign, sign, relief) if sign else grown >= NEARER
        if not there:
            part = turned * sign / TURNED if sign else (grown - 1) / (NEARER - 1)
            self._hint = None if part < 0.4 else "further" if sign else "nearer"
            return
        if now - self._since < REACTION:
            self.fail("early")
            return
        self._seen += 1
        self._hint = "hold"
        if sign and relief is not None:
            self._looks.append(relief)
        if (self._is_a_head(base) if sign else self._seen >= LOOKS) and self._failure is None:
            self._next(now)

    def _is_a_head(self, base: _Rest) -> bool:
        """Whether the turn has shown the parallax of a head. Fails where it has shown that of a sheet."""
        if len(self._looks) < LOOKS:
            return False
        still = float(np.sqrt(np.mean(np.square(base.noise)))) if base.noise else 0.0
        verdict = judged(pooled(self._looks, still))
        if verdict == "sheet" and len(self._looks) >= SHEET_LOOKS:
            self.fail("flat")
        return verdict == "head"

    def _next(self, now: float) -> None:
        self._done += 1
        self._asked, self._since = False, now
        self._rest = self._base = None
        self._hint = "look straight"


def _is_turned(turned: float, sign: int, relief: Relief | None) -> bool:
    """Whether a face is turned far enough: by the detector's nose, or, as detectors like faces that look ahead, by what
    was followed, if the detector's nose goes the same way."""
    if turned >= TURNED or relief is None:
        return turned >= TURNED
    moved = relief.moved * sign
    return turned >= TURNED / 3 and moved >= max(TURNED, SURE * relief.error)


def judged(share: Share) -> Literal["head", "sheet", "unclear"]:
    """What turned, by its share of the expected parallax."""
    if share.value >= HALF:
        return "head" if share.value >= SURE * share.error else "unclear"
    return "sheet" if share.error <= CLEAR else "unclear"


def face_height(landmarks: Array) -> float:
    """From between the eyes to between the corners of the mouth, in pixels: a size that turning does not change."""
    return max(float(np.linalg.norm(landmarks[3:].mean(0) - landmarks[:2].mean(0))), 1e-3)
