"""What a live session stands on, whichever way its pictures come: its handler, its tasks, its silence and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from server.live.messages import message
from server.load.pace import Pace
from server.received_frame import ReceivedFrame
from server.relay.feed import Feed, Watchable
from server.visitor import LOCAL, Visitor

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 15.0  # seconds until a link must be connected; aiortc would wait for ever
SILENT_AFTER = 2.0  # seconds without a frame that are told
IDLE_AFTER = 30.0  # … and that end the session
WATCH_EVERY = 0.5
SAID = ("shutdown", "idle", "too_many_errors", "ended")  # ends that the page is told: docs/protocol.md
BROKEN = ("failed", "closed", "video ended", "not connected in time", "refused", "not answered in time")
"""Ends that nobody meant: the session waits for its page to come back."""
MOVED = "moved"  # the session goes on over another link


@dataclass(frozen=True, slots=True)
class Visit:
    """What a page said of its visit: the room whose people it knows beside everyone's, whether it is a guest, whose
    additions are its own, the session it had before its connection broke, by its secret, what its camera is called, and
    who asked."""

    room: str | None = None
    guest: bool = False
    resume: str | None = None
    name: str | None = None
    visitor: Visitor = LOCAL


EVERYONE = Visit()


class LinkHandler(Protocol):
    """What is done with a link. ``on_frame`` is called for one frame at a time, always the newest."""

    async def on_frame(self, frame: ReceivedFrame) -> None:
        """A frame came."""

    def on_commands_open(self) -> None:
        """The way for commands is open."""

    def on_command(self, raw: str | bytes) -> None:
        """A message came from the page."""

    def on_video_state(self, live: bool) -> None:
        """No frame has come for two seconds, or frames come again."""

    async def on_closed(self, reason: str) -> None:
        """The session has ended; nothing is called after this."""


class Link(ABC):
    """One way from a sender to its session, ended by :meth:`close`, by the other side or by silence. Owns its tasks.

    ``ended`` is told of the end. ``keep`` is asked at an end that was nobody's wish (:data:`BROKEN`): a handler that it
    keeps is not told of the end, and may go on over another link.
    """

    way = ""  # how pictures come: docs/rooms.md

    def __init__(
        self,
        make_handler: Callable[[Any], LinkHandler],
        ended: Callable[[Any, str], None],
        visit: Visit = EVERYONE,
        number: str | None = None,
        keep: Callable[[LinkHandler], bool] | None = None,
    ) -> None:
        self.id = number or secrets.token_urlsafe(16)
        self.visit = visit
        self.began = time.perf_counter()
        self.pace = Pace()  # what is sent beyond its share is not looked at
        self._ended = ended
        self._keep = keep
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._live: bool | None = None
        self._results_sent = 0
        self._results_dropped = 0
        self._handler: LinkHandler | None = make_handler(self)

    @property
    def handler(self) -> LinkHandler | None:
        """What is done with it; ``None`` once it has ended."""
        return self._handler

    @property
    def feed(self) -> Feed | None:
        """Where encoded pictures go that others may watch; ``None`` where nobody may, or the session has ended."""
        handler = self._handler
        return handler.feed if isinstance(handler, Watchable) else None

    @property
    def relays(self) -> bool:
        """Whether pictures reach :attr:`feed` as they came; if not, its session encodes them while somebody watches."""
        return False

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether pictures can come."""

    @property
    @abstractmethod
    def last_frame(self) -> float | None:
        """``perf_counter`` of the newest frame."""

    @property
    def last_heard(self) -> float | None:
        """``perf_counter`` of the newest sign of a picture, whole or not."""
        return self.last_frame

    @abstractmethod
    def frame_counts(self) -> tuple[int, int]:
        """Frames that came, and those of them that newer ones overtook."""

    @abstractmethod
    def send_result(self, text: str) -> bool:
        """Send a result, or drop it if the way is closed or full; returns whether it was sent."""

    @abstractmethod
    def send_command(self, text: str) -> bool:
        """Send a message if the way is open. Whoever reads nothing for long is ended."""

    @abstractmethod
    async def flush(self) -> None:
        """Wait a moment until the last message has been sent."""

    @abstractmethod
    async def release(self) -> None:
        """Close what it stands on; its tasks have ended."""

    def stats(self) -> dict[str, Any]:
        """Counts since the link began."""
        frames, skipped = self.frame_counts()
        heard = self.last_heard
        return {
            "seconds": round(time.perf_counter() - self.began, 1),
            "frames": frames,
            "silent": None if heard is None else round(time.perf_counter() - heard, 2),
            "skipped": skipped,
            "results_sent": self._results_sent,
            "results_dropped": self._results_dropped,
        }

    def hand_over(self) -> LinkHandler | None:
        """Give the handler away, to go on over another link; this one ends and tells nobody."""
        handler, self._handler = self._handler, None
        self.end(MOVED)
        return handler

    async def close(self, reason: str) -> None:
        """End the link and release everything; may be called again and from anywhere."""
        self.end(reason)
        closing = self._closing
        # The end waits for these tasks, and for itself it need not.
        if closing is not None and asyncio.current_task() not in {closing, *self._tasks}:
            await asyncio.shield(closing)

    def end(self, reason: str) -> None:
        """The same without waiting."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(reason), name=f"{self.id}: close")

    async def _close(self, reason: str) -> None:
        handler, self._handler = self._handler, None
        if handler is not None and reason in BROKEN and self._keep is not None and self._keep(handler):
            handler = None
        try:
            with self._going_on():
                if reason in SAID and self.send_command(message("bye", reason=reason)):
                    await self.flush()
            with self._going_on():
                tasks = tuple(self._tasks)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            with self._going_on():
                await self.release()
            with self._going_on():
                if handler is not None:
                    await handler.on_closed(reason)
        finally:
            logger.info("session %s: link ended: %s", self.id, reason)
            self._ended(self, reason)

    @contextlib.contextmanager
    def _going_on(self) -> Iterator[None]:
        """A step of the end that fails must not keep the next from being taken."""
        try:
            yield
        except Exception:
            logger.exception("session %s could not be ended in order", self.id)

    def opened(self) -> None:
        """Commands may go to and fro."""
        if self._handler is not None:
            self._handler.on_commands_open()

    def heard(self, raw: str | bytes) -> None:
        """A message came from the page."""
        if self._handler is not None:
            self._handler.on_command(raw)

    async def frame(self, frame: ReceivedFrame) -> bool:
        """Hand a frame to the handler and wait for it; whether there is still somebody to take one."""
        handler = self._handler
        if handler is None:
            return False
        try:
            await handler.on_frame(frame)
        except Exception:
            logger.exception("session %s: recognition failed", self.id)
            self.end("internal error")
        if (pause := self.pace.wait(time.monotonic())) > 0:
            await asyncio.sleep(pause)
        return self._handler is not None

    async def watch(self) -> None:
        """Notice a sender that never connects, falls silent, or has gone."""
        connected: float | None = None
        while self._closing is None:
            await asyncio.sleep(WATCH_EVERY)
            now = time.perf_counter()
            if not self.connected:
                if now - self.began > CONNECT_TIMEOUT:
                    self.end("not connected in time")
                continue
            connected = connected or now
            silent = now - (self.last_frame or connected)
            if silent > IDLE_AFTER:
                self.end("idle")
            live = silent <= SILENT_AFTER
            if self._live is not live:
                before, self._live = self._live, live
                if self._handler is not None and (before is not None or not live):
                    self._handler.on_video_state(live)

    def spawn(self, work: Any, name: str) -> None:
        """Do something that ends with the link."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work, name=f"{self.id}: {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def count_result(self, sent: bool) -> bool:
        """Note whether a result went out; returns it."""
        self._results_sent += sent
        self._results_dropped += not sent
        return sent
