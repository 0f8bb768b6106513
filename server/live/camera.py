"""A live session as others see it: its name, its video, what it says, and how it does."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Executor
from datetime import UTC, datetime
from typing import Any

import av

from pipeline.metrics import percentile
from pipeline.results import FrameResult
from server.live.broadcast import Broadcast
from server.received_frame import ReceivedFrame
from server.relay.encoder import CODEC, PictureEncoder
from server.relay.feed import Feed
from server.transport import CLOCK_RATE
from server.visitor import LOCAL, Visitor

RECENT = 90  # results that rate and latency speak of: three seconds


class LiveCamera:
    """The camera behind one session. Nothing is encoded for watchers but where its own pictures cannot be handed on,
    and then once for all of them."""

    def __init__(self, name: str | None = None, visitor: Visitor = LOCAL) -> None:
        self.name = name
        self.visitor = visitor  # who sends it
        self.since = datetime.now(UTC)
        self.recognising = True
        self.feed = Feed()
        self.broadcast = Broadcast()
        self.size = (0, 0)
        self.streams = 0  # server-sent, of what it says
        self._times: deque[float] = deque(maxlen=RECENT)  # wall clock of results
        self._ages: deque[float] = deque(maxlen=RECENT)  # from the last packet to the result, ms
        self._encoder: PictureEncoder | None = None

    def answered(self, width: int, height: int, received: float | None, sent: float) -> None:
        """A result went out; times are the server's clock."""
        self.size = (width, height)
        self._times.append(sent)
        if received is not None:
            self._ages.append((sent - received) * 1e3)

    async def show(self, received: ReceivedFrame, clock: float, executor: Executor) -> None:
        """Encode a picture for those who watch; ``clock``: media time of the session in seconds."""
        if not self.feed.watched:
            self._encoder = None
            return
        encoder = self._encoder = self._encoder or PictureEncoder()
        time, key = round(clock * CLOCK_RATE), self.feed.asks_for_key()
        try:
            pictures = await asyncio.get_running_loop().run_in_executor(
                executor, encoder.encode, received.frame, time, key
            )
        except (av.FFmpegError, ValueError):
            self._encoder = None  # a picture it cannot take; the next begins anew
            return
        for data, begins in pictures:
            self.feed.publish(CODEC, data, time, begins, told=False)

    def state(self, now: float) -> dict[str, Any]:
        """Numbers of the last three seconds; no names of people."""
        recent = [time for time in self._times if now - time < 3.0]
        span = recent[-1] - recent[0] if len(recent) > 1 else 0.0
        return {
            "width": self.size[0],
            "height": self.size[1],
            "rate": round((len(recent) - 1) / span, 1) if span > 0 else 0.0,
            "latency_p95_ms": round(percentile(list(self._ages), 95), 1) if self._ages else None,
            "codec": self.feed.codec,
            "viewers": self.feed.watched,
            "recognising": self.recognising,
        }

    def end(self, reason: str) -> None:
        """The session is over."""
        self.feed.end(reason)
        self.broadcast.end(reason)
        self._encoder = None


def unlooked(frame: av.VideoFrame, clock: float) -> FrameResult:
    """What is said of a picture that nobody looked at."""
    timing = dict.fromkeys(("convert", "flow", "detect", "embed", "attributes"), 0.0)
    return FrameResult(frame.width, frame.height, clock, False, (), timing, 0)
