"""A WebSocket that brings single pictures and takes results: what a session stands on where UDP is blocked."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from server.fallback.jpeg import BadPicture, JpegDecoder
from server.link import EVERYONE, Link, LinkHandler, Visit
from server.live.messages import error_message, message
from server.received_frame import ReceivedFrame

HEADER = struct.Struct(">Id")  # number of the picture, when it was taken: seconds since 1970 by the page's clock
WINDOW = 2  # pictures a page may have sent that were not acknowledged
MAX_WAITING = 256  # messages not yet sent, beyond which whoever reads nothing is ended
MAX_RESULTS = 4  # results among them, beyond which newer ones are dropped
BAD_PICTURES = 20  # in a row end the session
HEARTBEAT = 2.0  # seconds without a word until the other side is asked whether it is there; twice that ends it
LONGEST_STEP = 1.0  # seconds of media time between two pictures


@dataclass(frozen=True, slots=True)
class _Picture:
    number: int
    taken: float
    data: bytes
    came: float  # perf_counter …
    received: float  # … and wall clock


class JpegLink(Link):
    """One WebSocket; :meth:`run` serves it to its end."""

    way = "websocket"

    def __init__(
        self,
        socket: web.WebSocketResponse,
        executor: Executor,
        make_handler: Callable[[JpegLink], LinkHandler],
        ended: Callable[[JpegLink, str], None],
        visit: Visit = EVERYONE,
        number: str | None = None,
        keep: Callable[[LinkHandler], bool] | None = None,
    ) -> None:
        self._socket = socket
        self._executor = executor
        self._decoder = JpegDecoder()
        self._slot: _Picture | None = None
        self._arrived = asyncio.Event()
        self._out: asyncio.Queue[str] = asyncio.Queue()
        self._results_waiting = 0
        self._frames = self._dropped = self._bad = self._skipped = 0
        self._last: float | None = None
        self._media = 0.0
        self._before: float | None = None
        super().__init__(make_handler, ended, visit, number, keep)

    @property
    def connected(self) -> bool:
        """As long as the socket is open."""
        return not self._socket.closed

    @property
    def last_frame(self) -> float | None:
        """``perf_counter`` of the newest picture."""
        return self._last

    def frame_counts(self) -> tuple[int, int]:
        """Pictures that came, and those of them that newer ones overtook."""
        return self._frames, self._dropped

    def send_result(self, text: str) -> bool:
        """Send a result, or drop it if several wait to be sent."""
        if self._socket.closed or self._results_waiting >= MAX_RESULTS:
            return self.count_result(False)
        self._results_waiting += 1
        self._out.put_nowait(text)
        return self.count_result(True)

    def send_command(self, text: str) -> bool:
        """Send a message. A page that reads nothing is ended."""
        if self._socket.closed:
            return False
        if self._out.qsize() > MAX_WAITING:
            self.end("reads nothing")
            return False
        self._out.put_nowait(text)
        return True

    async def flush(self) -> None:
        """Wait a moment until the last message has been sent."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await self._out.join()

    async def release(self) -> None:
        """Close the socket."""
        self._slot = None
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(1.0):
                await self._socket.close()

    async def run(self) -> None:
        """Serve the socket until it ends."""
        self.spawn(self.watch(), "watch")
        self.spawn(self._write(), "write")
        self.spawn(self._pump(), "pump")
        self.opened()
        try:
            async for item in self._socket:
                if item.type is WSMsgType.BINARY:
                    self._take(item.data)
                elif item.type is WSMsgType.TEXT:
                    self.heard(item.data)
                else:
                    break
        finally:
            await self.close("closed")

    def _take(self, data: bytes) -> None:
        if len(data) <= HEADER.size:
            self._refuse(None, "a picture has a number, a time and a JPEG")
            return
        number, taken = HEADER.unpack_from(data)
        self._frames += 1
        if self._slot is not None:
            self._dropped += 1
            self._skipped += 1
        self._last = time.perf_counter()
        self._slot = _Picture(number, taken, data[HEADER.size :], self._last, time.time())
        self._arrived.set()

    async def _pump(self) -> None:
        loop = asyncio.get_running_loop()
        going = True
        while going:
            while self._slot is None:
                self._arrived.clear()
                await self._arrived.wait()
            picture, self._slot = self._slot, None
            began = time.perf_counter()
            try:
                frame = await loop.run_in_executor(self._executor, self._decoder.decode, picture.data)
            except BadPicture as bad:
                self._refuse(picture.number, f"{bad}")
            else:
                self._bad = 0
                decoded = time.perf_counter()
                step = 0.0 if self._before is None else min(picture.came - self._before, LONGEST_STEP)
                self._before = picture.came
                self._media += step
                skipped, self._skipped = self._skipped, 0
                going = await self.frame(
                    ReceivedFrame(
                        frame=frame,
                        time=self._media,
                        rtp=picture.number,
                        capture=picture.taken if 0 < picture.taken < 1e11 else None,
                        received=picture.received,
                        queue_ms=(decoded - picture.came) * 1e3,
                        decode_ms=(decoded - began) * 1e3,
                        skipped=skipped,
                    )
                )
            # Everything up to this one is done with: the page may send another.
            self.send_command(message("ack", frame=picture.number))

    def _refuse(self, number: int | None, why: str) -> None:
        self._bad += 1
        self.send_command(error_message(None, "bad_picture", f"{why[:1].upper()}{why[1:]}.", frame=number))
        if self._bad >= BAD_PICTURES:
            self.end("too_many_errors")

    async def _write(self) -> None:
        """One writer: a slow reader holds up nobody but itself."""
        while True:
            text = await self._out.get()
            try:
                await self._socket.send_str(text)
            except ConnectionError:
                self.end("closed")
                return
            finally:
                if text.startswith(_RESULT):
                    self._results_waiting -= 1
                self._out.task_done()


_RESULT = message("result")[:-1]
