"""What the server's processes take of this computer: its own, and those it started."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

FRESH = 1.0  # seconds in which a look is not made again
STALE = 15.0  # seconds after which a share of the processors is measured anew
MOMENT = 0.2  # … in this many


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor time in seconds since the start, memory in bytes; ``busy`` and ``ours`` are shares of all processors
    since the look before (0–1)."""

    cpu: float
    memory: int
    children: int
    children_cpu: float
    children_memory: int
    files: int
    threads: int
    processors: int
    busy: float
    ours: float
    memory_free: int
    memory_total: int


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    own: float
    children: float
    idle: float
    all: float


class Processes:
    """Asks the system; may be used by several threads."""

    def __init__(self) -> None:
        self._me = psutil.Process()
        self._lock = threading.Lock()
        self._before: _Look | None = None
        self._usage: Usage | None = None

    def usage(self) -> Usage:
        """How it is now; a second later at the earliest it is looked at again. Blocks for some milliseconds, and for a
        fifth of a second after a pause."""
        with self._lock:
            now = time.monotonic()
            if self._usage is not None and self._before is not None and now - self._before.at < FRESH:
                return self._usage
            if self._before is None or now - self._before.at > STALE:
                self._before = self._look(self._me.children(recursive=True))
                time.sleep(MOMENT)
            self._usage = self._measure()
            return self._usage

    def _measure(self) -> Usage:
        children = self._me.children(recursive=True)
        before, now = self._before, self._look(children)
        self._before = now
        assert before is not None
        processors = psutil.cpu_count() or 1
        span = max(1e-3, now.at - before.at)
        spent = max(0.0, now.own + now.children - before.own - before.children)
        passed = now.all - before.all
        memory = psutil.virtual_memory()
        return Usage(
            cpu=now.own,
            memory=self._me.memory_info().rss,
            children=len(children),
            children_cpu=now.children,
            children_memory=sum(_memory(child) for child in children),
            files=self._me.num_fds() if hasattr(self._me, "num_fds") else self._me.num_handles(),
            threads=self._me.num_threads(),
            processors=processors,
            busy=min(1.0, max(0.0, 1 - (now.idle - before.idle) / passed)) if passed > 0 else 0.0,
            ours=min(1.0, spent / span / processors),
            memory_free=memory.available,
            memory_total=memory.total,
        )

    def _look(self, children: list[psutil.Process]) -> _Look:
        own, all = self._me.cpu_times(), psutil.cpu_times()
        ended = own.children_user + own.children_system  # of those that are over: so the sum never falls
        spent = ended + sum(_cpu(child) for child in children)
        idle = all.idle + getattr(all, "iowait", 0.0)
        guest = getattr(all, "guest", 0.0) + getattr(all, "guest_nice", 0.0)  # in user time already
        return _Look(time.monotonic(), own.user + own.system, spent, idle, sum(all) - guest)


def disk(folder: Path) -> tuple[int, int]:
    """Bytes that are free where this folder is, and that there are."""
    found = psutil.disk_usage(str(folder))
    return found.free, found.total


def _cpu(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):  # it has ended
        found = process.cpu_times()
        return float(found.user + found.system)
    return 0.0


def _memory(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0
