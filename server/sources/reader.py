"""One connection to a source, in a thread of its own: opened, demuxed, decoded, handed on picture by picture."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol, TypeAlias, cast

import av
from av.container import InputContainer
from av.stream import Discard
from av.video.stream import VideoStream

from server.sources import interrupt
from server.sources.address import Address
from server.sources.opening import MOST_PIXELS, OPEN_WITHIN, STALL, open_container
from server.sources.reasons import ENDED, NO_DECODER, NO_VIDEO, SILENT, UNANSWERED, SourceDown, reading_failed
from server.sources.relaying import NotShown, Relay
from server.sources.timing import USUAL_STEP, MediaClock, Pace, rtp_of

logger = logging.getLogger(__name__)

PENDING = 64  # packets that a decoder may hold back
PICTURE_WITHIN = 15.0  # seconds of packets without a picture in them: key frames may be that far apart
SHORTEST_ROUND = 0.2  # seconds: what is short is not opened again and again without pause …
SHORTEST_CALL = 1.0  # … nor is another computer called
UNTIMED = ("mpjpeg", "mjpeg", "h264", "hevc")  # formats without time stamps: live, their pictures come when they are
Packets: TypeAlias = "Generator[av.Packet[VideoStream], None, None]"
interrupt.install()


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture: ``time`` is media time in seconds, ``rtp`` the same on the wire, ``received`` the wall clock when its
    packet came, ``at`` the ``perf_counter`` when it was decoded, ``decode_ms`` after the packet."""

    frame: av.VideoFrame
    time: float
    rtp: int
    received: float
    at: float
    decode_ms: float


@dataclass(frozen=True, slots=True)
class Encoded:
    """A packet as a browser takes it."""

    codec: str
    data: bytes
    rtp: int
    key: bool


class Taker(Protocol):
    """Where it all goes. Called in the reader's thread; must not block."""

    def opened(self) -> None:
        """There is a video; pictures follow."""

    def relaying(self, on: bool) -> None:
        """Whether packets are handed on beside pictures, from now on."""

    def encoded(self, packet: Encoded) -> None:
        """A packet that browsers can show."""

    def decoded(self, picture: Decoded) -> None:
        """A picture."""

    def ended(self, reason: str) -> None:
        """The thread has ended, for this reason; a sentence."""


@dataclass(frozen=True, slots=True)
class _Stamp:
    time: float
    received: float
    at: float  # perf_counter


class Reader:
    """Reads until the source ends, breaks or is stopped; a file is played again and again."""

    def __init__(self, address: Address, clock: MediaClock, taker: Taker, name: str) -> None:
        self._address = address
        self._clock = clock
        self._due = MediaClock()  # in decoding order
        self._pace = Pace()
        self._taker = taker
        self._patience = interrupt.Patience()
        self._unshown = False
        self._stamps: dict[int, _Stamp] = {}
        self._count = 0
        self._pictures = 0
        # A daemon: what FFmpeg does not let go of (a resolver that hangs) must not keep the process.
        self._thread = threading.Thread(target=self._run, name=f"source {name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End soon, wherever it is; may be called twice and from any thread."""
        self._patience.end()

    def _run(self) -> None:
        reason = ENDED
        try:
            with self._patience.here():
                while not self._patience.ended.is_set():
                    self._round()
        except SourceDown as down:
            reason = str(down)
        except av.FFmpegError as error:
            reason = SILENT if self._patience.over else str(reading_failed(error))
        except Exception as error:  # what it says may hold the address
            logger.error("a source could not be read: %s", type(error).__name__)
            reason = "It could not be read."
        finally:
            self._taker.ended(reason)

    def _round(self) -> None:
        """From opening to the end of a file. Raises :class:`SourceDown`, also where what is live ends."""
        began, before = time.monotonic(), self._pictures
        self._patience.allow(OPEN_WITHIN)
        with self._open() as container:
            recorded = _is_recorded(self._address, container)
            stream = _video(container)
            # Until what it gives packets by is closed, PyAV's time-outs stand in the way of taking leave.
            with contextlib.closing(cast("Packets", container.demux(stream))) as packets:
                self._play(container, stream, packets, recorded)
        if self._patience.ended.is_set():
            return
        if self._pictures == before:
            raise SourceDown(NO_VIDEO)
        if not recorded or container.format.name == "hls":
            raise SourceDown(SILENT)
        self._clock.begin()
        self._due.begin()
        shortest = SHORTEST_ROUND if self._address.scheme == "file" else SHORTEST_CALL
        self._patience.ended.wait(began + shortest - time.monotonic())

    def _open(self) -> InputContainer:
        try:
            return open_container(self._address)
        except SourceDown:
            if not self._patience.over:
                raise
        raise SourceDown(UNANSWERED)  # FFmpeg has other words for a wait that was broken off

    def _play(
        self,
        container: InputContainer,
        stream: VideoStream,
        packets: Packets,
        recorded: bool,
    ) -> None:
        rate = stream.average_rate or stream.guessed_rate
        timed = recorded or not set(container.format.name.split(",")).intersection(UNTIMED)
        usual = (float(1 / rate) if rate else USUAL_STEP) if timed else None
        relay = None if self._unshown else self._relay(stream)
        self._stamps.clear()
        self._taker.opened()
        self._taker.relaying(relay is not None)
        picture = time.monotonic()
        stamp = _Stamp(0.0, time.time(), time.perf_counter())
        self._patience.allow(STALL)
        for packet in packets:
            if self._patience.ended.is_set():
                return
            unit = float(packet.time_base) if packet.time_base else 0.0
            shown, order = (_seconds(stamp, unit) if timed else None for stamp in (packet.pts, packet.dts))
            if recorded and packet.size:
                due = self._due.at(shown if order is None else order, time.monotonic(), usual)
                if self._patience.ended.wait(self._pace.wait(due, time.monotonic())):
                    return
            now = time.monotonic()
            if packet.size:  # the last has none
                media = self._clock.at(order if shown is None else shown, now, usual)
                stamp = _Stamp(media, time.time(), time.perf_counter())
            if self._decode(stream, packet, stamp):
                picture = now
            elif now - picture > PICTURE_WITHIN:
                raise SourceDown(NO_VIDEO)
            if relay is not None and packet.size and not self._hand_on(relay, packet, stamp.time):
                relay, self._unshown = None, True
                self._taker.relaying(False)
            self._patience.allow(STALL)

    def _relay(self, stream: VideoStream) -> Relay | None:
        try:
            return Relay(stream)
        except (NotShown, av.FFmpegError, ValueError):
            self._unshown = True
            return None

    def _hand_on(self, relay: Relay, packet: av.Packet[VideoStream], media: float) -> bool:
        """Hand a packet on, used up by it; whether this may go on."""
        try:
            for data, key in relay.take(packet, media):
                self._taker.encoded(Encoded(relay.codec, data, rtp_of(media), key))
        except NotShown:
            return False
        except (av.FFmpegError, ValueError):
            pass  # a broken packet; a watcher asks for a key frame, or waits for one
        return True

    def _decode(self, stream: VideoStream, packet: av.Packet[VideoStream], stamp: _Stamp) -> int:
        """Decode and hand on; how many pictures came of it. Packets are numbered, for decoders hand their pictures on
        in another order, and time stamps may be missing."""
        if packet.size:
            self._count += 1
            self._stamps[self._count] = stamp
            if len(self._stamps) > PENDING:
                del self._stamps[next(iter(self._stamps))]
            packet.pts = packet.dts = self._count
        try:
            frames = stream.codec_context.decode(packet)
        except (av.FFmpegError, ValueError):
            return 0  # a broken packet
        good = 0
        for frame in frames:
            found = self._stamps.pop(frame.pts, stamp) if frame.pts is not None else stamp
            if frame.width < 2 or frame.height < 2 or frame.is_corrupt or frame.planes == ():
                continue
            good += 1
            at = time.perf_counter()
            self._taker.decoded(
                Decoded(frame, found.time, rtp_of(found.time), found.received, at, (at - found.at) * 1e3)
            )
        self._pictures += good
        return good


def _video(container: InputContainer) -> VideoStream:
    """The stream to show; the others are not even asked for. Raises :class:`SourceDown`."""
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream):
        raise SourceDown(NO_VIDEO)
    if stream.codec_context is None:
        raise SourceDown(NO_DECODER)
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    stream.codec_context.thread_count = 1
    stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
    return stream


def _is_recorded(address: Address, container: InputContainer) -> bool:
    """Whether it comes faster than it was taken: files, and over HTTP what has an end or comes in large pieces."""
    if address.scheme == "file":
        return True
    return address.scheme in ("http", "https") and (container.format.name == "hls" or bool(container.duration))


def _seconds(stamp: int | None, unit: float) -> float | None:
    seconds = None if stamp is None or not unit else stamp * unit
    return seconds if seconds is not None and math.isfinite(seconds) else None
