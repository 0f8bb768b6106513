"""RTP packets to encoded frames, with two differences from aiortc's jitter buffer.

- A frame is complete when the packet with the marker bit is there (RFC 3550 §5.1, RFC 7741 §4.1), not when the next
  frame begins.
- A gap that retransmission has not closed in time is given up, and one that follows a silence at once: everything
  waiting is dropped, a key frame is asked for, and nothing is handed on until a whole one has come, so that the
  decoder never sees half a picture and nobody sees an old one.

No I/O and no clock: time is an argument, in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

CAPACITY = 512  # packets kept: about a second of 720p
RESTART = 256  # a sequence number this far back is a sender that began anew: aiortc asks for packets up to 128 back
NAL_START = b"\0\0\0\1"  # H.264 Annex B
START = 0.15  # seconds in which the first packets of a stream may overtake each other
OUTAGE = 8  # packets missing after a silence that were not lost one by one


class Packet(Protocol):
    """The parts of an RTP packet that matter here; ``payload`` is what the codec's payload format (RFC 7741, RFC
    6184) left."""

    sequence_number: int
    timestamp: int
    marker: int


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """A whole frame, its 32-bit RTP timestamp and when its last packet came."""

    data: bytes
    timestamp: int
    completed: float


@dataclass(frozen=True, slots=True)
class Assembled:
    """What a packet led to: frames that are complete now, oldest first, and whether to ask for a key frame."""

    frames: tuple[EncodedFrame, ...] = ()
    want_key_frame: bool = False


@dataclass(slots=True)
class FrameAssembler:
    """Assembles the frames of one video stream. ``marker`` and ``guard`` switch the two differences on."""

    marker: bool = True
    guard: bool = True
    gap_limit: float = 0.25  # seconds a gap may stay open
    key_repeat: float = 0.5  # seconds between two requests for a key frame: twice as long each time …
    key_patience: float = 2.0  # … up to this, for on a slow line a key frame takes long, and each makes it slower
    late_for: float = 2.0  # seconds during which packets from before a flush are ignored
    flushes: int = 0  # how often waiting packets were given up
    _next: int | None = None
    _packets: dict[int, tuple[Packet, bytes]] = field(default_factory=dict)
    _newest: int = 0
    _gap: int | None = None  # the first packet that is missing, …
    _gap_since: float = 0.0  # … and since when it is the first
    _held_since: float | None = None  # since when no frame was complete for a gap
    _last_packet: float | None = None
    _floor: int | None = None
    _floor_until: float = 0.0
    _need_key: bool = False
    _asked: float | None = None
    _requests: int = 0  # since the last key frame
    _first: float = 0.0  # when the first packet came
    _begun: bool = False  # whether a frame was complete, ever, …
    _handed_on: bool = False  # … and handed on

    def add(self, packet: Packet, payload: bytes, now: float) -> Assembled:
        """Take in one packet at time ``now``."""
        seq = packet.sequence_number
        if self._asked is None:
            # A stream begins with a key frame, which is on its way: ask only if it does not come.
            self._need_key, self._asked, self._first = self.guard, now, now
        if self._floor is not None:
            if now > self._floor_until:
                self._floor = None
            elif not _behind(self._floor, seq):
                return self._answer((), now)
        if self._next is None:
            self._next = self._newest = seq
        elif _behind(seq, self._next):
            if _distance(seq, self._next) >= RESTART:
                self._flush(seq, now)
            elif self._begun:
                return self._answer((), now)
            else:
                self._next = seq  # the first packets overtook each other
        elif _distance(self._next, seq) >= CAPACITY:
            self._flush(seq, now)
        self._packets[seq] = (packet, payload)
        outage = self._follows_outage(seq, now)
        if not _behind(seq, self._newest):
            self._newest = seq
        frames = self._complete(now)
        if frames:
            self._held_since = None
        self._watch_gap(now)
        if self.guard and self._held_since is not None and (outage or self._gap_is_old(now)):
            self._flush(None, now)
        return self._answer(frames, now)

    def require_key_frame(self) -> None:
        """Hand on nothing until a whole key frame has come: the decoder has lost track or cannot keep up."""
        self._need_key = True

    def _answer(self, frames: tuple[EncodedFrame, ...], now: float) -> Assembled:
        usable: list[EncodedFrame] = []
        for frame in frames:
            if self._need_key and not is_key_frame(frame.data):
                continue
            self._need_key, self._requests = False, 0
            usable.append(frame)
        self._handed_on = self._handed_on or bool(usable)
        wait = min(self.key_repeat * 2 ** max(0, self._requests - 1), self.key_patience)
        if frames and not self._handed_on and not self._requests:
            wait = START  # frames come, and the key frame before them does not
        ask = self._need_key and (self._asked is None or now - self._asked > wait)
        if ask:
            self._asked = now
            self._requests += 1
        return Assembled(tuple(usable), ask)

    def _complete(self, now: float) -> tuple[EncodedFrame, ...]:
        frames: list[EncodedFrame] = []
        while (frame := self._take_frame(now)) is not None:
            if frame.data:  # padding alone is no frame, and an empty packet would flush the decoder
                frames.append(frame)
        return tuple(frames)

    def _take_frame(self, now: float) -> EncodedFrame | None:
        assert self._next is not None
        seq, parts, timestamp = self._next, [], None
        while (entry := self._packets.get(seq)) is not None:
            packet, payload = entry
            if timestamp is None:
                timestamp = packet.timestamp
            elif packet.timestamp != timestamp:
                break
            parts.append(payload)
            seq = (seq + 1) & 0xFFFF
            if self.marker and packet.marker:
                break
        else:
            return None
        data = b"".join(parts)
        if self.guard and not self._begun and now - self._first < START and not is_key_frame(data):
            return None  # what the stream began with may still come
        self._begun = True
        while self._next != seq:
            del self._packets[self._next]
            self._next = (self._next + 1) & 0xFFFF
        assert timestamp is not None
        return EncodedFrame(data, timestamp, now)

    def _follows_outage(self, seq: int, now: float) -> bool:
        """Whether nothing came for long and much is missing since: retransmission would only bring old pictures."""
        before, self._last_packet = self._last_packet, now
        silent = before is not None and now - before > self.gap_limit
        return silent and _behind(self._newest, seq) and _distance(self._newest, seq) > OUTAGE

    def _watch_gap(self, now: float) -> None:
        """A gap is open while a packet is missing before one that has come; a gap further on has its own time."""
        assert self._next is not None
        span = _distance(self._next, self._newest) + 1 if self._packets else 0
        if span <= len(self._packets):
            self._gap = self._held_since = None
            return
        at = self._next if self._gap is None or _behind(self._gap, self._next) else self._gap
        while at in self._packets:
            at = (at + 1) & 0xFFFF
        if at != self._gap:
            self._gap, self._gap_since = at, now
        if self._held_since is None:
            self._held_since = now

    def _gap_is_old(self, now: float) -> bool:
        """Whether the first gap has been open too long, or one after the other has held everything up."""
        assert self._held_since is not None
        return now - self._gap_since > self.gap_limit or now - self._held_since > 2 * self.gap_limit

    def _flush(self, restart: int | None, now: float) -> None:
        self.flushes += 1
        self._packets.clear()
        self._gap = self._held_since = None
        self._next = restart
        if restart is not None:
            self._newest = restart
        if self.guard:
            self._floor = self._newest if restart is None else (restart - 1) & 0xFFFF
            self._floor_until = now + self.late_for
        self._need_key = True
        if not self._requests:
            self._asked = now - 2 * self.key_repeat


def is_key_frame(data: bytes) -> bool:
    """Whether an encoded frame begins a new picture on its own.

    VP8: the start code of RFC 6386 §9.1, which a frame without its first packet lacks. H.264 (Annex B, as aiortc
    writes it): an IDR slice behind a sequence parameter set, which is lost with the first packet too.
    """
    if data[:4] == NAL_START:
        units = {data[at + 4] & 0x1F for at in _nal_starts(data)}
        return {5, 7} <= units and data[4] & 0x1F in (7, 9)
    return len(data) > 10 and data[0] & 1 == 0 and data[3:6] == b"\x9d\x01\x2a"


def _nal_starts(data: bytes) -> Iterator[int]:
    at = 0
    while 0 <= at < len(data) - 4:
        yield at
        at = data.find(NAL_START, at + 4)


def _distance(a: int, b: int) -> int:
    """Steps from sequence number ``a`` forward to ``b``, or back if that is shorter."""
    forward = (b - a) & 0xFFFF
    return min(forward, 0x10000 - forward)


def _behind(a: int, b: int) -> bool:
    """Whether sequence number ``a`` is before ``b``, across the wrap (RFC 1982)."""
    return a != b and ((b - a) & 0xFFFF) < 0x8000
