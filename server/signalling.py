"""Signalling in the shape of WHIP (RFC 9725): POST an offer, PATCH candidates, DELETE the session."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from aiohttp import web
from multidict import CIMultiDict

from server.api.operations import describe
from server.front_operations import WHIP_OPERATIONS
from server.link import Visit
from server.live.broadcast import TOLD
from server.peer import Peer
from server.peers import Full, PeerRegistry
from server.problems import problem
from server.sdp import MAX_SDP, OfferError, parse_fragment
from server.storage.names import clean_name, clean_room
from server.transport import IceServer

logger = logging.getLogger(__name__)

BASE = "/api/v1/whip"
TRICKLE = "application/trickle-ice-sdpfrag"
EVENTS = "/api/v1/sessions/{}/events"
EVENTS_REL = f'rel="urn:ietf:params:whip:ext:visavis:results"; events="{",".join(("result", *TOLD))}"'
MAX_RESUME = 64  # characters
RETRY_AFTER = 5  # seconds
IsGuest = Callable[[web.Request], bool]

PEERS = web.AppKey("peers", PeerRegistry)
ICE_LINKS: web.AppKey[tuple[str, ...]] = web.AppKey("ICE servers as links", tuple)
IS_GUEST: web.AppKey[IsGuest] = web.AppKey("is_guest", Callable)  # type: ignore[arg-type]


def setup_whip(
    app: web.Application,
    peers: PeerRegistry,
    is_guest: IsGuest = lambda _request: False,
    ice_servers: Sequence[IceServer] = (),
) -> None:
    """Add the routes. Who ``is_guest`` is one whether they say so or not; ``ice_servers`` are told to senders."""
    app[PEERS] = peers
    app[IS_GUEST] = is_guest
    app[ICE_LINKS] = tuple(link for server in ice_servers for link in ice_links(server))
    app.router.add_options(BASE, _options)
    app.router.add_options(BASE + "/{id}", _resource_options)
    app.router.add_post(BASE, _post)
    app.router.add_patch(BASE + "/{id}", _patch)
    app.router.add_delete(BASE + "/{id}", _delete)
    describe(app, WHIP_OPERATIONS)


async def _post(request: web.Request) -> web.Response:
    if request.content_type != "application/sdp":
        return problem(415, "Unsupported Media Type", "an offer has the content type application/sdp")
    try:
        visit = visit_of(request)
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
    headers = CIMultiDict({"Location": f"{BASE}/{peer.id}", "ETag": _etag(peer), "Accept-Patch": TRICKLE})
    headers.extend([("Link", link) for link in (*request.app[ICE_LINKS], f"<{EVENTS.format(peer.id)}>; {EVENTS_REL}")])
    return web.Response(status=201, text=answer, content_type="application/sdp", headers=headers)


async def _options(_request: web.Request) -> web.Response:
    return web.Response(status=204, headers={"Allow": "OPTIONS, POST", "Accept-Post": "application/sdp"})


async def _resource_options(_request: web.Request) -> web.Response:
    return web.Response(status=204, headers={"Allow": "DELETE, OPTIONS, PATCH", "Accept-Patch": TRICKLE})


def ice_links(server: IceServer) -> tuple[str, ...]:
    """A STUN or TURN server as values of ``Link`` (RFC 9725 §4.6)."""
    secret = ""
    if server.username is not None:
        secret = f"; username={_quoted(server.username)}; credential={_quoted(server.credential or '')}"
        secret += '; credential-type="password"'
    return tuple(f'<{url}>; rel="ice-server"{secret}' for url in server.urls)


def _quoted(text: str) -> str:
    """A quoted string (RFC 9110 §5.6.4)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def visit_of(request: web.Request) -> Visit:
    """``?room=NAME&name=CAMERA&guest=1&resume=SECRET``; some devices are guests whatever they say.

    Raises ``ValueError`` in words.
    """
    guest = request.query.get("guest", "0")
    if guest not in ("0", "1"):
        raise ValueError("guest must be 0 or 1")
    resume = request.query.get("resume") or None
    if resume is not None and len(resume) > MAX_RESUME:
        raise ValueError(f"resume may have {MAX_RESUME} characters")
    name = request.query.get("name") or None
    return Visit(
        clean_room(request.query.get("room")),
        guest == "1" or request.app[IS_GUEST](request),
        resume,
        None if name is None else clean_name(name),
    )


async def _patch(request: web.Request) -> web.Response:
    peer = request.app[PEERS].get(request.match_info["id"])
    if not isinstance(peer, Peer):
        return problem(404, "Not Found", "This session has ended or never was.")
    if request.content_type != TRICKLE:
        return problem(415, "Unsupported Media Type", f"candidates have the content type {TRICKLE}")
    wanted = request.headers.get("If-Match")
    if wanted is None:
        words = "Name the ICE session in If-Match: the ETag that the offer was answered with."
        return problem(428, "Precondition Required", words)
    if wanted not in ("*", _etag(peer)):
        return problem(
            412, "Precondition Failed", "If-Match names another ICE session; ICE restarts are not supported."
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
    return f'"{peer.generation}"'


async def _delete(request: web.Request) -> web.Response:
    peers, number = request.app[PEERS], request.match_info["id"]
    peer = peers.get(number)
    if peer is not None:
        await peer.close("deleted")
    elif not (await peers.end_waiting(number) or peers.has_ended(number)):
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
