"""What processes cost: processor time, memory, threads and open files of a process and all below it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

MEGABYTE = 1 << 20
EVERY = 2.0  # seconds between two looks


@dataclass(frozen=True, slots=True)
class Standing:
    """At one moment, of all processes together: MB of memory (each page shared is counted once, in parts), threads,
    open files; and how many processes."""

    memory: float
    threads: int
    files: int
    processes: int


class Processes:
    """Some processes and all that they start. Processor time of those that have ended counts as far as it was seen."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._roots = [psutil.Process(pid) for pid in pids]
        self._spent: dict[tuple[int, float], float] = {}  # pid and start → seconds

    def tree(self) -> list[psutil.Process]:
        """Those that are there now."""
        found = []
        for root in self._roots:
            try:
                found += [root, *root.children(recursive=True)]
            except psutil.NoSuchProcess:
                continue
        return found

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        for process in self.tree():
            try:
                times = process.cpu_times()
                self._spent[process.pid, process.create_time()] = times.user + times.system
            except psutil.NoSuchProcess:
                continue
        return sum(self._spent.values())

    def standing(self) -> Standing:
        """How they stand now."""
        memory, threads, files, processes = 0, 0, 0, 0
        for process in self.tree():
            try:
                memory += process.memory_full_info().pss
                threads += process.num_threads()
                files += process.num_fds()
                processes += 1
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return Standing(memory / MEGABYTE, threads, files, processes)


class Watch:
    """Looks at the memory of processes from time to time, in a thread: ``with Watch(processes) as watch``."""

    def __init__(self, processes: Processes, every: float = EVERY) -> None:
        self.memory: list[tuple[float, float]] = []  # seconds since the beginning, MB
        self._processes = processes
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        began = time.perf_counter()
        while True:
            self.memory.append((time.perf_counter() - began, self._processes.standing().memory))
            if self._over.wait(self._every):
                return


def robust_slope(points: Sequence[tuple[float, float]]) -> float:
    """The median of the slopes between all pairs of points (Theil–Sen), which no few outliers can move; 0 with fewer
    than two."""
    slopes = sorted(
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for index, earlier in enumerate(points)
        for later in points[index + 1 :]
        if later[0] != earlier[0]
    )
    middle = len(slopes) // 2
    if not slopes:
        return 0.0
    return slopes[middle] if len(slopes) % 2 else (slopes[middle - 1] + slopes[middle]) / 2
