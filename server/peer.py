"""One WebRTC connection: its track, its two data channels, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

from server.live.messages import message
from server.recognition_track import ReceivedFrame, RecognitionTrack
from server.sdp import MAX_CANDIDATES, Fragment, OfferError, advertise, check_offer, offered_ufrags
from server.transport import FrameClock, TransportOptions, tune_receiver

__all__ = ["EVERYONE", "Peer", "PeerHandler", "ReceivedFrame", "Visit"]

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 15.0  # seconds until a peer must be connected; aiortc would wait for ever
SILENT_AFTER = 2.0  # seconds without a frame that are told
IDLE_AFTER = 30.0  # … and that end the session
WATCH_EVERY = 0.5
BYE_WITHIN = 0.3  # seconds for the last message
SAID = ("shutdown", "idle", "too_many_errors")  # ends that the page is told: docs/protocol.md
MAX_BUFFERED = 64 * 1024  # bytes of results not yet sent, beyond which results are dropped instead of piling up
MAX_COMMANDS_BUFFERED = 1024 * 1024  # bytes of answers a peer may leave unread before it is ended


@dataclass(frozen=True, slots=True)
class Visit:
    """What a peer's offer said of it: the room whose people it knows beside everyone's, and whether it is a guest,
    whose additions are its own."""

    room: str | None = None
    guest: bool = False


EVERYONE = Visit()


class PeerHandler(Protocol):
    """What is done with a peer. ``on_frame`` is called for one frame at a time, always the newest."""

    async def on_frame(self, frame: ReceivedFrame) -> None:
        """A frame came."""

    def on_commands_open(self) -> None:
        """The commands channel opened."""

    def on_command(self, raw: str | bytes) -> None:
        """A message came on the commands channel."""

    def on_video_state(self, live: bool) -> None:
        """No frame has come for two seconds, or frames come again."""

    async def on_closed(self, reason: str) -> None:
        """The peer has ended; nothing is called after this."""


class Peer:
    """Made from an offer, ended by :meth:`close`, by the other side or by silence. Owns its tasks and its
    connection."""

    def __init__(
        self,
        options: TransportOptions,
        make_handler: Callable[[Peer], PeerHandler],
        ended: Callable[[Peer, str], None],
        visit: Visit = EVERYONE,
    ) -> None:
        self.id = secrets.token_urlsafe(16)
        self.visit = visit
        self.ufrags: set[str] = set()
        self._options = options
        self._ended = ended
        self._pc: RTCPeerConnection | None = RTCPeerConnection(RTCConfiguration(iceServers=_ice_servers(options)))
        self._track: RecognitionTrack | None = None
        self._results: RTCDataChannel | None = None
        self._commands: RTCDataChannel | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._candidates = 0
        self._began = time.perf_counter()
        self._live: bool | None = None
        self._results_sent = 0
        self._results_dropped = 0
        self._pc.on("track", self._on_track)
        self._pc.on("datachannel", self._on_channel)
        self._pc.on("connectionstatechange", self._on_state)
        self._handler: PeerHandler | None = make_handler(self)

    @property
    def handler(self) -> PeerHandler | None:
        """What is done with it; ``None`` once it has ended."""
        return self._handler

    async def answer(self, offer: str) -> str:
        """Answer an SDP offer. Raises :class:`server.sdp.OfferError`; the peer must then be closed."""
        pc = self._pc
        if pc is None:
            raise OfferError(409, "the session has ended")
        checked = check_offer(offer)
        self.ufrags = offered_ufrags(checked)
        try:
            await pc.setRemoteDescription(RTCSessionDescription(checked, "offer"))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # aiortc's parser raises nearly anything on a broken description
            if "audio description send parameters" in str(error):
                raise OfferError(406, "no audio codec in common; sound is not needed, so offer video alone") from error
            if "send parameters" in str(error):
                raise OfferError(406, "no video codec in common: VP8 or H.264 is needed") from error
            raise OfferError(400, f"the offer cannot be read ({type(error).__name__})") from error
        self._keep_one_video(pc.getTransceivers())
        try:
            await pc.setLocalDescription(await pc.createAnswer())
        except ConnectionError as error:
            raise OfferError(503, str(error)) from error
        except asyncio.CancelledError:
            raise
        except Exception as error:
            raise OfferError(400, f"the offer cannot be answered ({type(error).__name__})") from error
        self._spawn(self._watch(), "watch")
        return advertise(pc.localDescription.sdp, self._options.advertised_addresses)

    async def add_candidates(self, fragment: Fragment) -> None:
        """Take in trickled candidates. The end of candidates is not passed on: see :func:`server.sdp.check_offer`.

        Raises :class:`server.sdp.OfferError`: every candidate makes the server send checks to its address.
        """
        self._candidates += len(fragment.candidates)
        if self._candidates > 2 * MAX_CANDIDATES:
            raise OfferError(400, f"more than {2 * MAX_CANDIDATES} candidates in one session")
        for candidate in fragment.candidates:
            if self._pc is not None:
                await self._pc.addIceCandidate(candidate)

    def send_result(self, text: str) -> bool:
        """Send on the results channel, or drop it if that is closed or full; returns whether it was sent."""
        channel = self._results
        if channel is None or channel.readyState != "open" or channel.bufferedAmount > MAX_BUFFERED:
            self._results_dropped += 1
            return False
        channel.send(text)
        self._results_sent += 1
        return True

    def send_command(self, text: str) -> bool:
        """Send on the commands channel if it is open. A peer that reads nothing for long is ended."""
        channel = self._commands
        if channel is None or channel.readyState != "open":
            return False
        if channel.bufferedAmount > MAX_COMMANDS_BUFFERED:
            self._end("reads nothing")
            return False
        channel.send(text)
        return True

    def stats(self) -> dict[str, Any]:
        """Counts since the session began."""
        track = self._track
        return {
            "seconds": round(time.perf_counter() - self._began, 1),
            "frames": track.frames if track else 0,
            "skipped": track.dropped if track else 0,
            "results_sent": self._results_sent,
            "results_dropped": self._results_dropped,
        }

    async def close(self, reason: str) -> None:
        """End the session and release everything; may be called again and from anywhere."""
        self._end(reason)
        closing = self._closing
        # The end waits for these tasks, and for itself it need not.
        if closing is not None and asyncio.current_task() not in {closing, *self._tasks}:
            await asyncio.shield(closing)

    def _end(self, reason: str) -> None:
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(reason), name=f"{self.id}: close")

    async def _close(self, reason: str) -> None:
        handler, self._handler = self._handler, None
        try:
            with self._going_on():
                await self._say_bye(reason)
            with self._going_on():
                await self._release()
            with self._going_on():
                if handler is not None:
                    await handler.on_closed(reason)
        finally:
            logger.info("session %s ended: %s", self.id, reason)
            self._ended(self, reason)

    @contextlib.contextmanager
    def _going_on(self) -> Iterator[None]:
        """A step of the end that fails must not keep the next from being taken."""
        try:
            yield
        except Exception:
            logger.exception("session %s could not be ended in order", self.id)

    async def _say_bye(self, reason: str) -> None:
        """Tell the page why, if it is the server that ends the session, and wait a moment for that to be sent."""
        channel = self._commands
        if reason not in SAID or channel is None or not self.send_command(message("bye", reason=reason)):
            return
        sent = asyncio.Event()
        channel.once("bufferedamountlow", sent.set)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sent.wait(), BYE_WITHIN)

    async def _release(self) -> None:
        pc, self._pc = self._pc, None
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
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

    def _keep_one_video(self, transceivers: list[RTCRtpTransceiver]) -> None:
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
        clock: FrameClock = tune_receiver(receiver, self._options)
        self._track = RecognitionTrack(track, clock)
        self._spawn(self._pump(self._track), "pump")

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if channel.label == "results" and self._results is None:
            self._results = channel
        elif channel.label == "commands" and self._commands is None:
            self._commands = channel
            channel.on("message", self._on_message)
            if self._handler is not None:
                self._handler.on_commands_open()
        else:
            channel.close()

    def _on_message(self, raw: str | bytes) -> None:
        if self._handler is not None:
            self._handler.on_command(raw)

    def _on_state(self) -> None:
        if self._pc is not None and self._pc.connectionState in ("failed", "closed"):
            self._end(self._pc.connectionState)

    async def _pump(self, track: RecognitionTrack) -> None:
        try:
            while self._handler is not None:
                await self._handler.on_frame(await track.newest())
        except MediaStreamError:
            self._end("video ended")
        except Exception:
            logger.exception("session %s: recognition failed", self.id)
            self._end("internal error")

    async def _watch(self) -> None:
        """Notice a peer that never connects, falls silent, or has gone."""
        connected: float | None = None
        while self._pc is not None:
            await asyncio.sleep(WATCH_EVERY)
            now = time.perf_counter()
            if self._pc is None:
                return
            if self._pc.connectionState != "connected":
                if now - self._began > CONNECT_TIMEOUT:
                    self._end("not connected in time")
                continue
            connected = connected or now
            seen = self._track.last_frame if self._track else None
            silent = now - (seen or connected)
            if silent > IDLE_AFTER:
                self._end("idle")
            live = silent <= SILENT_AFTER
            if self._live is not live:
                before, self._live = self._live, live
                if self._handler is not None and (before is not None or not live):
                    self._handler.on_video_state(live)

    def _spawn(self, work: Any, name: str) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work, name=f"{self.id}: {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _ice_servers(options: TransportOptions) -> list[RTCIceServer]:
    # Always a list: aiortc's default is a public STUN server.
    return [RTCIceServer(list(s.urls), s.username, s.credential) for s in options.ice_servers]
