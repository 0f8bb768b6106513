"""Enrolment from photos over HTTP: a draft is opened, photos are sent one by one, and all of it is saved at once."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from server.api.operations import describe
from server.audit import about
from server.media.decoding import FILE_BYTES, PIXELS, Unreadable
from server.people.consent import BadConsent, said_consent
from server.people.import_operations import OPERATIONS
from server.people.photos.archive import ARCHIVE_BYTES, BadArchive, is_archive, person_names
from server.people.photos.draft import Entry
from server.people.photos.imports import FILES, ImportRefused, Imports, NoSuchImport, listed
from server.people.photos.verdicts import REVIEWS
from server.problems import problem
from server.request_json import read_json
from server.storage import BadName, ConsentMissing, NameTaken, NoSuchPerson, clean_room
from server.visitor import visitor_of
from server.wording import sentence

BASE = "/api/v1/imports"
UPLOAD_TIMEOUT = 600.0  # seconds that one file may take to arrive
MAX_FILE_NAME = 400
IMPORTS = web.AppKey("imports", Imports)
ARCHIVES = web.AppKey("archives", asyncio.Semaphore)
Handler = Callable[[web.Request], Awaitable[web.Response]]


def setup_imports(app: web.Application, imports: Imports) -> None:
    """Add the routes."""
    app[IMPORTS] = imports
    app[ARCHIVES] = asyncio.Semaphore(1)  # a ZIP is held in memory: one at a time
    app.router.add_post(BASE, _said(_open))
    app.router.add_get(BASE + "/{id}", _said(_show))
    app.router.add_delete(BASE + "/{id}", _said(_discard))
    app.router.add_post(BASE + "/{id}/files", _said(_add))
    app.router.add_post(BASE + "/{id}/files/{file}", _said(_correct))
    app.router.add_post(BASE + "/{id}/commit", _said(_commit))
    describe(app, OPERATIONS)


def _said(handler: Handler) -> Handler:
    """Turn what can go wrong into an answer in words."""

    async def answer(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except NoSuchImport as error:
            return problem(404, "Not Found", str(error))
        except ConsentMissing as error:
            return problem(409, "consent_missing", sentence(error))
        except (ImportRefused, NameTaken, NoSuchPerson) as error:
            return problem(409, "Conflict", sentence(error))
        except LookupError:  # dropped meanwhile
            return problem(404, "Not Found", "There is no such photo in this import.")
        except (BadName, BadArchive, BadConsent) as error:
            return problem(400, "Bad Request", sentence(error))
        except TimeoutError:
            return problem(408, "Request Timeout", "The file took too long to arrive.")

    return answer


async def _open(request: web.Request) -> web.Response:
    wish = await _wish(request, {"room", "review"})
    if isinstance(wish, web.Response):
        return wish
    review = wish.get("review")
    if review is not None and review not in REVIEWS:
        return problem(400, "Bad Request", f"review is one of {', '.join(REVIEWS)}.")
    draft = request.app[IMPORTS].open(clean_room(wish.get("room")), review)
    limits = {"file_bytes": FILE_BYTES, "archive_bytes": ARCHIVE_BYTES, "pixels": PIXELS, "files": FILES}
    return web.json_response({"id": draft.id, "limits": limits, "review": draft.review}, status=201)


async def _show(request: web.Request) -> web.Response:
    draft = request.app[IMPORTS].get(request.match_info["id"])
    people = [
        {"name": name, "exists": exists, "files": [_entry(e) for e in entries]}
        for name, exists, entries in listed(draft)
    ]
    return web.json_response({"id": draft.id, "people": people})


async def _discard(request: web.Request) -> web.Response:
    request.app[IMPORTS].discard(request.match_info["id"])
    return web.Response(status=204)


async def _add(request: web.Request) -> web.Response:
    imports, id = request.app[IMPORTS], request.match_info["id"]
    imports.get(id)
    name, file = request.query.get("name") or None, request.query.get("file", "")
    if not file or len(file) > MAX_FILE_NAME or not file.isprintable():
        return problem(400, "Bad Request", f"file names the photo, in 1 to {MAX_FILE_NAME} characters.")
    body = io.BytesIO()
    await _receive(request, body, 4)
    if is_archive(body.getvalue()):
        async with request.app[ARCHIVES]:
            await _receive(request, body, ARCHIVE_BYTES + 1)
            if body.tell() > ARCHIVE_BYTES:
                return problem(413, "Content Too Large", f"A ZIP may have {ARCHIVE_BYTES // 2**20} MB.")
            entries = await imports.add_archive(id, body, name)
        return web.json_response({"files": [_entry(entry) for entry in entries]})
    await _receive(request, body, FILE_BYTES + 1)
    photo: bytes | Unreadable = body.getvalue()
    if body.tell() > FILE_BYTES:
        await _receive(request, io.BytesIO(), ARCHIVE_BYTES)  # a browser hears no answer before it has sent all
        photo = Unreadable("too_large", f"The file has more than {FILE_BYTES // 2**20} MB.")
    entry = await imports.add_photo(id, file, name or person_names([file])[0], photo)
    return web.json_response({"files": [_entry(entry)]})


async def _correct(request: web.Request) -> web.Response:
    imports, id, file = request.app[IMPORTS], request.match_info["id"], request.match_info["file"]
    draft = imports.get(id)
    wish = await _wish(request, {"face", "accept", "name", "drop"})
    if isinstance(wish, web.Response):
        return wish
    if file not in draft.entries:
        return problem(404, "Not Found", "There is no such photo in this import.")
    match wish:
        case {"face": int(face)} if len(wish) == 1 and not isinstance(face, bool):
            if not 0 <= face < len(draft.entries[file].photo.faces):
                return problem(400, "Bad Request", "face counts the faces of the photo, from 0.")
            entry = await imports.correct(id, lambda draft, gallery: draft.choose(file, face, gallery))
        case {"accept": True} if len(wish) == 1:
            entry = await imports.correct(id, lambda draft, gallery: draft.accept(file, gallery))
        case {"name": str(name)} if len(wish) == 1:
            entry = await imports.rename(id, file, name)
        case {"drop": True} if len(wish) == 1:
            entry = await imports.correct(id, lambda draft, gallery: draft.drop(file, gallery))
            return web.json_response({**_entry(entry), "dropped": True})
        case _:
            return problem(400, "Bad Request", "Say one of face, accept (true), name or drop (true).")
    return web.json_response(_entry(entry))


async def _commit(request: web.Request) -> web.Response:
    imports = request.app[IMPORTS]
    imports.get(request.match_info["id"])
    wish = await _wish(request, {"consent"})
    if isinstance(wish, web.Response):
        return wish
    consent = said_consent(imports.people, wish)
    saved = await imports.commit(request.match_info["id"], consent, str(visitor_of(request)))
    about(request, *(person.id for person, _ in saved.people))
    change = saved.change
    return web.json_response(
        {
            "people": [{"id": person.id, "name": person.name, "added": added} for person, added in saved.people],
            "change": {
                "id": change.id,
                "kind": change.kind,
                "at": change.at.isoformat(),
                "until": change.until.isoformat(),
                "words": change.words,
                "undone": change.undone,
            },
        }
    )


def _entry(entry: Entry) -> dict[str, Any]:
    photo, judgement = entry.photo, entry.judgement
    said: dict[str, Any] = {
        "id": entry.id,
        "file": entry.file,
        "name": entry.name,
        "verdict": judgement.verdict,
        "words": judgement.words,
        "width": photo.width,
        "height": photo.height,
        "faces": [[round(part, 4) for part in face.box] for face in photo.faces],
        "face": entry.face,
    }
    if entry.face is not None:
        said["quality"] = round(photo.faces[entry.face].quality.overall, 3)
    if judgement.like is not None:
        like = judgement.like
        said["like"] = {"person": like.person, "name": like.name, "probability": round(like.probability, 4)}
    return said


async def _wish(request: web.Request, known: set[str]) -> dict[str, Any] | web.Response:
    """The JSON object of a request, or the refusal to answer with."""
    try:
        wish = await read_json(request, blank="{}")
    except ValueError:
        return problem(400, "Bad Request", "The body is no JSON.")
    if not isinstance(wish, dict):
        return problem(400, "Bad Request", "The body is a JSON object.")
    if odd := wish.keys() - known:
        return problem(400, "Bad Request", f"There is no {sorted(odd)[0]!r} here.")
    return wish


async def _receive(request: web.Request, body: io.BytesIO, size: int) -> None:
    """Read the request until ``body`` holds ``size`` bytes or there is no more."""
    async with asyncio.timeout(UPLOAD_TIMEOUT):
        while body.tell() < size:
            chunk = await request.content.read(min(size - body.tell(), 1 << 18))
            if not chunk:
                return
            body.write(chunk)
