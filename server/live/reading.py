"""What is read and shown of faces beside their names, room by room, and the networks that takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial

from aiohttp import web

from models import ModelError, ProviderSetting, load_attributes
from pipeline.attributes import AttributeReader, EnsembleReader
from pipeline.face_models import FaceModels
from server.api.operations import describe
from server.live.operations import READING_OPERATIONS
from server.people import People
from server.problems import problem
from server.request_json import read_json
from server.storage import BadName
from server.storage.names import clean_room
from server.storage.room_reading import RoomReading, read_rooms, write_room

logger = logging.getLogger(__name__)

Changed = Callable[[str | None], None]  # told which room's reading is another now; ``None``: where no room is named
Place = Callable[[AttributeReader], AttributeReader]
FIELDS = ("distance", "gender", "age")


def _here(reader: AttributeReader) -> AttributeReader:
    return reader


class Readings:
    """What each room reads; kept in the store. The shipped networks are loaded when first they are asked for."""

    def __init__(
        self, people: People, provider: ProviderSetting, chosen: dict[str | None, RoomReading], place: Place = _here
    ) -> None:
        self._people = people
        self._provider: ProviderSetting = provider
        self._chosen = chosen
        self._place = place
        self._own: AttributeReader | None = None  # the pack's …
        self._placed: AttributeReader | None = None  # … and what sessions use of it
        self._shipped: AttributeReader | None = None  # one for all: with another, sessions begin their evidence anew
        self._lock = asyncio.Lock()

    @classmethod
    async def open(
        cls, people: People, models: FaceModels, provider: ProviderSetting, place: Place = _here
    ) -> Readings:
        """Take up what was chosen, as far as :meth:`prepare` can. ``place`` gives readers the sessions' networks."""
        readings = cls(people, provider, await people.run(lambda store: read_rooms(store.engine)), place)
        await readings.prepare(models)
        return readings

    async def prepare(self, models: FaceModels) -> None:
        """Have at hand what rooms read with beside these models. Where that cannot be loaded, it is said in the log,
        and gender and age are off until somebody switches them on."""
        if models.attributes is not None or not any(reading.attributes for reading in self._chosen.values()):
            return
        try:
            await self._load()
        except ModelError as error:
            logger.error("gender and age are off: %s", error)
            self._chosen = {room: replace(r, gender=False, age=False) for room, r in self._chosen.items()}

    def of(self, room: str | None) -> RoomReading:
        """What is read in a room: its own choice, or that of no room."""
        return self._chosen.get(room) or self._chosen.get(None) or RoomReading()

    def reader(self, room: str | None, models: FaceModels) -> AttributeReader | None:
        """What a session of this room reads gender and age with: the pack's own network if it has one, the shipped ones
        otherwise; ``None`` where neither is asked for."""
        if not self.of(room).attributes:
            return None
        if models.attributes is None:
            return self._shipped
        if models.attributes is not self._own:
            self._own, self._placed = models.attributes, self._place(models.attributes)
        return self._placed

    async def choose(self, room: str | None, switches: dict[str, bool], models: FaceModels) -> None:
        """Turn these of ``distance``, ``gender`` and ``age`` on or off. Raises :class:`models.ModelError` if the
        networks cannot be loaded; nothing has changed then."""
        async with self._lock:
            reading = replace(self.of(room), **switches)  # two switches turned at once both count
            if reading.attributes and models.attributes is None:
                await self._load()
            await self._people.run(lambda store: write_room(store.engine, room, reading))
            self._chosen = {**self._chosen, room: reading}

    async def read(self, models: FaceModels) -> bool:
        """Take up what somebody else chose; whether it is another."""
        async with self._lock:
            before, self._chosen = self._chosen, await self._people.run(lambda store: read_rooms(store.engine))
            await self.prepare(models)
            return before != self._chosen

    async def _load(self) -> None:
        if self._shipped is None:
            local = EnsembleReader(await asyncio.to_thread(partial(load_attributes, self._provider)))
            self._shipped = self._place(local)


_READINGS = web.AppKey("readings", Readings)
_MODELS: web.AppKey[Callable[[], FaceModels]] = web.AppKey("models that read", Callable[[], FaceModels])  # type: ignore[arg-type]
_CHANGED: web.AppKey[Changed] = web.AppKey("told of another reading", Changed)  # type: ignore[arg-type]


def setup_reading(app: web.Application, readings: Readings, models: Callable[[], FaceModels], changed: Changed) -> None:
    """Add the routes. ``changed`` is called after each change."""
    app[_READINGS], app[_MODELS], app[_CHANGED] = readings, models, changed
    app.router.add_get("/api/v1/reading", _show)
    app.router.add_put("/api/v1/reading", _choose)
    describe(app, READING_OPERATIONS)


async def _show(request: web.Request) -> web.Response:
    try:
        room = clean_room(request.query.get("room"))
    except BadName as error:
        return _bad(str(error))
    return web.json_response(asdict(request.app[_READINGS].of(room)))


async def _choose(request: web.Request) -> web.Response:
    try:
        body = await read_json(request)
    except ValueError:
        body = None
    if not isinstance(body, dict) or not set(body) <= {"room", *FIELDS} or not set(body) & set(FIELDS):
        return _bad("send one or more of distance, gender and age as JSON, and the room if it has a name")
    switches = {field: body[field] for field in FIELDS if field in body}
    if not all(isinstance(value, bool) for value in switches.values()):
        return _bad("distance, gender and age are true or false")
    try:
        room = clean_room(body.get("room"))
    except BadName as error:
        return _bad(str(error))
    readings = request.app[_READINGS]
    try:
        await readings.choose(room, switches, request.app[_MODELS]())
    except ModelError as error:
        return problem(503, "Not Available", f"Gender and age cannot be read here: {error}")
    request.app[_CHANGED](room)
    return web.json_response(asdict(readings.of(room)))


def _bad(text: str) -> web.Response:
    return problem(400, "Bad Request", f"{text[:1].upper()}{text[1:]}.")
