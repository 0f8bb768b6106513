"""Descriptions of sessions over HTTP, as WHIP (RFC 9725) and WHEP have them in common: offers, answers, candidates."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from multidict import CIMultiDict

from server.negotiation import Negotiation
from server.problems import problem
from server.sdp import MAX_SDP, OfferError, parse_fragment
from server.transport import IceServer

SDP = "application/sdp"
TRICKLE = "application/trickle-ice-sdpfrag"


async def offer_options(_request: web.Request) -> web.Response:
    """``OPTIONS`` where offers are posted."""
    return web.Response(status=204, headers={"Allow": "OPTIONS, POST", "Accept-Post": SDP})


async def session_options(_request: web.Request) -> web.Response:
    """``OPTIONS`` of a session."""
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


async def read_offer(request: web.Request) -> str | web.Response:
    """The offer that was posted, or the refusal to answer with."""
    if request.content_type != SDP:
        return problem(415, "Unsupported Media Type", f"an offer has the content type {SDP}")
    return await _read(request)


def answered(location: str, negotiation: Negotiation, answer: str, links: Sequence[str]) -> web.Response:
    """``201`` with the answer: a session began."""
    headers = CIMultiDict({"Location": location, "ETag": entity_tag(negotiation), "Accept-Patch": TRICKLE})
    headers.extend([("Link", link) for link in links])
    return web.Response(status=201, text=answer, content_type=SDP, headers=headers)


def entity_tag(negotiation: Negotiation) -> str:
    """Names the ICE session (RFC 9725 §4.3), of which a connection has one."""
    return f'"{negotiation.generation}"'


async def take_candidates(request: web.Request, negotiation: Negotiation) -> web.Response:
    """Answer a ``PATCH`` with trickled candidates (RFC 9725 §4.3.2)."""
    if request.content_type != TRICKLE:
        return problem(415, "Unsupported Media Type", f"candidates have the content type {TRICKLE}")
    wanted = request.headers.get("If-Match")
    if wanted is None:
        words = "Name the ICE session in If-Match: the ETag that the offer was answered with."
        return problem(428, "Precondition Required", words)
    if wanted not in ("*", entity_tag(negotiation)):
        return problem(
            412, "Precondition Failed", "If-Match names another ICE session; ICE restarts are not supported."
        )
    text = await _read(request)
    if isinstance(text, web.Response):
        return text
    try:
        fragment = parse_fragment(text)
        if fragment.ufrag is not None and fragment.ufrag not in negotiation.ufrags:
            return problem(422, "ICE restart refused", "To reconnect, end this session and begin a new one.")
        await negotiation.add_candidates(fragment)
    except OfferError as error:
        return problem(error.status, "Bad Request", f"{error}.")
    return web.Response(status=204)


async def _read(request: web.Request) -> str | web.Response:
    """The body as text, at most 64 KiB of it read."""
    too_large = problem(413, "Content Too Large", f"A description may have {MAX_SDP} bytes.")
    if request.content_length is not None and request.content_length > MAX_SDP:
        return too_large
    try:
        data = await request.read()  # not from its stream: a node that could not hand it on has read that
    except web.HTTPRequestEntityTooLarge:
        return too_large
    if len(data) > MAX_SDP:
        return too_large
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return problem(400, "Bad Request", "The body is not UTF-8 text.")
