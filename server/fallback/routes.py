"""The WebSocket that pages use where UDP is blocked: docs/protocol.md, 'Fallback'."""

from __future__ import annotations

import logging
from concurrent.futures import Executor

from aiohttp import hdrs, web

from server.api.operations import Operation, Parameter, describe
from server.api.schemas import ROOM
from server.fallback.jpeg import MAX_BYTES
from server.fallback.link import HEARTBEAT, JpegLink
from server.peers import Full, PeerRegistry
from server.problems import problem
from server.signalling import visit_of
from server.storage.names import MAX_NAME

logger = logging.getLogger(__name__)

BASE = "/api/v1/fallback"
OPERATIONS = {
    "GET /api/v1/fallback": Operation(
        "Begin a live session over a WebSocket, picture by picture",
        "live",
        "recognise",
        {101: None},
        errors=(426, 503),
        query={
            "room": Parameter("The room it joins", {"anyOf": [ROOM, {"const": ""}]}),
            "guest": Parameter("Whether what it adds goes when it ends", {"enum": ["0", "1"]}),
            "name": Parameter("What the camera is called in its room", {"type": "string", "maxLength": MAX_NAME}),
            "resume": Parameter("The secret of the session before", {"type": "string", "maxLength": 64}),
        },
        words="For networks that let no UDP through: a picture takes three to six times the data of WebRTC.",
    )
}
_PEERS = web.AppKey("fallback peers", PeerRegistry)
_EXECUTOR: web.AppKey[Executor] = web.AppKey("fallback executor", Executor)


def setup_fallback(app: web.Application, peers: PeerRegistry, executor: Executor) -> None:
    """Add the route; pictures are decoded in ``executor``."""
    app[_PEERS], app[_EXECUTOR] = peers, executor
    app.router.add_get(BASE, _serve)
    describe(app, OPERATIONS)


async def _serve(request: web.Request) -> web.StreamResponse:
    try:
        visit = visit_of(request)
    except ValueError as error:
        return problem(400, "Bad Request", f"{error}.")
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=MAX_BYTES, compress=False, timeout=1.0)
    if not socket.can_prepare(request):
        return problem(426, "Upgrade Required", "This address is for WebSockets.", **{hdrs.UPGRADE: "websocket"})
    peers = request.app[_PEERS]
    try:
        link = peers.admit(
            visit,
            lambda make, number: JpegLink(
                socket, request.app[_EXECUTOR], make, peers.gone, visit, number, peers.keeper(visit)
            ),
        )
    except Full as full:
        return problem(503, "Full", str(full), Retry_After=str(full.seconds))
    try:
        await socket.prepare(request)
        logger.info("session %s began over a WebSocket", link.id)
        await link.run()
    finally:
        await link.close("closed")
    return socket
