"""A browser's network and a server's, with a bad line between them (Linux, root).

Two network namespaces, joined twice: by a veth pair whose queues are the kernel's (`tc`), and by the wire of
:mod:`tests.load.wire` for what this kernel's queues cannot do. One of the two carries at a time, with the same
addresses.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.load.namespaces import ip, unavailable
from tests.load.wire import Condition

BROWSER, SERVER = "10.77.1.2", "10.77.1.1"
SIDES = {"browser": BROWSER, "server": SERVER}
KERNEL, WIRE = "tc", "wire"
BURST = "5kb"


def no_sides() -> str | None:
    """Why there can be none here."""
    if why := unavailable():
        return why
    if shutil.which("tc") is None:
        return "queues need `tc` (on Debian: apt-get install iproute2)"
    return None


@dataclass(slots=True)
class Sides:
    """Both networks. ``spaces`` are the namespaces' names."""

    spaces: dict[str, str]
    queues: frozenset[str]  # of those that conditions need, what this kernel has
    wire: subprocess.Popen[str] | None
    folder: Path
    counts: dict[str, list[int]] | None = None  # what the wire carried and lost under the condition before
    _carries: str | None = None

    def prefix(self, side: str) -> list[str]:
        """Before a command that is to run on that side."""
        return ["ip", "netns", "exec", self.spaces[side]]

    def program(self, side: str, path: str) -> str:
        """A file that runs the program ``path`` on that side, for those who want to start it themselves."""
        script = self.folder / f"{Path(path).name}-{side}"
        script.write_text(f'#!/bin/sh\nexec {" ".join(self.prefix(side))} {path} "$@"\n')
        script.chmod(0o755)
        return str(script)

    def means(self, condition: Condition) -> str | None:
        """What makes this condition here: the kernel's queues, our wire, or nothing."""
        needed = {"tbf"} if condition.kbits else set()
        needed |= {"netem"} if condition.loss or condition.delay or condition.jitter else set()
        if needed <= self.queues:
            return KERNEL
        return WIRE if self.wire else None

    def ready_for(self, condition: Condition) -> None:
        """What will make this condition carries from now on, with no impairment yet."""
        self.impair(Condition(), self.means(condition))

    def impair(self, condition: Condition, means: str | None = None) -> str:
        """Both ways from now on; returns by what means. Raises ``RuntimeError`` where there is none."""
        means = means or self.means(condition)
        if means is None:
            raise RuntimeError(f"this kernel has no queue for: {condition.name}; nor has it TUN interfaces for a wire")
        if means != self._carries:
            self._carry_by(means)
        if means == KERNEL:
            for space in self.spaces.values():
                self._queue(space, condition)
        if self.wire:
            self._tell(condition if means == WIRE else Condition())
        return means

    def _carry_by(self, means: str) -> None:
        self._carries = means
        for side, space in self.spaces.items():
            for link in (KERNEL, WIRE) if self.wire else (KERNEL,):
                ip("-n", space, "addr", "flush", "dev", link)
                ip("-n", space, "link", "set", link, "up" if link == means else "down")
            ip("-n", space, "addr", "add", f"{SIDES[side]}/24", "dev", means)

    def _queue(self, space: str, condition: Condition) -> None:
        subprocess.run(["tc", "-n", space, "qdisc", "del", "dev", KERNEL, "root"], check=False, capture_output=True)
        words: list[str] = []
        if condition.kbits:
            words = ["tbf", "rate", f"{condition.kbits}kbit", "burst", BURST, "latency", f"{condition.queue:g}ms"]
        elif condition.loss or condition.delay or condition.jitter:
            words = ["netem", "loss", f"{100 * condition.loss:g}%"]
            words += ["delay", f"{condition.delay:g}ms", f"{condition.jitter:g}ms"] if condition.delay else []
        if words:
            subprocess.run(["tc", "-n", space, "qdisc", "add", "dev", KERNEL, "root", *words], check=True)

    def _tell(self, condition: Condition) -> None:
        assert self.wire is not None
        assert self.wire.stdin is not None
        assert self.wire.stdout is not None
        self.wire.stdin.write(json.dumps(asdict(condition)) + "\n")
        self.wire.stdin.flush()
        self.counts = json.loads(self.wire.stdout.readline())


@contextlib.contextmanager
def two_sides(folder: Path) -> Iterator[Sides]:
    """Both namespaces, for as long as it lasts; helpers go to ``folder``."""
    name = f"visavis-{os.getpid()}"
    spaces = {side: f"{name}-{side}" for side in SIDES}
    wire: subprocess.Popen[str] | None = None
    try:
        for space in spaces.values():
            ip("netns", "add", space)
            ip("-n", space, "link", "set", "lo", "up")
        one, other = spaces["browser"], spaces["server"]
        ip("-n", one, "link", "add", KERNEL, "type", "veth", "peer", "name", KERNEL, "netns", other)
        wire = _wire(spaces)
        yield Sides(spaces, _queues(one), wire, folder)
    finally:
        if wire is not None:
            wire.communicate(timeout=5)
        for space in spaces.values():
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)


def _queues(space: str) -> frozenset[str]:
    """What this kernel has, by trying."""
    tries = {"netem": ["netem", "loss", "1%"], "tbf": ["tbf", "rate", "1mbit", "burst", BURST, "latency", "50ms"]}
    found = set()
    for name, words in tries.items():
        add = ["tc", "-n", space, "qdisc", "add", "dev", KERNEL, "root", *words]
        if subprocess.run(add, check=False, capture_output=True).returncode == 0:
            found.add(name)
            subprocess.run(["tc", "-n", space, "qdisc", "del", "dev", KERNEL, "root"], check=True)
    return frozenset(found)


def _wire(spaces: dict[str, str]) -> subprocess.Popen[str] | None:
    """Our wire between the two, or ``None`` where the kernel has no TUN interfaces."""
    if not Path("/dev/net/tun").exists():
        return None
    names = {side: f"vv{os.getpid() % 100_000}{side[0]}" for side in spaces}
    command = [sys.executable, "-m", "tests.load.wire", *names.values()]
    wire = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert wire.stdout is not None
    if wire.stdout.readline() != "ready\n":
        wire.wait()
        return None
    for side, space in spaces.items():
        ip("link", "set", names[side], "netns", space)
        ip("-n", space, "link", "set", names[side], "name", WIRE)
        ip("-n", space, "link", "set", WIRE, "txqueuelen", "1000")
    return wire
