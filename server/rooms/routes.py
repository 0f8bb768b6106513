"""The routes of rooms: docs/rooms.md."""

from __future__ import annotations

import time
from typing import Any, cast

from aiohttp import web

from server.access.links import DEVICES, MINUTES
from server.access.managing import is_whole, link_body
from server.api.operations import describe
from server.audit import about
from server.join import Door, page_url, qr_svg
from server.passes import ROLES, Role, role_of
from server.problems import problem
from server.request_json import read_fields
from server.rooms.events import RoomStream
from server.rooms.operations import ROOM_OPERATIONS
from server.rooms.rooms import Rooms
from server.storage.names import BadName, clean_name, clean_room
from server.storage.rooms import Invitation, TooManyRooms
from server.wording import sentence

BASE = "/api/v1/rooms"


class RoomRoutes:
    """Asks and changes rooms."""

    def __init__(self, rooms: Rooms, door: Door | None) -> None:
        self._rooms = rooms
        self._door = door
        self._stream = RoomStream(rooms)

    def setup(self, app: web.Application) -> None:
        """Add the routes."""
        one = BASE + "/{room}"
        app.router.add_get(BASE, self._list)
        app.router.add_post(BASE, self._open)
        app.router.add_get(one, self._state)
        app.router.add_patch(one, self._choose)
        app.router.add_delete(one, self._close)
        app.router.add_get(one + "/events", self._events)
        app.router.add_patch(one + "/cameras/{id}", self._change)
        app.router.add_delete(one + "/cameras/{id}", self._end)
        app.router.add_get(one + "/invitations", self._invitations)
        app.router.add_post(one + "/invitations", self._invite)
        app.router.add_delete(one + "/invitations/{id}", self._revoke)
        describe(app, ROOM_OPERATIONS)

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response({"rooms": [self._rooms.summary(name) for name in self._rooms.names()]})

    async def _open(self, request: web.Request) -> web.Response:
        wish = await read_fields(request, {"name"}, {"consent_mode"})
        if wish and not isinstance(wish.get("consent_mode", True), bool):
            return _bad_mode()
        try:
            name = clean_room(wish["name"]) if wish else None
        except BadName as error:
            return _bad(error)
        if name is None:
            return problem(400, "Bad Request", 'Send the room\'s name as JSON: {"name": "kitchen"}.')
        try:
            fresh = await self._rooms.open(name)
        except TooManyRooms as error:
            return problem(409, "Conflict", sentence(error))
        if wish and "consent_mode" in wish:
            await self._rooms.set_consent_mode(name, wish["consent_mode"])
        return web.json_response(self._rooms.summary(name), status=201 if fresh else 200)

    async def _choose(self, request: web.Request) -> web.Response:
        room = request.match_info["room"]
        if self._rooms.state(room) is None:
            return _nowhere()
        wish = await read_fields(request, {"consent_mode"})
        if not wish or not isinstance(wish["consent_mode"], bool):
            return _bad_mode()
        await self._rooms.set_consent_mode(room, wish["consent_mode"])
        return web.json_response(self._rooms.summary(room))

    async def _state(self, request: web.Request) -> web.Response:
        await self._rooms.hear_of(request.match_info["room"])
        state = self._rooms.state(request.match_info["room"])
        if state is None:
            return _nowhere()
        return web.json_response({"role": role_of(request), **state})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        room = request.match_info["room"]
        await self._rooms.hear_of(room)
        if self._rooms.state(room) is None:
            return _nowhere()
        return await self._stream.read(request, room)

    async def _close(self, request: web.Request) -> web.Response:
        room = request.match_info["room"]
        if self._rooms.state(room) is None:
            return _nowhere()
        await self._rooms.shut(room)
        return web.Response(status=204)

    async def _change(self, request: web.Request) -> web.Response:
        session = self._rooms.camera(request.match_info["room"], request.match_info["id"])
        if session is None:
            return _no_camera()
        wish = await read_fields(request, set(), {"name", "recognising"})
        if not wish or not isinstance(wish.get("recognising", True), bool):
            return problem(400, "Bad Request", 'Send "name", "recognising" (true or false), or both, as JSON.')
        try:
            name = clean_name(wish["name"]) if "name" in wish else None
        except BadName as error:
            return _bad(error)
        if name is not None:
            await self._rooms.rename_camera(session, name)
        if "recognising" in wish:
            session.recognise(wish["recognising"])
        return web.json_response(self._rooms.camera_state(session, time.time()))

    async def _end(self, request: web.Request) -> web.Response:
        session = self._rooms.camera(request.match_info["room"], request.match_info["id"])
        if session is None:
            return _no_camera()
        await self._rooms.end_camera(session)
        return web.Response(status=204)

    async def _invitations(self, request: web.Request) -> web.Response:
        room = request.match_info["room"]
        if self._rooms.state(room) is None:
            return _nowhere()
        return web.json_response({"invitations": [_body(one) for one in self._rooms.links.of(room)]})

    async def _invite(self, request: web.Request) -> web.Response:
        room = request.match_info["room"]
        if self._rooms.opened(room) is None:
            return problem(404, "Not Found", "This room is not open; open it first.")
        wish = await read_fields(request, {"role", "minutes"}, {"label", "devices"})
        if not wish or wish["role"] not in ROLES or not is_whole(wish["minutes"], (1, 2**31)):
            words = f'Send a role ({", ".join(ROLES)}) and minutes as JSON: {{"role": "camera", "minutes": 60}}.'
            return problem(400, "Bad Request", words)
        if not is_whole(wish["minutes"], MINUTES):
            return problem(400, "Bad Request", "An invitation lasts from one minute to 30 days.")
        devices = wish.get("devices")
        if devices is not None and not is_whole(devices, DEVICES):
            return problem(400, "Bad Request", f"devices is a whole number from {DEVICES[0]} to {DEVICES[1]}.")
        try:
            label = None if wish.get("label") is None else clean_name(wish["label"])
            made, token = await self._rooms.links.make(room, cast(Role, wish["role"]), wish["minutes"], label, devices)
        except BadName as error:
            return _bad(error)
        except TooManyRooms as error:
            return problem(409, "Conflict", sentence(error))
        about(request, made.id)
        url, trust = (
            f"{page_url(request, self._door)}join/{token}",
            None if self._door is None else self._door.trust_url,
        )
        shown = {name: value for name, value in _body(made).items() if name != "used"}
        return web.json_response({**shown, "url": url, "qr": qr_svg(url), "trust_url": trust}, status=201)

    async def _revoke(self, request: web.Request) -> web.Response:
        if not await self._rooms.revoke(request.match_info["room"], request.match_info["id"]):
            return problem(404, "Not Found", "There is no such invitation, or it is over.")
        return web.Response(status=204)


def _body(one: Invitation) -> dict[str, Any]:
    return {name: value for name, value in link_body(one).items() if name != "room"}


def _nowhere() -> web.Response:
    return problem(404, "Not Found", "There is no such room, or it is closed.")


def _bad_mode() -> web.Response:
    return problem(400, "Bad Request", 'Send "consent_mode", true or false, as JSON.')


def _no_camera() -> web.Response:
    return problem(404, "Not Found", "This camera has ended or never was.")


def _bad(error: Exception) -> web.Response:
    return problem(400, "Bad Request", sentence(error))
