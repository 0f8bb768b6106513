"""What stays behind when people come and go: tasks, threads, sockets, connections, memory.

    python -m tests.load.reconnects [--cycles 100] [--json]

Real peers over loopback in one process: each sends video until the server has decoded some of it, and ends in one of
the ways that sessions end. Memory is the whole process's, sender included.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import threading
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field

import aioice.ice
import psutil
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack

from server.peer import Peer
from server.peers import PeerRegistry, at_most
from server.received_frame import ReceivedFrame
from server.recognition_track import RecognitionTrack
from server.transport import TransportOptions, install, uninstall

WATCHED = (RTCPeerConnection, aioice.ice.Connection, Peer, RecognitionTrack)
WARM_UP = 3  # cycles before the first count: codecs, resolvers and executors are made once
COUNTS = 5  # of what is alive, after the first
ENOUGH = 3  # frames decoded before a session ends
PATIENCE = 10.0  # seconds a session may take to be gone


@dataclass
class Handler:
    """Counts frames until there are enough."""

    seen: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    reason: str = ""

    async def on_frame(self, frame: ReceivedFrame) -> None:
        """One more."""
        self.seen += 1
        if self.seen >= ENOUGH:
            self.enough.set()

    def on_commands_open(self) -> None:
        """Nothing to do."""

    def on_command(self, raw: str | bytes) -> None:
        """Nothing to do."""

    def on_video_state(self, live: bool) -> None:
        """Nothing to do."""

    async def on_closed(self, reason: str) -> None:
        """The end, and why."""
        self.reason = reason
        self.closed.set()


@dataclass(frozen=True, slots=True)
class Count:
    """What is alive after ``cycles`` sessions have ended; memory in MiB."""

    cycles: int
    tasks: int
    threads: int
    descriptors: int
    objects: int
    rss: float

    @property
    def left(self) -> tuple[int, int, int, int]:
        """All that must not grow."""
        return self.tasks, self.threads, self.descriptors, self.objects


async def sender_closes(sender: RTCPeerConnection, _: Peer) -> None:
    """The page says goodbye: DTLS is closed."""
    await sender.close()


async def server_closes(_: RTCPeerConnection, peer: Peer) -> None:
    """DELETE, or the server ends."""
    await peer.close("deleted")


async def camera_ends(sender: RTCPeerConnection, _: Peer) -> None:
    """The sender stops sending for good and says so (RTCP BYE)."""
    for rtp_sender in sender.getSenders():
        await rtp_sender.stop()


WAYS: tuple[Callable[[RTCPeerConnection, Peer], Awaitable[None]], ...] = (sender_closes, server_closes, camera_ends)


async def cycle(number: int, registry: PeerRegistry, handlers: dict[str, Handler]) -> str:
    """One session from offer to end; every fourth ends before it is connected. Returns the reason."""
    sender = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        sender.addTrack(VideoStreamTrack())
        sender.createDataChannel("results", ordered=False, maxRetransmits=0)
        sender.createDataChannel("commands")
        await sender.setLocalDescription(await sender.createOffer())
        peer, answer = await registry.open(sender.localDescription.sdp)
        handler = handlers.pop(peer.id)
        if number % 4 == 3:
            await peer.close("deleted")
        else:
            await sender.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            async with asyncio.timeout(PATIENCE):
                await handler.enough.wait()
            await WAYS[number % 4](sender, peer)
        async with asyncio.timeout(PATIENCE):
            await handler.closed.wait()
        return handler.reason
    finally:
        await sender.close()


async def count(cycles: int) -> Count:
    """What is alive now."""
    for _ in range(3):  # callbacks that end tasks, whose ends release objects
        await asyncio.sleep(0.05)
        gc.collect()
    objects = sum(issubclass(type(thing), WATCHED) for thing in gc.get_objects())
    process = psutil.Process()
    descriptors = process.num_fds() if sys.platform != "win32" else process.num_handles()
    return Count(
        cycles,
        len(asyncio.all_tasks()) - 1,
        # The loop's own pool grows on demand to its bound, and is nobody's to give back.
        sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate()),
        descriptors,
        objects,
        round(process.memory_info().rss / 2**20, 1),
    )


async def run(cycles: int) -> tuple[list[Count], dict[str, int]]:
    """Let ``cycles`` sessions come and go after a few to warm up; what is alive now and then, and reasons of ends."""
    options = TransportOptions(bind_addresses=("127.0.0.1",))
    install(options)
    handlers: dict[str, Handler] = {}

    def make_handler(peer: Peer) -> Handler:
        handlers[peer.id] = Handler()
        return handlers[peer.id]

    registry = PeerRegistry(options, make_handler, at_most(1))
    try:
        for number in range(WARM_UP):
            await cycle(number, registry, handlers)
        rows, reasons = [await count(0)], dict[str, int]()
        for number in range(cycles):
            reason = await cycle(number, registry, handlers)
            reasons[reason] = reasons.get(reason, 0) + 1
            if (number + 1) % max(1, cycles // COUNTS) == 0:
                rows.append(await count(number + 1))
        return rows, reasons
    finally:
        await registry.close_all("shutdown")
        uninstall()


def main() -> None:
    """Measure and print; fails if anything but memory has grown."""
    parser = argparse.ArgumentParser(description="What stays behind when sessions come and go.")
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows, reasons = asyncio.run(run(args.cycles))
    if args.json:
        print(json.dumps({"counts": [asdict(row) for row in rows], "ends": reasons}, indent=1))
    else:
        names = list(asdict(rows[0]))
        print("".join(f"{name:>13}" for name in names))
        for row in rows:
            print("".join(f"{value:>13}" for value in asdict(row).values()))
        print("ends: " + ", ".join(f"{number} {reason}" for reason, number in sorted(reasons.items())))
    if any(after > before for before, after in zip(rows[0].left, rows[-1].left, strict=True)):
        raise SystemExit("Something has stayed behind.")


if __name__ == "__main__":
    main()
