"""One browser that watches one camera: its feed, and on a data channel what its session says."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from aiortc import RTCDataChannel, RTCRtpSender, RTCRtpTransceiver

from server.live.broadcast import Reader
from server.live.camera import LiveCamera
from server.live.messages import message
from server.negotiation import Negotiation
from server.nodes.tags import like
from server.relay.feed import FeedEnded, Picture
from server.relay.track import RelayTrack
from server.sdp import OfferError, check_offer
from server.transport import (
    Forwarder,
    TransportOptions,
    forget_sent,
    forwarder,
    sent_timestamp,
    tune_sender,
    why_not_encrypted,
)
from server.visitor import Visitor

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 15.0  # seconds until it must be connected
BYE_WITHIN = 0.3  # … for the last message
MAX_BUFFERED = 64 * 1024  # bytes not yet sent, beyond which results are dropped
CLOCK_EVERY = 1.0  # … between two words on timestamps
RESULT_EVERY = 0.055  # … between two results: about 15 a second, between which the page moves its boxes
CAMERA_ENDED = "camera ended"
SAID = ("codec changed", "ended", "shutdown")  # other reasons why a feed ends are the camera's own business


class Watched(Protocol):
    """As much of a live session as a viewer needs."""

    id: str
    camera: LiveCamera

    @property
    def codec(self) -> str | None:
        """What its pictures are sent in."""

    def greeting(self) -> str:
        """The message ``hello``."""


class Viewer:
    """Made for an offer, ended by either side or with its camera. ``ended`` is told once."""

    def __init__(
        self, options: TransportOptions, session: Watched, ended: Callable[[Viewer], None], visitor: Visitor
    ) -> None:
        self.id = like(session.id, secrets.token_urlsafe(16))
        self.session = session
        self.visitor = visitor  # who watches
        self._watcher = session.camera.feed.subscribe()  # first: a feed that has ended makes no connection
        self.negotiation = Negotiation(options)
        self._pc = self.negotiation.pc
        self._ended = ended
        self._sender: RTCRtpSender | None = None
        self._forwarder: Forwarder | None = None
        self._channel: RTCDataChannel | None = None
        self._sent: Picture | None = None  # the picture that was handed over last
        self._offset: int | None = None
        self._offset_said = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._pc.on("datachannel", self._on_channel)
        self._pc.on("connectionstatechange", self._on_state)

    async def answer(self, offer: str) -> str:
        """Answer an offer to receive video. Raises :class:`server.sdp.OfferError`; the viewer must then be closed."""
        checked = check_offer(offer, receives=True)
        codec = self.session.codec
        if codec is None:
            raise OfferError(503, "this camera has not sent a picture yet; try again in a moment")
        track = RelayTrack(self._watcher, self._taken, self._feed_ended)
        transceiver = self._pc.addTransceiver(track, direction="sendonly")
        wanted = (f"video/{codec}".lower(), "video/rtx")
        known = RTCRtpSender.getCapabilities("video").codecs
        transceiver.setCodecPreferences([one for one in known if one.mimeType.lower() in wanted])
        self._sender = transceiver.sender
        tune_sender(self._sender, self._watcher.want_key)
        # The lower half, so that no wrap comes soon: browsers' SRTP may lose count at one (as aiortc does it).
        self._forwarder = forwarder(self._sender, track.packed, secrets.randbits(32), secrets.randbits(15))
        self._watcher.begun_anew = self._begun_anew

        def one_video(transceivers: Sequence[RTCRtpTransceiver]) -> None:
            for other in transceivers:
                if other is not transceiver:
                    other.direction = "inactive"

        try:
            answer = await self.negotiation.answer(checked, one_video)
        except OfferError as error:
            if error.status == 406:
                raise OfferError(406, f"this camera sends {codec}, which the offer does not take") from error
            raise
        self._spawn(self._connect(), "connect")
        return answer

    def end(self, reason: str) -> None:
        """End it; may be called again and from anywhere."""
        if self._closing is None:
            task = asyncio.get_running_loop().create_task(self._close(reason), name=f"viewer {self.id}: close")
            self._closing = task

    async def close(self, reason: str) -> None:
        """The same, and wait for it."""
        self.end(reason)
        if self._closing is not None and asyncio.current_task() not in {self._closing, *self._tasks}:
            await asyncio.shield(self._closing)

    async def _close(self, reason: str) -> None:
        try:
            self._watcher.end(reason)
            if self._say(message("bye", reason=reason)):
                await asyncio.sleep(BYE_WITHIN)
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._pc.remove_all_listeners()
            await self._pc.close()
        except Exception:
            logger.exception("viewer %s could not be ended in order", self.id)
        finally:
            logger.info("viewer %s of session %s ended: %s", self.id, self.session.id, reason)
            self._ended(self)

    def _feed_ended(self, reason: str) -> None:
        self.end(reason if reason in SAID else CAMERA_ENDED)

    # -- what goes out -------------------------------------------------------------------------------------------

    def _taken(self, picture: Picture) -> None:
        """A picture goes out: tell by which timestamp, if that has changed, and again each second, as messages are
        lost on this channel."""
        # aiortc does not say it beforehand; but the one before has gone by now.
        told, self._sent = (picture if self._forwarder is not None else self._sent), picture
        if told is None or told.rtp is None:
            return
        if self._forwarder is not None:
            stamp: int | None = self._forwarder.stamp(told.time)
        else:
            stamp = None if self._sender is None else sent_timestamp(self._sender)
        if stamp is None:
            return
        offset, now = (stamp - told.rtp) & 0xFFFFFFFF, time.monotonic()
        due = offset != self._offset or now - self._offset_said > CLOCK_EVERY
        if due and self._say(message("clock", offset=offset)):
            self._offset, self._offset_said = offset, now

    def _begun_anew(self) -> None:
        """Nothing of what was sent so far may be sent again."""
        if self._forwarder is not None:
            self._forwarder.forget()
        elif self._sender is not None:
            forget_sent(self._sender)

    def _say(self, text: str) -> bool:
        channel = self._channel
        if channel is None or channel.readyState != "open":
            return False
        channel.send(text)
        return True

    async def _tell(self) -> None:
        """Everything the session says until it ends; a slow viewer misses results."""
        reader = Reader(self.session.camera.broadcast)
        try:
            self._say(self.session.greeting())
            while True:
                kind, text = await reader.next()
                if kind == "bye":
                    return  # the feed ends with it
                channel = self._channel
                if kind != "result":
                    self._say(text)
                elif channel is not None and channel.bufferedAmount <= MAX_BUFFERED:
                    self._say(text)
                    await asyncio.sleep(RESULT_EVERY)
        finally:
            reader.close()

    # -- plumbing ------------------------------------------------------------------------------------------------

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if channel.label != "results" or self._channel is not None:
            channel.close()
            return
        self._channel = channel
        self._spawn(self._tell(), "tell")

    def _on_state(self) -> None:
        if self._pc.connectionState in ("failed", "closed"):
            self.end(why_not_encrypted(self._pc) or self._pc.connectionState)

    async def _connect(self) -> None:
        await asyncio.sleep(CONNECT_TIMEOUT)
        if self._pc.connectionState != "connected":
            self.end("not connected in time")

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work, name=f"viewer {self.id}: {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def watch(options: TransportOptions, session: Watched, ended: Callable[[Viewer], None], visitor: Visitor) -> Viewer:
    """A viewer of this session. Raises :class:`server.sdp.OfferError` where it has ended."""
    try:
        return Viewer(options, session, ended, visitor)
    except FeedEnded as end:
        raise OfferError(404, "this camera has ended") from end
