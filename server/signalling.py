"""Signalling in the shape of WHIP (RFC 9725): POST an offer, PATCH candidates, DELETE the session."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from aiohttp import web

from server.api.operations import describe
from server.audit import about
from server.descriptions import answered, ice_links, offer_options, read_offer, session_options, take_candidates
from server.front_operations import WHIP_OPERATIONS
from server.link import Visit
from server.live.broadcast import TOLD
from server.passes import is_guest, pass_in
from server.peer import Peer
from server.peers import Full, PeerRegistry
from server.problems import problem
from server.sdp import OfferError
from server.storage.names import clean_name, clean_room
from server.transport import IceServer
from server.visitor import visitor_of

logger = logging.getLogger(__name__)

BASE = "/api/v1/whip"
EVENTS = "/api/v1/sessions/{}/events"
EVENTS_REL = f'rel="urn:ietf:params:whip:ext:visavis:results"; events="{",".join(("result", *TOLD))}"'
MAX_RESUME = 64  # characters

PEERS = web.AppKey("peers", PeerRegistry)
ICE_LINKS: web.AppKey[tuple[str, ...]] = web.AppKey("ICE servers as links", tuple)


def setup_whip(
    app: web.Application,
    peers: PeerRegistry,
    ice_servers: Sequence[IceServer] = (),
) -> None:
    """Add the routes; ``ice_servers`` are told to senders."""
    app[PEERS] = peers
    app[ICE_LINKS] = tuple(link for server in ice_servers for link in ice_links(server))
    app.router.add_options(BASE, offer_options)
    app.router.add_options(BASE + "/{id}", session_options)
    app.router.add_post(BASE, _post)
    app.router.add_patch(BASE + "/{id}", _patch)
    app.router.add_delete(BASE + "/{id}", _delete)
    describe(app, WHIP_OPERATIONS)


async def _post(request: web.Request) -> web.Response:
    try:
        visit = visit_of(request)
    except ValueError as error:
        return problem(400, "Bad Request", f"{error}.")
    offer = await read_offer(request)
    if isinstance(offer, web.Response):
        return offer
    try:
        peer, answer = await request.app[PEERS].open(offer, visit)
    except Full as full:
        return problem(503, "Full", str(full), Retry_After=str(full.seconds))
    except OfferError as error:
        return problem(error.status, "Offer refused", f"{error}.")
    about(request, peer.id)
    logger.info("session %s began", peer.id)
    links = (*request.app[ICE_LINKS], f"<{EVENTS.format(peer.id)}>; {EVENTS_REL}")
    return answered(f"{BASE}/{peer.id}", peer.negotiation, answer, links)


def visit_of(request: web.Request) -> Visit:
    """``?room=NAME&name=CAMERA&guest=1&resume=SECRET``; who came by a link is a guest whatever they say, and in its
    room.

    Raises ``ValueError`` in words.
    """
    guest = request.query.get("guest", "0")
    if guest not in ("0", "1"):
        raise ValueError("guest must be 0 or 1")
    resume = request.query.get("resume") or None
    if resume is not None and len(resume) > MAX_RESUME:
        raise ValueError(f"resume may have {MAX_RESUME} characters")
    room, name = clean_room(request.query.get("room")), request.query.get("name") or None
    given = pass_in(request)
    if given is not None and room not in (None, given.room):
        raise ValueError(f"this link is for the room {given.room}" if given.room else "this link is for no room")
    return Visit(
        room=room if given is None else given.room,
        guest=guest == "1" or is_guest(request),
        resume=resume,
        name=clean_name(name) if name is not None else given.label if given is not None else None,
        visitor=visitor_of(request),
    )


async def _patch(request: web.Request) -> web.Response:
    peer = request.app[PEERS].get(request.match_info["id"])
    if not isinstance(peer, Peer):
        return problem(404, "Not Found", "This session has ended or never was.")
    return await take_candidates(request, peer.negotiation)


async def _delete(request: web.Request) -> web.Response:
    peers, number = request.app[PEERS], request.match_info["id"]
    peer = peers.get(number)
    if peer is not None:
        await peer.close("deleted")
    elif not (await peers.end_waiting(number) or peers.has_ended(number)):
        return problem(404, "Not Found", "This session has ended or never was.")
    return web.Response(status=200)
