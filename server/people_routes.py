"""Who is enrolled, and forgetting them."""

from __future__ import annotations

from aiohttp import web

from server.people import People
from server.problems import problem

PEOPLE = web.AppKey("people", People)


def setup_people(app: web.Application, people: People) -> None:
    """Add the routes."""
    app[PEOPLE] = people
    app.router.add_get("/api/v1/people", _list)
    app.router.add_delete("/api/v1/people/{id}", _forget)


async def _list(request: web.Request) -> web.Response:
    rows = await request.app[PEOPLE].list()
    people = [{"id": r.id, "name": r.name, "samples": r.samples, "created": r.created.isoformat()} for r in rows]
    return web.json_response({"people": people})


async def _forget(request: web.Request) -> web.Response:
    if not await request.app[PEOPLE].forget(request.match_info["id"]):
        return problem(404, "Not Found", "Nobody of this id is enrolled.")
    return web.Response(status=204)
