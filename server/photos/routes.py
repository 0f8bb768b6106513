"""A photo over HTTP: it comes, everybody in it is named, and it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from aiohttp import web

from pipeline.face_models import FaceModels
from pipeline.gallery import Gallery
from server.api.operations import describe
from server.app import static_folder
from server.live.consent_mode import ConsentMode
from server.media.decoding import FILE_BYTES, Decode, Unreadable, decode
from server.people import People
from server.photos.answer import photo_body
from server.photos.operations import BASE, OPERATIONS
from server.photos.recognise import recognise_photo
from server.problems import problem
from server.storage import BadName, clean_room

UPLOAD_TIMEOUT = 60.0  # seconds for a photo to arrive
AT_ONCE = 16  # photos held in memory, waiting included


class Photos:
    """Recognises photos, a few at a time; ``models`` are those in use now."""

    def __init__(
        self,
        people: People,
        models: Callable[[], FaceModels],
        executor: Executor,
        decode: Decode = decode,
        consent_mode: Callable[[str | None], bool] = lambda _room: False,
    ) -> None:
        self._people = people
        self._models = models
        self._executor = executor
        self._decode = decode
        self._consent_mode = consent_mode
        self._held = 0

    async def recognise(self, request: web.Request) -> web.Response:
        """The body is the photo."""
        try:
            room = clean_room(request.query.get("room"))
        except BadName as error:
            return problem(400, "Bad Request", f"A room's name is wrong: {error}.")
        if (request.content_length or 0) > FILE_BYTES:
            return _too_large()
        if self._held >= AT_ONCE:
            return problem(503, "Busy", "Too many photos at once; try again in a moment.", **{"Retry-After": "1"})
        self._held += 1
        try:
            async with asyncio.timeout(UPLOAD_TIMEOUT):
                data = await _read(request)
            if len(data) > FILE_BYTES:
                return _too_large()
            gallery, loop = self._people.gallery_of(room), asyncio.get_running_loop()
            beside = self._executor if self._held == 1 else None  # a photo that comes alone gets every thread
            consent = ConsentMode(self._people.consented, self._consent_mode(room))
            body = await loop.run_in_executor(
                self._executor, recognise_bytes, self._models(), gallery, data, self._decode, beside, consent
            )
        except TimeoutError:
            return problem(408, "Request Timeout", "The photo did not arrive within a minute.")
        except Unreadable as why:
            status, title = (413, "Content Too Large") if why.verdict == "too_large" else (415, "Not a Picture")
            return problem(status, title, str(why))
        finally:
            self._held -= 1
        return web.json_response(body)


def setup_photos(app: web.Application, photos: Photos) -> None:
    """Add the route."""
    app.router.add_post(BASE, photos.recognise)
    app.router.add_get("/photos", _page)
    describe(app, OPERATIONS)


async def _page(_request: web.Request) -> web.StreamResponse:
    return web.FileResponse(static_folder() / "photos.html")


def recognise_bytes(
    models: FaceModels,
    gallery: Gallery,
    data: bytes,
    decode: Decode = decode,
    beside: Executor | None = None,
    consent: ConsentMode | None = None,
) -> dict[str, Any]:
    """From the bytes of a photo to what is answered: in consent mode, of whoever has not consented only where a face
    is. Blocks; a thread of ``beside`` may help. Raises :class:`server.media.decoding.Unreadable`."""
    image = decode(data)
    height, width = image.shape[:2]
    faces = recognise_photo(models, gallery, image, beside)
    if consent is None or not consent.on:
        return photo_body(faces, width, height, gallery)
    return photo_body(consent.told(faces), width, height, gallery, {f.track for f in faces if not consent.shows(f)})


async def _read(request: web.Request) -> bytes:
    parts, size = [], 0
    async for chunk in request.content.iter_any():
        parts.append(chunk)
        size += len(chunk)
        if size > FILE_BYTES:
            break
    return b"".join(parts)


def _too_large() -> web.Response:
    return problem(413, "Content Too Large", f"A photo may have {FILE_BYTES // 2**20} MB.")
