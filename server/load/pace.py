"""Holds a sender that sends more than its share to it."""

from __future__ import annotations

SLACK = 1.3  # times its share, which nobody minds: pictures do not come to the moment
SAVED = 2.0  # pictures that may come at once after a pause


class Pace:
    """A bucket that fills at the session's rate and from which each picture takes one. Times in seconds."""

    def __init__(self) -> None:
        self._rate: float | None = None
        self._level = SAVED
        self._at: float | None = None

    def allow(self, fps: float | None) -> None:
        """So many pictures a second from now on; ``None``: all that come."""
        self._rate = None if fps is None else SLACK * fps

    def wait(self, now: float) -> float:
        """A picture was worked on: how long to wait before another is taken, which will then be the newest there is."""
        if self._rate is None:
            return 0.0
        passed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        self._level = min(SAVED, self._level + passed * self._rate) - 1
        return max(0.0, -self._level / self._rate)
