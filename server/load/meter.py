"""What this server uses of the processors, and what is left of them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection
from pathlib import Path

import psutil

from server.load.budget import Measured

CGROUP = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds allowed in a period


def processors(quota: Path = CGROUP) -> float:
    """How many this process may use: of the machine, as far as affinity and a container's quota let it."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        allowed, period = quota.read_text("ascii").split()
        if allowed != "max":
            return max(0.1, min(there, int(allowed) / int(period)))
    return float(there)


class Meter:
    """Reads the counters of this process, its workers, and the machine. ``workers`` gives the ids of processes that
    work for live sessions."""

    def __init__(self, workers: Callable[[], Collection[int]] = tuple) -> None:
        self.processors = processors()
        self._workers = workers
        self._process = psutil.Process()
        self._own: dict[int, float] = self._counters()
        self._busy = _busy()
        self._at = time.monotonic()

    def read(self, pictures: int, late: float) -> Measured:
        """What was used since this was last called, while so many pictures were answered, the slower ones so many
        seconds late."""
        now, own, busy = time.monotonic(), self._counters(), _busy()
        seconds = max(1e-3, now - self._at)
        # A worker that is new has done nothing for us yet; one that is gone leaves what it did uncounted.
        used = {number: max(0.0, seen - self._own.get(number, seen)) / seconds for number, seen in own.items()}
        among = sum(share for number, share in used.items() if not _gives_way(number))
        others = max(0.0, (busy - self._busy) / seconds - among)
        self._own, self._busy, self._at = own, busy, now
        return Measured(seconds, self.processors, sum(used.values()), others, pictures, late)

    def _counters(self) -> dict[int, float]:
        counters = {}
        for process in (self._process, *(_process(number) for number in self._workers())):
            if process is not None:
                with contextlib.suppress(psutil.Error):
                    times = process.cpu_times()
                    counters[process.pid] = times.user + times.system
        return counters


def _process(number: int) -> psutil.Process | None:
    try:
        return psutil.Process(number)
    except psutil.Error:
        return None


def _gives_way(number: int) -> bool:
    """Whether a process is left out of :func:`_busy`."""
    process = _process(number)
    try:
        return hasattr(psutil.cpu_times(), "nice") and process is not None and int(process.nice()) > 0
    except psutil.Error:
        return False


def _busy() -> float:
    """Processor seconds of everybody, without what gave way to all others (nice): such work leaves room."""
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "irq", 0.0) + getattr(times, "softirq", 0.0))
