"""Why somebody may be recognised, over HTTP: read, recorded anew, withdrawn."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from server.api.operations import describe
from server.people import People, records
from server.people.consent import BadConsent, consent_fields
from server.people.consent_operations import OPERATIONS
from server.problems import problem
from server.request_json import read_json
from server.storage import NoSuchPerson
from server.visitor import visitor_of
from server.wording import sentence

BASE = "/api/v1/people/{id}/consents"
_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def setup_consents(app: web.Application, people: People) -> None:
    """Add the routes."""

    async def show(request: web.Request) -> web.Response:
        found = await records.history(people, request.match_info["id"])
        if not found or await people.person(request.match_info["id"]) is None:
            raise NoSuchPerson("nobody of this id is enrolled")
        now = people.lapse.clock()
        return web.json_response({"consents": [consent_fields(one, now) for one in found]})

    async def record(request: web.Request) -> web.Response:
        try:
            body = await read_json(request)
        except ValueError:
            raise BadConsent("the body must be JSON") from None
        said = people.terms.read(body, people.lapse.clock())
        made = await records.record(people, request.match_info["id"], said, str(visitor_of(request)))
        return web.json_response({"consent": consent_fields(made, people.lapse.clock())}, status=201)

    async def withdraw(request: web.Request) -> web.Response:
        made = await records.withdraw(people, request.match_info["id"], str(visitor_of(request)))
        return web.json_response({"consent": consent_fields(made, people.lapse.clock())})

    app.router.add_get(BASE, _said(show))
    app.router.add_post(BASE, _said(record))
    app.router.add_post(BASE + "/withdraw", _said(withdraw))
    describe(app, OPERATIONS)


def _said(handler: Handler) -> Handler:
    """What goes wrong, as problem details."""

    async def wrapped(request: web.Request) -> web.StreamResponse:
        if not _ID.fullmatch(request.match_info["id"]):
            return problem(404, "Not Found", "There is nothing of this id.")
        try:
            return await handler(request)
        except NoSuchPerson as error:
            return problem(404, "Not Found", sentence(error))
        except BadConsent as error:
            return problem(400, "Bad Consent", sentence(error))
        except ValueError as error:
            return problem(409, "Conflict", sentence(error))

    return wrapped
