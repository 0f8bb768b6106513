"""People, their samples, and every correction of them, over HTTP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from aiohttp import web

from pipeline.face_models import FaceModels
from server.api.operations import describe
from server.audit import about
from server.people import People
from server.people.consent import BadConsent, ends_soon, said_consent
from server.people.forgetting import Forgetting
from server.people.operations import OPERATIONS
from server.people.person_page import person_fields, person_page
from server.problems import problem
from server.request_json import read_json
from server.storage import (
    BadName,
    Change,
    ConsentMissing,
    NameTaken,
    NoSuchChange,
    NoSuchPerson,
    NoSuchSample,
    PersonDetail,
    PersonRow,
    UndoConflict,
    clean_room,
)
from server.visitor import visitor_of
from server.wording import sentence
from tracking import Embedding

BASE = "/api/v1"
STATES = ("over", "withdrawn", "not_recorded")
MAX_BODY = 64 * 1024
_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _BadBody(ValueError):
    """A body that says nothing that can be done; the text says why."""


class PeopleRoutes:
    """The handlers. ``models`` are those in use now; ``max_samples`` how many of somebody's count."""

    def __init__(
        self, people: People, models: Callable[[], FaceModels], max_samples: int, forgetting: Forgetting
    ) -> None:
        self._people = people
        self._forgetting = forgetting
        self._models = models
        self._max_samples = max_samples

    # -- reading ---------------------------------------------------------------------------------------------------

    async def everybody(self, request: web.Request) -> web.Response:
        """Everybody, or those of one room (``?room=NAME``, empty for everyone's), or whose ``?consent=STATE``."""
        rows = await self._people.list()
        if "consent" in request.query:
            rows = _standing(rows, request.query["consent"], self._people.lapse.clock())
        if "room" in request.query:
            room = clean_room(request.query["room"])
            rows = [row for row in rows if row.room == room]
        return web.json_response({"people": [self._row(row) for row in rows]})

    async def show(self, request: web.Request) -> web.Response:
        """Somebody with samples and marks."""
        return web.json_response(await self._detail(request.match_info["id"]))

    async def crop(self, request: web.Request) -> web.Response:
        """A sample's picture."""
        jpeg = await self._people.crop(request.match_info["id"])
        if jpeg is None:
            return problem(404, "Not Found", "No picture is kept of this.")
        return web.Response(body=jpeg, content_type="image/jpeg")

    async def merge_preview(self, request: web.Request) -> web.Response:
        """What merging two people would give."""
        source, target = await self._pair(request.match_info["id"], request.query.get("into"))
        one, other = self._template(source.row), self._template(target.row)
        similarity = None if one is None or other is None else self._models().matcher.similarity(one, other)
        verdict, words = self._alike(similarity, source, target)
        return web.json_response(
            {
                "from": self._row(source.row),
                "into": self._row(target.row),
                "samples": source.row.samples + target.row.samples,
                "similarity": None if similarity is None else round(similarity, 4),
                "verdict": verdict,
                "words": words,
            }
        )

    async def changes(self, _request: web.Request) -> web.Response:
        """What can be undone, or was."""
        return web.json_response({"changes": [_change(change) for change in await self._people.changes()]})

    # -- changing --------------------------------------------------------------------------------------------------

    async def edit(self, request: web.Request) -> web.Response:
        """Another name, or another room: one at a time, so that nothing is changed half."""
        id, body = request.match_info["id"], await _body(request, {"name", "room"})
        if len(body) != 1:
            raise _BadBody("say a name or a room, one at a time")
        if "name" in body:
            change = await self._people.rename(id, _text(body, "name"))
        else:
            change = await self._people.set_room(id, clean_room(body["room"]))
        return web.json_response({**await self._detail(id), "change": _change(change)})

    async def remove(self, request: web.Request) -> web.Response:
        """Take somebody away for now."""
        return _changed(await self._people.remove_person(request.match_info["id"]))

    async def forget(self, request: web.Request) -> web.Response:
        """Erase somebody for good; the answer is the receipt."""
        films = request.query.get("films", "0")
        if films not in ("0", "1"):
            raise _BadBody("films must be 0 or 1")
        receipt = await self._forgetting.forget(request.match_info["id"], visitor_of(request), films=films == "1")
        return web.json_response({"receipt": receipt})

    async def merge(self, request: web.Request) -> web.Response:
        """Give everything of one person to another."""
        body = await _body(request, {"into"})
        source, target = await self._pair(request.match_info["id"], body.get("into"))
        same_face = self._models().manifest.matching.same_face
        change = await self._people.merge(source.row.id, target.row.id, same_face)
        about(request, source.row.id, target.row.id)
        return web.json_response({"change": _change(change), "person": await self._detail(target.row.id)})

    async def split(self, request: web.Request) -> web.Response:
        """Make somebody new of some samples."""
        body = await _body(request, {"samples", "name", "consent"})
        samples = body.get("samples")
        if not isinstance(samples, list) or not all(isinstance(id, str) for id in samples):
            raise _BadBody("samples must be a list of ids")
        consent, by = said_consent(self._people, body), str(visitor_of(request))
        name = _text(body, "name")
        person, change = await self._people.split(request.match_info["id"], samples, name, consent, by)
        about(request, request.match_info["id"], person.id)
        return web.json_response({"change": _change(change), "person": await self._detail(person.id)}, status=201)

    async def move_sample(self, request: web.Request) -> web.Response:
        """Give a sample to somebody else."""
        body = await _body(request, {"person"})
        return _changed(await self._people.move_sample(request.match_info["id"], _text(body, "person")))

    async def remove_sample(self, request: web.Request) -> web.Response:
        """Take a sample away for now."""
        return _changed(await self._people.remove_sample(request.match_info["id"]))

    async def remove_negative(self, request: web.Request) -> web.Response:
        """Take a mark 'not this person' away for now."""
        return _changed(await self._people.remove_negative(request.match_info["id"]))

    async def undo(self, request: web.Request) -> web.Response:
        """Take a change back."""
        return _changed(await self._people.undo(request.match_info["id"]))

    # -- words -----------------------------------------------------------------------------------------------------

    async def _pair(self, source: str, target: object) -> tuple[PersonDetail, PersonDetail]:
        if not isinstance(target, str) or not _ID.fullmatch(target):
            raise _BadBody("into must be the id of a person")
        if source == target:
            raise _BadBody("somebody cannot be merged with themselves")
        one, other = await self._people.person(source), await self._people.person(target)
        if one is None or other is None:
            raise NoSuchPerson("nobody of this id is enrolled")
        return one, other

    async def _detail(self, id: str) -> dict[str, Any]:
        detail = await self._people.person(id)
        if detail is None:
            raise NoSuchPerson("nobody of this id is enrolled")
        gallery, matcher = self._people.gallery_of(detail.row.room), self._models().matcher
        now = self._people.lapse.clock()
        return await asyncio.to_thread(person_page, detail, gallery, matcher, self._max_samples, now)

    def _row(self, row: PersonRow) -> dict[str, Any]:
        return person_fields(row, self._max_samples, self._people.lapse.clock())

    def _template(self, row: PersonRow) -> Embedding | None:
        return self._people.gallery_of(row.room).template(row.id)

    def _alike(self, similarity: float | None, one: PersonDetail, other: PersonDetail) -> tuple[str, str]:
        if similarity is None:
            return "perhaps", "These cannot be compared: there are no pictures that the models in use have read."
        matcher = self._models().matcher
        names = f"{one.row.name} and {other.row.name}"
        if similarity >= matcher.threshold(max(len(self._people.gallery_of(one.row.room)), 1)):
            return "same", f"{names} look like the same person."
        if similarity >= matcher.threshold(1, 0.1):
            return "perhaps", f"{names} resemble each other, but not enough to be sure."
        return "different", f"{names} look like two different people."


def _standing(rows: Sequence[PersonRow], wanted: str, now: datetime) -> list[PersonRow]:
    if wanted == "soon":
        return [row for row in rows if row.consent is not None and ends_soon(row.consent, now)]
    if wanted not in STATES:
        raise _BadBody(f"consent is one of {', '.join((*STATES, 'soon'))}")
    return [row for row in rows if row.consent is not None and row.consent.state(now) == wanted]


def _change(change: Change) -> dict[str, Any]:
    return {
        "id": change.id,
        "kind": change.kind,
        "words": change.words,
        "at": change.at.isoformat(),
        "until": change.until.isoformat(),
        "undone": change.undone,
    }


def _changed(change: Change) -> web.Response:
    return web.json_response({"change": _change(change)})


def _text(body: dict[str, Any], field: str) -> str:
    value = body.get(field)
    if not isinstance(value, str):
        raise _BadBody(f"{field} must be text")
    return value


async def _body(request: web.Request, allowed: set[str]) -> dict[str, Any]:
    """The JSON object of a request. Raises :class:`_BadBody` for anything else, also for fields nobody would read."""
    if (request.content_length or 0) > MAX_BODY:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY, request.content_length or 0)
    try:
        body = await read_json(request)
    except ValueError:
        raise _BadBody("the body must be JSON") from None
    if not isinstance(body, dict):
        raise _BadBody("the body must be a JSON object")
    if unknown := sorted(set(body) - allowed):
        raise _BadBody(f"there is no field {unknown[0][:40]!r} here")
    return body


def _said(handler: Handler) -> Handler:
    """What goes wrong, as problem details."""

    async def wrapped(request: web.Request) -> web.StreamResponse:
        if not _ID.fullmatch(request.match_info.get("id", "0" * 32)):
            return problem(404, "Not Found", "There is nothing of this id.")
        try:
            return await handler(request)
        except (NoSuchPerson, NoSuchSample, NoSuchChange) as error:
            return problem(404, "Not Found", sentence(error))
        except (NameTaken, UndoConflict) as error:
            return problem(409, "Conflict", sentence(error))
        except BadName as error:
            return problem(422, "Bad name", sentence(error))
        except ConsentMissing as error:
            return problem(409, "consent_missing", sentence(error))
        except (_BadBody, BadConsent) as error:
            return problem(400, "Bad request", sentence(error))
        except ValueError as error:
            return problem(409, "Conflict", sentence(error))

    return wrapped


def setup_people(
    app: web.Application,
    people: People,
    models: Callable[[], FaceModels],
    max_samples: int,
    forgetting: Forgetting,
) -> None:
    """Add the routes."""
    routes = PeopleRoutes(people, models, max_samples, forgetting)
    add: list[tuple[str, str, Handler]] = [
        ("GET", "/people", routes.everybody),
        ("GET", "/people/{id}", routes.show),
        ("PATCH", "/people/{id}", routes.edit),
        ("DELETE", "/people/{id}", routes.forget),
        ("POST", "/people/{id}/remove", routes.remove),
        ("GET", "/people/{id}/merge", routes.merge_preview),
        ("POST", "/people/{id}/merge", routes.merge),
        ("POST", "/people/{id}/split", routes.split),
        ("GET", "/samples/{id}/crop", routes.crop),
        ("POST", "/samples/{id}/move", routes.move_sample),
        ("DELETE", "/samples/{id}", routes.remove_sample),
        ("DELETE", "/negatives/{id}", routes.remove_negative),
        ("GET", "/changes", routes.changes),
        ("POST", "/changes/{id}/undo", routes.undo),
    ]
    for method, path, handler in add:
        app.router.add_route(method, BASE + path, _said(handler))
    describe(app, OPERATIONS)
