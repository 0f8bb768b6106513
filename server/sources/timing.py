"""A source's time: from time stamps that may be missing, jump or begin anew, to media time that only goes on."""

from __future__ import annotations

CLOCK_RATE = 90_000
LONGEST_STEP = 5.0  # seconds between two pictures; more is a stream that began anew
REORDERED = 1.0  # seconds that pictures in decoding order may lie behind (B-frames)
USUAL_STEP = 1 / 25
LATE = 0.5  # seconds behind its pace after which a source does not catch up


class MediaClock:
    """Media time in seconds from the first picture, over any number of streams that follow each other."""

    def __init__(self) -> None:
        self._newest: float | None = None
        self._offset: float | None = None  # from the stream's time stamps to media time
        self._gap: float | None = None  # before the first picture of another stream
        self._looked = 0.0

    def begin(self, gap: float = USUAL_STEP) -> None:
        """Another stream follows, ``gap`` seconds after the newest picture; its time stamps have nothing to do with
        those before."""
        self._offset, self._gap = None, gap

    def at(self, stamp: float | None, now: float, usual: float | None = None) -> float:
        """The media time of a picture with this time stamp (seconds), which came at ``now``; without one, ``usual``
        seconds after the one before, or as long as it took to come."""
        before, gap = self._newest, self._gap
        step = gap or usual or min(max(now - self._looked, 0.001), 1.0)
        self._gap, self._looked = None, now
        if before is None:
            before, step = 0.0, 0.0
        time = before + step
        if stamp is not None:
            if self._offset is None or not -REORDERED <= stamp + self._offset - before <= LONGEST_STEP:
                self._offset = time - stamp
            time = stamp + self._offset
            if time == self._newest:
                time += 1 / CLOCK_RATE  # so that pictures can be told apart
        self._newest = max(before, time)
        return time


class Pace:
    """When a recorded picture is due: as fast as it was recorded, and never in a hurry to catch up."""

    def __init__(self) -> None:
        self._begin: float | None = None

    def wait(self, time: float, now: float) -> float:
        """Seconds from ``now`` until the picture of media time ``time`` is due."""
        if self._begin is None or now - (self._begin + time) > LATE or self._begin + time - now > LONGEST_STEP:
            self._begin = now - time
        return max(0.0, self._begin + time - now)


def rtp_of(time: float) -> int:
    """A media time as an RTP time stamp of 32 bits."""
    return round(time * CLOCK_RATE) & 0xFFFFFFFF
