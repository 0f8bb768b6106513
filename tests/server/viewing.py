"""A viewer in the same process: takes encoded pictures as they come, and decodes them only if asked."""

from __future__ import annotations

import json
import struct
import time
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription

from server.transport.assembly import EncodedFrame, FrameAssembler

_NUMBERS = struct.Struct("!HI")  # of an RTP packet: sequence number, timestamp


class Undecoded:
    """Stands where aiortc's jitter buffer was: whole frames are noted, none goes to the decoder."""

    def __init__(self, took: Any) -> None:
        self._assembler = FrameAssembler()
        self._took = took

    def add(self, packet: Any) -> tuple[bool, None]:
        done = self._assembler.add(packet, packet._data, time.perf_counter())
        for frame in done.frames:
            self._took(frame)
        return done.want_key_frame, None


class Viewing:
    """What a viewer's page does: offers to receive one video, collects pictures and messages."""

    def __init__(self, *, codecs: tuple[str, ...] = ("VP8", "H264"), channel: bool = True) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        transceiver = self.pc.addTransceiver("video", direction="recvonly")
        known = RTCRtpReceiver.getCapabilities("video").codecs
        wanted = {f"video/{codec}" for codec in codecs} | {"video/rtx"}
        transceiver.setCodecPreferences([codec for codec in known if codec.mimeType in wanted])
        self.frames: list[tuple[float, EncodedFrame]] = []  # when each was whole: seconds since 1970
        self.said: list[dict[str, Any]] = []
        self.results: list[tuple[float, dict[str, Any]]] = []
        receiver = transceiver.receiver
        receiver._RTCRtpReceiver__jitter_buffer = Undecoded(self._frame)
        if channel:
            self.pc.createDataChannel("results", ordered=False, maxRetransmits=0).on("message", self._heard)

    def _frame(self, frame: EncodedFrame) -> None:
        self.frames.append((time.time(), frame))

    def _heard(self, raw: str) -> None:
        message = json.loads(raw)
        if message["type"] == "result":
            self.results.append((time.time(), message))
        else:
            self.said.append(message)

    def only_headers(self) -> None:
        """Look at the headers of packets and no further, so that many viewers fit beside a server on one machine: a
        picture counts as whole where its last packet comes and none was missing. Before the connection is made."""
        transport = self.pc.getTransceivers()[0].receiver.transport
        expected: int | None = None
        whole = True

        async def note(data: bytes, **_more: Any) -> None:
            nonlocal expected, whole
            marker, sequence, stamp = data[1] & 0x80, *_NUMBERS.unpack_from(data, 2)
            if expected is not None and sequence != expected:
                whole = False
            expected = (sequence + 1) & 0xFFFF
            if marker:
                if whole:
                    self._frame(EncodedFrame(b"", stamp, 0.0))
                whole = True

        transport._handle_rtp_data = note

    async def offer(self) -> str:
        """The offer, with candidates."""
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return self.pc.localDescription.sdp

    async def accept(self, answer: str) -> None:
        """Take the answer; the connection follows."""
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def close(self) -> None:
        """Go."""
        await self.pc.close()
