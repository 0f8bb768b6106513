"""The challenges of one live session: asked for with ``enrol``, told step by step, three tries and then a wait."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.challenges import Challenges
from pipeline.results import FrameResult
from server.live.messages import BadMessage, Command
from tracking.liveness import STEPS, Challenge, ChallengeState, Failure, Liveness

TRIES = 3
WAIT = 60.0  # seconds after that many have failed

REASONS: dict[Failure, str] = {
    "early": "A movement came before it was asked for.",
    "wrong": "That was another movement than the one asked for.",
    "flat": "The turn looked like a picture's and not like a head's.",
    "unclear": "The turn could not be seen well enough. More light helps, and being nearer.",
    "broken": "The face was out of sight for a moment, or moved too quickly.",
    "late": "The movement did not come in time.",
    "restless": "The face did not hold still.",
    "swapped": "Another face came into its place.",
}


class Voice(Protocol):
    """What a session says to its page."""

    def say(self, kind: str, **fields: Any) -> None:
        """A message."""

    def fail(self, command: int | str | None, code: str, text: str, **fields: Any) -> None:
        """An ``error`` message."""


class Stage(Protocol):
    """What feeds challenges with pictures: the pipeline."""

    @property
    def challenges(self) -> Challenges:
        """Those of its tracks."""


@dataclass(slots=True)
class _Running:
    command: int | str | None
    challenge: Challenge
    told: tuple[object, ...] = ()
    shown: bool = False  # a movement was asked for: what it will be is no secret any more


class LiveChallenges:
    """Owns the challenges of one session, one a track at most. Failed tries are counted for the whole session, and so
    are those that somebody ended after a movement was asked: or else one could go on until the order suits."""

    def __init__(
        self,
        voice: Voice,
        stage: Stage,
        liveness: Liveness,
        clock: Callable[[], float],
        chance: random.Random | None = None,
    ) -> None:
        self._voice, self._stage, self._liveness = voice, stage, liveness
        self._clock = clock
        self._chance = chance or secrets.SystemRandom()
        self._running: dict[int, _Running] = {}
        self._failed = 0
        self._failed_last = 0.0

    def asked(self, command: Command) -> bool:
        """Whether an ``enrol`` comes with a challenge. Raises :class:`server.live.messages.BadMessage`."""
        value = command.body.get("challenge", False)
        if not isinstance(value, bool):
            raise BadMessage("challenge must be true or false")
        return value

    def refused(self, command: Command, wanted: bool) -> bool:
        """Whether nothing may be learnt now; then the page has been told."""
        if not wanted:
            if self._liveness == "require":
                text = "Here a face is learnt only with movements that are asked for. Switch them on and try again."
                self._voice.fail(command.id, "challenge_missing", text)
            return self._liveness == "require"
        left = self._wait_left()
        if left > 0:
            text = f"{TRIES} tries have failed. Wait {left:.0f} s and try again."
            self._voice.fail(command.id, "challenge_wait", text, seconds=round(left, 1))
        return left > 0

    def begin(self, track: int, command: int | str | None) -> Challenge:
        """A new one for a track that is watched."""
        challenge = Challenge(self._chance)
        self._running[track] = _Running(command, challenge)
        self._stage.challenges.begin(track, challenge)
        self._tell(track, self._running[track], challenge.state)
        return challenge

    def end(self, track: int) -> None:
        """Its enrolment has ended, well or not; harmless without a challenge."""
        running = self._running.pop(track, None)
        if running is None:
            return
        self._stage.challenges.end(track)
        if running.challenge.state.passed:
            self._failed = 0
        elif running.shown:
            self._count()

    def observe(self, result: FrameResult) -> list[int]:
        """Tell of what a frame brought; returns the tracks whose challenge has failed, of which the page was told."""
        failed = []
        for track, state in result.challenges:
            running = self._running.get(track)
            if running is None:
                continue
            running.shown |= state.step is not None
            # Seen by what reads faces, it may have ended beside the pipeline.
            failure = state.failure or running.challenge.state.failure
            if failure is not None:
                failed.append(track)
                self._fail(track, running, failure)
            else:
                self._tell(track, running, state)
        return failed

    def _fail(self, track: int, running: _Running, failure: Failure) -> None:
        del self._running[track]
        self._stage.challenges.end(track)
        self._count()
        left = TRIES - self._failed
        self._voice.fail(
            running.command, "challenge_failed", REASONS[failure], track=track, reason=failure, tries_left=left
        )

    def _count(self) -> None:
        if self._failed >= TRIES:  # the wait after them is over
            self._failed = 0
        self._failed += 1
        self._failed_last = self._clock()

    def _wait_left(self) -> float:
        return 0.0 if self._failed < TRIES else max(0.0, WAIT - (self._clock() - self._failed_last))

    def _tell(self, track: int, running: _Running, state: ChallengeState) -> None:
        said = (state.step, state.number, state.hint, state.passed, int(state.seconds_left))
        if said == running.told:
            return
        running.told = said
        self._voice.say(
            "challenge",
            id=running.command,
            track=track,
            step="done" if state.passed else state.step or "rest",
            number=state.number,
            of=len(STEPS),
            seconds_left=round(state.seconds_left, 1),
            hint=state.hint,
        )
