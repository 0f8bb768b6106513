"""Ends what FFmpeg waits for, at once and from another thread.

FFmpeg asks a callback, many times a second, whether to go on waiting. PyAV (18) has one that knows time-outs alone, and
looks at ``time.monotonic`` for them: here it is given a clock that, for a thread whose patience is at its end, runs
ahead of every time-out. With a PyAV that has no such clock a source that is removed ends when its time-outs do.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from typing import Any

import av.container.core as container

_AHEAD = 1e9  # seconds, longer than any time-out
_patient: dict[int, Patience] = {}  # by thread


class Patience:
    """How long one thread waits for FFmpeg. :meth:`end` is for any thread, everything else for its own."""

    def __init__(self) -> None:
        self._until = math.inf
        self._looks = 0
        self.ended = threading.Event()

    def allow(self, seconds: float) -> None:
        """Wait so long from now on, all in all."""
        self._until = time.monotonic() + seconds

    @property
    def over(self) -> bool:
        """Whether it was waited too long, or is to be no longer."""
        return self.ended.is_set() or time.monotonic() >= self._until

    def end(self) -> None:
        """Wait no longer, for anything."""
        self.ended.set()

    def clock(self, now: float) -> float:
        """The time to tell the callback. Each look is further ahead than the one before, which may have begun a
        time-out."""
        if now < self._until and not self.ended.is_set():
            return now
        self._looks += 1
        return now + self._looks * _AHEAD

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        """This thread is the one."""
        number = threading.get_ident()
        _patient[number] = self
        try:
            yield
        finally:
            del _patient[number]


class _Clock:
    """Stands in for the module ``time`` in PyAV's containers; true to everybody but impatient threads."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    @staticmethod
    def monotonic() -> float:
        now = time.monotonic()
        patience = _patient.get(threading.get_ident())
        return now if patience is None else patience.clock(now)


def install() -> bool:
    """Give PyAV the clock, once; whether it has it."""
    found = getattr(container, "time", None)
    if found is time:
        setattr(container, "time", _Clock())  # noqa: B010 - PyAV's types do not know it
        return True
    return isinstance(found, _Clock)
