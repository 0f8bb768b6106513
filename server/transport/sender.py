"""Sends pictures that come encoded through one of aiortc's senders: packed once for all who watch, their headers
written here, and by which timestamps they left is known.

aiortc can send encoded pictures by itself (a track may give packets instead of frames), and does where a private name
is missing; but it packs them anew for each receiver, and makes and writes out an object for each RTP packet.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiortc import RTCRtpSender
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.rtp import RTP_HISTORY_SIZE, RtpPacket

NEXT_FRAME = "_next_encoded_frame"
RETRANSMIT = "_retransmit"
KEY_FRAME = "_send_keyframe"
SSRC = "_ssrc"
HISTORY = "_RTCRtpSender__rtp_history"
NTP = "_RTCRtpSender__ntp_timestamp"
RTP_TIMESTAMP = "_RTCRtpSender__rtp_timestamp"
OCTETS = "_RTCRtpSender__octet_count"
PACKETS = "_RTCRtpSender__packet_count"

RELAY_NAMES = (NEXT_FRAME, RETRANSMIT, KEY_FRAME, SSRC, HISTORY, NTP, RTP_TIMESTAMP, OCTETS, PACKETS)
PACKING = ((Vp8Encoder, "_packetize"), (H264Encoder, "_packetize"), (H264Encoder, "_split_bitstream"))
NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
_HEADER = struct.Struct("!BBHII")  # RFC 3550 §5.1, without extensions: one video a connection needs none


@dataclass(frozen=True, slots=True)
class Packed:
    """A picture as the payloads of its RTP packets (RFC 7741, RFC 6184), and its time in 1/90000 s."""

    payloads: list[bytes]
    time: int


def payloads_of(codec: str, data: bytes, number: int) -> list[bytes]:
    """The payloads of an encoded picture: VP8, whose ``number`` tells it from those around it, or H.264 in Annex B."""
    if codec == "VP8":
        return Vp8Encoder._packetize(data, number & 0x7FFF)
    return H264Encoder._packetize(H264Encoder._split_bitstream(data))


def tune_sender(sender: RTCRtpSender, want_key: Callable[[], None]) -> None:
    """Ask the source for a key frame where the receiver wants one (PLI, FIR): there is no encoder here that could make
    it. Without the private name, a receiver that lost its picture waits for the next key frame that comes by itself."""
    if hasattr(sender, KEY_FRAME):
        setattr(sender, KEY_FRAME, want_key)


def sent_timestamp(sender: RTCRtpSender) -> int | None:
    """The RTP timestamp of the newest packet that left, or ``None`` where this aiortc does not tell."""
    found: Any = getattr(sender, RTP_TIMESTAMP, None)
    return found if isinstance(found, int) else None


def forget_sent(sender: RTCRtpSender) -> None:
    """Send none of the packets again that aiortc itself keeps for that."""
    kept: Any = getattr(sender, HISTORY, None)
    if isinstance(kept, dict):
        kept.clear()


class Forwarder:
    """Takes the place of a sender's way from track to packets. ``next_picture`` waits for the next picture; whatever it
    raises ends the sender as a track's end does."""

    def __init__(
        self, sender: RTCRtpSender, next_picture: Callable[[], Awaitable[Packed]], origin: int, sequence: int
    ) -> None:
        self._sender = sender
        self._next = next_picture
        self._origin = origin
        self._sequence = sequence
        self._kept: dict[int, tuple[int, int, int, bool, bytes]] = {}  # of packets that may be asked for again
        self._cuts = 0
        self._ssrc: int = getattr(sender, SSRC)
        self._retransmit = getattr(sender, RETRANSMIT)
        setattr(sender, NEXT_FRAME, self._send_next)
        setattr(sender, RETRANSMIT, self._again)

    def stamp(self, time: int) -> int:
        """The RTP timestamp by which a picture of this time leaves."""
        return (self._origin + time) & 0xFFFFFFFF

    def forget(self) -> None:
        """Send nothing more of what was begun or sent, also where it is asked for again."""
        self._cuts += 1
        self._kept.clear()
        forget_sent(self._sender)

    async def _send_next(self, codec: Any) -> None:
        """Send one picture; aiortc, told that there is nothing to send, asks for the next."""
        packed = await self._next()
        kind, last, stamp = codec.payloadType, len(packed.payloads) - 1, self.stamp(packed.time)
        transport, octets, cuts = self._sender.transport, 0, self._cuts
        for index, payload in enumerate(packed.payloads):
            if cuts != self._cuts:
                return  # nothing of it is to be seen any more: the rest stays out
            sequence = self._sequence
            self._sequence = (sequence + 1) & 0xFFFF
            marker = index == last
            self._kept[sequence % RTP_HISTORY_SIZE] = (kind, sequence, stamp, marker, payload)
            header = _HEADER.pack(0x80, kind | (0x80 if marker else 0), sequence, stamp, self._ssrc)
            octets += len(payload)
            await transport._send_rtp(header + payload)
        sender: Any = self._sender
        setattr(sender, NTP, int((time.time() + NTP_EPOCH) * (1 << 32)))
        setattr(sender, RTP_TIMESTAMP, stamp)
        setattr(sender, OCTETS, getattr(sender, OCTETS) + octets)
        setattr(sender, PACKETS, getattr(sender, PACKETS) + last + 1)

    async def _again(self, sequence: int) -> None:
        """A packet was lost: let aiortc send it again, as it finds it among those it sent itself."""
        kept = self._kept.get(sequence % RTP_HISTORY_SIZE)
        if kept is None or kept[1] != sequence:
            return
        kind, _, stamp, marker, payload = kept
        packet = RtpPacket(payload_type=kind, marker=int(marker), sequence_number=sequence, timestamp=stamp)
        packet.ssrc, packet.payload = self._ssrc, payload
        history: dict[int, RtpPacket] = getattr(self._sender, HISTORY)
        history.clear()
        history[sequence % RTP_HISTORY_SIZE] = packet
        await self._retransmit(sequence)


def forwarder(
    sender: RTCRtpSender, next_picture: Callable[[], Awaitable[Packed]], origin: int, sequence: int
) -> Forwarder | None:
    """A forwarder for this sender, or ``None`` where this aiortc has no such names."""
    if any(not hasattr(sender, name) for name in RELAY_NAMES) or any(not hasattr(*one) for one in PACKING):
        return None
    return Forwarder(sender, next_picture, origin, sequence)
