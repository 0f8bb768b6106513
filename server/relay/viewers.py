"""Every viewer of the process."""

from __future__ import annotations

import asyncio

from server.relay.viewer import Viewer, Watched, watch
from server.sdp import OfferError
from server.transport import TransportOptions
from server.visitor import LOCAL, Visitor

ANSWER_TIMEOUT = 10.0  # seconds: gathering through a slow STUN server ends here


class TooMany(Exception):
    """As many watch as there may."""


class Viewers:
    """Owns them all; ``most`` pictures are sent at once."""

    def __init__(self, options: TransportOptions, most: int) -> None:
        self._options = options
        self._most = most
        self._viewers: dict[str, Viewer] = {}
        self._closing = False

    def get(self, number: str) -> Viewer | None:
        """One by its id."""
        return self._viewers.get(number)

    def of(self, session: str) -> tuple[Viewer, ...]:
        """Those of one camera."""
        return tuple(viewer for viewer in self._viewers.values() if viewer.session.id == session)

    def __len__(self) -> int:
        return len(self._viewers)

    def all(self) -> tuple[Viewer, ...]:
        """All of them."""
        return tuple(self._viewers.values())

    async def open(self, session: Watched, offer: str, visitor: Visitor = LOCAL) -> tuple[Viewer, str]:
        """A new viewer and the answer to its offer. Raises :class:`TooMany` and :class:`server.sdp.OfferError`; then
        none is left."""
        if self._closing or len(self._viewers) >= self._most:
            raise TooMany
        viewer = watch(self._options, session, self._gone, visitor)
        self._viewers[viewer.id] = viewer
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                return viewer, await viewer.answer(offer)
        except TimeoutError as error:
            await viewer.close("not answered in time")
            raise OfferError(503, "the server could not gather its addresses in time") from error
        except BaseException:
            await viewer.close("refused")
            raise

    async def close_all(self, reason: str) -> None:
        """End every viewer; no new one is taken."""
        self._closing = True
        await asyncio.gather(*(viewer.close(reason) for viewer in tuple(self._viewers.values())))

    def _gone(self, viewer: Viewer) -> None:
        self._viewers.pop(viewer.id, None)
