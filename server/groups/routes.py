"""Albums over HTTP: photos are sent, grouped, corrected, and each group is named once."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from aiohttp import web

from pipeline.gallery import Gallery
from pipeline.matcher import Matcher
from server.api.operations import describe
from server.app import static_folder
from server.audit import about
from server.groups.album import Album, BadSplit, Group, NoSuchGroup
from server.groups.albums import FACES, FILES, AlbumRefused, Albums, NoSuchAlbum
from server.groups.operations import BASE, MAX_CHOSEN, OPERATIONS
from server.media.decoding import FILE_BYTES, PIXELS, Unreadable
from server.nodes.tags import PLAIN_ID
from server.people import People
from server.people.consent import BadConsent, said_consent
from server.people.inbox import DifferentPerson
from server.people.photos.archive import ARCHIVE_BYTES, BadArchive, is_archive
from server.problems import problem
from server.request_json import read_json
from server.storage import BadName, ConsentMissing, NameTaken, NoSuchPerson, clean_room
from server.visitor import visitor_of
from server.wording import sentence

ONE = BASE + "/{id:" + PLAIN_ID + "}"
GROUP = ONE + "/groups/{group:[0-9a-f]{32}}"
UPLOAD_TIMEOUT = 600.0  # seconds that one file may take to arrive
MAX_FILE_NAME = 400
KEEPS = (
    "Photos and faces are held in memory only, until you close this or an hour has gone by. "
    "Whoever you name is kept, as with any enrolment."
)
CONSENT_MODE = "Consent mode is on: faces without a name are not gathered. Name people one by one, with their consent."
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class AlbumRoutes:
    """The handlers. ``matcher`` is the one in use now."""

    def __init__(
        self,
        albums: Albums,
        people: People,
        matcher: Callable[[], Matcher],
        consent_mode: Callable[[str | None], bool] = lambda _room: False,
    ) -> None:
        self._consent_mode = consent_mode
        self._albums = albums
        self._people = people
        self._matcher = matcher
        self._archive = asyncio.Semaphore(1)  # a ZIP is held in memory: one at a time

    async def open(self, request: web.Request) -> web.StreamResponse:
        """A new one."""
        room = clean_room(request.query.get("room") or None)
        if self._consent_mode(room):
            return problem(409, "Conflict", CONSENT_MODE)
        album = self._albums.open(room)
        limits = {
            "file_bytes": FILE_BYTES, "archive_bytes": ARCHIVE_BYTES, "pixels": PIXELS, "files": FILES, "faces": FACES,
        }  # fmt: skip
        return web.json_response({"id": album.id, "limits": limits, "keeps": KEEPS}, status=201)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Its groups."""
        return web.json_response(self._body(self._albums.get(request.match_info["id"])))

    async def close(self, request: web.Request) -> web.StreamResponse:
        """Let it go."""
        self._albums.discard(request.match_info["id"])
        return web.Response(status=204)

    async def add(self, request: web.Request) -> web.StreamResponse:
        """Take a photo or a ZIP in."""
        id, file = request.match_info["id"], request.query.get("file", "")
        album = self._albums.get(id)
        if not file or len(file) > MAX_FILE_NAME or not file.isprintable():
            return problem(400, "Bad Request", f"file names the photo, in 1 to {MAX_FILE_NAME} characters.")
        body = io.BytesIO()
        await _receive(request, body, 4)
        if is_archive(body.getvalue()):
            async with self._archive:
                await _receive(request, body, ARCHIVE_BYTES + 1)
                if body.tell() > ARCHIVE_BYTES:
                    return problem(413, "Content Too Large", f"A ZIP may have {ARCHIVE_BYTES // 2**20} MB.")
                faces = await self._albums.add_archive(id, body)
        else:
            await _receive(request, body, FILE_BYTES + 1)
            photo: bytes | Unreadable = body.getvalue()
            if body.tell() > FILE_BYTES:
                await _receive(request, io.BytesIO(), ARCHIVE_BYTES)  # a browser hears no answer before it has sent all
                photo = Unreadable("too_large", f"The file has more than {FILE_BYTES // 2**20} MB.")
            faces = await self._albums.add_photo(id, file, photo)
        return web.json_response({"faces": faces, "photos": len(album.files)})

    async def arrange(self, request: web.Request) -> web.StreamResponse:
        """Group what is in no group yet."""
        return web.json_response(self._body(await self._albums.arrange(request.match_info["id"])))

    async def merge(self, request: web.Request) -> web.StreamResponse:
        """One group of some."""
        ids = _ids(await _wish(request, "groups"))
        if len(ids) < 2:
            raise _Wrong("name two groups or more")
        id = request.match_info["id"]
        return web.json_response(self._group(self._albums.get(id), await self._albums.merge(id, ids)))

    async def split(self, request: web.Request) -> web.StreamResponse:
        """Some faces of a group."""
        ids = _ids(await _wish(request, "faces"))
        id, group = request.match_info["id"], request.match_info["group"]
        return web.json_response(self._group(self._albums.get(id), await self._albums.split(id, group, ids)))

    async def ignore(self, request: web.Request) -> web.StreamResponse:
        """Set a group apart."""
        ignored = await _wish(request, "ignored")
        if not isinstance(ignored, bool):
            raise _Wrong("ignored is true or false")
        id, group = request.match_info["id"], request.match_info["group"]
        return web.json_response(self._group(self._albums.get(id), await self._albums.ignore(id, group, ignored)))

    async def name(self, request: web.Request) -> web.StreamResponse:
        """Say who it is."""
        wish = await _wishes(request, "name", {"consent"})
        consent = said_consent(self._people, wish)
        id, group = request.match_info["id"], request.match_info["group"]
        person, faces = await self._albums.name(id, group, wish["name"], consent, str(visitor_of(request)))
        about(request, person.id)
        said = {"id": person.id, "name": person.name, "room": person.room}
        return web.json_response({"person": said, "faces": faces})

    async def face(self, request: web.Request) -> web.StreamResponse:
        """Its picture."""
        crop = self._albums.get(request.match_info["id"]).face(request.match_info["face"]).face.crop
        if crop is None:
            return problem(404, "Not Found", "There is no picture of this face.")
        return web.Response(body=crop, content_type="image/jpeg", headers={"Cache-Control": "no-store"})

    def _body(self, album: Album) -> dict[str, Any]:
        return {
            "id": album.id,
            "room": album.room,
            "photos": len(album.files),
            "faces": len(album.faces),
            "refused": [{"file": file, "words": words} for file, words in album.refused],
            "groups": [self._group(album, group) for group in album.listed],
        }

    def _group(self, album: Album, group: Group) -> dict[str, Any]:
        gallery: Gallery = self._people.gallery_of(album.room)
        opinion = self._matcher().decide(group.template, gallery)
        person = None if opinion.person is None else gallery.person(opinion.person)
        shown = person is not None and opinion.verdict != "unknown"
        return {
            "id": group.id,
            "faces": [
                {
                    "id": one.id,
                    "file": one.file,
                    "box": [round(float(v), 4) for v in one.face.box],
                    "quality": round(one.face.quality.overall, 3),
                }
                for one in group.faces
            ],
            "ignored": group.ignored,
            "like": {"id": person.id, "name": person.name} if shown and person is not None else None,
            "sure": str(opinion.verdict),
        }


def setup_groups(app: web.Application, routes: AlbumRoutes) -> None:
    """Add the routes and the page."""
    add = app.router
    add.add_get("/groups", _page)
    add.add_post(BASE, _said(routes.open))
    add.add_get(ONE, _said(routes.show))
    add.add_delete(ONE, _said(routes.close))
    add.add_post(ONE + "/files", _said(routes.add))
    add.add_post(ONE + "/arrange", _said(routes.arrange))
    add.add_post(ONE + "/merge", _said(routes.merge))
    add.add_get(ONE + "/faces/{face:[0-9a-f]{32}}", _said(routes.face))
    add.add_post(GROUP + "/split", _said(routes.split))
    add.add_put(GROUP + "/ignored", _said(routes.ignore))
    add.add_post(GROUP + "/name", _said(routes.name))
    describe(app, OPERATIONS)


class _Wrong(ValueError):
    """What was sent makes no sense; says why, in words."""


def _said(handler: Handler) -> Handler:
    """Turn what can go wrong into an answer in words."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (NoSuchAlbum, NoSuchGroup) as error:
            return problem(404, "Not Found", sentence(error))
        except DifferentPerson as error:
            return problem(409, "different_person", sentence(error))
        except ConsentMissing as error:
            return problem(409, "consent_missing", sentence(error))
        except (AlbumRefused, BadSplit, NameTaken, NoSuchPerson) as error:
            return problem(409, "Conflict", sentence(error))
        except (BadName, BadArchive, BadConsent, _Wrong) as error:
            return problem(400, "Bad Request", sentence(error))
        except TimeoutError:
            return problem(408, "Request Timeout", "The file took too long to arrive.")

    return answer


async def _page(_request: web.Request) -> web.StreamResponse:
    return web.FileResponse(static_folder() / "groups.html")


async def _wish(request: web.Request, field: str) -> Any:
    return (await _wishes(request, field))[field]


async def _wishes(request: web.Request, field: str, optional: Collection[str] = ()) -> dict[str, Any]:
    try:
        wish = await read_json(request)
    except ValueError:
        wish = None
    if not isinstance(wish, dict) or field not in wish or wish.keys() - {field, *optional}:
        raise _Wrong(f'send an object as JSON: {{"{field}": …}}')
    return wish


def _ids(said: object) -> list[str]:
    if not isinstance(said, list) or not 1 <= len(said) <= MAX_CHOSEN or not all(isinstance(id, str) for id in said):
        raise _Wrong(f"name 1 to {MAX_CHOSEN:,} of them by their ids")
    if len(set(said)) != len(said):
        raise _Wrong("name each of them once")
    return said


async def _receive(request: web.Request, body: io.BytesIO, size: int) -> None:
    """Read the request until ``body`` holds ``size`` bytes or there is no more."""
    async with asyncio.timeout(UPLOAD_TIMEOUT):
        while body.tell() < size:
            chunk = await request.content.read(min(size - body.tell(), 1 << 18))
            if not chunk:
                return
            body.write(chunk)
