"""Devices that may look and not keep: with the setting ``lan_guests`` all that joined over the network."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from server.api.keys import API_KEY
from server.passes import pass_in
from server.problems import problem
from server.settings import Settings

OPEN_TO_GUESTS = ("/api/v1/config", "/api/v1/join", "/api/v1/whip", "/api/v1/fallback")


def is_guest(settings: Settings, request: web.Request) -> bool:
    """Whether what this device adds goes when it leaves."""
    given = pass_in(request)
    if given is not None:
        return given.role != "host"
    return settings.lan_guests and request.secure and API_KEY not in request  # the host made the key


def guest_middleware(settings: Settings) -> Middleware:
    """Keep everything about people but the live session itself from guests."""

    @web.middleware
    async def guests(request: web.Request, handler: Handler) -> web.StreamResponse:
        about_people = request.path.startswith("/api/") and not request.path.startswith(OPEN_TO_GUESTS)
        if about_people and pass_in(request) is None and is_guest(settings, request):
            return problem(403, "For the host", "Guests cannot see or change who is known here.")
        return await handler(request)

    return guests
