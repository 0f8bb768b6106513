"""``/healthz``, ``/readyz``, ``/metrics`` and the status page."""

from __future__ import annotations

from aiohttp import hdrs, web

from server.api.operations import describe
from server.app import static_folder
from server.observing.families import written
from server.observing.observing import Observing
from server.observing.operations import OPERATIONS
from server.observing.status import status
from server.visitor import maybe_visitor

TEXT = "text/plain; version=0.0.4; charset=utf-8"  # Prometheus's
RETRY_AFTER = "5"  # seconds


def setup_observing(app: web.Application, observing: Observing) -> None:
    """Add the page and the routes."""
    subject, gatherer = observing.subject, observing.gatherer

    async def ready(request: web.Request) -> web.Response:
        found = await subject.readiness.look()
        wrong = [name for name, words in found.items() if words is not None]
        body: dict[str, object] = {"status": "not ready", "not": wrong} if wrong else {"status": "ready"}
        visitor = maybe_visitor(request)
        if visitor is not None and visitor.role == "owner":
            body["checks"] = {name: words or "ok" for name, words in found.items()}
        headers = {hdrs.RETRY_AFTER: RETRY_AFTER} if wrong else {}
        return web.json_response(body, status=503 if wrong else 200, headers=headers)

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=written(subject, await gatherer.facts()), headers={hdrs.CONTENT_TYPE: TEXT})

    async def show(_request: web.Request) -> web.Response:
        return web.json_response(status(subject, await gatherer.facts()))

    async def page(_request: web.Request) -> web.StreamResponse:
        return web.FileResponse(static_folder() / "status.html")

    app.router.add_get("/readyz", ready)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/api/v1/status", show)
    app.router.add_get("/status", page)
    describe(app, OPERATIONS)
