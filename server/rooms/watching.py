"""Watching a camera, in the shape of WHEP (draft-ietf-wish-whep): POST an offer, PATCH candidates, DELETE the end."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from aiohttp import web

from server.api.operations import describe
from server.descriptions import answered, ice_links, offer_options, read_offer, session_options, take_candidates
from server.problems import problem
from server.relay.viewers import TooMany, Viewers
from server.rooms.operations import WATCH_OPERATIONS
from server.rooms.rooms import Rooms
from server.sdp import OfferError
from server.transport import IceServer
from server.visitor import visitor_of
from server.wording import sentence

logger = logging.getLogger(__name__)

VIEWER = "/api/v1/whep"
WHEP = "/api/v1/rooms/{room}/cameras/{id}/whep"
RETRY_AFTER = "2"  # seconds


class Watching:
    """The routes of viewers."""

    def __init__(self, rooms: Rooms, viewers: Viewers, ice_servers: Sequence[IceServer]) -> None:
        self._rooms = rooms
        self._viewers = viewers
        self._links = tuple(link for server in ice_servers for link in ice_links(server))

    def setup(self, app: web.Application) -> None:
        """Add them."""
        app.router.add_options(WHEP, self._options)
        app.router.add_post(WHEP, self._post)
        app.router.add_options(VIEWER + "/{id}", session_options)
        app.router.add_patch(VIEWER + "/{id}", self._patch)
        app.router.add_delete(VIEWER + "/{id}", self._delete)
        describe(app, WATCH_OPERATIONS)

    async def _options(self, request: web.Request) -> web.Response:
        if self._rooms.camera(request.match_info["room"], request.match_info["id"]) is None:
            return _ended()
        return await offer_options(request)

    async def _post(self, request: web.Request) -> web.Response:
        session = self._rooms.camera(request.match_info["room"], request.match_info["id"])
        if session is None:
            return _ended()
        offer = await read_offer(request)
        if isinstance(offer, web.Response):
            return offer
        try:
            viewer, answer = await self._viewers.open(session, offer, visitor_of(request))
        except TooMany:
            words = "As many pictures are sent to viewers as this server can; try again later."
            return problem(503, "Full", words, Retry_After="10")
        except OfferError as error:
            refused = problem(error.status, "Offer refused", sentence(error))
            if error.status == 503:
                refused.headers["Retry-After"] = RETRY_AFTER
            return refused
        logger.info("viewer %s of session %s began", viewer.id, session.id)
        return answered(f"{VIEWER}/{viewer.id}", viewer.negotiation, answer, self._links)

    async def _patch(self, request: web.Request) -> web.Response:
        viewer = self._viewers.get(request.match_info["id"])
        if viewer is None:
            return problem(404, "Not Found", "This viewer has ended or never was.")
        return await take_candidates(request, viewer.negotiation)

    async def _delete(self, request: web.Request) -> web.Response:
        viewer = self._viewers.get(request.match_info["id"])
        if viewer is None:
            return problem(404, "Not Found", "This viewer has ended or never was.")
        await viewer.close("deleted")
        return web.Response(status=200)


def _ended() -> web.Response:
    return problem(404, "Not Found", "This camera has ended or never was.")
