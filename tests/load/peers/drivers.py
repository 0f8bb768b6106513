"""The processes that hold the senders, as whoever measures sees them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.load.peers.video import Clip

ROOT = Path(__file__).resolve().parents[3]
SESSIONS_EACH = 40  # in one process, if not said otherwise


class DriverGone(RuntimeError):
    """A process that drives senders has ended by itself."""


class Driver:
    """One process of :mod:`tests.load.peers.drive`."""

    def __init__(self, url: str, clips: Sequence[Clip], kind: str = "whip") -> None:
        command = [sys.executable, "-m", "tests.load.peers.drive", "--url", url, "--rate", str(clips[0].rate)]
        command += ["--kind", kind]
        command += [str(clip.folder) for clip in clips]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self.numbers: set[int] = set()  # of the sessions it holds

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """Its answer to a wish. Raises :class:`DriverGone`."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:  # the latter where it was killed from here
            raise self._gone() from error
        return self.hear()

    def hear(self) -> dict[str, Any]:
        """The next line it says. Raises :class:`DriverGone`."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise self._gone()
        return dict(json.loads(line))

    def _gone(self) -> DriverGone:
        return DriverGone(f"the process that drives sessions {sorted(self.numbers)} has ended")

    def end(self) -> None:
        """Let its sessions say goodbye, and wait for it."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._let_go()

    def kill(self) -> None:
        """End it at once: none of its sessions can say goodbye."""
        self.process.kill()
        self._let_go()

    def _let_go(self) -> None:
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


class Drivers:
    """Several of them, with the sessions dealt out in turn."""

    def __init__(self, url: str, clips: Sequence[Clip], processes: int, kind: str = "whip") -> None:
        self.all = [Driver(url, clips, kind) for _ in range(processes)]
        for driver in self.all:
            driver.hear()  # it is ready

    @property
    def pids(self) -> list[int]:
        """Of their processes."""
        return [driver.process.pid for driver in self.all]

    def open(self, numbers: Sequence[int], pace: float, **how: Any) -> dict[str, Any]:
        """Begin these sessions, ``pace`` a second over all; see :meth:`tests.load.peers.drive.Senders.open`."""
        parts = [list(numbers[index :: len(self.all)]) for index in range(len(self.all))]
        answers = self._ask_all("open", [{"numbers": p, "pace": pace / len(self.all), **how} for p in parts])
        for driver, answer in zip(self.all, answers, strict=True):
            driver.numbers |= set(answer["open"])
        return {
            "open": sorted(number for answer in answers for number in answer["open"]),
            "full": sorted(number for answer in answers for number in answer["full"]),
            "failed": {int(number): why for answer in answers for number, why in answer["failed"].items()},
        }

    def begin(self) -> None:
        """Count from now on."""
        self._ask_all("begin", [{}] * len(self.all))

    def report(self) -> dict[int, dict[str, Any]]:
        """What each session has counted."""
        return _by_number(self._ask_all("report", [{}] * len(self.all)))

    def close(self, numbers: Sequence[int], goodbye: bool = True) -> dict[int, dict[str, Any]]:
        """Let these sessions go; what they had counted."""
        fields = [{"numbers": [n for n in numbers if n in driver.numbers], "goodbye": goodbye} for driver in self.all]
        answers = self._ask_all("close", fields)
        for driver in self.all:
            driver.numbers -= set(numbers)
        return _by_number(answers)

    def _ask_all(self, do: str, fields: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        with ThreadPoolExecutor(len(self.all)) as threads:
            return list(threads.map(lambda pair: pair[0].ask(do, **pair[1]), zip(self.all, fields, strict=True)))


def _by_number(answers: Sequence[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {int(number): said for answer in answers for number, said in answer["sessions"].items()}


@contextlib.contextmanager
def drivers(
    url: str, clips: Sequence[Clip], sessions: int, processes: int = 0, kind: str = "whip"
) -> Iterator[Drivers]:
    """Processes for so many sessions, and their end."""
    made = Drivers(url, clips, processes or 1 + (sessions - 1) // SESSIONS_EACH, kind)
    try:
        yield made
    finally:
        for driver in made.all:
            driver.end()
