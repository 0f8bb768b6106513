"""One camera's encoded pictures, for any number of watchers. Nothing here decodes or encodes.

A feed is *masked* where a room is in consent mode: what the camera sends is then never handed on, only pictures that
were made for those who watch.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from server.transport import CLOCK_RATE, Packed, payloads_of

WAITING = 30  # pictures a watcher may be behind: a second; then it goes on at the next key frame
KEY_EVERY = 1.0  # seconds between two key frames that are asked for: one serves everybody who came meanwhile
LONGEST_STEP = 5 * CLOCK_RATE  # between two pictures; a longer one is a sender that began anew
USUAL_STEP = CLOCK_RATE // 30


class FeedEnded(Exception):
    """There are no more pictures; the text says why."""


@dataclass(slots=True)
class Picture:
    """An encoded picture: ``codec`` ``VP8`` or ``H264`` (Annex B), its time from the feed's first in 1/90000 s, the
    RTP timestamp by which its camera's results call it (``None`` where they do not), whether it begins anew (a key
    frame), and its number in the feed."""

    codec: str
    data: bytes
    time: int
    rtp: int | None
    key: bool
    number: int
    packed: Packed | None = None

    def pack(self) -> Packed:
        """As the payloads of RTP packets, made once for all who watch."""
        if self.packed is None:
            self.packed = Packed(payloads_of(self.codec, self.data, self.number), self.time)
        return self.packed


@runtime_checkable
class Watchable(Protocol):
    """Something with a feed."""

    feed: Feed


class Feed:
    """The pictures of one camera as they come."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._watchers: set[Watcher] = set()
        self._wanted = False  # a key frame
        self._asked: float | None = None
        self._before: int | None = None
        self._count = 0
        self._time = 0
        self._ended: str | None = None
        self._masked = False
        self._own: str | None = None  # codec of the camera's own pictures
        self.codec: str | None = None
        self.bytes = 0  # that came

    @property
    def watched(self) -> int:
        """How many watch."""
        return len(self._watchers)

    @property
    def masked(self) -> bool:
        """Whether only masked pictures are handed on."""
        return self._masked

    def mask(self, on: bool, codec: str) -> None:
        """Hand on only masked pictures from now on, which come in ``codec``, or only the camera's own. What still waits
        for somebody is thrown away, and whoever watches begins anew at the next key frame."""
        if on == self._masked:
            return
        self._masked = on
        self._change(codec if on else self._own)
        self._before, self._asked = None, None
        self._time += USUAL_STEP
        for watcher in tuple(self._watchers):
            watcher.begin_anew()
        self.want_key()

    def publish(
        self, codec: str, data: bytes, stamp: int, key: bool, *, told: bool = True, masked: bool = False
    ) -> None:
        """A picture has come: hand it to whoever watches. ``stamp``: its RTP timestamp (32 bits or more, 90 kHz, from
        any beginning); ``told`` whether results call it by that; ``masked``: nobody is to be seen in it who may not.
        One of the kind that is not wanted goes no further."""
        if not masked:
            self._own = codec
        if masked != self._masked:
            return
        self.bytes += len(data)
        self._count += 1
        self._time += self._step(stamp)
        self._change(codec)
        if self._watchers:
            picture = Picture(codec, data, self._time, stamp & 0xFFFFFFFF if told else None, key, self._count)
            for watcher in tuple(self._watchers):
                watcher.take(picture)

    def subscribe(self) -> Watcher:
        """Watch from the next key frame on, which is asked for. Raises :class:`FeedEnded`."""
        if self._ended is not None:
            raise FeedEnded(self._ended)
        watcher = Watcher(self)
        self._watchers.add(watcher)
        self.want_key()
        return watcher

    def want_key(self) -> None:
        """Somebody cannot go on without a key frame."""
        self._wanted = True

    def asks_for_key(self, *, masked: bool = False) -> bool:
        """Whether the camera, or for ``masked`` pictures whoever makes them, is to be asked for a key frame now;
        whoever calls it asks."""
        now = self._now()
        if masked != self._masked:
            return False
        if not self._wanted or (self._asked is not None and now - self._asked < KEY_EVERY):
            return False
        self._wanted, self._asked = False, now
        return True

    def end(self, reason: str) -> None:
        """There will be no more; may be called twice."""
        self._ended = self._ended or reason
        for watcher in tuple(self._watchers):
            watcher.end(reason)

    def leave(self, watcher: Watcher) -> None:
        """Somebody watches no longer."""
        self._watchers.discard(watcher)

    def _change(self, codec: str | None) -> None:
        if codec is None or codec == self.codec:
            return
        for watcher in tuple(self._watchers) if self.codec is not None else ():
            watcher.end("codec changed")  # another was agreed on
        self.codec = codec

    def _step(self, stamp: int) -> int:
        before, self._before = self._before, stamp
        if before is None:
            return 0
        step = (stamp - before) & 0xFFFFFFFF
        return step if step <= LONGEST_STEP else USUAL_STEP


class Watcher:
    """One who watches: pictures from a key frame on, in order, none left out but by starting again at a key frame."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._waiting: deque[Picture] = deque()
        self._news = asyncio.Event()
        self._needs_key = True
        self._ended: str | None = None
        self.started_over = 0
        self.begun_anew: Callable[[], None] = lambda: None  # told when nothing of what was sent may be sent again

    def take(self, picture: Picture) -> None:
        """A picture has come."""
        if picture.key:
            self._needs_key = False
        elif self._needs_key:
            self._feed.want_key()  # until one has come, so that a lost request is made up for
            return
        if len(self._waiting) >= WAITING:
            self._waiting.clear()
            self.started_over += 1
            if not picture.key:
                self._needs_key = True
                self._feed.want_key()
                return
        self._waiting.append(picture)
        self._news.set()

    def want_key(self) -> None:
        """The picture at the other end is broken: ask for a key frame."""
        self._feed.want_key()

    def begin_anew(self) -> None:
        """Throw away what waits, and go on at the next key frame."""
        self._waiting.clear()
        self._needs_key = True
        self.begun_anew()

    def end(self, reason: str) -> None:
        """No more after what waits; may be called twice."""
        self._ended = self._ended or reason
        self._feed.leave(self)
        self._news.set()

    async def next(self) -> Picture:
        """The next picture, as soon as there is one. Raises :class:`FeedEnded`."""
        while not self._waiting:
            if self._ended is not None:
                raise FeedEnded(self._ended)
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()
