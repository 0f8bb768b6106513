"""One real peer: sends encoded video over WebRTC, asks over WHIP, hears results and obeys the server's budget."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from typing import Any

import aiohttp
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpTransceiver, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from server.transport import CLOCK_RATE, Forwarder, Packed, forwarder, tune_sender
from tests.load.peers.heard import Heard
from tests.load.peers.player import Player
from tests.load.peers.video import SIZES, Clip

SDP = {"Content-Type": "application/sdp"}
CONNECT_WITHIN = 20.0  # seconds until the channels must be open
LOST_BEYOND = 0.05  # seconds late, beyond a period, at which the driver gives up on its timetable


class Full(Exception):
    """The server has no room; the text is how many seconds it says to wait."""


class NotLetIn(Exception):
    """No session came of an offer; the text says why."""


class _Nothing(MediaStreamTrack):
    """As much of a track as aiortc asks for: pictures go another way."""

    kind = "video"

    async def recv(self) -> Any:
        """Never: whoever sends has its own way."""
        raise MediaStreamError


class Sender:
    """A session of its own. ``loss`` is the share of its packets of video that never leave."""

    path = "/api/v1/whip"

    def __init__(self, number: int, url: str, clip: Clip, *, loss: float = 0.0, query: str = "") -> None:
        self.number = number
        self.heard = Heard(time.perf_counter())
        self.budget: dict[str, Any] | None = None  # the newest the server gave
        self.session: str | None = None
        self.ended: str | None = None  # why the server ended it
        self._where = url + self.path + query
        self._player = Player(clip, clip.rate, SIZES[0])
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._results = self._pc.createDataChannel("results", ordered=False, maxRetransmits=0)
        self._commands = self._pc.createDataChannel("commands")
        self._results.on("message", self._result)
        self._commands.on("message", self._said)
        self._pc.on("connectionstatechange", self._on_state)
        self._open = asyncio.Event()
        self._chance = random.Random(number)
        self._loss = loss
        self._began = self._due = 0.0
        self._forwarder: Forwarder | None = None

    async def connect(self, client: aiohttp.ClientSession) -> None:
        """Offer, and wait until the server has said hello. Raises :class:`Full` and :class:`NotLetIn`."""
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                await self._connect(client)
        except TimeoutError:
            raise NotLetIn(f"not connected within {CONNECT_WITHIN:.0f} s") from None
        except aiohttp.ClientError as error:
            raise NotLetIn(f"{type(error).__name__}: {error}") from error

    async def _connect(self, client: aiohttp.ClientSession) -> None:
        transceiver = self._pc.addTransceiver(_Nothing(), direction="sendonly")
        self._prepare(transceiver)
        sender = transceiver.sender
        tune_sender(sender, self._player.jump)
        self._forwarder = forwarder(sender, self._next, secrets.randbits(32), secrets.randbits(15))
        assert self._forwarder is not None, "this aiortc has other private names than we know"
        if self._loss:
            _lose(sender.transport, self._loss, self._chance)
        await self._pc.setLocalDescription(await self._pc.createOffer())
        async with client.post(self._where, data=self._pc.localDescription.sdp, headers=SDP) as answer:
            text = await answer.text()
            if answer.status == 503:
                raise Full(answer.headers.get("Retry-After", ""))
            if answer.status != 201:
                raise NotLetIn(f"{answer.status} {text[:200]}")
            self.session = answer.headers.get("Location", "").rpartition("/")[2]
        await self._pc.setRemoteDescription(RTCSessionDescription(text, "answer"))
        await self._open.wait()

    async def _next(self) -> Packed:
        """The next picture, when it is due."""
        now = time.perf_counter()
        if not self._began:
            # Cameras do not take their pictures at the same moments.
            self._began, self._due = now, now + self._chance.random() / self._player.pace
        late = now > self._due + 1 / self._player.pace + LOST_BEYOND
        if late:
            self._due = now
        elif now < self._due:
            await asyncio.sleep(self._due - now)
        payloads = self._player.next()
        packed = Packed(payloads, round((self._due - self._began) * CLOCK_RATE))
        self._due += 1 / self._player.pace
        if self._forwarder is not None:
            key = self._key(self._forwarder.stamp(packed.time))
            self.heard.sent(key, sum(map(len, payloads)), time.perf_counter(), late)
        return packed

    def _prepare(self, transceiver: RTCRtpTransceiver) -> None:
        """What there is to do before the offer."""

    def _key(self, stamp: int) -> int:
        """By what the result of the picture will be known that leaves under this RTP timestamp."""
        return stamp

    def _on_state(self) -> None:
        if self._pc.connectionState in ("failed", "closed"):
            self.ended = self.ended or "the connection was lost"

    def _result(self, raw: str) -> None:
        self.heard.result(json.loads(raw), len(raw), time.perf_counter())

    def _said(self, raw: str) -> None:
        said = json.loads(raw)
        match said["type"]:
            case "hello":
                self._open.set()
            case "budget":
                self.budget = said
                self._player.want(said["fps"], said["width"], said["height"])
            case "bye":
                self.ended = said["reason"]

    async def close(self, goodbye: bool = True) -> None:
        """Go. Without a goodbye nothing is sent any more, as where a phone has lost its network."""
        if not goodbye:
            _fall_silent(self._pc)
        elif self._commands.readyState == "open":
            self._commands.send('{"v":1,"type":"bye"}')
            await asyncio.sleep(0.05)
        await self._pc.close()


def _lose(transport: Any, share: float, chance: random.Random) -> None:
    """Drop a share of the packets that this transport is given."""
    send = transport._send_rtp

    async def lossy(data: bytes) -> None:
        if chance.random() >= share:
            await send(data)

    transport._send_rtp = lossy


def _fall_silent(pc: RTCPeerConnection) -> None:
    """Close the sockets under a connection, so that not even its end can be told."""
    for ice in {transceiver.sender.transport.transport for transceiver in pc.getTransceivers()}:
        for protocol in getattr(ice._connection, "_protocols", ()):
            protocol.transport.close()
