"""A track of encoded pictures: what aiortc sends of it, it packs and does not encode."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from server.relay.feed import CLOCK_RATE, FeedEnded, Picture, Watcher

TIME_BASE = Fraction(1, CLOCK_RATE)


class RelayTrack(MediaStreamTrack):
    """The pictures of a feed as a track. ``taken`` is told of each as it goes out, ``ended`` why there are no more."""

    kind = "video"

    def __init__(self, watcher: Watcher, taken: Callable[[Picture], None], ended: Callable[[str], None]) -> None:
        super().__init__()
        self._watcher = watcher
        self._taken = taken
        self._ended = ended

    async def recv(self) -> av.Packet[Any]:
        """The next picture. Raises ``MediaStreamError`` at the end."""
        try:
            picture = await self._watcher.next()
        except FeedEnded as end:
            self._ended(str(end))
            raise MediaStreamError from end
        self._taken(picture)
        packet: av.Packet[Any] = av.Packet(picture.data)
        packet.pts, packet.time_base = picture.time, TIME_BASE
        return packet
