"""What the session of a fetched camera stands on: it goes on, with its tracks, while the source is down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from server.link import EVERYONE, SILENT_AFTER, WATCH_EVERY, Link, LinkHandler, Visit
from server.received_frame import ReceivedFrame
from server.sources.address import Address
from server.sources.reader import Decoded, Encoded, Reader
from server.sources.timing import USUAL_STEP, MediaClock

logger = logging.getLogger(__name__)

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # seconds between tries
JITTER = 0.2  # of them, so that what broke together does not come back together
PROVEN = 10.0  # seconds of pictures after which the next pause is the shortest again
RETRY_STEP = 1.0  # seconds of media time over an interruption: the next picture is looked at, and tracks last
END_WITHIN = 2.0  # seconds that the end of a thread is waited for
WAITING = 120  # packets that a busy loop may be behind; then it goes on at the next key frame

State = Literal["connecting", "live", "retrying"]


@dataclass(frozen=True, slots=True)
class Status:
    """How a source does: while it is ``retrying``, why, in a sentence, and at what ``perf_counter`` the next try is."""

    state: State
    reason: str | None = None
    again: float | None = None

    @classmethod
    def later(cls, reason: str, pause: float) -> Status:
        """Down, for this reason, until ``pause`` seconds from now."""
        return cls("retrying", reason, time.perf_counter() + pause)

    @property
    def retry_in(self) -> float | None:
        """Seconds until the next try."""
        return None if self.again is None else round(max(0.0, self.again - time.perf_counter()), 1)


class SourceLink(Link):
    """Fetches one source until it is closed; :meth:`start` begins."""

    way = "source"  # how pictures come: docs/rooms.md

    def __init__(
        self,
        address: Address,
        make_handler: Callable[[SourceLink], LinkHandler],
        ended: Callable[[SourceLink, str], None],
        visit: Visit = EVERYONE,
        number: str | None = None,
        pauses: tuple[float, ...] = PAUSES,
    ) -> None:
        self.address = address
        self.status = Status("connecting")
        self._pauses = pauses
        self._clock = MediaClock()
        self._connection: _Connection | None = None
        self._slot: Decoded | None = None
        self._arrived = asyncio.Event()
        self._frames = self._dropped = self._skipped = 0
        self._last: float | None = None
        self._reached = 0.0
        self._relays = False
        super().__init__(make_handler, ended, visit, number)

    def start(self) -> None:
        """Begin to fetch."""
        self.spawn(self.watch(), "watch")
        self.spawn(self._pump(), "pump")
        self.spawn(self._fetch(), "fetch")

    @property
    def connected(self) -> bool:
        """Whether pictures can come now."""
        return self.status.state == "live"

    @property
    def last_frame(self) -> float | None:
        """``perf_counter`` of the newest picture."""
        return self._last

    @property
    def relays(self) -> bool:
        """Whether its packets are what browsers can show."""
        return self._relays

    def frame_counts(self) -> tuple[int, int]:
        """Pictures that came, and those of them that newer ones overtook."""
        return self._frames, self._dropped

    def send_result(self, text: str) -> bool:
        """Nobody is at the other end."""
        return False

    def send_command(self, text: str) -> bool:
        """Nobody is at the other end."""
        return False

    async def flush(self) -> None:
        """There is nothing to send."""

    async def release(self) -> None:
        """End the thread, or leave it to its time-outs if it hangs in what cannot be interrupted."""
        self._slot = None
        if self._connection is not None and not await self._connection.close():
            logger.warning("session %s: its source does not let go and is left behind", self.id)
        self._connection = None

    async def watch(self) -> None:
        """Say when pictures stop and when they come again. Nothing ends because of it."""
        live = True
        while True:
            await asyncio.sleep(WATCH_EVERY)
            before, live = live, time.perf_counter() - (self._last or self.began) <= SILENT_AFTER
            if before is not live and self.handler is not None:
                self.handler.on_video_state(live)

    async def _fetch(self) -> None:
        """Connect, and again after every end."""
        failures = 0
        told: str | None = None
        while True:
            self.status = Status("connecting")
            self._clock.begin(RETRY_STEP if self._frames else USUAL_STEP)
            self._connection = connection = _Connection(self, self._clock)
            began = time.perf_counter()
            reason = await connection.run()
            self._relays = False
            if self._last is not None and self._last - began > PROVEN:
                failures = 0
            pause = self._pauses[min(failures, len(self._pauses) - 1)] * random.uniform(1 - JITTER, 1 + JITTER)
            if self._last is not None and self._last > began:
                told = None  # there were pictures in between
            if reason != told:
                told = reason
                # No address: what is secret in a path may not look like it.
                logger.warning("session %s: its source is down: %s", self.id, reason)
            failures += 1
            self.status = Status.later(reason, pause)
            await asyncio.sleep(pause)

    async def _pump(self) -> None:
        going = True
        while going:
            while self._slot is None:
                self._arrived.clear()
                await self._arrived.wait()
            picture, self._slot = self._slot, None
            skipped, self._skipped = self._skipped, 0
            self._reached = max(self._reached, picture.time)
            going = await self.frame(
                ReceivedFrame(
                    frame=picture.frame,
                    time=self._reached,
                    rtp=picture.rtp,
                    capture=None,
                    received=picture.received,
                    queue_ms=(time.perf_counter() - picture.at) * 1e3,
                    decode_ms=picture.decode_ms,
                    skipped=skipped,
                )
            )

    # -- what a connection brings, in the loop --------------------------------------------------------------------

    def went_live(self) -> None:
        """It is open."""
        self.status = Status("live")

    def relay(self, on: bool) -> None:
        """Whether its packets go to watchers as they are."""
        self._relays = on

    def publish(self, packet: Encoded) -> None:
        """A packet for whoever watches."""
        if self.feed is not None:
            self.feed.publish(packet.codec, packet.data, packet.rtp, packet.key)

    def take(self, picture: Decoded, overtaken: int) -> None:
        """A picture; ``overtaken`` ones before it were never taken."""
        count = overtaken + (self._slot is not None)
        self._frames += 1 + overtaken
        self._dropped += count
        self._skipped += count
        self._last = picture.at
        self._slot = picture
        self._arrived.set()


class _Connection:
    """Between the thread of one reader and the loop. What a busy loop does not fetch stays within bounds: one
    picture, the newest, and some packets."""

    def __init__(self, link: SourceLink, clock: MediaClock) -> None:
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._newest: Decoded | None = None
        self._overtaken = 0
        self._waiting = 0  # packets on their way to the loop
        self._lost = False  # … and whether some were left out
        self._over: asyncio.Future[str] = self._loop.create_future()
        self._reader = Reader(link.address, clock, self, link.id)

    async def run(self) -> str:
        """Read to the end; the reason for it."""
        self._reader.start()
        return await asyncio.shield(self._over)

    async def close(self) -> bool:
        """Stop; whether the thread has ended in time."""
        self._reader.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_WITHIN):
                await asyncio.shield(self._over)
        return self._over.done()

    def opened(self) -> None:
        self._call(self._link.went_live)

    def relaying(self, on: bool) -> None:
        self._call(self._link.relay, on)

    def encoded(self, packet: Encoded) -> None:
        with self._lock:
            self._lost = (self._lost and not packet.key) or self._waiting >= WAITING
            if self._lost:
                return
            self._waiting += 1
        self._call(self._publish, packet)

    def decoded(self, picture: Decoded) -> None:
        with self._lock:
            told = self._newest is not None
            self._overtaken += told
            self._newest = picture
        if not told:
            self._call(self._take)

    def ended(self, reason: str) -> None:
        self._call(self._finish, reason)

    def _publish(self, packet: Encoded) -> None:
        with self._lock:
            self._waiting -= 1
        self._link.publish(packet)

    def _take(self) -> None:
        with self._lock:
            picture, self._newest = self._newest, None
            overtaken, self._overtaken = self._overtaken, 0
        if picture is not None:
            self._link.take(picture, overtaken)

    def _finish(self, reason: str) -> None:
        if not self._over.done():
            self._over.set_result(reason)

    def _call(self, what: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: this thread was left behind
            self._loop.call_soon_threadsafe(what, *arguments)
