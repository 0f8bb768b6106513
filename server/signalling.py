"""Signalling in the shape of WHIP (RFC 9725): POST an offer, PATCH candidates, DELETE the session."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable

from aiohttp import web

from server.api.operations import describe
from server.front_operations import WHIP_OPERATIONS
from server.peer import EVERYONE, Peer, PeerHandler, Visit
from server.problems import problem
from server.sdp import MAX_SDP, OfferError, parse_fragment
from server.storage.names import clean_room
from server.transport import TransportOptions

logger = logging.getLogger(__name__)

BASE = "/api/v1/whip"
REMEMBER_ENDED = 60.0  # seconds during which ending a session again is still answered with success
RETRY_AFTER = 5  # seconds
ANSWER_TIMEOUT = 10.0  # seconds: gathering through a slow STUN server ends here


class Full(Exception):
    """There is no room for another session."""


class PeerRegistry:
    """Owns every peer of the process."""

    def __init__(
        self, options: TransportOptions, handler_factory: Callable[[Peer], PeerHandler], max_sessions: int
    ) -> None:
        self._options = options
        self._factory = handler_factory
        self._max = max_sessions
        self._peers: dict[str, Peer] = {}
        self._ended: OrderedDict[str, float] = OrderedDict()
        self._closing = False

    @property
    def sessions(self) -> int:
        """How many there are now."""
        return len(self._peers)

    def get(self, number: str) -> Peer | None:
        """A live peer by its id."""
        return self._peers.get(number)

    def has_ended(self, number: str) -> bool:
        """Whether this id ended within the last minute."""
        self._forget()
        return number in self._ended

    @property
    def peers(self) -> tuple[Peer, ...]:
        """All of them, in the order they came."""
        return tuple(self._peers.values())

    async def open(self, offer: str, visit: Visit = EVERYONE) -> tuple[Peer, str]:
        """A new peer and the answer to its offer. Raises :class:`Full` and :class:`server.sdp.OfferError`; then no
        peer is left."""
        if self._closing or len(self._peers) >= self._max:
            raise Full
        peer = Peer(self._options, self._factory, self._peer_ended, visit)
        self._peers[peer.id] = peer
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                return peer, await peer.answer(offer)
        except TimeoutError as error:
            await peer.close("not answered in time")
            raise OfferError(503, "the server could not gather its addresses in time") from error
        except BaseException:
            await peer.close("refused")
            raise

    async def close_all(self, reason: str) -> None:
        """End every session; no new one is taken."""
        self._closing = True
        await asyncio.gather(*(peer.close(reason) for peer in tuple(self._peers.values())))

    def _peer_ended(self, peer: Peer, _reason: str) -> None:
        if self._peers.pop(peer.id, None) is not None:
            self._ended[peer.id] = time.monotonic()
        self._forget()

    def _forget(self) -> None:
        limit = time.monotonic() - REMEMBER_ENDED
        while self._ended and next(iter(self._ended.values())) < limit:
            self._ended.popitem(last=False)


IsGuest = Callable[[web.Request], bool]

PEERS = web.AppKey("peers", PeerRegistry)
IS_GUEST: web.AppKey[IsGuest] = web.AppKey("is_guest", Callable)  # type: ignore[arg-type]


def setup_whip(app: web.Application, peers: PeerRegistry, is_guest: IsGuest = lambda _request: False) -> None:
    """Add the routes. Who ``is_guest`` is one whether they say so or not."""
    app[PEERS] = peers
    app[IS_GUEST] = is_guest
    app.router.add_post(BASE, _post)
    app.router.add_patch(BASE + "/{id}", _patch)
    app.router.add_delete(BASE + "/{id}", _delete)
    describe(app, WHIP_OPERATIONS)


async def _post(request: web.Request) -> web.Response:
    if request.content_type != "application/sdp":
        return problem(415, "Unsupported Media Type", "an offer has the content type application/sdp")
    try:
        visit = _visit(request)
    except ValueError as error:
        return problem(400, "Bad Request", f"{error}.")
    text = await _body(request)
    if isinstance(text, web.Response):
        return text
    try:
        peer, answer = await request.app[PEERS].open(text, visit)
    except Full:
        return problem(
            503,
            "Full",
            f"The server has as many sessions as it can serve; try again in {RETRY_AFTER} s.",
            Retry_After=str(RETRY_AFTER),
        )
    except OfferError as error:
        return problem(error.status, "Offer refused", f"{error}.")
    logger.info("session %s began", peer.id)
    return web.Response(
        status=201,
        text=answer,
        content_type="application/sdp",
        headers={"Location": f"{BASE}/{peer.id}", "ETag": _etag(peer)},
    )


def _visit(request: web.Request) -> Visit:
    """``?room=NAME&guest=1``; some devices are guests whatever they say. Raises ``ValueError`` in words."""
    guest = request.query.get("guest", "0")
    if guest not in ("0", "1"):
        raise ValueError("guest must be 0 or 1")
    return Visit(clean_room(request.query.get("room")), guest == "1" or request.app[IS_GUEST](request))


async def _patch(request: web.Request) -> web.Response:
    peer = request.app[PEERS].get(request.match_info["id"])
    if peer is None:
        return problem(404, "Not Found", "This session has ended or never was.")
    wanted = request.headers.get("If-Match", "*")
    if wanted not in ("*", _etag(peer)):
        return problem(
            412, "Precondition Failed", "If-Match names another ICE session; ICE restarts are not supported."
        )
    if request.content_type != "application/trickle-ice-sdpfrag":
        return problem(
            415, "Unsupported Media Type", "candidates have the content type application/trickle-ice-sdpfrag"
        )
    text = await _body(request)
    if isinstance(text, web.Response):
        return text
    try:
        fragment = parse_fragment(text)
        if fragment.ufrag is not None and fragment.ufrag not in peer.ufrags:
            return problem(422, "ICE restart refused", "To reconnect, end this session and begin a new one.")
        await peer.add_candidates(fragment)
    except OfferError as error:
        return problem(error.status, "Bad Request", f"{error}.")
    return web.Response(status=204)


def _etag(peer: Peer) -> str:
    """Names the ICE session (RFC 9725 §4.3), of which a peer has one."""
    return f'"{peer.id[:8]}"'


async def _delete(request: web.Request) -> web.Response:
    peers, number = request.app[PEERS], request.match_info["id"]
    peer = peers.get(number)
    if peer is not None:
        await peer.close("deleted")
    elif not peers.has_ended(number):
        return problem(404, "Not Found", "This session has ended or never was.")
    return web.Response(status=200)


async def _body(request: web.Request) -> str | web.Response:
    """The body as text, at most 64 KiB of it read."""
    too_large = problem(413, "Content Too Large", f"A description may have {MAX_SDP} bytes.")
    if request.content_length is not None and request.content_length > MAX_SDP:
        return too_large
    data = bytearray()
    async for chunk in request.content.iter_chunked(16 * 1024):
        data += chunk
        if len(data) > MAX_SDP:
            return too_large
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return problem(400, "Bad Request", "The body is not UTF-8 text.")
