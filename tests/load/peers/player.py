"""Which encoded picture of a clip comes next. No I/O and no clock."""

from __future__ import annotations

from tests.load.peers.video import LOOP, Clip

QUICKER = 1.2


class Player:
    """Goes through a clip's loop for ever; changes to another encoding at the next key frame of that one."""

    def __init__(self, clip: Clip, rate: int, size: tuple[int, int]) -> None:
        self._clip = clip
        self.rate = rate
        self.size = size
        self._wanted = (rate, size)
        self._most = float(rate)
        self._index = 0  # of the next picture, in the loop of this rate
        self.shown = 0  # … and of the one before

    def want(self, fps: float, width: int, height: int) -> None:
        """At most so many pictures a second, at most this large, from the next key frame on."""
        self._wanted = self._clip.fitting(fps, width, height)
        self._most = min(fps, float(self._clip.rate))

    @property
    def pace(self) -> float:
        """Pictures a second to show: the encoding's, and up to a fifth more where that is allowed, since there is not
        an encoding for every rate."""
        return max(1.0, min(self._most, QUICKER * self.rate))

    def jump(self) -> None:
        """Go to the nearest key frame: a receiver has lost its picture."""
        self._index = round(self._index / self.rate) % LOOP * self.rate

    def next(self) -> list[bytes]:
        """The payloads of the next picture, which is to be shown for 1/``pace`` s."""
        if self._index % self.rate == 0 and self._wanted != (self.rate, self.size):
            second = self._index // self.rate
            self.rate, self.size = self._wanted
            self._index = second * self.rate
        pictures = self._clip.payloads(self.rate, self.size)
        payloads = pictures[self._index]
        self.shown = self._index
        self._index = (self._index + 1) % len(pictures)
        return payloads
