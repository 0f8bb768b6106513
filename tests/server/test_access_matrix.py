"""Every route, and every message of the data channel, asked by everybody: who may is written down here, so that a rule
that changes has to be changed here too."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pipeline.frame_pipeline import PipelineConfig
from server.access.roles import every_route
from server.api.operations import SCOPES
from server.link import Link
from server.live.allowed import COMMANDS
from server.live.camera import LiveCamera
from server.live.session import LiveSession
from server.people import People
from server.visitor import Role, Visitor
from tests.packs import open_models
from tests.server.whole import Whole, serving_all
from tracking import DEFAULT_POLICY

# Accounts: O owner, H host, V viewer. Links to a room: h host, v viewer, c camera. The scope that a key needs. What is
# open to whoever asks: +. `python -m tests.load.access_matrix` prints what the server's rules make of it.
ROUTES = """
GET / OHV hvc - -
GET /access OHV --- - -
GET /api OHV --- - -
GET /api/v1/access/accounts O-- --- - -
POST /api/v1/access/accounts O-- --- - -
DELETE /api/v1/access/accounts/{id} O-- --- - -
PATCH /api/v1/access/accounts/{id} O-- --- - -
POST /api/v1/access/accounts/{id}/link O-- --- - -
GET /api/v1/access/links OH- --- - -
POST /api/v1/access/links OH- --- - -
DELETE /api/v1/access/links/{id} OH- --- - -
GET /api/v1/access/me OHV --- - -
POST /api/v1/access/me/device OHV --- - -
PUT /api/v1/access/me/name OHV --- - -
POST /api/v1/access/me/passkeys OHV --- - -
POST /api/v1/access/me/passkeys/options OHV --- - -
DELETE /api/v1/access/me/passkeys/{id} OHV --- - -
PUT /api/v1/access/me/password OHV --- - -
DELETE /api/v1/access/me/sessions/{id} OHV --- - -
POST /api/v1/access/own OHV hvc - +
POST /api/v1/access/passkey/options OHV hvc - +
POST /api/v1/access/passkey/sign-in OHV hvc - +
POST /api/v1/access/sign-in OHV hvc - +
POST /api/v1/access/sign-out OHV hvc - +
GET /api/v1/access/state OHV hvc - +
POST /api/v1/albums OH- --- people -
DELETE /api/v1/albums/{id} OH- --- people -
GET /api/v1/albums/{id} OHV --- read -
POST /api/v1/albums/{id}/arrange OH- --- people -
GET /api/v1/albums/{id}/faces/{face} OHV --- read -
POST /api/v1/albums/{id}/files OH- --- people -
PUT /api/v1/albums/{id}/groups/{group}/ignored OH- --- people -
POST /api/v1/albums/{id}/groups/{group}/name OH- --- people -
POST /api/v1/albums/{id}/groups/{group}/split OH- --- people -
POST /api/v1/albums/{id}/merge OH- --- people -
GET /api/v1/attendance OHV --- read -
GET /api/v1/attendance.csv OHV --- read -
GET /api/v1/audit O-- --- admin -
GET /api/v1/audit/chain O-- --- admin -
GET /api/v1/changes OHV --- read -
POST /api/v1/changes/{id}/undo OH- --- people -
GET /api/v1/config OHV hvc read -
GET /api/v1/data O-- --- admin -
GET /api/v1/evaluations O-- --- admin -
POST /api/v1/evaluations O-- --- admin -
DELETE /api/v1/evaluations/{id} O-- --- admin -
GET /api/v1/evaluations/{id} O-- --- admin -
POST /api/v1/evaluations/{id}/files O-- --- admin -
POST /api/v1/evaluations/{id}/start O-- --- admin -
GET /api/v1/evaluations/{id}/{file} O-- --- admin -
GET /api/v1/events OHV --- read -
GET /api/v1/fallback OH- h-c recognise -
POST /api/v1/imports OH- --- people -
DELETE /api/v1/imports/{id} OH- --- people -
GET /api/v1/imports/{id} OHV --- read -
POST /api/v1/imports/{id}/commit OH- --- people -
POST /api/v1/imports/{id}/files OH- --- people -
POST /api/v1/imports/{id}/files/{file} OH- --- people -
DELETE /api/v1/inbox OH- --- people -
GET /api/v1/inbox OHV --- read -
DELETE /api/v1/inbox/{id} OH- --- people -
GET /api/v1/inbox/{id}/crop OHV --- read -
POST /api/v1/inbox/{id}/name OH- --- people -
GET /api/v1/join OH- --- - -
GET /api/v1/keys OHV --- - -
POST /api/v1/keys O-- --- - -
DELETE /api/v1/keys/{id} O-- --- - -
DELETE /api/v1/model-change O-- --- admin -
GET /api/v1/model-change OHV --- read -
POST /api/v1/model-change O-- --- admin -
POST /api/v1/model-change/switch O-- --- admin -
DELETE /api/v1/negatives/{id} OH- --- people -
GET /api/v1/nodes O-- --- admin -
GET /api/v1/openapi.json OHV --- read -
GET /api/v1/packs OHV --- read -
GET /api/v1/people OHV --- read -
DELETE /api/v1/people/{id} OH- --- people -
GET /api/v1/people/{id} OHV --- read -
PATCH /api/v1/people/{id} OH- --- people -
GET /api/v1/people/{id}/consents OHV --- read -
POST /api/v1/people/{id}/consents OH- --- people -
POST /api/v1/people/{id}/consents/withdraw OH- --- people -
GET /api/v1/people/{id}/export OH- --- people -
GET /api/v1/people/{id}/merge OHV --- read -
POST /api/v1/people/{id}/merge OH- --- people -
POST /api/v1/people/{id}/remove OH- --- people -
GET /api/v1/people/{id}/sightings OHV --- read -
POST /api/v1/people/{id}/split OH- --- people -
POST /api/v1/photos OH- --- recognise -
GET /api/v1/reading OHV --- read -
PUT /api/v1/reading OH- --- admin -
GET /api/v1/receipts O-- --- admin -
GET /api/v1/receipts/{id} O-- --- admin -
GET /api/v1/rooms OHV --- read -
POST /api/v1/rooms OH- --- admin -
DELETE /api/v1/rooms/{room} OH- h-- admin -
GET /api/v1/rooms/{room} OHV hv- read -
PATCH /api/v1/rooms/{room} OH- h-- admin -
DELETE /api/v1/rooms/{room}/cameras/{id} OH- h-- admin -
PATCH /api/v1/rooms/{room}/cameras/{id} OH- h-- admin -
OPTIONS /api/v1/rooms/{room}/cameras/{id}/whep OHV hv- read -
POST /api/v1/rooms/{room}/cameras/{id}/whep OHV hv- read -
GET /api/v1/rooms/{room}/events OHV hv- read -
GET /api/v1/rooms/{room}/invitations OH- h-- admin -
POST /api/v1/rooms/{room}/invitations OH- h-- admin -
DELETE /api/v1/rooms/{room}/invitations/{id} OH- h-- admin -
GET /api/v1/rooms/{room}/sources O-- --- admin -
POST /api/v1/rooms/{room}/sources O-- --- admin -
DELETE /api/v1/rooms/{room}/sources/{source} O-- --- admin -
DELETE /api/v1/samples/{id} OH- --- people -
GET /api/v1/samples/{id}/crop OHV --- read -
POST /api/v1/samples/{id}/move OH- --- people -
GET /api/v1/sessions OH- --- admin -
GET /api/v1/sessions/{id} OHV h-c read -
GET /api/v1/sessions/{id}/events OHV h-c read -
DELETE /api/v1/sightings OH- --- people -
GET /api/v1/sightings OHV --- read -
GET /api/v1/sightings.csv OHV --- read -
DELETE /api/v1/sightings/{id} OH- --- people -
GET /api/v1/sightings/{id}/crop OHV --- read -
GET /api/v1/status OH- --- observe -
GET /api/v1/threshold OHV --- read -
PUT /api/v1/threshold O-- --- admin -
GET /api/v1/videos OHV --- read -
POST /api/v1/videos OH- --- recognise -
DELETE /api/v1/videos/{id} OH- --- recognise -
GET /api/v1/videos/{id} OHV --- read -
GET /api/v1/videos/{id}/boxes OHV --- read -
GET /api/v1/videos/{id}/export.{kind} OHV --- read -
GET /api/v1/videos/{id}/file OHV --- read -
GET /api/v1/videos/{id}/pictures/{picture} OHV --- read -
GET /api/v1/videos/{id}/result OHV --- read -
POST /api/v1/videos/{id}/tracks/{track}/name OH- --- people -
GET /api/v1/webhooks O-- --- admin -
POST /api/v1/webhooks O-- --- admin -
DELETE /api/v1/webhooks/{id} O-- --- admin -
GET /api/v1/webhooks/{id}/given-up O-- --- admin -
POST /api/v1/webhooks/{id}/retry O-- --- admin -
POST /api/v1/webhooks/{id}/test O-- --- admin -
DELETE /api/v1/whep/{id} OHV hv- read -
OPTIONS /api/v1/whep/{id} OHV hv- read -
PATCH /api/v1/whep/{id} OHV hv- read -
OPTIONS /api/v1/whip OH- h-c recognise -
POST /api/v1/whip OH- h-c recognise -
DELETE /api/v1/whip/{id} OH- h-c recognise -
OPTIONS /api/v1/whip/{id} OH- h-c recognise -
PATCH /api/v1/whip/{id} OH- h-c recognise -
GET /data O-- --- - -
GET /evaluate O-- --- - -
GET /groups OH- --- - -
GET /healthz OHV hvc - +
GET /join/{token} OHV hvc - +
GET /metrics O-- --- observe -
GET /offline-worker.js OHV hvc - +
GET /own/{token} OHV hvc - +
GET /people OHV --- - -
GET /photos OH- --- - -
GET /readyz OHV hvc - +
GET /room/{room} OHV hv- - -
GET /rooms OHV --- - -
GET /sightings OHV --- - -
GET /sign-in OHV hvc - +
GET /static/{path} OHV hvc - +
GET /status OH- --- - -
GET /videos OHV --- - -
"""
# Who may send which message: roles as above (of cameras, one that came by a link), C for a camera that a program sends
# with a key of the scope `recognise` alone.
MESSAGES = """
ping OH-cC
enrol OH-c-
cancel_enrol OH-c-
finish_enrol OH-c-
why OH-cC
not_person OH-c-
camera OH-cC
forget OH-c-
stats OH-cC
bye OH-cC
"""
ROOM, OTHER = "attic", "cellar"
LAST = ("POST /api/v1/access/sign-out",)  # ends what the test came by
TAKEN_APART = ("DELETE /api/v1/rooms/{room}",)  # ends what everybody came by; test_rooms_routes.py
IDS = ("0123abcd", "0" * 32, "7", "report.json", "csv", "1.jpg")
TABLE = [line.split() for line in ROUTES.split("\n") if line]


class Everybody:
    """One of each kind: what they send with a request."""

    def __init__(self, whole: Whole) -> None:
        self.came: dict[str, dict[str, str]] = {
            **{letter: whole.sign_in(role) for letter, role in (("O", "owner"), ("H", "host"), ("V", "viewer"))},
            **{letter: bearer(whole.invite(role, ROOM)) for letter, role in (("h", "host"), ("v", "viewer"))},
            "c": bearer(whole.invite("camera", ROOM)),
            "b": bearer(whole.invite("camera")),  # of the live page, in no room
            **{scope: bearer(whole.make_key(scope)) for scope in SCOPES},
            "all scopes": bearer(whole.make_key(*SCOPES)),
        }


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with serving_all(tmp_path_factory.mktemp("whole")) as whole:
        yield whole


@pytest.fixture(scope="module")
def everybody(whole: Whole) -> Everybody:
    return Everybody(whole)


def test_the_table_names_every_route_once(whole: Whole) -> None:
    there = sorted(route for route, _ in every_route(whole.app))
    assert sorted(f"{method} {path}" for method, path, *_ in TABLE) == there


def allowed(line: list[str], who: str) -> bool:
    """What the table says of somebody."""
    _, _, accounts, links, scope, everybody = line
    if who == "nobody":
        return everybody == "+"
    if who in accounts or who in links:
        return True
    if who == "b":
        return "c" in links
    return who == scope or (who == "all scopes" and scope != "-")


def url_of(whole: Whole, method: str, path: str, room: str) -> str:
    """An address that this route answers, with ids of nothing."""
    for resource in whole.app.router.resources():
        if resource.canonical != path or method not in {route.method for route in resource}:
            continue
        pattern: Any = resource.get_info().get("pattern")
        if pattern is None:
            return path
        names = [name for name in re.findall(r"\{(\w+)\}", path) if name != "room"]
        for ids in itertools.product(IDS, repeat=len(names)):
            url = path.format_map({"room": room, **dict(zip(names, ids, strict=True))})
            if pattern.fullmatch(url):
                return url
    raise AssertionError(f"no id fits {method} {path}")


async def status_of(http: aiohttp.ClientSession, whole: Whole, method: str, url: str, came: dict[str, str]) -> int:
    body = b"" if method in ("POST", "PUT", "PATCH") else None
    headers = {"Content-Type": "application/json", "Origin": whole.lan, **came}
    async with asyncio.timeout(20):  # streams have no end; their status is enough
        async with http.request(method, whole.lan + url, data=body, headers=headers, allow_redirects=False) as response:
            return response.status


@contextlib.asynccontextmanager
async def browser(whole: Whole, address: str = "127.0.0.1") -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=whole.context, local_addr=(address, 0))
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield http


WHO = ("O", "H", "V", "h", "v", "c", "b", *SCOPES, "all scopes")


@pytest.mark.parametrize("who", WHO)
async def test_everybody_may_what_the_table_says_and_nothing_else(whole: Whole, everybody: Everybody, who: str) -> None:
    wrong = []
    lines = sorted(TABLE, key=lambda line: f"{line[0]} {line[1]}" in LAST)
    whole.forgive()  # everybody opens a link that is none
    async with browser(whole) as http:
        for line in lines:
            method, path, may = *line[:2], allowed(line, who)
            if f"{method} {path}" in TAKEN_APART and (may and who in "h"):
                continue
            room = "nowhere" if f"{method} {path}" in TAKEN_APART and may else ROOM
            status = await status_of(http, whole, method, url_of(whole, method, path, room), everybody.came[who])
            right = status not in (401, 403, 429) and status < 500 if may else status == 403
            if path == "/join/{token}" and may:
                right = status == 401  # what stands there is no link, whoever opens it
            if path.endswith(("/access/own", "/access/sign-in")):
                right = right or status == 400
            if not right:
                wrong.append((who, method, path, may, status))
    assert wrong == []


async def test_nobody_may_what_is_open_and_nothing_else(whole: Whole) -> None:
    wrong = []
    async with contextlib.AsyncExitStack() as stack:
        # From several addresses, as one may not ask so much.
        browsers = [await stack.enter_async_context(browser(whole, f"127.0.0.{last}")) for last in (2, 3, 4)]
        for number, line in enumerate(TABLE):
            method, path, may = *line[:2], allowed(line, "nobody")
            url = url_of(whole, method, path, ROOM)
            status = await status_of(browsers[number % 3], whole, method, url, {})
            right = status not in (401, 403, 429) and status < 500 if may else status == 401
            if not right and path != "/join/{token}":
                wrong.append((method, path, may, status))
    assert wrong == []


@pytest.mark.parametrize("who", ["h", "v"])
async def test_a_link_to_one_room_opens_no_other(whole: Whole, everybody: Everybody, who: str) -> None:
    whole.ask("POST", "/rooms", {"name": OTHER})
    async with browser(whole) as http:
        for line in TABLE:
            if "{room}" in line[1]:
                url = url_of(whole, line[0], line[1], OTHER)
                assert await status_of(http, whole, line[0], url, everybody.came[who]) == 403, line


@pytest.mark.alone
async def test_a_host_of_a_room_may_close_it(whole: Whole) -> None:
    for role, status in (("viewer", 403), ("camera", 403), ("host", 204)):
        token = whole.invite(role, "shed")
        assert whole.ask("DELETE", "/rooms/shed", lan=True, key=token).status == status


# -- messages of the data channel -------------------------------------------------------------------------------------


class Wire(Link):
    """A link that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        super().__init__(lambda _link: None, lambda _link, _reason: None)  # type: ignore[arg-type,return-value]

    @property
    def connected(self) -> bool:
        return True

    @property
    def last_frame(self) -> float | None:
        return None

    def frame_counts(self) -> tuple[int, int]:
        return 0, 0

    def send_result(self, text: str) -> bool:
        return True

    def send_command(self, text: str) -> bool:
        self.said.append(json.loads(text))
        return True

    async def flush(self) -> None:
        """Nothing waits."""

    async def release(self) -> None:
        """Nothing is held."""


async def test_every_message_is_taken_from_whom_the_table_says(tmp_path: Path) -> None:
    models = open_models()
    people = await People.open(tmp_path / "p.sqlite3", models.manifest.digest, models.manifest.embedder.dimension)
    table = dict(line.split() for line in MESSAGES.split("\n") if line)
    assert table.keys() == COMMANDS.keys()
    senders: dict[str, tuple[Role, Any]] = {
        "O": ("owner", "account"), "H": ("host", "account"), "V": ("viewer", "account"), "c": ("camera", "link"),
        "C": ("camera", "key"),
    }  # fmt: skip
    try:
        for letter, (role, by) in senders.items():
            for command, who in table.items():
                wire = Wire()
                camera = LiveCamera(None, Visitor(role, by, "0123abcd"))
                session = LiveSession(
                    wire,
                    models,
                    people,
                    None,
                    PipelineConfig(),
                    DEFAULT_POLICY,
                    guest=by == "link",
                    camera=camera,  # type: ignore[arg-type]
                )
                session.on_command(json.dumps({"v": 1, "type": command, "id": 7}))
                refused = [one["id"] for one in wire.said if one.get("code") == "not_allowed"]
                assert refused == ([] if letter in who else [7]), (role, by, command)
                session.on_command(json.dumps({"v": 1, "type": "no such message"}))
                assert wire.said[-1]["code"] == "unknown_type"
                await session.on_closed("test")
    finally:
        await people.close()
