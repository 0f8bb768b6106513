"""The other end of the other designs; each stands in for :class:`tests.load.peers.sender.Sender`."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp
import av
from aiortc import MediaStreamTrack, RTCRtpTransceiver
from aiortc.mediastreams import MediaStreamError

from server.transport import TransportOptions, tune_receiver
from tests.load.designs.jpeg_socket import NUMBER
from tests.load.peers.code import read_code
from tests.load.peers.heard import Heard
from tests.load.peers.sender import CONNECT_WITHIN, NotLetIn, Sender
from tests.load.peers.video import LOOP, Clip

WINDOW = 2  # JPEG pictures on their way, beyond which newer ones are left out


class DrawnSender(Sender):
    """Sends video and takes it back with names drawn in; a picture is known by the code in it, as its result counts
    the decoded picture."""

    path = "/offer"

    def _prepare(self, transceiver: RTCRtpTransceiver) -> None:
        transceiver.direction = "sendrecv"
        tune_receiver(transceiver.receiver, TransportOptions())
        transport: Any = transceiver.receiver.transport
        handle = transport._handle_rtp_data

        async def count(data: bytes, **more: Any) -> None:
            self.heard.window.bytes_down += len(data)
            await handle(data, **more)

        transport._handle_rtp_data = count
        self._pc.on("track", self._on_track)

    def _key(self, stamp: int) -> int:
        return self._player.shown

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._taking = asyncio.create_task(self._take(track))

    async def _take(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.VideoFrame)
                self._open.set()
                number = read_code(frame)
                if number is not None:
                    self.heard.answered(number, time.perf_counter())
        except MediaStreamError:
            self.ended = self.ended or "video ended"


class JpegSender:
    """Sends JPEG pictures over a WebSocket and takes JSON."""

    def __init__(self, number: int, url: str, clip: Clip, *, loss: float = 0.0, query: str = "") -> None:
        self.number = number
        self.heard = Heard(time.perf_counter())
        self.budget: dict[str, Any] | None = None
        self.session: str | None = None
        self.ended: str | None = None
        self._url = url.replace("http", "ws", 1) + "/socket"
        self._clip = clip
        self._waiting = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def connect(self, client: aiohttp.ClientSession) -> None:
        """Open the socket and begin to send. Raises :class:`NotLetIn`."""
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                self._socket = await client.ws_connect(self._url, compress=0)
        except (TimeoutError, aiohttp.ClientError) as error:
            raise NotLetIn(f"{type(error).__name__}: {error}") from error
        self._tasks = [asyncio.create_task(self._send(self._socket)), asyncio.create_task(self._hear(self._socket))]

    async def _send(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        pictures, rate = self._clip.jpegs(), self._clip.rate
        began, count = time.perf_counter(), 0
        while not socket.closed:
            await asyncio.sleep(max(0.0, began + count / rate - time.perf_counter()))
            count += 1
            if self._waiting >= WINDOW:
                self.heard.window.sent += 1
                self.heard.window.skipped += 1
                continue
            self._waiting += 1
            picture = pictures[count % (LOOP * rate)]
            self.heard.sent(count, len(picture), time.perf_counter())
            await socket.send_bytes(NUMBER.pack(count) + picture)

    async def _hear(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            result = json.loads(message.data)
            self._waiting -= 1
            names = {face["name"] for face in result["faces"] if face["identity"] == "known"}
            self.heard.window.bytes_down += len(message.data)
            self.heard.answered(result["number"], time.perf_counter(), looked=result["keyframe"], names=names)
        self.ended = "socket closed"

    async def close(self, goodbye: bool = True) -> None:
        """Go."""
        for task in self._tasks:
            task.cancel()
        if self._socket is not None:
            await self._socket.close()
