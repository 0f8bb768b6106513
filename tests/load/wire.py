"""A wire that loses, delays and throttles packets, for kernels whose queues cannot (`tc netem` is a module that small
kernels leave out).

    python -m tests.load.wire FIRST SECOND

Makes two TUN interfaces of these names and carries IP packets from each to the other; both may be moved into network
namespaces. A condition is read from standard input as a line of JSON and holds both ways from then on; each line is
answered by one that counts what was carried and lost under the condition before.
"""

from __future__ import annotations

import fcntl
import heapq
import json
import os
import random
import selectors
import struct
import sys
import time
from dataclasses import dataclass, field

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
MAX_PACKET = 65_536  # more than an interface gives at once


@dataclass(frozen=True, slots=True)
class Condition:
    """What happens to packets, each way: a share is lost, the others take ``delay`` ± ``jitter`` (every packet on its
    own, so that they overtake each other, as netem has it), and no more than ``kbits`` a second get through, behind a
    queue of ``queue`` ms."""

    name: str = "no impairment"
    loss: float = 0.0
    delay: float = 0.0  # ms
    jitter: float = 0.0  # ms
    kbits: int = 0  # 0: no limit
    queue: float = 300.0  # ms


@dataclass(slots=True)
class Way:
    """One direction of the wire. No I/O and no clock."""

    condition: Condition
    chance: random.Random
    carried: int = 0
    lost: int = 0
    _free: float = 0.0  # when the line has sent all it was given
    _order: int = 0
    _waiting: list[tuple[float, int, bytes]] = field(default_factory=list)

    def take(self, packet: bytes, now: float) -> None:
        """A packet comes; it may be lost."""
        condition = self.condition
        start = max(now, self._free)
        full = condition.kbits and (start - now) * 1000 > condition.queue
        if full or self.chance.random() < condition.loss:
            self.lost += 1
            return
        if condition.kbits:
            start += len(packet) * 8 / (condition.kbits * 1000)
            self._free = start
        late = condition.delay + condition.jitter * self.chance.uniform(-1, 1)
        self._order += 1
        heapq.heappush(self._waiting, (start + max(0.0, late) / 1000, self._order, packet))

    def due(self, now: float) -> list[bytes]:
        """Packets that arrive now."""
        arrived = []
        while self._waiting and self._waiting[0][0] <= now:
            arrived.append(heapq.heappop(self._waiting)[2])
        self.carried += len(arrived)
        return arrived

    def next_at(self) -> float | None:
        """When the next one arrives."""
        return self._waiting[0][0] if self._waiting else None


def tun(name: str) -> int:
    """A new TUN interface. Raises ``OSError`` where there can be none."""
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return end


def carry(ends: tuple[int, int]) -> None:
    """Carry packets until standard input ends."""
    ways = {end: Way(Condition(), random.Random(number)) for number, end in enumerate(ends)}
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    with selectors.DefaultSelector() as selector:
        for file in (*ends, sys.stdin.fileno()):
            selector.register(file, selectors.EVENT_READ)
        while True:
            nexts = [at for way in ways.values() if (at := way.next_at()) is not None]
            wait = max(0.0, min(nexts) - time.monotonic()) if nexts else None
            for key, _ in selector.select(wait):
                if key.fd in ways:
                    _read_all(key.fd, ways[key.fd])
                elif line := sys.stdin.readline():
                    _change(list(ways.values()), Condition(**json.loads(line)))
                else:
                    return
            for end, way in ways.items():
                for packet in way.due(time.monotonic()):
                    _write(other[end], packet)


def _read_all(end: int, way: Way) -> None:
    while True:
        try:
            packet = os.read(end, MAX_PACKET)
        except (BlockingIOError, OSError):  # an interface that is down has nothing to read
            return
        way.take(packet, time.monotonic())


def _write(end: int, packet: bytes) -> None:
    try:
        os.write(end, packet)
    except OSError:
        return  # the other interface is down


def _change(ways: list[Way], condition: Condition) -> None:
    counts = {"carried": [way.carried for way in ways], "lost": [way.lost for way in ways]}
    for way in ways:
        way.condition, way.carried, way.lost = condition, 0, 0
    print(json.dumps(counts), flush=True)


def main() -> None:
    """Carry between two interfaces named on the command line."""
    first, second = sys.argv[1:3]
    ends = tun(first), tun(second)
    print("ready", flush=True)
    carry(ends)


if __name__ == "__main__":
    main()
