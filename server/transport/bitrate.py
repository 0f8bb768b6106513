"""Which bit rate a sender is told in its first seconds, and how soon a slow line is noticed then.

No I/O and no clock: times are arguments, in milliseconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

SEND_TIME_UNIT = 1000 / 2**18  # ms: abs-send-time is a 24-bit fixed-point number of seconds, 18 bits of it fraction
SEND_TIME_WRAP = 64_000  # ms
OVERHEAD = 60  # bytes of each packet that are not payload: IP, UDP, RTP and its encryption
MARGIN = 0.8  # of what a full line carried: the rest empties its queue


@dataclass(slots=True)
class StandingQueue:
    """Notices that packets wait in a queue all the time: then the line carries all it can, and how much that is can be
    told. A burst that passes, an event loop that was held up and jitter leave some packets that did not wait."""

    window: float = 100.0  # ms looked back on
    limit: float = 60.0  # ms that every packet waited
    least_packets: int = 5
    _least: float = 0.0  # the shortest way so far, in ms from the first packet's
    _first: float | None = None
    _seen: deque[tuple[float, float, int]] = field(default_factory=deque)

    def add(self, arrival: float, abs_send_time: int, size: int) -> int | None:
        """A packet came; returns the line's bit rate if a queue stands."""
        way = (arrival - abs_send_time * SEND_TIME_UNIT) % SEND_TIME_WRAP
        if self._first is None:
            self._first = way
        waited = (way - self._first + SEND_TIME_WRAP / 2) % SEND_TIME_WRAP - SEND_TIME_WRAP / 2
        self._least = min(self._least, waited)
        self._seen.append((arrival, waited, size + OVERHEAD))
        while arrival - self._seen[0][0] > self.window:
            self._seen.popleft()
        span = arrival - self._seen[0][0]
        if len(self._seen) < self.least_packets or span < 0.7 * self.window:
            return None
        if min(waited for _, waited, _ in self._seen) - self._least < self.limit:
            return None
        carried = sum(size for _, _, size in self._seen) - self._seen[0][2]
        return round(carried * 8 * 1000 / span)


class EarlyBitrate:
    """Announces a generous bit rate from the first packets on, then lets aiortc's estimator speak.

    Chromium takes a REMB at its word only in its first two seconds, and aiortc sends none before the third. A line
    that cannot carry it shows by its queue, or where it has none by packets that are gone for good (``flooded``); then
    what it can carry is announced instead, and the estimator goes on from there.
    """

    def __init__(
        self,
        estimator: Any,
        bps: int,
        flooded: Callable[[], bool] = lambda: False,
        for_ms: int = 3000,
        every_ms: int = 100,
    ) -> None:
        self._estimator = estimator
        self._bps = bps
        self._flooded = flooded
        self._for_ms = for_ms
        self._every_ms = every_ms
        self._first: int | None = None
        self._sent = 0
        self._lowered: int | None = None
        self._handed_over = False
        self._queue = StandingQueue()
        self._arrived: deque[tuple[int, int]] = deque()

    def add(
        self, arrival_time_ms: int, abs_send_time: int, payload_size: int, ssrc: int
    ) -> tuple[int, list[int]] | None:
        """As aiortc's estimator: returns a bit rate to announce and for which sources, or ``None``."""
        estimate: tuple[int, list[int]] | None = self._estimator.add(
            arrival_time_ms=arrival_time_ms, abs_send_time=abs_send_time, payload_size=payload_size, ssrc=ssrc
        )
        if self._first is None:
            self._first, self._sent = arrival_time_ms, arrival_time_ms - self._every_ms
        if arrival_time_ms - self._first >= self._for_ms:
            if not self._handed_over:
                self._hand_over(arrival_time_ms)
            return estimate
        line = self._line(arrival_time_ms, abs_send_time, payload_size)
        if line is not None and (self._lowered is None or arrival_time_ms - self._lowered > 3 * self._every_ms):
            self._lower(min(self._bps, round(MARGIN * line)), arrival_time_ms)
        elif arrival_time_ms - self._sent < self._every_ms:
            return None
        self._sent = arrival_time_ms
        return self._bps, list(self._estimator.ssrcs)

    def _line(self, now: int, abs_send_time: int, size: int) -> int | None:
        """What the line carries, if it is full."""
        self._arrived.append((now, size + OVERHEAD))
        while now - self._arrived[0][0] > 500:
            self._arrived.popleft()
        line = self._queue.add(now, abs_send_time, size)
        span = now - self._arrived[0][0]
        if line is None and span > 250 and self._flooded():
            line = round(sum(size for _, size in self._arrived) * 8 * 1000 / span)
        return line

    def _hand_over(self, now: int) -> None:
        """aiortc begins with what came in three seconds: of a sender that was given little, or nearly nothing. It would
        be held to that for a minute, so that it could not use more when it is given more."""
        self._handed_over = True
        if self._lowered is None:
            self._begin_with(self._bps, now)

    def _lower(self, bps: int, now: int) -> None:
        self._bps, self._lowered = bps, now
        self._begin_with(bps, now)

    def _begin_with(self, bps: int, now: int) -> None:
        control: Any = getattr(self._estimator, "rate_control", None)
        if hasattr(control, "set_estimate"):
            control.set_estimate(bps, now)
