"""The document, the page that shows it, and the keys of other programs, which the owner alone makes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from server.access.roles import ACCOUNTS
from server.api.document import document
from server.api.keys import BadScope, Keys
from server.api.operations import SCOPES, Operation, Parameter, describe
from server.api.schemas import FLAG, NAME, TEXT, TIME, listed, maybe, one_of, record
from server.audit import about
from server.problems import problem
from server.request_json import read_json
from server.storage import BadName
from server.storage.api_keys import ApiKey, TooManyKeys
from server.visitor import visitor_of
from server.wording import sentence

BASE = "/api/v1/keys"
_DOCUMENT = web.AppKey("document", dict[str, bytes])
_FIELDS = {
    "id": {"type": "string", "pattern": "^[0-9a-f]{8}$"},
    "name": NAME,
    "scopes": {"type": "array", "items": one_of(*SCOPES), "minItems": 1},
    "created": TIME,
    "used": maybe(TIME),
}
KEY = record("Key", **_FIELDS)

DOCUMENT_OPERATIONS = {
    "GET /api/v1/openapi.json": Operation(
        "This document", "server", "read", {200: {"type": "object", "description": "OpenAPI 3.1"}}
    ),
}
KEY_OPERATIONS = {
    f"GET {BASE}": Operation(
        "The keys there are",
        "keys",
        None,
        {200: record("Keys", keys=listed(KEY), scopes=listed(record(scope=one_of(*SCOPES), words=TEXT)), here=FLAG)},
        words="`here`: whether you may make keys; who may not sees none.",
        roles=ACCOUNTS,
    ),
    f"POST {BASE}": Operation(
        "Make a key",
        "keys",
        None,
        {201: record("NewKey", **_FIELDS, key=TEXT)},
        body=record(name=NAME, scopes=_FIELDS["scopes"]),
        secret=True,
        words="`key` is shown in this answer and never again.",
    ),
    f"DELETE {BASE}/{{id}}": Operation(
        "Revoke a key", "keys", None, {204: None}, path={"id": Parameter("The key's id", _FIELDS["id"])}
    ),
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def setup_document(app: web.Application, page: Handler) -> None:
    """Add the document and the page that shows it."""
    app[_DOCUMENT] = {}
    app.router.add_get("/api", page)
    app.router.add_get("/api/v1/openapi.json", _document)
    describe(app, DOCUMENT_OPERATIONS)


def setup_keys(app: web.Application, keys: Keys) -> None:
    """Add the routes of keys."""

    async def show(request: web.Request) -> web.StreamResponse:
        scopes = [{"scope": scope, "words": words} for scope, words in SCOPES.items()]
        if visitor_of(request).role != "owner":
            return web.json_response({"keys": [], "scopes": scopes, "here": False})
        return web.json_response({"keys": [_body(key) for key in await keys.all()], "scopes": scopes, "here": True})

    async def make(request: web.Request) -> web.StreamResponse:
        try:
            wish = await read_json(request)
        except ValueError:
            wish = None
        if not isinstance(wish, dict) or wish.keys() != {"name", "scopes"}:
            return problem(400, "Bad Request", 'Send a name and scopes as JSON: {"name": …, "scopes": ["read"]}.')
        try:
            key, token = await keys.make(wish["name"], wish["scopes"])
        except (BadName, BadScope) as error:
            return problem(400, "Bad Request", sentence(error))
        except TooManyKeys as error:
            return problem(409, "Conflict", sentence(error))
        about(request, key.id)
        return web.json_response({**_body(key), "key": token}, status=201)

    async def revoke(request: web.Request) -> web.StreamResponse:
        if not await keys.revoke(request.match_info["id"]):
            return problem(404, "Not Found", "There is no key of this id.")
        return web.Response(status=204)

    app.router.add_get(BASE, show)
    app.router.add_post(BASE, make)
    app.router.add_delete(BASE + "/{id:[0-9a-f]{8}}", revoke)
    describe(app, KEY_OPERATIONS)


async def _document(request: web.Request) -> web.Response:
    made = request.app[_DOCUMENT]
    if "json" not in made:  # routes do not change while the server runs
        made["json"] = json.dumps(document(request.app), ensure_ascii=False).encode()
    return web.Response(body=made["json"], content_type="application/json", charset="utf-8")


def _body(key: ApiKey) -> dict[str, Any]:
    used = None if key.used is None else key.used.isoformat()
    return {
        "id": key.id,
        "name": key.name,
        "scopes": list(key.scopes),
        "created": key.created.isoformat(),
        "used": used,
    }
