"""The video track that feeds recognition: always drained, always the newest frame."""

from __future__ import annotations

import asyncio
import time

import av
from aiortc import MediaStreamTrack, VideoStreamTrack
from aiortc.mediastreams import MediaStreamError

from server.received_frame import ReceivedFrame
from server.transport import CLOCK_RATE, FrameClock


class RecognitionTrack(VideoStreamTrack):
    """Wraps a remote video track. aiortc's own queue has no end, so a task drains it into one slot; what is
    overtaken there is counted."""

    def __init__(self, source: MediaStreamTrack, clock: FrameClock) -> None:
        super().__init__()
        self._source = source
        self._clock = clock
        self._slot: tuple[av.VideoFrame, float] | None = None
        self._arrived = asyncio.Event()
        self._skipped = 0
        self._ticks = 0  # media time, which never runs backwards …
        self._last_pts = 0  # … though a sender that begins anew may
        self._ended = False
        self.frames = 0
        self.dropped = 0
        self.last_frame: float | None = None  # perf_counter of the newest frame
        self._task = asyncio.create_task(self._drain(), name="drain video")

    async def _drain(self) -> None:
        try:
            while True:
                frame = await self._source.recv()
                if not isinstance(frame, av.VideoFrame):
                    continue
                self.frames += 1
                if self._slot is not None:
                    self._skipped += 1
                    self.dropped += 1
                self.last_frame = time.perf_counter()
                self._slot = (frame, self.last_frame)
                self._arrived.set()
        except MediaStreamError:
            pass
        finally:
            self._ended = True
            self._arrived.set()

    async def newest(self) -> ReceivedFrame:
        """The newest frame not yet taken, as soon as there is one. Raises ``MediaStreamError`` when the track has
        ended."""
        while self._slot is None:
            if self._ended:
                raise MediaStreamError
            self._arrived.clear()
            await self._arrived.wait()
        (frame, decoded), self._slot = self._slot, None
        skipped, self._skipped = self._skipped, 0
        pts = frame.pts or 0
        self._ticks += max(0, pts - self._last_pts)
        self._last_pts = pts
        completed = self._clock.take_completed(pts)
        return ReceivedFrame(
            frame=frame,
            time=self._ticks / CLOCK_RATE,
            rtp=self._clock.rtp(pts),
            capture=self._clock.capture(pts),
            received=completed[0] if completed else None,
            queue_ms=(time.perf_counter() - decoded) * 1e3,
            decode_ms=(decoded - completed[1]) * 1e3 if completed else 0.0,
            skipped=skipped,
        )

    async def recv(self) -> av.VideoFrame:
        """The newest frame, for whoever wants to use this as an ordinary track."""
        return (await self.newest()).frame

    async def close(self) -> None:
        """End draining; may be called twice."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._slot = None
        self.stop()
