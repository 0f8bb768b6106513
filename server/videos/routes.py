"""Videos over HTTP: one is sent, followed, looked at, exported, and its strangers named."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from aiohttp import hdrs, web

from pipeline.face_models import FaceModels
from server.api.operations import describe
from server.api.paging import BadPage, Key, asked, page_of
from server.app import static_folder
from server.audit import about
from server.nodes.tags import PLAIN_ID
from server.people import People
from server.people.consent import BadConsent, said_consent
from server.people.inbox import DifferentPerson
from server.problems import problem
from server.request_json import read_json
from server.storage import BadName, ConsentMissing, NameTaken, NoSuchPerson
from server.vault import SealError
from server.videos import limits
from server.videos.appearances import Appearance, appearances
from server.videos.exports import as_csv, as_json, as_vtt, result_body
from server.videos.files import read_boxes, read_picture, read_tracks
from server.videos.limits import VideoRefused
from server.videos.naming import NothingToNameBy, enrol_as, samples_of
from server.videos.operations import BASE, MAX_FILE_NAME, OPERATIONS
from server.videos.paths import LONGEST
from server.videos.playing import send_part
from server.videos.videos import NoSuchVideo, NotReady, TooMuch, Video, Videos
from server.visitor import visitor_of
from server.wording import sentence

ONE = BASE + "/{id:" + PLAIN_ID + "}"
CHUNK = 1 << 20
UPLOAD_IDLE = 60.0  # seconds without a byte
DRAIN_IDLE = 2.0
WINDOW = 600.0  # seconds of boxes in one answer
DRAINED = 64 << 20  # bytes read from who sends too much, so that the answer is heard
CONSENT_MODE = "Consent mode is on, and a video shows everybody in it: it is neither taken nor shown, only erased."
KINDS = {"csv": "text/csv", "json": "application/json", "vtt": "text/vtt"}
PLAYED = {"mp4": "video/mp4", "webm": "video/webm", "ogg": "video/ogg"}
_PICTURE = "{picture:[0-9]{1,9}(?:-[0-9]{1,2})?\\.jpg}"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class VideoRoutes:
    """The handlers. ``models`` are those in use now; ``keep_crops``: pictures stay with samples when somebody is
    named."""

    videos: Videos
    people: People
    models: Callable[[], FaceModels]
    keep_crops: bool
    days: int
    consent_mode: bool = False
    """Where no room is named, whoever has not consented is shown in nothing: videos show everybody in them."""

    async def everything(self, request: web.Request) -> web.StreamResponse:
        """Every video, the newest first."""
        page = asked(request, (int, str))
        videos, following = page_of(self.videos.all(), page, _place)
        return web.json_response(
            {
                "items": [self._body(video) for video in videos],
                "next": following,
                "limits": {"file_bytes": limits.FILE_BYTES, "seconds": limits.SECONDS, "pixels": limits.PIXELS},
                "days": self.days,
            }
        )

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Take a video in: the body is the file, ``?file=`` its name."""
        file = request.query.get("file", "")
        if not file or len(file) > MAX_FILE_NAME or not file.isprintable():
            return problem(400, "Bad Request", f"file names the video, in 1 to {MAX_FILE_NAME} characters.")
        try:
            video = await self.videos.receive(file, _chunks(request), request.content_length)
        except TooMuch:
            await _drain(request)
            raise
        return web.json_response(self._body(video), status=201, headers={hdrs.LOCATION: f"{BASE}/{video.id}"})

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Where one stands."""
        return web.json_response(self._body(self.videos.get(request.match_info["id"])))

    async def erase(self, request: web.Request) -> web.StreamResponse:
        """Cancel it where it runs, and erase everything of it."""
        await self.videos.erase(request.match_info["id"])
        return web.Response(status=204)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """The video itself, any part of it."""
        video = self.videos.get(request.match_info["id"])
        with await asyncio.to_thread(self.videos.film, video.id) as film:
            headers = {"Content-Disposition": _named("inline", video.file), "Content-Type": _played_as(video)}
            return await send_part(request, film, film.size, headers)

    async def result(self, request: web.Request) -> web.StreamResponse:
        """Who was seen, and when."""
        video = self.videos.get(request.match_info["id"])
        return web.json_response(result_body(video, await self._people_of(video)))

    async def boxes(self, request: web.Request) -> web.StreamResponse:
        """Where the faces are, from and to a time: of each track ``[time, x, y, width, height]``, 0–1, to be joined by
        straight lines where two are no further apart than ``longest`` seconds."""
        video = self.videos.get(request.match_info["id"])
        try:
            begin = float(request.query.get("from", 0))
            end = float(request.query.get("to", begin + WINDOW))
        except ValueError:
            begin = end = float("nan")
        if not 0 <= begin <= end <= begin + WINDOW:
            return problem(400, "Bad Request", f"from and to are seconds, no more than {WINDOW:g} apart.")
        folder, seal = self.videos.result(video.id), self.videos.seal(video.id)

        def read() -> dict[str, list[list[float]]]:
            return {
                str(number): [[round(float(v), 4) for v in (row["time"], *row["box"])] for row in rows]
                for number, rows in read_boxes(folder, begin, end, LONGEST + 0.5, seal)
            }

        return web.json_response({"longest": LONGEST + 0.5, "tracks": await asyncio.to_thread(read)})

    async def picture(self, request: web.Request) -> web.StreamResponse:
        """A picture of the result: a face, or the best frame of a track."""
        jpeg = await asyncio.to_thread(self._picture(request.match_info["id"]), request.match_info["picture"])
        if jpeg is None:
            return problem(404, "Not Found", "There is no such picture of this video.")
        return web.Response(body=jpeg, content_type="image/jpeg")

    async def export(self, request: web.Request) -> web.StreamResponse:
        """The result as a table, as JSON or as subtitles."""
        video = self.videos.get(request.match_info["id"])
        kind = request.match_info["kind"]
        people = await self._people_of(video)
        text = {"csv": as_csv, "json": lambda found: as_json(video, found), "vtt": as_vtt}[kind](people)
        response = web.Response(text=text, content_type=KINDS[kind], charset="utf-8")
        stem = re.sub(r"\.[^.]{1,5}$", "", video.file)
        # A player takes subtitles as they are; only who asks for a file gets one.
        disposition = "attachment" if kind != "vtt" or "download" in request.query else "inline"
        response.headers[hdrs.CONTENT_DISPOSITION] = _named(disposition, f"{stem}.{kind}")
        return response

    async def name(self, request: web.Request) -> web.StreamResponse:
        """Say who somebody unknown is; the track is any of theirs."""
        video = self.videos.get(request.match_info["id"])
        try:
            body = await read_json(request)
        except ValueError:
            body = None
        if not isinstance(body, dict) or "name" not in body or body.keys() - {"name", "consent"}:
            return problem(400, "Bad Request", 'Send an object as JSON: {"name": …}.')
        consent = said_consent(self.people, body)
        picture, number = self._picture(video.id), int(request.match_info["track"])
        found = await self._people_of(video)
        one = next((one for one in found if any(track.number == number for track in one.tracks)), None)
        if one is None:
            return problem(404, "Not Found", "There is no such face in this video.")
        if one.person is not None:
            return problem(409, "Conflict", f"This is {one.person.name} already.")
        models = self.models()
        samples = await asyncio.to_thread(samples_of, one, picture, models, self.keep_crops)
        by = str(visitor_of(request))
        person = await enrol_as(self.people, models, samples, body["name"], consent=consent, by=by)
        about(request, person.id)
        return web.json_response(
            {
                "person": {"id": person.id, "name": person.name},
                "result": result_body(video, await self._people_of(video)),
            }
        )

    async def _people_of(self, video: Video) -> list[Appearance]:
        folder, gallery, matcher = self.videos.result(video.id), self.people.gallery, self.models().matcher
        seal = self.videos.seal(video.id)
        return await asyncio.to_thread(lambda: appearances(read_tracks(folder, seal), gallery, matcher))

    def _picture(self, id: str) -> Callable[[str], bytes | None]:
        """Gives the pictures of a result by their names."""
        folder, seal = self.videos.result(id), self.videos.seal(id)
        return lambda name: read_picture(folder, name, seal)

    def _body(self, video: Video) -> dict[str, Any]:
        progress = self.videos.progress(video.id)
        return {
            "id": video.id,
            "file": video.file,
            "bytes": video.bytes,
            "created": video.created,
            "state": video.state,
            "words": video.words,
            "seconds": video.seconds,
            "done": None if progress is None else progress.done,
            "total": None if progress is None else progress.total,
            "left": None if progress is None or progress.left is None else round(progress.left, 1),
            "playable": _played_as(video).startswith("video/"),
        }


def setup_videos(app: web.Application, routes: VideoRoutes) -> None:
    """Add the page and the routes."""
    describe(app, OPERATIONS)
    app.router.add_get("/videos", _page)
    add: list[tuple[str, str, Handler]] = [
        ("GET", BASE, routes.everything),
        ("POST", BASE, routes.send),
        ("GET", ONE, routes.show),
        ("DELETE", ONE, routes.erase),
        ("GET", ONE + "/file", routes.file),
        ("GET", ONE + "/result", routes.result),
        ("GET", ONE + "/boxes", routes.boxes),
        ("GET", ONE + "/pictures/" + _PICTURE, routes.picture),
        ("GET", ONE + "/export.{kind:csv|json|vtt}", routes.export),
        ("POST", ONE + "/tracks/{track:[0-9]{1,9}}/name", routes.name),
    ]
    open_to_all = (routes.everything, routes.show, routes.erase)
    for method, path, handler in add:
        shut = routes.consent_mode and handler not in open_to_all
        app.router.add_route(method, path, _shut if shut else _said(handler))


async def _page(_request: web.Request) -> web.StreamResponse:
    return web.FileResponse(static_folder() / "videos.html")


async def _shut(_request: web.Request) -> web.StreamResponse:
    return problem(409, "Conflict", CONSENT_MODE)


def _said(handler: Handler) -> Handler:
    """Turn what can go wrong into an answer in words."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except NoSuchVideo as error:
            return problem(404, "Not Found", str(error))
        except NotReady as error:
            return problem(409, "Conflict", str(error))
        except TooMuch as error:
            return problem(413, "Content Too Large", str(error))
        except VideoRefused as error:
            return problem(400, "Bad Request", str(error))
        except TimeoutError:
            return problem(408, "Request Timeout", "The video stopped arriving.")
        except BadPage as error:
            return problem(400, "Bad Request", sentence(error))
        except BadConsent as error:
            return problem(400, "Bad Consent", sentence(error))
        except ConsentMissing as error:
            return problem(409, "consent_missing", sentence(error))
        except BadName as error:
            return problem(400, "Bad Name", sentence(error))
        except (DifferentPerson, NothingToNameBy) as error:
            return problem(409, "Conflict", sentence(error))
        except (NameTaken, NoSuchPerson):
            return problem(409, "Conflict", "Somebody of this name was enrolled or removed a moment ago. Try again.")
        except SealError:
            return problem(500, "Internal Server Error", "This video is damaged on the server's disk: delete it.")
        except FileNotFoundError:  # erased, or begun anew, meanwhile
            return problem(404, "Not Found", "This is no longer there.")

    return answer


def _place(video: Video) -> Key:
    """Sorts the newest first."""
    return -round(datetime.fromisoformat(video.created).timestamp() * 1000), video.id


def _played_as(video: Video) -> str:
    """What a browser is told it is: nothing but a video, or bytes to keep."""
    names = video.container.split(",")
    if "matroska" in names:  # WebM is a Matroska; browsers play both under this name
        return PLAYED["webm"]
    return next((PLAYED[name] for name in names if name in PLAYED), "application/octet-stream")


def _named(disposition: str, file: str) -> str:
    """Content-Disposition with a file name of any letters (RFC 6266)."""
    name = file.replace("\\", "/").rpartition("/")[2] or "video"
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    return f"{disposition}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


async def _chunks(request: web.Request, idle: float = UPLOAD_IDLE) -> AsyncIterator[bytes]:
    while True:
        async with asyncio.timeout(idle):
            chunk = await request.content.read(CHUNK)
        if not chunk:
            return
        yield chunk


async def _drain(request: web.Request) -> None:
    """A browser hears no answer before it has sent all: a small excess is read to its end, so that the answer is."""
    rest = DRAINED
    with contextlib.suppress(TimeoutError):
        async for chunk in _chunks(request, DRAIN_IDLE):
            rest -= len(chunk)
            if rest <= 0:
                return
