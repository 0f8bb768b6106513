"""Sightings, attendance, events and webhooks over HTTP."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

from aiohttp import hdrs, web

from server.api.operations import describe
from server.api.paging import BadPage, asked, page_of
from server.app import static_folder
from server.audit import about
from server.people import People
from server.problems import problem
from server.request_json import read_json
from server.sightings.answer import (
    attendance_body,
    attendance_csv,
    delivery_body,
    seen_body,
    seen_csv,
    webhook_body,
)
from server.sightings.attendance import Attendance, attendance
from server.sightings.operations import ATTENDANCE, EVENTS, OPERATIONS, SIGHTINGS, WEBHOOKS
from server.sightings.recorder import Recorder
from server.sightings.signature import new_secret
from server.sightings.stream import Stream
from server.sightings.webhooks import Deliveries
from server.storage import BadName, clean_room
from server.storage import events as hooks
from server.storage import sightings as table
from server.storage.events import KINDS, MAX_URL, TooManyWebhooks, Webhook
from server.storage.sightings import SeenRow, Wanted
from server.wording import sentence

ID = "{id:[0-9a-f]{32}}"
MOST_ROWS = 100_000
LONGEST = timedelta(days=366)
GIVEN_UP = 200
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")  # RFC 3339

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Wrong(ValueError):
    """What was asked for makes no sense; says why, in words."""


@dataclass(frozen=True, slots=True)
class SightingRoutes:
    """The handlers."""

    recorder: Recorder
    deliveries: Deliveries
    people: People

    # -- sightings -----------------------------------------------------------------------------------------------

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Who was seen, page by page."""
        page, wanted = asked(request, (float, str)), _wanted(request)
        after = None if page.after is None else (float(page.after[0]), str(page.after[1]))
        try:
            rows = await self.people.run(lambda s: table.find(s.engine, wanted, page.limit + 1, after))
        except (OverflowError, OSError, ValueError):  # no time that could be
            raise BadPage("this cursor leads nowhere: begin anew without one") from None
        rows, following = page_of(rows, page, table.place)
        present = self.recorder.present
        return web.json_response(
            {
                "items": [seen_body(row, row.id in present) for row in rows],
                "next": following,
                "enabled": self.recorder.enabled,
                "days": self.recorder.days,
                "pictures": self.recorder.crops,
                "keeps": keeps(self.recorder),
            }
        )

    async def sheet(self, request: web.Request) -> web.StreamResponse:
        """The same as a table."""
        return _sheet("sightings.csv", seen_csv(await self._rows(_wanted(request))))

    async def crop(self, request: web.Request) -> web.StreamResponse:
        """The picture of one."""
        id = request.match_info["id"]
        crop = await self.people.run(lambda s: table.get_crop(s.engine, id))
        if crop is None:
            return problem(404, "Not Found", "There is no picture of this sighting.")
        return web.Response(body=crop, content_type="image/jpeg", headers={hdrs.CACHE_CONTROL: "no-store"})

    async def erase(self, request: web.Request) -> web.StreamResponse:
        """Erase one."""
        if not await self.recorder.erase(request.match_info["id"]):
            return problem(404, "Not Found", "There is no sighting of this id.")
        return web.Response(status=204)

    async def erase_all(self, _request: web.Request) -> web.StreamResponse:
        """Erase them all."""
        await self.recorder.erase()
        return web.Response(status=204)

    # -- attendance ----------------------------------------------------------------------------------------------

    async def attendance(self, request: web.Request) -> web.StreamResponse:
        """Who was there."""
        begin, end, found, unknown = await self._attendance(request)
        return web.json_response(
            {
                "from": begin.isoformat(),
                "to": end.isoformat(),
                "items": [attendance_body(row) for row in found],
                "unknown": unknown,
            }
        )

    async def attendance_sheet(self, request: web.Request) -> web.StreamResponse:
        """The same as a table."""
        _, _, found, _ = await self._attendance(request)
        return _sheet("attendance.csv", attendance_csv(found))

    async def _attendance(self, request: web.Request) -> tuple[datetime, datetime, list[Attendance], int]:
        wanted = _wanted(request)
        today = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        begin = wanted.begin or (today if wanted.end is None else wanted.end - timedelta(days=1))
        end = wanted.end or begin + timedelta(days=1)
        if not begin < end <= begin + LONGEST:
            raise _Wrong("from comes before to, and not by more than 366 days")
        rows = await self._rows(Wanted(room=wanted.room, begin=begin, end=end))
        return begin, end, attendance(rows, begin, end), sum(row.person is None for row in rows)

    async def _rows(self, wanted: Wanted) -> list[SeenRow]:
        return await self.people.run(lambda s: table.find(s.engine, wanted, MOST_ROWS))

    # -- webhooks ------------------------------------------------------------------------------------------------

    async def webhooks(self, _request: web.Request) -> web.StreamResponse:
        """All of them, without their secrets."""
        found = await self.people.run(lambda s: hooks.webhooks(s.engine))
        return web.json_response({"items": [webhook_body(hook) for hook in found], "enabled": self.recorder.enabled})

    async def add(self, request: web.Request) -> web.StreamResponse:
        """Add one; its secret is shown this once."""
        try:
            wish = await read_json(request)
        except ValueError:
            wish = None
        hook = _new_webhook(wish)
        try:
            await self.people.run(lambda s: hooks.add_webhook(s.engine, hook))
        except TooManyWebhooks as error:
            return problem(409, "Conflict", sentence(error))
        about(request, hook.id)
        return web.json_response({**webhook_body(hook), "secret": hook.secret}, status=201)

    async def remove(self, request: web.Request) -> web.StreamResponse:
        """Remove one, and what waits for it."""
        hook = await self._webhook(request)
        await self.people.run(lambda s: hooks.delete_webhook(s.engine, hook.id))
        return web.Response(status=204)

    async def test(self, request: web.Request) -> web.StreamResponse:
        """Send a test event, once."""
        words = await self.deliveries.test(await self._webhook(request))
        return web.json_response({"arrived": not words, "words": words})

    async def given_up(self, request: web.Request) -> web.StreamResponse:
        """What did not arrive."""
        hook = await self._webhook(request)
        found = await self.people.run(lambda s: hooks.given_up(s.engine, hook.id, GIVEN_UP))
        return web.json_response({"items": [delivery_body(delivery) for delivery in found]})

    async def retry(self, request: web.Request) -> web.StreamResponse:
        """Send it again."""
        hook = await self._webhook(request)
        now = datetime.now(UTC)
        count = await self.people.run(lambda s: hooks.send_again(s.engine, hook.id, now))
        self.deliveries.wake()
        return web.json_response({"events": count})

    async def _webhook(self, request: web.Request) -> Webhook:
        found = await self.people.run(lambda s: hooks.webhooks(s.engine))
        for hook in found:
            if hook.id == request.match_info["id"]:
                return hook
        raise web.HTTPNotFound(text="There is no webhook of this id.")


def setup_sightings(app: web.Application, routes: SightingRoutes) -> None:
    """Add the routes and the page."""
    stream = Stream(routes.recorder, routes.people)
    app.on_shutdown.append(stream.close)

    def wake(_events: object) -> None:
        routes.deliveries.wake()

    app.on_shutdown.append(_ending(routes.recorder.subscribe(wake)))
    add = app.router
    add.add_get("/sightings", _page)
    add.add_get(SIGHTINGS, _asking(routes.show))
    add.add_get(SIGHTINGS + ".csv", _asking(routes.sheet))
    add.add_get(f"{SIGHTINGS}/{ID}/crop", routes.crop)
    add.add_delete(f"{SIGHTINGS}/{ID}", routes.erase)
    add.add_delete(SIGHTINGS, routes.erase_all)
    add.add_get(ATTENDANCE, _asking(routes.attendance))
    add.add_get(ATTENDANCE + ".csv", _asking(routes.attendance_sheet))
    add.add_get(EVENTS, stream.read, allow_head=False)
    add.add_get(WEBHOOKS, routes.webhooks)
    add.add_post(WEBHOOKS, _asking(routes.add))
    add.add_delete(f"{WEBHOOKS}/{ID}", routes.remove)
    add.add_post(f"{WEBHOOKS}/{ID}/test", routes.test)
    add.add_get(f"{WEBHOOKS}/{ID}/given-up", routes.given_up)
    add.add_post(f"{WEBHOOKS}/{ID}/retry", routes.retry)
    describe(app, OPERATIONS)


def keeps(recorder: Recorder) -> str:
    """What is kept of sightings, in words."""
    if not recorder.enabled:
        return "Nobody's coming and going is noted; start the server with the setting sightings to have it."
    pictures = "and a small picture of the best look" if recorder.crops else "and no picture"
    days = "a day" if recorder.days == 1 else f"{recorder.days} days"
    return f"Kept of each sighting: who, from when to when, in which session, {pictures}. It is erased after {days}."


def _ending(leave: Callable[[], None]) -> Callable[[web.Application], Awaitable[None]]:
    async def end(_app: web.Application) -> None:
        leave()

    return end


async def _page(_request: web.Request) -> web.StreamResponse:
    return web.FileResponse(static_folder() / "sightings.html")


def _asking(handler: Handler) -> Handler:
    """What makes no sense is answered with 400."""

    async def ask(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (BadPage, _Wrong) as error:
            return problem(400, "Bad Request", sentence(error))

    return ask


def _wanted(request: web.Request) -> Wanted:
    query = request.query
    person, who, session = query.get("person"), query.get("who"), query.get("session")
    if person is not None and not re.fullmatch(r"[0-9a-f]{32}", person):
        raise _Wrong("person is the id of somebody")
    if who not in (None, "named", "unknown"):
        raise _Wrong("who is named or unknown")
    if session is not None and not (len(session) <= 64 and session.isprintable()):
        raise _Wrong("session is the id of a session")
    try:
        room = None if "room" not in query else clean_room(query["room"] or None) or ""
    except BadName as error:
        raise _Wrong(f"a room's name is wrong: {error}") from None
    begin, end = _time(query.get("from"), "from"), _time(query.get("to"), "to")
    return Wanted(person, "named" if who == "named" else "unknown" if who else None, room, session, begin, end)


def _time(said: str | None, name: str) -> datetime | None:
    if said is None:
        return None
    wrong = _Wrong(f"{name} is a time like 2026-11-24T09:00:00+01:00")
    if not _TIME.fullmatch(said):
        raise wrong
    try:
        return datetime.fromisoformat(said.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong from None


def _new_webhook(wish: object) -> Webhook:
    if not isinstance(wish, dict) or not {"url", "kinds"} <= wish.keys() <= {"url", "kinds", "room"}:
        raise _Wrong('send url and kinds as JSON: {"url": "https://…", "kinds": ["unknown"]}')
    url, kinds = wish["url"], wish["kinds"]
    if not _is_address(url):
        raise _Wrong("url is an address that begins with http:// or https://, without name and password in it")
    if not isinstance(kinds, list) or not kinds or any(kind not in KINDS for kind in kinds):
        raise _Wrong(f"kinds are some of {', '.join(KINDS)}")
    if len(set(kinds)) != len(kinds):
        raise _Wrong("each kind is said once")
    try:
        room = clean_room(wish.get("room"))
    except BadName as error:
        raise _Wrong(f"a room's name is wrong: {error}") from None
    return Webhook(uuid4().hex, url, new_secret(), tuple(kinds), room, datetime.now(UTC))


def _is_address(url: object) -> bool:
    if not isinstance(url, str) or len(url) > MAX_URL or not url.isprintable() or not url.isascii() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc


def _sheet(name: str, text: str) -> web.Response:
    disposition = {hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"'}
    return web.Response(text=text, content_type="text/csv", charset="utf-8", headers=disposition)
