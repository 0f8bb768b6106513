"""One WebRTC connection: its track and its two data channels."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from aiortc import MediaStreamTrack, RTCDataChannel, RTCPeerConnection, RTCRtpTransceiver
from aiortc.mediastreams import MediaStreamError

from server.link import EVERYONE, Link, LinkHandler, Visit
from server.negotiation import Negotiation
from server.recognition_track import RecognitionTrack
from server.sdp import OfferError, check_offer
from server.transport import EncodedFrame, FrameClock, TransportOptions, is_key_frame, tune_receiver, why_not_encrypted

BYE_WITHIN = 0.3  # seconds for the last message
MAX_BUFFERED = 64 * 1024  # bytes of results not yet sent, beyond which results are dropped instead of piling up
MAX_COMMANDS_BUFFERED = 1024 * 1024  # bytes of answers a peer may leave unread before it is ended


class Peer(Link):
    """Made from an offer; owns its connection."""

    way = "webrtc"

    def __init__(
        self,
        options: TransportOptions,
        make_handler: Callable[[Peer], LinkHandler],
        ended: Callable[[Peer, str], None],
        visit: Visit = EVERYONE,
        number: str | None = None,
        keep: Callable[[LinkHandler], bool] | None = None,
    ) -> None:
        self._options = options
        self.negotiation = Negotiation(options)
        self._pc: RTCPeerConnection | None = self.negotiation.pc
        self._track: RecognitionTrack | None = None
        self._clock: FrameClock | None = None
        self._results: RTCDataChannel | None = None
        self._commands: RTCDataChannel | None = None
        self._pc.on("track", self._on_track)
        self._pc.on("datachannel", self._on_channel)
        self._pc.on("connectionstatechange", self._on_state)
        super().__init__(make_handler, ended, visit, number, keep)

    @property
    def connected(self) -> bool:
        """Whether ICE and DTLS are through."""
        return self._pc is not None and self._pc.connectionState == "connected"

    @property
    def last_frame(self) -> float | None:
        """``perf_counter`` of the newest frame."""
        return self._track.last_frame if self._track else None

    @property
    def relays(self) -> bool:
        """Its encoded pictures are what a browser can show, and are heard of where one of the mends is in force."""
        return self._options.marker_frames or self._options.stall_guard

    @property
    def last_heard(self) -> float | None:
        """``perf_counter`` of the newest packet of video."""
        return self._clock.last_packet if self._clock else None

    def frame_counts(self) -> tuple[int, int]:
        """Frames that came, and those of them that newer ones overtook."""
        return (self._track.frames, self._track.dropped) if self._track else (0, 0)

    async def answer(self, offer: str) -> str:
        """Answer an SDP offer. Raises :class:`server.sdp.OfferError`; the peer must then be closed."""
        if self._pc is None:
            raise OfferError(409, "the session has ended")
        answer = await self.negotiation.answer(check_offer(offer), self._keep_one_video)
        self.spawn(self.watch(), "watch")
        return answer

    def send_result(self, text: str) -> bool:
        """Send on the results channel, or drop it if that is closed or full; returns whether it was sent."""
        channel = self._results
        if channel is None or channel.readyState != "open" or channel.bufferedAmount > MAX_BUFFERED:
            return self.count_result(False)
        channel.send(text)
        return self.count_result(True)

    def send_command(self, text: str) -> bool:
        """Send on the commands channel if it is open. A peer that reads nothing for long is ended."""
        channel = self._commands
        if channel is None or channel.readyState != "open":
            return False
        if channel.bufferedAmount > MAX_COMMANDS_BUFFERED:
            self.end("reads nothing")
            return False
        channel.send(text)
        return True

    async def flush(self) -> None:
        """Wait a moment until the last message has been sent."""
        channel = self._commands
        if channel is None:
            return
        sent = asyncio.Event()
        channel.once("bufferedamountlow", sent.set)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sent.wait(), BYE_WITHIN)

    async def release(self) -> None:
        """Close the connection."""
        pc, self._pc = self._pc, None
        if self._track is not None:
            await self._track.close()
            self._track = None
        for channel in (self._results, self._commands):
            if channel is not None:
                channel.remove_all_listeners()
        self._results = self._commands = None
        if pc is not None:
            pc.remove_all_listeners()
            await pc.close()

    def _keep_one_video(self, transceivers: Sequence[RTCRtpTransceiver]) -> None:
        """Refuse sound, and any video but the first; nothing of them is decoded."""
        chosen = False
        for transceiver in transceivers:
            sends = transceiver.receiver.track is not None
            if transceiver.kind == "video" and sends and not chosen:
                chosen = True
                transceiver.direction = "recvonly"
            else:
                transceiver.direction = "inactive"

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind != "video" or self._track is not None or self._pc is None:
            return
        receiver = next(t.receiver for t in self._pc.getTransceivers() if t.receiver.track is track)
        self._clock = tune_receiver(receiver, self._options, self._encoded)
        self._track = RecognitionTrack(track, self._clock)
        self.spawn(self._pump(self._track), "pump")

    def _encoded(self, codec: str, frame: EncodedFrame) -> bool:
        """Hand an encoded frame to whoever watches; whether they need a key frame."""
        feed = self.feed
        if feed is None:
            return False
        feed.publish(codec, frame.data, frame.timestamp, is_key_frame(frame.data))
        return feed.asks_for_key()

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if channel.label == "results" and self._results is None:
            self._results = channel
        elif channel.label == "commands" and self._commands is None:
            self._commands = channel
            channel.on("message", self.heard)
            self.opened()
        else:
            channel.close()

    def _on_state(self) -> None:
        if self._pc is not None and self._pc.connectionState in ("failed", "closed"):
            self.end(why_not_encrypted(self._pc) or self._pc.connectionState)

    async def _pump(self, track: RecognitionTrack) -> None:
        try:
            while await self.frame(await track.newest()):
                pass
        except MediaStreamError:
            self.end("video ended")
