"""Model packs and changing them, over HTTP."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiohttp import web

from models import PackManifest, available_packs, is_installed
from server.api.operations import describe
from server.people.model_change import ChangeRefused, ModelChange, Status
from server.people.settings_operations import MODEL_OPERATIONS
from server.problems import problem
from server.request_json import read_json

CHANGE = web.AppKey("model_change", ModelChange)
MODELS_DIR = web.AppKey("models_dir", Path)


def setup_model_change(app: web.Application, change: ModelChange, models_dir: Path) -> None:
    """Add the routes."""
    app[CHANGE] = change
    app[MODELS_DIR] = models_dir
    app.router.add_get("/api/v1/packs", _packs)
    app.router.add_get("/api/v1/model-change", _show)
    app.router.add_post("/api/v1/model-change", _begin)
    app.router.add_post("/api/v1/model-change/switch", _switch)
    app.router.add_delete("/api/v1/model-change", _cancel)
    describe(app, MODEL_OPERATIONS)


async def _packs(request: web.Request) -> web.Response:
    folder = request.app[MODELS_DIR]
    packs = [
        {
            "name": pack.name,
            "summary": pack.summary,
            "licence": pack.licence,
            "installed": is_installed(pack.name, folder),
        }
        for pack in available_packs(folder)
    ]
    return web.json_response({"current": request.app[CHANGE].models.manifest.name, "packs": packs})


async def _show(request: web.Request) -> web.Response:
    return web.json_response(_body(await request.app[CHANGE].status()))


async def _begin(request: web.Request) -> web.Response:
    try:
        body = await read_json(request)
    except ValueError:
        body = None
    name = body.get("pack") if isinstance(body, dict) else None
    if not isinstance(name, str):
        return problem(400, "Bad Request", 'Send the name of a pack as JSON: {"pack": …}.')
    folder = request.app[MODELS_DIR]

    def missing(pack: PackManifest) -> str | None:
        if pack.origin == "built" or is_installed(pack.name, folder):
            return None  # what can be built is built
        return f"pack {pack.name!r} is not installed; type: visavis models pull {pack.name} --accept-license"

    change = request.app[CHANGE]
    try:
        await change.begin(name, missing)
    except ChangeRefused as error:
        return _refused(error)
    return web.json_response(_body(await change.status()), status=202)


async def _switch(request: web.Request) -> web.Response:
    change = request.app[CHANGE]
    try:
        await change.switch()
    except ChangeRefused as error:
        return _refused(error)
    return web.json_response(_body(await change.status()))


async def _cancel(request: web.Request) -> web.Response:
    change = request.app[CHANGE]
    try:
        await change.cancel()
    except ChangeRefused as error:
        return _refused(error)
    return web.json_response(_body(await change.status()))


def _body(status: Status) -> dict[str, Any]:
    return asdict(status)


def _refused(error: ChangeRefused) -> web.Response:
    text = str(error)
    return problem(409, "Conflict", f"{text[:1].upper()}{text[1:]}.")
