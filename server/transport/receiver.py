"""Tunes one of aiortc's receivers before its first packet, and knows when each of its frames was captured."""

from __future__ import annotations

import queue
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtcpSrPacket

from server.transport.assembly import EncodedFrame, FrameAssembler
from server.transport.bitrate import EarlyBitrate
from server.transport.nacks import Nacks
from server.transport.options import TransportOptions

CLOCK_RATE = 90_000  # RFC 7741 §6.1, RFC 6184 §8.1
NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
REMEMBERED = 128  # frames between completion and the pipeline
DECODER_BACKLOG = 12  # frames waiting for the decoder beyond which it starts over at the next key frame

JITTER_BUFFER = "_RTCRtpReceiver__jitter_buffer"
ESTIMATOR = "_RTCRtpReceiver__remote_bitrate_estimator"
MAPPER = "_RTCRtpReceiver__timestamp_mapper"
DECODER_QUEUE = "_RTCRtpReceiver__decoder_queue"
CODECS = "_RTCRtpReceiver__codecs"
NACKS = "_RTCRtpReceiver__nack_generator"
RTCP_HANDLER = "_handle_rtcp_packet"

# What each mend needs of a receiver.
BUFFER_NAMES = (JITTER_BUFFER, MAPPER, CODECS, DECODER_QUEUE)
GUARD_NAMES = (*BUFFER_NAMES, NACKS)
BITRATE_NAMES = (ESTIMATOR,)
CLOCK_NAMES = (MAPPER, RTCP_HANDLER)

Tap = Callable[[str, EncodedFrame], bool]
"""Told of every encoded frame and its codec's name (``VP8``, ``H264``); answers whether to ask for a key frame."""


@dataclass(slots=True)
class FrameClock:
    """Where the frames of one receiver stand in time."""

    _origin: int | None = None
    _last: int = 0
    _elapsed: int = 0
    _report: tuple[float, int] | None = None  # sender's wall clock in seconds since 1970, RTP timestamp at that moment
    _completed: OrderedDict[int, tuple[float, float]] = field(default_factory=OrderedDict)
    last_packet: float | None = None  # ``perf_counter`` of the newest packet, whether it completed a frame or not

    def map(self, timestamp: int) -> int:
        """Presentation time of a 32-bit RTP timestamp, from 0, across wraps; takes the place of aiortc's own mapper."""
        if self._origin is None:
            self._origin = self._last = timestamp
        step = (timestamp - self._last) & 0xFFFFFFFF
        self._elapsed += step - (1 << 32) if step >= 1 << 31 else step
        self._last = timestamp
        return self._elapsed

    def rtp(self, pts: int) -> int | None:
        """The RTP timestamp a frame had on the wire."""
        return None if self._origin is None else (pts + self._origin) & 0xFFFFFFFF

    def capture(self, pts: int) -> float | None:
        """When a frame was captured by the sender's clock, from its newest sender report (RFC 3550 §6.4.1)."""
        rtp = self.rtp(pts)
        if rtp is None or self._report is None:
            return None
        wall, at = self._report
        step = (rtp - at + (1 << 31)) % (1 << 32) - (1 << 31)
        return wall + step / CLOCK_RATE

    def sender_report(self, ntp: int, rtp: int) -> None:
        """Take in the pair of times of a sender report: 64-bit NTP, 32-bit RTP."""
        self._report = (ntp / (1 << 32) - NTP_EPOCH, rtp)

    def completed(self, frame: EncodedFrame) -> None:
        """Remember when a frame's last packet came."""
        self._completed[frame.timestamp] = (time.time(), frame.completed)
        while len(self._completed) > REMEMBERED:
            self._completed.popitem(last=False)

    def take_completed(self, pts: int) -> tuple[float, float] | None:
        """When the last packet of a frame came: server's wall clock and ``perf_counter``, in seconds; once."""
        rtp = self.rtp(pts)
        return None if rtp is None else self._completed.pop(rtp, None)


class DecoderQueue(queue.Queue[Any]):
    """The way to the decoder's thread: aiortc gives it no bound, and waits on the event loop for the thread to end."""

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """As a queue does; but what waits before the end mark ``None`` is not decoded any more."""
        if item is None:
            self.drop_waiting()
        super().put(item, block, timeout)

    def drop_waiting(self) -> None:
        """Forget what the thread has not begun with."""
        with self.mutex:
            self.queue.clear()


class TunedBuffer:
    """Stands where aiortc's jitter buffer was, with the same ``add``.

    aiortc takes at most one frame a packet; when a gap closes and several become complete, the earlier ones go to
    the decoder from here.
    """

    def __init__(
        self,
        receiver: RTCRtpReceiver,
        clock: FrameClock,
        options: TransportOptions,
        nacks: Nacks | None = None,
        tap: Tap | None = None,
    ) -> None:
        self._receiver = receiver
        self._clock = clock
        self._nacks = nacks
        self._tap = tap
        self._assembler = FrameAssembler(marker=options.marker_frames, guard=nacks is not None)

    def add(self, packet: Any) -> tuple[bool, JitterFrame | None]:
        """Take in a depayloaded packet; returns whether to send a PLI, and a frame for the decoder."""
        waiting: DecoderQueue = getattr(self._receiver, DECODER_QUEUE)
        behind = waiting.qsize() > DECODER_BACKLOG
        if behind:
            self._assembler.require_key_frame()
        self._clock.last_packet = now = time.perf_counter()
        flushes = self._assembler.flushes
        done = self._assembler.add(packet, packet._data, now)
        if self._nacks is not None and self._assembler.flushes > flushes:
            self._nacks.give_up()
        if behind and done.frames:
            waiting.drop_waiting()  # the key frame that has come needs none of them
        if not done.frames:
            return done.want_key_frame, None
        codec = getattr(self._receiver, CODECS)[packet.payload_type]
        want_key = done.want_key_frame
        for frame in done.frames:
            self._clock.completed(frame)
            want_key |= self._tap is not None and self._tap(codec.name, frame)
        for frame in done.frames[:-1]:
            waiting.put((codec, JitterFrame(frame.data, self._clock.map(frame.timestamp))))
        return want_key, JitterFrame(done.frames[-1].data, done.frames[-1].timestamp)


class StampedBuffer:
    """aiortc's own buffer, with nothing changed but that completion times are remembered."""

    def __init__(self, buffer: Any, clock: FrameClock) -> None:
        self._buffer = buffer
        self._clock = clock

    def add(self, packet: Any) -> tuple[bool, JitterFrame | None]:
        """As aiortc does."""
        self._clock.last_packet = time.perf_counter()
        pli, frame = self._buffer.add(packet)
        if frame is not None:
            self._clock.completed(EncodedFrame(b"", frame.timestamp, time.perf_counter()))
        return pli, frame


def missing(receiver: RTCRtpReceiver, names: Iterable[str]) -> list[str]:
    """Which of these private names a receiver of this aiortc does not have."""
    return [name for name in names if not hasattr(receiver, name)]


def tune_receiver(receiver: RTCRtpReceiver, options: TransportOptions, tap: Tap | None = None) -> FrameClock:
    """Mend a video receiver before its first packet, and tell ``tap`` of its encoded frames. What a missing private
    name makes impossible was reported by ``install``; there, or with both mends of the buffer switched off, ``tap``
    hears nothing."""
    clock = FrameClock()
    if hasattr(receiver, MAPPER):
        setattr(receiver, MAPPER, clock)
    guard = options.stall_guard and not missing(receiver, GUARD_NAMES)
    nacks = Nacks() if guard else None
    if nacks is not None:
        setattr(receiver, NACKS, nacks)
    if (options.marker_frames or guard) and not missing(receiver, BUFFER_NAMES):
        setattr(receiver, DECODER_QUEUE, DecoderQueue())  # its thread has not begun
        setattr(receiver, JITTER_BUFFER, TunedBuffer(receiver, clock, options, nacks, tap))
    elif hasattr(receiver, JITTER_BUFFER):
        setattr(receiver, JITTER_BUFFER, StampedBuffer(getattr(receiver, JITTER_BUFFER), clock))
    if options.early_remb and not missing(receiver, BITRATE_NAMES):
        flooded = nacks.flooded if nacks is not None else lambda: False
        early = EarlyBitrate(getattr(receiver, ESTIMATOR), options.early_remb_bps, flooded)
        setattr(receiver, ESTIMATOR, early)
    if not missing(receiver, CLOCK_NAMES):
        handle = getattr(receiver, RTCP_HANDLER)

        async def handle_rtcp(packet: Any) -> None:
            if isinstance(packet, RtcpSrPacket):
                clock.sender_report(packet.sender_info.ntp_timestamp, packet.sender_info.rtp_timestamp)
            await handle(packet)

        setattr(receiver, RTCP_HANDLER, handle_rtcp)
    return clock
