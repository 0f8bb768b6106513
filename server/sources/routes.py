"""The sources of a room over HTTP: for the host at the computer and for keys that may, since the server calls what they
name."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from server.api.operations import describe
from server.audit import about
from server.peers import Full
from server.problems import problem
from server.request_json import read_json
from server.sources.address import BadAddress
from server.sources.operations import SOURCE_OPERATIONS
from server.sources.sources import Fetched, Sources, TooManySources
from server.storage import BadName, clean_room
from server.wording import sentence

BASE = "/api/v1/rooms/{room}/sources"
_SOURCES = web.AppKey("sources", Sources)


def setup_sources(app: web.Application, sources: Sources) -> None:
    """Add the routes."""
    app[_SOURCES] = sources
    app.router.add_get(BASE, _list)
    app.router.add_post(BASE, _add)
    app.router.add_delete(BASE + "/{source:[0-9a-f]{32}}", _remove)
    describe(app, SOURCE_OPERATIONS)


async def _list(request: web.Request) -> web.Response:
    if (refused := _refused(request)) is not None:
        return refused
    found = request.app[_SOURCES].of(request.match_info["room"])
    return web.json_response({"sources": [_body(fetched) for fetched in found]})


async def _add(request: web.Request) -> web.Response:
    if (refused := _refused(request)) is not None:
        return refused
    try:
        wish = await read_json(request)
    except ValueError:
        wish = None
    if not isinstance(wish, dict) or not {"url"} <= wish.keys() <= {"url", "name"}:
        return problem(400, "Bad Request", 'Send a URL and, if it is to have one, a name: {"url": …, "name": …}.')
    if "name" in wish and not isinstance(wish["name"], str):
        return problem(400, "Bad Request", "A name must be text.")
    try:
        fetched = await request.app[_SOURCES].add(request.match_info["room"], wish["url"], wish.get("name"))
    except (BadAddress, BadName) as error:
        return problem(400, "Bad Request", sentence(error))
    except TooManySources as error:
        return problem(409, "Conflict", sentence(error))
    except Full as full:
        return problem(503, "Full", str(full), Retry_After=str(full.seconds))
    about(request, fetched.kept.id)
    return web.json_response(_body(fetched), status=201)


async def _remove(request: web.Request) -> web.Response:
    if (refused := _refused(request)) is not None:
        return refused
    if not await request.app[_SOURCES].remove(request.match_info["room"], request.match_info["source"]):
        return problem(404, "Not Found", "This room has no source of this id.")
    return web.Response(status=204)


def _refused(request: web.Request) -> web.Response | None:
    try:
        clean_room(request.match_info["room"])
    except BadName as error:
        return problem(400, "Bad Request", sentence(error))
    return None


def _body(fetched: Fetched) -> dict[str, Any]:
    status = fetched.status
    return {
        "id": fetched.kept.id,
        "name": fetched.kept.name,
        "url": fetched.address.shown,
        "state": status.state,
        "reason": status.reason,
        "retry_in": status.retry_in,
        "camera": None if fetched.link is None else fetched.link.id,
    }
