"""What ends with what somebody came by: live pictures, viewers, streams, within a second or two, and nothing else."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import pytest

from server.visitor import Visitor
from tests.server.loopback import Camera, Page
from tests.server.test_live_session import RATE, portrait
from tests.server.test_rooms_routes import Joined, state, until
from tests.server.viewing import Viewing
from tests.server.whole import Whole, serving_all

SOON = 3.0  # seconds; the server takes one, and this computer may be busy


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with serving_all(tmp_path_factory.mktemp("whole")) as whole:
        whole.ask("POST", "/rooms", {"name": "hall"})
        yield whole


class Signed(Joined):
    """A camera or viewer whose page signed in."""

    def __init__(self, whole: Whole, end: Any, page: dict[str, str]) -> None:
        super().__init__(whole, end)
        self.page = page

    async def begin(self, path: str) -> Any:
        offer = await self.end.offer()
        headers = {**self.page, "Content_Type": "application/sdp"}
        answer = await asyncio.to_thread(lambda: self.whole.ask("POST", path, offer.encode(), lan=True, **headers))
        if answer.status == 201:
            self.location = answer.headers["location"]
            await self.end.accept(answer.body.decode())
        return answer


async def ask(whole: Whole, method: str, path: str, body: Any = None, **more: Any) -> Any:
    answer = await asyncio.to_thread(lambda: whole.ask(method, path, body, **more))
    assert answer.status in (200, 201, 204), answer.body
    return answer.json if answer.body else None


async def sign_out(whole: Whole, page: dict[str, str], _id: str) -> None:
    await ask(whole, "POST", "/access/sign-out", {}, lan=True, **page)


async def end_session(whole: Whole, page: dict[str, str], _id: str) -> None:
    (session,) = (await ask(whole, "GET", "/access/me", lan=True, **page))["sessions"]
    await ask(whole, "DELETE", f"/access/me/sessions/{session['id']}", lan=True, **page)


async def change_role(whole: Whole, _page: dict[str, str], id: str) -> None:
    await ask(whole, "PATCH", f"/access/accounts/{id}", {"role": "viewer"})


async def disable(whole: Whole, _page: dict[str, str], id: str) -> None:
    await ask(whole, "PATCH", f"/access/accounts/{id}", {"disabled": True})


async def delete(whole: Whole, _page: dict[str, str], id: str) -> None:
    await ask(whole, "DELETE", f"/access/accounts/{id}")


End = Callable[[Whole, dict[str, str], str], Awaitable[None]]


@pytest.mark.parametrize("end", [sign_out, end_session, change_role, disable, delete])
async def test_what_a_session_opened_ends_with_it_and_nothing_else(whole: Whole, end: End) -> None:
    page, other = whole.sign_in("host"), whole.sign_in("host")
    id = (await ask(whole, "GET", "/access/me", lan=True, **page))["id"]
    mine, theirs, viewing = Page(Camera(portrait(0), RATE)), Page(Camera(portrait(1), RATE)), Viewing()
    assert (await Signed(whole, mine, page).begin("/whip?room=hall&name=Mine")).status == 201
    camera = Signed(whole, theirs, other)
    assert (await camera.begin("/whip?room=hall&name=Theirs")).status == 201
    await mine.hears("hello")
    await theirs.hears("hello")
    number = camera.location.rpartition("/")[2]
    await until(lambda: any(one["codec"] for one in state(whole, "hall")["cameras"] if one["id"] == number))
    watched = Signed(whole, viewing, page)
    assert (await watched.begin(f"/rooms/hall/cameras/{number}/whep")).status == 201
    await until(lambda: viewing.results)
    async with aiohttp.ClientSession(headers=page) as http, http.get(
        f"{whole.lan}/api/v1/rooms/hall/events", ssl=whole.context
    ) as stream:  # fmt: skip
        assert stream.status == 200
        await stream.content.readline()
        began = time.perf_counter()
        await end(whole, page, id)
        assert (await mine.hears("bye", SOON))["reason"] == "ended"
        await until(lambda: viewing.said[-1]["type"] == "bye", SOON)
        with pytest.raises(aiohttp.ClientError):
            async with asyncio.timeout(SOON):
                while await stream.content.readline():
                    pass
                raise aiohttp.ClientError("it ended")  # either way, nothing comes any more
        assert time.perf_counter() - began < 2 * SOON
    assert [one["name"] for one in state(whole, "hall")["cameras"]] == ["Theirs"]
    seen = len(theirs.results)
    await theirs.until(lambda: len(theirs.results) > seen)
    await ask(whole, "DELETE", f"/whip/{number}", lan=True, **other)
    for one in (mine, theirs):
        await one.close()
    await viewing.close()


async def test_what_a_link_or_a_key_opened_ends_with_it(whole: Whole) -> None:
    token = whole.invite("host", "hall")
    (kept,) = (await ask(whole, "GET", "/rooms/hall/invitations"))["invitations"]
    key = whole.make_key("read", "recognise")
    (made,) = (await ask(whole, "GET", "/keys"))["keys"]
    for opens, revoke in (
        (token, lambda: ask(whole, "DELETE", f"/access/links/{kept['id']}")),
        (key, lambda: ask(whole, "DELETE", f"/keys/{made['id']}")),
    ):
        page = Page(Camera(portrait(0), RATE))
        assert (await Joined(whole, page, opens).begin("/whip?room=hall")).status == 201
        await page.hears("hello")
        url, came = f"{whole.lan}/api/v1/rooms/hall/events", {"Authorization": f"Bearer {opens}"}
        async with aiohttp.ClientSession(headers=came) as http, http.get(url, ssl=whole.context) as stream:
            await stream.content.readline()
            await revoke()
            assert (await page.hears("bye", SOON))["reason"] == "ended"
            with pytest.raises(aiohttp.ClientError):
                async with asyncio.timeout(SOON):
                    while await stream.content.readline():
                        pass
                    raise aiohttp.ClientError("it ended")
        await page.close()


async def test_a_session_over_a_websocket_ends_too_and_does_not_wait(whole: Whole) -> None:
    page = whole.sign_in("host")
    async with aiohttp.ClientSession(headers=page) as http, http.ws_connect(
        f"{whole.lan}/api/v1/fallback?room=hall", ssl=whole.context
    ) as socket:  # fmt: skip
        assert json.loads((await socket.receive(SOON)).data)["type"] == "hello"
        await sign_out(whole, page, "")
        said = []
        async with asyncio.timeout(SOON):
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    said.append(json.loads(message.data))
    assert said[-1]["reason"] == "ended"
    assert state(whole, "hall")["cameras"] == []


def test_two_sessions_of_an_account_are_the_same_visitor() -> None:
    one = Visitor("host", "account", "0123abcd", session="a")
    assert one == Visitor("host", "account", "0123abcd", session="b")
    assert one != Visitor("viewer", "account", "0123abcd", session="a")
    assert one != Visitor("host", "link", "0123abcd", session="a")
    assert str(one) == "account:0123abcd"
