"""The other end of a session, in the same process: a real sender over loopback, as a page would be."""

from __future__ import annotations

import asyncio
import fractions
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from numpy.typing import NDArray

from server.peer import Peer
from server.received_frame import ReceivedFrame
from server.transport import TransportOptions

LOOPBACK = TransportOptions(bind_addresses=("127.0.0.1",))
Image = NDArray[np.uint8]


def moving_bars(width: int = 320, height: int = 240, count: int = 30) -> list[Image]:
    """Pictures that are cheap to encode and never the same."""
    bars = (np.arange(width) // 16 % 2 * 120 + 60).astype(np.uint8)
    rows = [np.roll(bars, 4 * index) for index in range(count)]
    return [np.repeat(np.repeat(row[None, :, None], height, 0), 3, 2) for row in rows]


class Camera(VideoStreamTrack):
    """Pictures in a loop, ``rate`` a second; notes when each was taken. ``paused`` cameras send nothing."""

    def __init__(self, pictures: Sequence[Image] | None = None, rate: int = 30) -> None:
        super().__init__()
        self.pictures = list(pictures or moving_bars())
        self.rate = rate
        self.paused = False
        self._taken: dict[int, float] = {}  # RTP ticks from the first picture → seconds since 1970
        self._count = 0
        self._began: float | None = None

    async def recv(self) -> av.VideoFrame:
        """The next picture, when it is due."""
        while True:
            self._began = self._began or time.perf_counter()
            await asyncio.sleep(max(0.0, self._began + self._count / self.rate - time.perf_counter()))
            self._count += 1
            if not self.paused:
                break
        frame = av.VideoFrame.from_ndarray(self.pictures[self._count % len(self.pictures)], "rgb24")
        frame.pts, frame.time_base = self._count * 90_000 // self.rate, fractions.Fraction(1, 90_000)
        self._taken[frame.pts - 90_000 // self.rate] = time.time()
        return frame

    def taken(self, seconds: float) -> float:
        """When the picture of that media time was taken, since 1970; the encoder's clock rounds."""
        ticks = min(self._taken, key=lambda ticks: abs(ticks - seconds * 90_000))
        assert abs(ticks - seconds * 90_000) < 30
        return self._taken[ticks]


class Page:
    """What a page does: offers, accepts, collects what comes on its channels."""

    def __init__(self, *tracks: Any) -> None:
        self.camera = tracks[0] if tracks else Camera()
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        for track in tracks or (self.camera,):
            self.pc.addTrack(track)
        self.results: list[dict[str, Any]] = []
        self.said: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        self._results = self.pc.createDataChannel("results", ordered=False, maxRetransmits=0)
        self.commands = self.pc.createDataChannel("commands")
        self._results.on("message", lambda raw: self._take(self.results, raw))
        self.commands.on("message", lambda raw: self._take(self.said, raw))

    def _take(self, where: list[dict[str, Any]], raw: str) -> None:
        where.append(json.loads(raw))
        self._news.set()

    async def offer(self) -> str:
        """The offer, with candidates."""
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return self.pc.localDescription.sdp

    async def accept(self, answer: str) -> None:
        """Take the answer; the connection follows."""
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    def send(self, kind: str, **fields: Any) -> None:
        """Send a command."""
        self.commands.send(json.dumps({"v": 1, "type": kind, **fields}))

    async def hears(self, kind: str, seconds: float = 5.0, **fields: Any) -> dict[str, Any]:
        """The next unread message of that kind on the commands channel; those before it stay."""

        def matches(message: dict[str, Any]) -> bool:
            return message["type"] == kind and all(message.get(k) == v for k, v in fields.items())

        await self.until(lambda: any(map(matches, self.said)), seconds, f"{kind} {fields}")
        found = next(m for m in self.said if matches(m))
        self.said.remove(found)
        return found

    async def until(self, condition: Callable[[], bool], seconds: float = 5.0, what: str = "") -> None:
        """Wait for news that make something true."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{what} did not come within {seconds} s; said: {self.said[-5:]}") from None

    async def close(self) -> None:
        """Go."""
        await self.pc.close()


@dataclass
class Recorder:
    """A handler that takes note; ``work`` seconds a frame."""

    work: float = 0.0
    frames: list[tuple[float, ReceivedFrame]] = field(default_factory=list)
    commands: list[str | bytes] = field(default_factory=list)
    video: list[bool] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def on_frame(self, frame: ReceivedFrame) -> None:
        self.frames.append((time.time(), frame))
        await asyncio.sleep(self.work)

    def on_commands_open(self) -> None:
        self.opened.set()

    def on_command(self, raw: str | bytes) -> None:
        self.commands.append(raw)

    def on_video_state(self, live: bool) -> None:
        self.video.append(live)

    async def on_closed(self, reason: str) -> None:
        self.closed.append(reason)
        self.ended.set()

    async def until(self, condition: Callable[[], bool], seconds: float = 5.0) -> None:
        """Wait until something is true of what was noted."""
        deadline = time.perf_counter() + seconds
        while not condition():
            assert time.perf_counter() < deadline, f"not within {seconds} s"
            await asyncio.sleep(0.005)


async def connect(page: Page, recorder: Recorder, options: TransportOptions = LOOPBACK) -> Peer:
    """A peer that answers this page; the first frame has come."""
    peer = Peer(options, lambda _: recorder, lambda *_: None)
    await page.accept(await peer.answer(await page.offer()))
    await recorder.until(lambda: bool(recorder.frames))
    return peer
