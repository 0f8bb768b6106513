"""Every live session of the process: those that are linked, and those that wait for their page to come back."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

from server.link import EVERYONE, Link, LinkHandler, Visit
from server.nodes.tags import secret_id
from server.peer import Peer
from server.sdp import OfferError
from server.transport import TransportOptions

REMEMBER_ENDED = 60.0  # seconds during which ending a session again is still answered with success
MOST_WAITING = 256  # sessions that wait for their page to come back
KEEP_BROKEN = 60.0  # seconds a session waits for a page whose connection broke
L = TypeVar("L", bound=Link)
ANSWER_TIMEOUT = 10.0  # seconds: gathering through a slow STUN server ends here


class Full(Exception):
    """There is no room for another session; ``seconds`` to wait before asking again."""

    def __init__(self, seconds: int = 5) -> None:
        super().__init__(f"The server has as many sessions as it can serve; try again in {seconds} s.")
        self.seconds = seconds


def at_most(limit: int) -> Callable[[int], int | None]:
    """Lets so many sessions in at the same time."""
    return lambda sessions: None if sessions < limit else 5


@runtime_checkable
class Resumable(LinkHandler, Protocol):
    """A handler that may go on over another link."""

    resume: str  # its secret
    id: str

    def worth_keeping(self) -> bool:
        """Whether anything would be lost with it."""

    def waits(self) -> None:
        """Its link has ended, and it may go on over another."""

    def move(self, link: Any) -> None:
        """Go on over this link."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A session without a link."""

    handler: Any
    visit: Visit
    until: asyncio.TimerHandle


class PeerRegistry:
    """Owns every link of the process, and the sessions that wait for another."""

    def __init__(
        self,
        options: TransportOptions,
        handler_factory: Callable[[Any], LinkHandler],
        wait: Callable[[int], int | None],
        keep: float = KEEP_BROKEN,
        waiting: int = MOST_WAITING,
    ) -> None:
        self.tag = ""  # of this node, for the ids of sessions
        self._options = options
        self._factory = handler_factory
        self._wait = wait  # asked with how many there are: whether another has to wait, and how many seconds
        self._keep_for = keep
        self._most_waiting = waiting
        self._links: dict[str, Link] = {}
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._endings: set[asyncio.Task[None]] = set()
        self._ended: OrderedDict[str, float] = OrderedDict()
        self._closing = False

    @property
    def sessions(self) -> int:
        """How many there are now."""
        return len(self._links)

    @property
    def waiting(self) -> int:
        """How many wait for their page to come back."""
        return len(self._waiting)

    def get(self, number: str) -> Link | None:
        """A live session's link by its id."""
        return self._links.get(number)

    def has_ended(self, number: str) -> bool:
        """Whether this id ended within the last minute."""
        self._forget()
        return number in self._ended

    @property
    def peers(self) -> tuple[Link, ...]:
        """All links, in the order they came."""
        return tuple(self._links.values())

    @property
    def handlers(self) -> tuple[LinkHandler, ...]:
        """What is done with them, and what waits."""
        linked = (link.handler for link in self._links.values())
        return (*(h for h in linked if h is not None), *(w.handler for w in self._waiting.values()))

    async def open(self, offer: str, visit: Visit = EVERYONE) -> tuple[Peer, str]:
        """A new peer and the answer to its offer. Raises :class:`Full` and :class:`server.sdp.OfferError`; then no
        peer is left."""
        peer = self.admit(
            visit, lambda make, number: Peer(self._options, make, self.gone, visit, number, self.keeper(visit))
        )
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                return peer, await peer.answer(offer)
        except TimeoutError as error:
            await peer.close("not answered in time")
            raise OfferError(503, "the server could not gather its addresses in time") from error
        except BaseException:
            await peer.close("refused")
            raise

    def admit(self, visit: Visit, make: Callable[[Callable[[Any], LinkHandler], str | None], L]) -> L:
        """A new link of any kind, made by ``make(handler factory, id)``: with the session of ``visit.resume`` if that
        is known, else with a new one. Raises :class:`Full`."""
        if self._closing:
            raise Full
        found = self._take(visit)
        if found is None and (seconds := self._wait(len(self._links))) is not None:
            raise Full(seconds)
        if found is None:
            link = make(self._factory, secret_id(self.tag))
        else:

            def go_on(link: Any) -> LinkHandler:
                found.move(link)
                return found

            link = make(go_on, found.id)
        self._links[link.id] = link
        return link

    def keeper(self, visit: Visit) -> Callable[[LinkHandler], bool]:
        """What a link of this visit asks whether its session is kept for its page to come back."""

        def keep(handler: LinkHandler) -> bool:
            if self._closing or not isinstance(handler, Resumable) or not handler.worth_keeping():
                return False
            handler.waits()
            until = asyncio.get_running_loop().call_later(self._keep_for, self._give_up, handler.resume)
            self._waiting[handler.resume] = _Waiting(handler, visit, until)
            while len(self._waiting) > self._most_waiting:
                self._give_up(next(iter(self._waiting)))
            return True

        return keep

    async def end_waiting(self, number: str) -> bool:
        """End a session that waits, by its id; whether there was one."""
        for key, one in self._waiting.items():
            if one.handler.id == number:
                self._give_up(key)
                return True
        return False

    async def close_all(self, reason: str) -> None:
        """End every session; no new one is taken."""
        self._closing = True
        for key in tuple(self._waiting):
            self._give_up(key)
        await asyncio.gather(*(link.close(reason) for link in tuple(self._links.values())), *self._endings)

    def gone(self, link: Link, _reason: str) -> None:
        """A link has ended."""
        if self._links.get(link.id) is link:
            del self._links[link.id]
            self._ended[link.id] = time.monotonic()
        self._forget()

    def _take(self, visit: Visit) -> Resumable | None:
        """The session of this visit's secret, from its link or from among those that wait. A guest stays one, a room
        the same, and a session with whoever began it."""
        if visit.resume is None:
            return None
        for link in tuple(self._links.values()):
            handler = link.handler
            if isinstance(handler, Resumable) and _same(handler, visit, link.visit):
                link.hand_over()
                return handler
        for key, one in self._waiting.items():
            if _same(one.handler, visit, one.visit):
                one.until.cancel()
                del self._waiting[key]
                return cast(Resumable, one.handler)
        return None

    def _give_up(self, key: str) -> None:
        """Nobody has come back."""
        one = self._waiting.pop(key)
        one.until.cancel()
        ending = asyncio.get_running_loop().create_task(one.handler.on_closed("did not come back"))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    def _forget(self) -> None:
        limit = time.monotonic() - REMEMBER_ENDED
        while self._ended and next(iter(self._ended.values())) < limit:
            self._ended.popitem(last=False)


def _same(handler: Resumable, visit: Visit, before: Visit) -> bool:
    right = secrets.compare_digest(handler.resume.encode(), (visit.resume or "").encode("utf-8", "replace"))
    return right and (visit.room, visit.guest, visit.visitor) == (before.room, before.guest, before.visitor)
