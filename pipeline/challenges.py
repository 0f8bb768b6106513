"""The challenges of a pipeline's tracks: begun and ended by a session, fed by its frames."""

from __future__ import annotations

from dataclasses import dataclass

from tracking import Track
from tracking.flow import Gray
from tracking.liveness import Challenge, ChallengeState
from tracking.parallax import FacePoints


@dataclass(slots=True)
class _Running:
    challenge: Challenge
    points: FacePoints | None = None
    met: bool = False  # the track has been there: begun from another thread, a challenge may be a frame ahead of it


class Challenges:
    """May be begun and ended from another thread than the one that feeds it."""

    def __init__(self) -> None:
        self._asked: dict[int, Challenge] = {}  # replaced as a whole, so that another thread may do it
        self._running: dict[int, _Running] = {}

    def begin(self, track: int, challenge: Challenge) -> None:
        """Feed a challenge with this track from the next frame on."""
        self._asked = {**self._asked, track: challenge}

    def end(self, track: int) -> None:
        """Feed it no more; harmless without one."""
        self._asked = {number: challenge for number, challenge in self._asked.items() if number != track}

    def advance(self, gray: Gray, tracks: dict[int, Track], now: float) -> None:
        """Every frame; ``tracks`` are the visible ones by the number their challenge was begun under."""
        asked = self._asked
        self._running = {
            number: was if (was := self._running.get(number)) and was.challenge is challenge else _Running(challenge)
            for number, challenge in asked.items()
        }
        for number, running in self._running.items():
            track = tracks.get(number)
            running.challenge.tick(now)
            running.met |= track is not None
            if track is None or track.blind or track.suspect:
                if running.met:
                    running.challenge.fail("broken")
            elif running.points is not None:
                running.points.advance(gray, track.box, track.landmarks)

    def look(self, gray: Gray, tracks: dict[int, Track], now: float) -> None:
        """A frame in which faces were looked for, after :meth:`advance`."""
        for number, running in self._running.items():
            track = tracks.get(number)
            if track is None or track.suspect:
                if running.met:
                    running.challenge.fail("broken")
            elif track.fresh and not running.challenge.state.over:
                points = running.points
                relief = None if points is None else points.relief(track.landmarks, track.box)
                if running.challenge.look(now, track.landmarks, relief):
                    running.points = FacePoints(gray, track.box, track.landmarks)

    @property
    def states(self) -> tuple[tuple[int, ChallengeState], ...]:
        """Where each stands, by the number of the track it was begun under."""
        return tuple((number, running.challenge.state) for number, running in self._running.items())
