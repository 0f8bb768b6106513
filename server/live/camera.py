"""A live session as others see it: its name, its video, what it says, and how it does."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime
from typing import Any

import av

from pipeline.detect import Detector
from pipeline.lost_look import LookLost
from pipeline.masking import Followed
from pipeline.metrics import percentile
from pipeline.results import FrameResult
from server.live.broadcast import Broadcast
from server.live.masked_pictures import MaskedPictures
from server.received_frame import ReceivedFrame
from server.relay.encoder import CODEC, PictureEncoder
from server.relay.feed import Feed
from server.transport import CLOCK_RATE
from server.visitor import LOCAL, Visitor

MASKED_EVERY = 1 / 15  # seconds of media time between two masked pictures, at the least
EARLY = 0.2  # of that: frames do not come to the moment
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
        self._masked: MaskedPictures | None = None
        self._masking = False  # one is being made
        self._masked_at = -1e9  # media time of the newest

    def mask(self, on: bool) -> None:
        """Let whoever watches see masked pictures from now on, or the camera's own."""
        self._masked = None
        self.feed.mask(on, CODEC)

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

    def wants_masked(self, clock: float) -> bool:
        """Whether a masked picture is to be made of the frame at this media time: somebody watches, it is time for one,
        and the one before is done. Others are left out, so that none has to wait."""
        if not self.feed.watched:
            self._masked = None
        due = clock - self._masked_at >= (1 - EARLY) * MASKED_EVERY or clock < self._masked_at
        return self.feed.masked and self.feed.watched > 0 and not self._masking and due

    async def show_masked(
        self,
        received: ReceivedFrame,
        faces: Sequence[Followed],
        detector: Detector,
        clock: float,
        executor: Executor,
        told: bool,
    ) -> frozenset[int]:
        """Mask and encode a picture for those who watch; the tracks whose faces should be looked at again. ``told``:
        results call it by its RTP timestamp."""
        masked = self._masked
        if masked is None or masked.detector is not detector:
            masked = self._masked = MaskedPictures(detector)
        self._masking, self._masked_at = True, clock
        key = self.feed.asks_for_key(masked=True)
        try:
            made = await asyncio.get_running_loop().run_in_executor(
                executor, masked.make, received.frame, faces, clock, key
            )
        except (av.FFmpegError, ValueError, LookLost):
            self._masked = None  # a picture that cannot be taken; the next begins anew
            return frozenset()
        finally:
            self._masking = False
        told = told and received.rtp is not None
        stamp = received.rtp if told and received.rtp is not None else round(clock * CLOCK_RATE)
        if self._masked is masked:  # else the mode was switched meanwhile, or another takes its place
            for data, begins in made.pictures:
                self.feed.publish(CODEC, data, stamp, begins, told=told, masked=True)
        return made.doubted

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
        self._encoder = self._masked = None


def unlooked(frame: av.VideoFrame, clock: float) -> FrameResult:
    """What is said of a picture that nobody looked at."""
    timing = dict.fromkeys(("convert", "flow", "detect", "embed", "attributes"), 0.0)
    return FrameResult(frame.width, frame.height, clock, False, (), timing, 0)
