"""The aiohttp application: what is served, and to whom. It only puts together what other modules do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from server import __version__
from server.access.access import Access
from server.access.door import access_middleware
from server.access.joining import setup_join
from server.api.bodies import media_type_middleware
from server.api.door import KeyDoor, add_rate
from server.api.etags import etag_middleware
from server.api.idempotency import Answers, idempotency_middleware
from server.api.operations import describe
from server.api.routes import setup_document
from server.audit import AuditLog
from server.audit.middleware import audit_middleware, note_views
from server.front_operations import OPERATIONS
from server.inference.pool import InferencePool
from server.join import Door
from server.nodes.nodes import Nodes
from server.observing.drain import drain_middleware
from server.observing.health import health
from server.observing.observing import Observing
from server.observing.requests import REQUESTS
from server.passes import is_guest, pass_in
from server.people.consent import PURPOSE
from server.problems import problem_middleware
from server.security import add_headers
from server.settings import Settings, StartError
from server.storage.names import BadName, clean_room
from server.strict_transport import strict_transport

PROTOCOL = 1
BODY_LIMIT = 64 * 1024
VIDEO = {"width": 640, "height": 480, "frameRate": 30, "maxBitrate": 1_500_000}


async def _at_once(_seconds: float, _hurry: asyncio.Event) -> None:
    """Wait for nothing."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the application serves, opened and closed by whoever starts it."""

    pack: Callable[[], Mapping[str, str]]
    """Name and licence of the pack in use now."""
    sessions: Callable[[], int]
    people: Callable[[], int]
    end_sessions: Callable[[str], Awaitable[None]]
    """End every live session and tell its page the reason."""
    door: Door | None = None
    """``None`` when the LAN is off."""
    parts: tuple[Callable[[web.Application], None], ...] = ()
    """Each adds its own routes (signalling, people, …)."""
    keys: KeyDoor | None = None
    """Where other programs come in; ``None``: no key opens anything."""
    access: Access | None = None
    """Who may come in; ``None``: nobody can sign in, and there are no links."""
    nodes: Nodes | None = None
    """The other nodes; ``None``: there are none."""
    audit: AuditLog | None = None
    """Where it is noted who saw and changed what; ``None``: nowhere."""
    inference: InferencePool | None = None
    """The workers that networks run in; ``None``: they run in threads."""
    observing: Observing | None = None
    """What watches how the server does; ``None``: nothing."""
    drain: Callable[[float, asyncio.Event], Awaitable[None]] = _at_once
    """Take nothing new, and wait so many seconds at most, or until the event, for what goes on."""


SETTINGS = web.AppKey("settings", Settings)
SERVICES = web.AppKey("services", Services)
ANSWERS = web.AppKey("remembered answers", Answers)


def create_app(settings: Settings, services: Services) -> web.Application:
    """The application for loopback and LAN alike; :mod:`server.access.door` tells them apart."""
    answers = Answers()
    middlewares = [
        problem_middleware,
        *([] if services.nodes is None else services.nodes.middlewares()),
        *([] if services.audit is None else [audit_middleware(services.audit)]),
        access_middleware(settings, services.access, services.keys),
        *([] if services.observing is None else [drain_middleware(services.observing.drain)]),
        media_type_middleware,
        idempotency_middleware(answers),
        etag_middleware(),
    ]
    app = web.Application(middlewares=middlewares, client_max_size=BODY_LIMIT)
    app[SETTINGS] = settings
    app[SERVICES] = services
    app[ANSWERS] = answers
    if settings.log_requests != "off":
        app[REQUESTS] = settings.log_requests
    if services.audit is not None:
        app.on_response_prepare.append(note_views(services.audit))
    app.on_response_prepare.extend((add_headers, strict_transport(settings), add_rate))
    app.on_shutdown.append(_end_sessions)
    app.router.add_get("/healthz", health(services.sessions))
    app.router.add_get("/api/v1/config", _config)
    setup_join(app, services.access)
    describe(app, OPERATIONS)
    for part in services.parts:
        part(app)
    _setup_page(app, static_folder())
    return app


def static_folder() -> Path:
    """The page's files: beside this module when installed, beside its package in the source tree."""
    here = Path(__file__).resolve().parent
    for folder in (here / "static", here.parent / "static"):
        if folder.is_dir():
            return folder
    raise StartError(f"{here / 'static'}: the page's files are missing; install Visavis again")


def _setup_page(app: web.Application, folder: Path) -> None:
    def page(name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def show(_request: web.Request) -> web.StreamResponse:
            return web.FileResponse(folder / name)

        return show

    async def room(request: web.Request) -> web.StreamResponse:
        try:
            clean_room(request.match_info["room"])
        except BadName as error:
            raise web.HTTPNotFound(text=f"There is no such room: {error}.") from None
        return web.FileResponse(folder / "room.html")

    async def file(request: web.Request) -> web.StreamResponse:
        path = (folder / request.match_info["path"]).resolve()  # follows links and '..', so that neither leads out
        if not path.is_relative_to(folder) or not path.is_file():
            raise web.HTTPNotFound(text="The page has no such file.")
        return web.FileResponse(path)

    app.router.add_get("/", page("index.html"))
    app.router.add_get("/people", page("people.html"))
    app.router.add_get("/rooms", page("rooms.html"))
    app.router.add_get("/room/{room}", room)
    app.router.add_get("/sign-in", page("sign-in.html"))
    app.router.add_get("/own/{token}", page("own.html"))  # it shows a button: who only looks at a link uses up nothing
    app.router.add_get("/access", page("access.html"))
    # Beside the pages: it may look after its own folder only.
    app.router.add_get("/offline-worker.js", page("offline/worker.js"))
    setup_document(app, page("api.html"))
    app.router.add_get("/static/{path:.+}", file)


async def _end_sessions(app: web.Application) -> None:
    await app[SERVICES].end_sessions("shutdown")


async def _config(request: web.Request) -> web.Response:
    services = request.app[SERVICES]
    return web.json_response(
        {
            "version": __version__,
            "protocol": PROTOCOL,
            "iceServers": ice_servers(request.app[SETTINGS]),
            "pack": dict(services.pack()),
            "video": VIDEO,
            "people": services.people(),
            "guest": is_guest(request),
            "invited": pass_in(request) is not None,
            "secure": True,  # TLS, ours or a proxy's, or loopback, which browsers trust as well
            "retention": retention(request.app[SETTINGS]),
            "consent": consent_asked(request.app[SETTINGS]),
        }
    )


def consent_asked(settings: Settings) -> dict[str, Any]:
    """What is asked of whoever enrols somebody."""
    return {
        "required": settings.consent == "require",
        "days": settings.consent_days,
        "grace": settings.consent_grace_days,
        "purpose": PURPOSE,
    }


def retention(settings: Settings) -> str:
    """What is kept, in words, as it stands beside the button that starts the camera."""
    said = ["Video is never stored."]
    if settings.keep_crops:
        said.append("A name you type keeps numbers computed from the face, and small pictures of it, on this server.")
    else:
        said.append("A name you type keeps numbers computed from the face on this server.")
    if settings.inbox:
        said.append(f"Faces nobody has named are remembered, with a small picture, for {settings.inbox_days} days.")
    if settings.sightings:
        picture = ", with a small picture," if settings.sightings_crops else ""
        said.append(f"Who is seen, and when, is noted{picture} for {settings.sightings_days} days.")
    return " ".join(said)


def ice_servers(settings: Settings) -> list[dict[str, Any]]:
    """The STUN and TURN servers as a browser's ``RTCIceServer`` dictionaries."""
    servers: list[dict[str, Any]] = []
    for url in settings.ice_servers:
        if url.lower().startswith("turn"):
            servers.append({"urls": [url], "username": settings.turn_username, "credential": settings.turn_password})
        else:
            servers.append({"urls": [url]})
    return servers
