"""Rooms over HTTP: opening, inviting, what each role may and may not, cameras that are renamed, paused, ended."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.access.roles import OPEN
from server.api.document import described_routes
from server.passes import ROLES
from server.rooms.roles import ALLOWED
from tests.server.loopback import Camera, Page
from tests.server.test_live_session import RATE, portrait, samples
from tests.server.viewing import Viewing
from tests.server.whole import Answer, Whole, seed, serving_all


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("whole")
    seed(folder, "Bob")
    with serving_all(folder) as whole:
        yield whole


def invite(whole: Whole, room: str, role: str, **more: Any) -> str:
    """A new invitation's token."""
    return whole.invite(role, room, **more)


class Joined:
    """A camera or viewer that came by HTTP."""

    def __init__(self, whole: Whole, end: Any, token: str | None = None) -> None:
        self.whole, self.end, self.token = whole, end, token
        self.location = ""

    async def begin(self, path: str) -> Answer:
        offer = await self.end.offer()
        lan = self.token is not None
        answer = await asyncio.to_thread(
            lambda: self.whole.ask(
                "POST", path, offer.encode(), lan=lan, key=self.token, Content_Type="application/sdp"
            )
        )
        if answer.status == 201:
            self.location = answer.headers["location"]
            await self.end.accept(answer.body.decode())
        return answer


async def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    deadline = time.perf_counter() + seconds
    while not (found := await asyncio.to_thread(condition)):
        assert time.perf_counter() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.05)
    return found


def state(whole: Whole, room: str) -> dict[str, Any]:
    answer = whole.ask("GET", f"/rooms/{room}")
    assert answer.status == 200, answer.body
    return dict(answer.json)


async def test_a_room_is_opened_once_listed_and_closed(whole: Whole) -> None:
    made = whole.ask("POST", "/rooms", {"name": "hall"})
    assert (made.status, made.json["name"], made.json["open"], made.json["cameras"]) == (201, "hall", True, 0)
    assert whole.ask("POST", "/rooms", {"name": "hall"}).status == 200
    assert "hall" in [room["name"] for room in whole.ask("GET", "/rooms").json["rooms"]]
    assert state(whole, "hall")["role"] == "host"
    assert whole.ask("DELETE", "/rooms/hall").status == 204
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/events"), ("GET", "/invitations")):
        assert whole.ask(method, f"/rooms/hall{path}").status == 404


@pytest.mark.parametrize("body", [b"", b"[]", {"name": ""}, {"name": "a b"}, {"name": 7}, {"name": "a", "more": 1}, {}])
def test_rooms_without_a_name_are_refused(whole: Whole, body: Any) -> None:
    answer = whole.ask("POST", "/rooms", body)
    assert answer.status == 400
    assert answer.json["detail"].endswith(".")


@pytest.mark.parametrize(
    "body",
    [
        {"role": "camera"},
        {"role": "owner", "minutes": 5},
        {"role": "camera", "minutes": 0},
        {"role": "camera", "minutes": 43_201},
        {"role": "camera", "minutes": True},
        {"role": "camera", "minutes": 1.5},
        {"role": "camera", "minutes": 5, "label": "\n"},
        {"role": "camera", "minutes": 5, "label": 4},
        {"role": ["camera"], "minutes": 5},
        b"{",
    ],
)
def test_invitations_that_say_nothing_clear_are_refused(whole: Whole, body: Any) -> None:
    whole.ask("POST", "/rooms", {"name": "porch"})
    answer = whole.ask("POST", "/rooms/porch/invitations", body)
    assert answer.status == 400
    assert answer.json["detail"].endswith(".")
    assert whole.ask("POST", "/rooms/nowhere/invitations", {"role": "camera", "minutes": 5}).status == 404


def test_an_invitation_is_shown_once_and_not_kept(whole: Whole) -> None:
    token = invite(whole, "porch", "camera", label="Anna's phone")
    (kept,) = [one for one in whole.ask("GET", "/rooms/porch/invitations").json["invitations"] if one["label"]]
    assert (kept["role"], kept["used"], kept["devices"]) == ("camera", None, None)
    span = datetime.fromisoformat(kept["expires"]) - datetime.fromisoformat(kept["created"])
    assert span == timedelta(minutes=10)
    signature = token.rpartition(".")[2]
    for path in whole.data.glob("people.sqlite3*"):
        assert signature.encode() not in path.read_bytes()


# -- roles -------------------------------------------------------------------------------------------------------------


def every_route(whole: Whole) -> list[tuple[str, str]]:
    """Method and path of every route, pages included."""
    found = []
    for resource in whole.app.router.resources():
        found += [(route.method, resource.canonical) for route in resource if route.method not in ("HEAD", "*")]
    assert {name for name, _ in described_routes(whole.app)} <= {f"{method} {path}" for method, path in found}
    return found


class Places(dict[str, str]):
    """What stands in the places of a path; an id in all others."""

    def __missing__(self, _name: str) -> str:
        return self["id"]


IDS = ("0123abcd", "0" * 32, "7")
APART = (("DELETE", "/api/v1/rooms/{room}"), ("GET", "/api/v1/rooms/{room}/events"))  # has an effect; has no end


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_is_said_of_it_and_nothing_else(whole: Whole, role: str) -> None:
    token = invite(whole, "attic", role)
    opened = closed = 0
    for method, path in every_route(whole):
        if f"{method} {path}" in OPEN or (method, path) in APART:
            continue
        body = b"" if method in ("POST", "PUT", "PATCH") else None
        answers = [
            whole.ask(
                method,
                path.format_map(Places(room="attic", path="style.css", id=id)),
                body,
                lan=True,
                key=token,
                root="",
            )
            for id in IDS
        ]
        status = {answer.status for answer in answers}
        allowed = f"{method} {path}" in ALLOWED[role]  # type: ignore[index]
        opened += allowed
        if allowed:
            assert not status & {401, 403, 500}, (method, path, status)
        else:
            assert status <= {403, 404}, (method, path, status)  # 404: what stands there is no id of this kind
            closed += 403 in status
    assert opened >= 8
    assert closed >= 80
    status, headers = asked(whole, "/api/v1/rooms/attic/events", token)
    assert status == (403 if role == "camera" else 200)
    assert headers["Content-Type"].startswith("application/problem+json" if role == "camera" else "text/event-stream")


@pytest.mark.parametrize("role", ROLES)
def test_no_role_reaches_another_room(whole: Whole, role: str) -> None:
    token = invite(whole, "attic", role)
    whole.ask("POST", "/rooms", {"name": "cellar"})
    for path in ("/rooms/cellar", "/rooms/cellar/events", "/rooms/cellar/invitations"):
        assert whole.ask("GET", path, lan=True, key=token).status == 403
    assert whole.ask("GET", "/room/cellar", lan=True, key=token, root="").status == 403
    if role != "viewer":
        offer = whole.ask("POST", "/whip?room=cellar", b"v=0", lan=True, key=token, Content_Type="application/sdp")
        assert (offer.status, "attic" in offer.json["detail"]) == (400, True)


def test_what_is_no_invitation_lets_nobody_in(whole: Whole) -> None:
    token = invite(whole, "attic", "host")
    for wrong in (token[:-1], token + "x", "x" + token, token.partition(".")[0], "visavis_00000000_x"):
        assert whole.ask("GET", "/rooms/attic", lan=True, key=wrong).status == 401
    assert whole.ask("GET", "/rooms/attic", lan=True).status == 401


def asked(whole: Whole, url: str, token: str | None = None, cookie: str | None = None) -> tuple[int, Any]:
    """Status and headers of what is answered over the LAN; no redirection is followed."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_more: Any) -> None:
            return None

    opener = urllib.request.build_opener(Stay, urllib.request.HTTPSHandler(context=whole.context))
    said = {"Authorization": f"Bearer {token}"} if token else {"Cookie": cookie} if cookie else {}
    request = urllib.request.Request(f"{whole.lan}{url}", headers=said)
    try:
        with opener.open(request) as response:
            return response.status, response.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers


def test_a_link_leads_to_its_page_and_gives_a_cookie_as_long_as_it_lasts(whole: Whole) -> None:
    for role, page in (("camera", "/?room=attic"), ("viewer", "/room/attic"), ("host", "/room/attic")):
        status, headers = asked(whole, f"/join/{invite(whole, 'attic', role)}")
        assert (status, headers["Location"]) == (303, page)
        assert {"Secure", "HttpOnly", "SameSite=Strict"} <= set(headers["Set-Cookie"].split("; "))
        age = int(headers["Set-Cookie"].partition("Max-Age=")[2].split(";")[0])
        assert 590 <= age <= 600


def test_whoever_signed_in_goes_on_as_they_are(whole: Whole) -> None:
    link = f"/join/{invite(whole, 'attic', 'viewer', devices=1)}"
    signed = whole.sign_in("host")["Cookie"]
    status, headers = asked(whole, link, cookie=signed)
    assert (status, headers["Set-Cookie"]) == (303, None)
    assert asked(whole, link, cookie="another=1")[1]["Set-Cookie"] is not None  # nobody's place was taken


def test_as_many_devices_come_as_may_and_each_as_often_as_it_likes(whole: Whole) -> None:
    token = invite(whole, "attic", "viewer", devices=2)
    cookies = []
    for _ in range(2):
        status, headers = asked(whole, f"/join/{token}")
        assert status == 303
        cookies.append(headers["Set-Cookie"].partition(";")[0])
        assert asked(whole, "/api/v1/rooms/attic", cookie=cookies[-1])[0] == 200
    assert cookies[0] != cookies[1]
    for cookie in cookies:
        status, headers = asked(whole, f"/join/{token}", cookie=cookie)
        assert (status, headers["Set-Cookie"].partition(";")[0]) == (303, cookie)
    assert asked(whole, f"/join/{token}")[0] == 401
    assert asked(whole, "/api/v1/rooms/attic", token)[0] == 401  # a program is a device too
    assert asked(whole, "/api/v1/rooms/attic", cookie=f"__Host-visavis-link={token}")[0] == 401
    assert asked(whole, "/api/v1/rooms/attic", cookie=f"{cookies[0]}x")[0] == 401


def test_a_program_is_a_device_and_lends_its_place_to_no_browser(whole: Whole) -> None:
    token = invite(whole, "attic", "viewer", devices=1)
    for _ in range(2):
        assert asked(whole, "/api/v1/rooms/attic", token)[0] == 200
    assert asked(whole, f"/join/{token}")[0] == 401
    assert asked(whole, "/api/v1/rooms/attic", cookie=f'__Host-visavis-link="{token}~address 127.0.0.1"')[0] == 401


@pytest.mark.parametrize("devices", [0, -1, 1001, True, 1.5, "2"])
def test_numbers_of_devices_that_are_none_are_refused(whole: Whole, devices: Any) -> None:
    whole.ask("POST", "/rooms", {"name": "porch"})
    body = {"role": "camera", "minutes": 5, "devices": devices}
    assert whole.ask("POST", "/rooms/porch/invitations", body).status == 400
    assert whole.ask("POST", "/access/links", body).status == 400


def test_a_viewer_at_the_front_page_is_led_to_the_wall(whole: Whole) -> None:
    status, headers = asked(whole, "/", invite(whole, "attic", "viewer"))
    assert (status, headers["Location"]) == (303, "/room/attic")


def test_a_key_needs_its_scope(whole: Whole) -> None:
    reads, admin = whole.make_key("read"), whole.make_key("admin")
    assert whole.ask("GET", "/rooms", key=reads).status == 200
    assert whole.ask("POST", "/rooms", {"name": "by-key"}, key=reads).status == 403
    assert whole.ask("POST", "/rooms", {"name": "by-key"}, key=admin).status == 201


# -- cameras -----------------------------------------------------------------------------------------------------------


@pytest.mark.alone
async def test_a_camera_joins_is_watched_renamed_paused_and_ended(whole: Whole) -> None:
    page = Page(Camera(portrait(0), RATE))
    camera = Joined(whole, page, invite(whole, "stage", "camera", label="Left"))
    assert (await camera.begin("/whip")).status == 201
    shown = await until(
        lambda: (now := state(whole, "stage")) and now["cameras"] and now["cameras"][0]["faces"] and now
    )
    (there,) = shown["cameras"]
    assert (there["name"], there["number"], there["way"], there["state"]) == ("Left", 1, "webrtc", "live")
    assert (there["width"], there["height"], there["codec"], there["guest"]) == (640, 480, "VP8", True)
    hello = await page.hears("hello")
    assert (hello["room"], hello["guest"], hello["name"]) == ("stage", True, "Left")
    (person,) = await until(lambda: state(whole, "stage")["present"])
    assert person["identity"] == "unknown"
    assert person["views"][0]["camera"] == there["id"]

    viewing = Viewing()
    viewer = Joined(whole, viewing, invite(whole, "stage", "viewer"))
    assert (await viewer.begin(f"/rooms/stage/cameras/{there['id']}/whep")).status == 201
    await until(lambda: len(viewing.frames) > 5 and viewing.results)
    assert state(whole, "stage")["cameras"][0]["viewers"] == 1

    url = f"/rooms/stage/cameras/{there['id']}"
    changed = await asyncio.to_thread(whole.ask, "PATCH", url, {"name": " Door ", "recognising": False})
    assert (changed.status, changed.json["name"], changed.json["recognising"]) == (200, "Door", False)
    assert (await page.hears("named"))["name"] == "Door"
    assert (await page.hears("recognising"))["on"] is False
    await until(lambda: not state(whole, "stage")["cameras"][0]["faces"])
    seen = len(page.results)
    await page.until(lambda: len(page.results) > seen + 5)
    assert page.results[-1]["faces"] == []
    await asyncio.to_thread(whole.ask, "PATCH", url, {"recognising": True})
    await page.until(lambda: bool(page.results[-1]["faces"]))

    assert (await asyncio.to_thread(whole.ask, "DELETE", url)).status == 204
    assert (await page.hears("bye"))["reason"] == "ended"
    await until(lambda: viewing.said[-1]["type"] == "bye")
    assert viewing.said[-1]["reason"] == "ended"
    assert (await asyncio.to_thread(whole.ask, "DELETE", url)).status == 404
    await page.close()
    await viewing.close()


@pytest.mark.parametrize(
    "body", [{}, b"", {"name": ""}, {"recognising": 1}, {"other": 1}, {"name": "x", "recognising": None}]
)
async def test_changes_of_a_camera_that_are_none_are_refused(whole: Whole, body: Any) -> None:
    page = Page(Camera(portrait(0), RATE))
    camera = Joined(whole, page)
    assert (await camera.begin("/whip?room=stage&name=Kept")).status == 201
    number = camera.location.rpartition("/")[2]
    assert (await asyncio.to_thread(whole.ask, "PATCH", f"/rooms/stage/cameras/{number}", body)).status == 400
    assert (await asyncio.to_thread(whole.ask, "PATCH", f"/rooms/hall/cameras/{number}", {"name": "x"})).status == 404
    assert state(whole, "stage")["cameras"][-1]["name"] == "Kept"
    await asyncio.to_thread(whole.ask, "DELETE", f"/whip/{number}")
    await page.close()


async def test_revoking_an_invitation_ends_who_came_by_it_and_nobody_else(whole: Whole) -> None:
    token = invite(whole, "yard", "camera")
    invited, own = Page(Camera(portrait(0), RATE)), Page(Camera(portrait(1), RATE))
    assert (await Joined(whole, invited, token).begin("/whip")).status == 201
    assert (await Joined(whole, own).begin("/whip?room=yard")).status == 201
    await invited.hears("hello")
    await own.hears("hello")
    assert len(state(whole, "yard")["cameras"]) == 2
    (kept,) = whole.ask("GET", "/rooms/yard/invitations").json["invitations"]
    assert (await asyncio.to_thread(whole.ask, "DELETE", f"/rooms/hall/invitations/{kept['id']}")).status == 404
    assert (await asyncio.to_thread(whole.ask, "DELETE", f"/rooms/yard/invitations/{kept['id']}")).status == 204
    assert (await invited.hears("bye"))["reason"] == "ended"
    assert len(state(whole, "yard")["cameras"]) == 1
    assert whole.ask("GET", "/config", lan=True, key=token).status == 401
    assert (await asyncio.to_thread(whole.ask, "DELETE", "/rooms/yard")).status == 204
    assert (await own.hears("bye"))["reason"] == "ended"
    await invited.close()
    await own.close()


async def test_events_tell_the_whole_state_and_the_end(whole: Whole) -> None:
    whole.ask("POST", "/rooms", {"name": "studio"})
    heard: list[tuple[str, Any]] = []
    async with aiohttp.ClientSession() as client, client.get(f"{whole.local}/api/v1/rooms/studio/events") as stream:

        async def listen() -> None:
            kind = ""
            async for raw in stream.content:
                line = raw.decode().rstrip("\n")
                if line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: "):
                    heard.append((kind, json.loads(line[6:])))

        listening = asyncio.create_task(listen())
        await until(lambda: heard)
        assert heard[0][1]["cameras"] == []
        assert heard[0][1]["role"] == "host"
        page = Page(Camera(portrait(0), RATE))
        await Joined(whole, page).begin("/whip?room=studio&name=One")
        await until(lambda: heard[-1][1].get("present"))
        assert heard[-1][1]["cameras"][0]["name"] == "One"
        assert heard[-1][1]["viewers"] == 1
        await asyncio.to_thread(whole.ask, "DELETE", "/rooms/studio")
        async with asyncio.timeout(10):
            await listening
        assert heard[-1] == ("closed", {})
        await page.close()


async def test_the_same_person_in_two_views_is_shown_as_one(tmp_path: Path) -> None:
    from server.storage import PeopleStore
    from tests.packs import open_models

    store = PeopleStore(tmp_path / "people.sqlite3")
    ada = store.add_person("Ada", samples(0), open_models().manifest.digest)
    store.close()
    with serving_all(tmp_path) as whole:
        pages = [Page(Camera(portrait(0), RATE)), Page(Camera(portrait(0)[::-1], RATE))]
        for page in pages:
            await Joined(whole, page).begin("/whip?room=two")
        person = await until(
            lambda: next((one for one in state(whole, "two")["present"] if len(one["views"]) == 2), None), 20
        )
        assert (person["name"], person["person"], person["identity"]) == ("Ada", ada.id, "known")
        assert [one["key"] for one in state(whole, "two")["present"]] == [f"p:{ada.id}"]
        for page in pages:
            await page.close()


def test_rooms_and_invitations_are_there_after_a_restart(tmp_path: Path) -> None:
    with serving_all(tmp_path) as whole:
        token = invite(whole, "kept", "viewer")
    with serving_all(tmp_path) as again:
        assert again.ask("GET", "/rooms/kept", lan=True, key=token).json["role"] == "viewer"
        assert len(again.ask("GET", "/rooms/kept/invitations").json["invitations"]) == 1
