"""The inbox of strangers over HTTP."""

from __future__ import annotations

from aiohttp import web

from server.api.operations import describe
from server.people import People
from server.people.consent import BadConsent, said_consent
from server.people.inbox import DifferentPerson, Inbox, NoSuchStranger, keeps
from server.people.inbox_operations import OPERATIONS
from server.problems import problem
from server.request_json import read_json
from server.storage import BadName, ConsentMissing, NameTaken, NoSuchPerson
from server.storage.inbox import Sighting, Stranger, sightings_of
from server.storage.names import clean_room
from server.visitor import visitor_of
from server.wording import sentence

INBOX = web.AppKey("inbox", Inbox)
OFF = "The inbox is switched off; start the server with the setting inbox to have one."


def setup_inbox(app: web.Application, inbox: Inbox | None, people: People, days: int) -> None:
    """Add the routes; ``inbox`` is ``None`` while the setting is off."""

    async def show(_request: web.Request) -> web.Response:
        entries = [] if inbox is None else [_entry(stranger) for stranger in inbox.strangers()]
        return web.json_response(
            {"enabled": inbox is not None, "keeps": keeps(days), "days": days, "strangers": entries}
        )

    async def sightings(request: web.Request) -> web.Response:
        person = request.match_info["id"]
        found = await people.run(lambda store: sightings_of(store.engine, person))
        return web.json_response({"sightings": [_sighting(sighting) for sighting in found]})

    async def name(request: web.Request) -> web.Response:
        _inbox(request)
        try:
            body = await read_json(request)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return problem(400, "Bad Request", 'Send an object as JSON: {"name": …}.')
        try:
            room, consent = clean_room(body.get("room")), said_consent(people, body)
            id, by = request.match_info["id"], str(visitor_of(request))
            person, seen = await _inbox(request).name(id, body.get("name"), room, consent, by)
        except NoSuchStranger as error:
            return _gone(error)
        except BadName as error:
            return problem(400, "Bad Name", sentence(error))
        except BadConsent as error:
            return problem(400, "Bad Consent", sentence(error))
        except ConsentMissing as error:
            return problem(409, "consent_missing", sentence(error))
        except DifferentPerson as error:
            return problem(409, "different_person", sentence(error))
        except (NameTaken, NoSuchPerson):
            return problem(409, "Conflict", "Somebody of this name was enrolled or removed a moment ago. Try again.")
        return web.json_response({"person": {"id": person.id, "name": person.name, "room": person.room}, "seen": seen})

    app.router.add_get("/api/v1/inbox", show)
    app.router.add_get("/api/v1/people/{id:[0-9a-f]{32}}/sightings", sightings)
    app.router.add_delete("/api/v1/inbox", _forget_all)
    app.router.add_get("/api/v1/inbox/{id}/crop", _crop)
    app.router.add_post("/api/v1/inbox/{id}/name", name)
    app.router.add_delete("/api/v1/inbox/{id}", _forget)
    describe(app, OPERATIONS)
    if inbox is not None:
        app[INBOX] = inbox


def _inbox(request: web.Request) -> Inbox:
    inbox = request.app.get(INBOX)
    if inbox is None:
        raise web.HTTPNotFound(text=OFF)
    return inbox


async def _forget_all(request: web.Request) -> web.Response:
    await _inbox(request).forget_all()
    return web.Response(status=204)


async def _forget(request: web.Request) -> web.Response:
    try:
        await _inbox(request).forget(request.match_info["id"])
    except NoSuchStranger as error:
        return _gone(error)
    return web.Response(status=204)


async def _crop(request: web.Request) -> web.Response:
    try:
        crop = _inbox(request).get(request.match_info["id"]).crop
    except NoSuchStranger as error:
        return _gone(error)
    if crop is None:
        return problem(404, "Not Found", "There is no picture of this entry.")
    return web.Response(body=crop, content_type="image/jpeg", headers={"Cache-Control": "no-store"})


def _gone(error: NoSuchStranger) -> web.Response:
    return problem(404, "Not Found", sentence(error))


def _entry(stranger: Stranger) -> dict[str, object]:
    return {
        "id": stranger.id,
        "seen": stranger.seen,
        "first": stranger.first.isoformat(),
        "last": stranger.last.isoformat(),
        "room": stranger.room,
        "crop": stranger.crop is not None,
        "quality": round(stranger.crop_quality or max(stranger.qualities), 3),
        "sightings": [_sighting(sighting) for sighting in reversed(stranger.sightings)],
    }


def _sighting(sighting: Sighting) -> dict[str, str]:
    return {
        "session": sighting.session,
        "began": sighting.began.isoformat(),
        "ended": sighting.ended.isoformat(),
    }
