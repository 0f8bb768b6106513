"""Receipts of who was forgotten, and everything about one person, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from server.api.operations import describe
from server.api.paging import BadPage, asked, write_cursor
from server.people.own_data import OwnData
from server.people.people import People
from server.people.receipt_operations import OPERATIONS
from server.problems import problem
from server.storage import NoSuchPerson
from server.storage import forgetting as table
from server.wording import sentence

ID = "{id:[0-9a-f]{32}}"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def setup_receipts(app: web.Application, people: People, own_data: OwnData) -> None:
    """Add the routes."""

    async def listed(request: web.Request) -> web.StreamResponse:
        try:
            page = asked(request, (str, str))
        except BadPage as error:
            return problem(400, "Bad Request", sentence(error))
        after = None if page.after is None else (str(page.after[0]), str(page.after[1]))
        bodies = await people.run(lambda store: table.receipts(store.engine, page.limit + 1, after))
        found = [json.loads(body) for body in bodies]
        shown = found[: page.limit]
        following = write_cursor((shown[-1]["at"], shown[-1]["id"])) if len(found) > page.limit else None
        return web.json_response({"items": shown, "next": following})

    async def one(request: web.Request) -> web.StreamResponse:
        id = request.match_info["id"]
        body = await people.run(lambda store: table.receipt(store.engine, id))
        if body is None:
            return problem(404, "Not Found", "There is no receipt of this id.")
        headers = {hdrs.CONTENT_DISPOSITION: f'attachment; filename="receipt-{id}.json"'}
        headers = headers if "download" in request.query else {}
        return web.Response(text=body, content_type="application/json", headers=headers)

    async def export(request: web.Request) -> web.StreamResponse:
        try:
            data = await own_data.archive(request.match_info["id"])
        except NoSuchPerson as error:
            return problem(404, "Not Found", sentence(error))
        name = f"person-{request.match_info['id']}.zip"
        headers = {hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"', hdrs.CACHE_CONTROL: "no-store"}
        return web.Response(body=data, content_type="application/zip", headers=headers)

    app.router.add_get("/api/v1/receipts", listed)
    app.router.add_get(f"/api/v1/receipts/{ID}", one)
    app.router.add_get(f"/api/v1/people/{ID}/export", export)
    describe(app, OPERATIONS)
