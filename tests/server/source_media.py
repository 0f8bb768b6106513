"""Cameras as there are in a network, for the tests of sources: files, an MJPEG server and an RTSP server, all of real
video."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import io
import re
import socket
import struct
import time
from collections.abc import AsyncIterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from aiohttp import web
from aiortc.codecs.h264 import H264Encoder
from PIL import Image as Pillow

from tests.server.loopback import Image, moving_bars
from tests.serving import stop_accepting

USER, PASSWORD = "ada", "S3cret-Wort"
RATE = 25


def encoded(
    pictures: Sequence[Image], codec: str = "libx264", rate: int = RATE, gop: int = 10, **options: str
) -> list[bytes]:
    """Pictures as packets of Annex B or of VP8, one each, the first of every ``gop`` a key frame."""
    context: Any = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = pictures[0].shape[1], pictures[0].shape[0], "yuv420p"
    context.time_base, context.framerate, context.gop_size = Fraction(1, rate), Fraction(rate), gop
    live = {"preset": "veryfast", "tune": "zerolatency", "sc_threshold": "0"} if codec == "libx264" else {}
    context.options = {**live, **options}
    packets = []
    for index, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, "rgb24")
        frame.pts = index
        packets += context.encode(frame)
    return [bytes(packet) for packet in [*packets, *context.encode(None)]]


def write_clip(
    path: Path, pictures: Sequence[Image] | None = None, codec: str = "libx264", rate: int = RATE, gop: int = 10,
    form: str | None = None, pixels: str = "yuv420p", **options: str,
) -> Path:  # fmt: skip
    """A file of these pictures; without B-frames unless ``bf`` says otherwise."""
    pictures = moving_bars() if pictures is None else pictures
    with av.open(str(path), "w", format=form) as out:
        stream: Any = out.add_stream(codec, rate=rate)
        stream.width, stream.height = pictures[0].shape[1], pictures[0].shape[0]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else pixels
        stream.codec_context.gop_size = gop
        if codec == "libx264":
            stream.options = {"preset": "veryfast", "bf": "0", "sc_threshold": "0", **options}
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def jpegs(pictures: Sequence[Image]) -> list[bytes]:
    """Pictures as JPEGs."""
    made = []
    for picture in pictures:
        data = io.BytesIO()
        Pillow.fromarray(picture).save(data, "JPEG", quality=90)
        made.append(data.getvalue())
    return made


class MjpegCamera:
    """An HTTP camera: pictures as multipart/x-mixed-replace, to whoever knows the password."""

    def __init__(self, pictures: Sequence[Image] | None = None, rate: int = RATE, password: bool = True) -> None:
        self.pictures = jpegs(moving_bars() if pictures is None else pictures)
        self.rate = rate
        self.password = password
        self.port = 0
        self.asked = 0
        self.open = 0
        self.silent = False
        self._runner: web.AppRunner | None = None
        self._listener: socket.socket

    @property
    def url(self) -> str:
        return f"http://{USER}:{PASSWORD}@127.0.0.1:{self.port}/video?channel=1"

    async def start(self) -> None:
        """Listen, at the same port as before."""
        app = web.Application()
        app.router.add_get("/video", self._stream)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        await web.SockSite(self._runner, self._listener).start()
        self.port = self._listener.getsockname()[1]

    async def stop(self) -> None:
        """Die."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await stop_accepting(self._listener)
            await runner.cleanup()

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        right = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.password and request.headers.get("Authorization") != right:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="camera"'})
        response = web.StreamResponse(headers={"Content-Type": "multipart/x-mixed-replace; boundary=picture"})
        await response.prepare(request)
        self.open += 1
        began, count = time.perf_counter(), 0
        try:
            while True:
                if not self.silent:
                    data = self.pictures[count % len(self.pictures)]
                    head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    await response.write(head.encode() + data + b"\r\n")
                count += 1
                await asyncio.sleep(max(0.0, began + count / self.rate - time.perf_counter()))
        except ConnectionError:
            pass  # whoever watched has gone
        finally:
            self.open -= 1
        return response


class RtspCamera:
    """A camera that speaks RTSP (RFC 2326) over one TCP connection, with digest authentication, and sends H.264
    (RFC 6184) from a key frame on."""

    def __init__(self, packets: Sequence[bytes], rate: int = RATE, sets: bool = True) -> None:
        self.packets = list(packets)
        self.rate = rate
        self.sets = sets  # whether parameter sets stand in the description
        self.port = 0
        self.said: list[str] = []  # methods, with what they named
        self.sent: dict[int, float] = {}  # number of a picture → wall clock
        self.damage = self.silent = False
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    def url(self, password: str = PASSWORD) -> str:
        return f"rtsp://{USER}:{password}@127.0.0.1:{self.port}/live/main"

    async def start(self) -> None:
        """Listen, at the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Die."""
        server, self._server = self._server, None
        for writer in tuple(self._writers):
            writer.transport.abort()
        if server is not None:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        playing: asyncio.Task[None] | None = None
        try:
            while True:
                request = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, url, _ = request.split("\r\n")[0].split(" ")
                number = re.search(r"CSeq: *(\d+)", request)
                assert number
                self.said.append(f"{method} {url}")
                status, headers, body = self._answer(method, url, request)
                lines = [f"RTSP/1.0 {status}", f"CSeq: {number[1]}", *headers]
                if body:
                    lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
                writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
                if method == "PLAY":
                    playing = asyncio.create_task(self._play(writer))
                if method == "TEARDOWN":
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            if playing is not None:
                playing.cancel()
                await asyncio.gather(playing, return_exceptions=True)
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def _answer(self, method: str, url: str, request: str) -> tuple[str, list[str], str]:
        if method == "OPTIONS":
            return "200 OK", ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"], ""
        if not self._knows(method, request):
            return "401 Unauthorized", ['WWW-Authenticate: Digest realm="camera", nonce="0a4f"'], ""
        if method == "DESCRIBE":
            return "200 OK", [f"Content-Base: rtsp://127.0.0.1:{self.port}/live/main/"], self._description()
        if method == "SETUP":
            return "200 OK", ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 7;timeout=60"], ""
        return "200 OK", ["Session: 7"], ""

    def _knows(self, method: str, request: str) -> bool:
        found = dict(re.findall(r'(\w+)="([^"]*)"', request))
        one = hashlib.md5(f"{USER}:camera:{PASSWORD}".encode()).hexdigest()
        two = hashlib.md5(f"{method}:{found.get('uri')}".encode()).hexdigest()
        return found.get("response") == hashlib.md5(f"{one}:0a4f:{two}".encode()).hexdigest()

    def _description(self) -> str:
        sets = [unit for unit in H264Encoder._split_bitstream(self.packets[0]) if unit[0] & 0x1F in (7, 8)]
        sprop = ",".join(base64.b64encode(unit).decode() for unit in sets)
        more = f";sprop-parameter-sets={sprop}" if self.sets else ""
        lines = [
            "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=camera", "t=0 0", "c=IN IP4 0.0.0.0",
            "m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000", f"a=fmtp:96 packetization-mode=1{more}",
            "a=control:track1", "m=audio 0 RTP/AVP 0", "a=control:track2",
        ]  # fmt: skip
        return "\r\n".join(lines) + "\r\n"

    async def _play(self, writer: asyncio.StreamWriter) -> None:
        began, sequence, count = time.perf_counter(), 0, 0
        while True:
            data = self.packets[count % len(self.packets)]
            payloads = H264Encoder._packetize(H264Encoder._split_bitstream(data))
            for index, payload in enumerate([] if self.silent else payloads):
                last = index == len(payloads) - 1
                stamp = 12_345 + count * 90_000 // self.rate
                head = struct.pack("!BBHII", 0x80, last << 7 | 96, sequence & 0xFFFF, stamp, 7)
                if self.damage and sequence % 3:
                    payload = payload[:1] + bytes(len(payload) - 1)
                writer.write(b"$\0" + struct.pack("!H", len(head) + len(payload)) + head + payload)
                sequence += 1
            self.sent[count] = time.time()
            await writer.drain()
            count += 1
            await asyncio.sleep(max(0.0, began + count / self.rate - time.perf_counter()))


@contextlib.asynccontextmanager
async def running(camera: Any) -> AsyncIterator[Any]:
    """A camera that is there."""
    await camera.start()
    try:
        yield camera
    finally:
        await camera.stop()
