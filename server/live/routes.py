"""The live sessions as JSON, and why each of their faces bears its name."""

from __future__ import annotations

from aiohttp import web

from server.api.operations import describe
from server.live.operations import SESSION_OPERATIONS
from server.live.result_stream import stream_results
from server.live.session import LiveSession
from server.peers import PeerRegistry
from server.problems import problem

BASE = "/api/v1/sessions"
_PEERS = web.AppKey("sessions of", PeerRegistry)


def setup_sessions(app: web.Application, peers: PeerRegistry) -> None:
    """Add the routes."""
    app[_PEERS] = peers
    app.router.add_get(BASE, _list)
    app.router.add_get(BASE + "/{id}", _one)
    app.router.add_get(BASE + "/{id}/events", _events)
    describe(app, SESSION_OPERATIONS)


async def _list(request: web.Request) -> web.Response:
    sessions = [
        {"id": peer.id, "room": peer.visit.room, "guest": peer.visit.guest} for peer in request.app[_PEERS].peers
    ]
    return web.json_response({"sessions": sessions})


async def _one(request: web.Request) -> web.Response:
    peer = request.app[_PEERS].get(request.match_info["id"])
    handler = None if peer is None else peer.handler
    if peer is None or not isinstance(handler, LiveSession):
        return problem(404, "Not Found", "This session has ended or never was.")
    about = {"id": peer.id, "room": peer.visit.room, "guest": peer.visit.guest}
    return web.json_response({**about, **await handler.report()})


async def _events(request: web.Request) -> web.StreamResponse:
    link = request.app[_PEERS].get(request.match_info["id"])
    if link is None or not isinstance(link.handler, LiveSession):
        return problem(404, "Not Found", "This session has ended or never was.")
    return await stream_results(request, link.handler)
