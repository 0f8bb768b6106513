"""What the doors refuse whoever asks: other names, other sites' pages, large bodies; and what every answer carries."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from server.access.door import local_path
from server.access.roles import ACCOUNTS
from server.api.operations import Operation, describe
from server.security import HEADERS
from tests.server.signing import accounts, link, signed_in

HTML = {"Accept": "text/html,*/*"}
OPERATIONS = {
    "POST /change": Operation("Change", "server", None, {200: None}, roles=ACCOUNTS),
    "GET /broken": Operation("Break", "server", None, {200: None}, roles=ACCOUNTS),
}


def changing(app: web.Application) -> None:
    """A route that changes something, and one that breaks."""

    async def change(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async def broken(_request: web.Request) -> web.Response:
        raise RuntimeError("a secret detail")

    app.router.add_post("/change", change)
    app.router.add_get("/broken", broken)
    describe(app, OPERATIONS)


@pytest.mark.parametrize("host", ["evil.example:{port}", "localhost.evil.example", "192.168.1.5:{port}", "", "[::1"])
async def test_loopback_refuses_other_names_for_itself(serving, host: str) -> None:  # type: ignore[no-untyped-def]
    async with serving() as served, aiohttp.ClientSession() as session:
        headers = {"Host": host.format(port=served.http_port)}
        async with session.get(f"{served.local}/healthz", headers=headers) as response:
            assert response.status in (400, 403)
            assert (await response.text()).find('"sessions"') == -1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_loopback_is_open_by_its_own_names(serving, host: str) -> None:  # type: ignore[no-untyped-def]
    async with (
        serving() as served,
        aiohttp.ClientSession() as session,
        session.get(f"http://{host}:{served.http_port}/healthz") as response,
    ):
        assert response.status == 200


@pytest.mark.parametrize("secure", [True, False])
async def test_nothing_is_open_to_strangers(serving, secure: bool) -> None:  # type: ignore[no-untyped-def]
    async with serving(accounts=accounts(), local_owner=False) as served, served.client() as session:
        server = served.lan if secure else served.local
        for path in ("/", "/access", "/api", "/api/v1/config", "/api/v1/join", "/api/v1/access/me", "/nothing"):
            async with session.get(server + path) as response:
                assert response.status == 401
                assert response.content_type == "application/problem+json"
                assert response.headers["WWW-Authenticate"] == "Bearer"
                assert (await response.json())["status"] == 401
        for path in ("/static/app.js", "/static/icons/192.png", "/offline-worker.js", "/sign-in", "/own/x", "/healthz"):
            async with session.get(server + path) as response:
                assert response.status == 200
        async with session.get(f"{server}/healthz") as response:
            assert await response.json() == {"status": "ok"}
        for path in ("/static/icons/192.png", "/sign-in", "/healthz"):
            async with session.post(server + path, headers={"Origin": server}) as response:
                assert response.status == 401
        async with session.get(URL(f"{server}/static/icons/../../server/app.py", encoded=True)) as response:
            assert response.status in (401, 404)
        cookie = await signed_in(served.access, secure=secure)
        async with session.get(f"{server}/healthz", headers=cookie) as response:
            assert await response.json() == {"status": "ok", "sessions": 2}


@pytest.mark.parametrize("value", ["Bearer", "Bearer wrong", "Basic eDp5", "wrong", "Bearer \u00fc", "Bearer a b"])
async def test_other_authorization_does_not_do(serving, value: str) -> None:  # type: ignore[no-untyped-def]
    async with (
        serving(accounts=accounts()) as served,
        served.client() as session,
        session.get(f"{served.lan}/api/v1/config", headers={"Authorization": value}) as response,
    ):
        assert response.status == 401


@pytest.mark.parametrize("path", ["/", "/people", "/room/hall?camera=2", "/nothing", "/access"])
async def test_a_page_leads_a_stranger_to_where_one_signs_in(serving, path: str) -> None:  # type: ignore[no-untyped-def]
    async with serving(accounts=accounts(), local_owner=False) as served, served.client() as session:
        for server in (served.lan, served.local):
            async with session.get(server + path, headers=HTML, allow_redirects=False) as response:
                assert response.status == 303
                to = urlsplit(response.headers["Location"])
                assert (to.scheme, to.netloc, to.path) == ("", "", "/sign-in")
                assert parse_qs(to.query) == {"next": [path]}
        crossed = {
            **HTML,
            "Sec-Fetch-Site": "cross-site",
        }  # a strict cookie may have been left out: asked again it comes
        async with session.get(served.lan + path, headers=crossed, allow_redirects=False) as response:
            assert response.status == 401
            assert 'http-equiv="refresh"' in await response.text()


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/",
        "/\\evil.example",
        "///evil.example",
        "https://evil.example",
        "",
        "evil",
        "/a\nb",
        "javascript:x",
    ],
)
def test_what_a_browser_takes_for_another_server_is_no_next_page(path: str) -> None:
    assert local_path(path) == "/"


async def test_no_request_is_led_to_another_server(serving) -> None:  # type: ignore[no-untyped-def]
    async with serving(accounts=accounts(), local_owner=False) as served, served.client() as session:
        for path in ("//evil.example/x", "///evil.example", "/%2F/evil.example", "/sign-in/..//evil.example"):
            url = URL(served.lan + path, encoded=True)
            async with session.get(url, headers=HTML, allow_redirects=False) as response:
                assert response.status == 303
                (to,) = parse_qs(urlsplit(response.headers["Location"]).query)["next"]
                assert not to.startswith(("//", "/\\"))


async def test_a_cookie_that_opens_nothing_any_more_goes(serving) -> None:  # type: ignore[no-untyped-def]
    stale = {"Cookie": "__Host-visavis=stale; __Host-visavis-link=stale"}
    async with (
        serving(accounts=accounts()) as served,
        served.client() as session,
        session.get(f"{served.lan}/api/v1/config", headers=stale) as response,
    ):
        assert response.status == 401
        for name in ("__Host-visavis", "__Host-visavis-link"):
            assert response.cookies[name].value == ""
            assert response.cookies[name]["secure"] is True


async def test_wrong_guesses_are_slowed_down_and_right_ones_let_in(serving) -> None:  # type: ignore[no-untyped-def]
    async with serving(accounts=accounts()) as served, served.client() as session:
        for wrong in ("Bearer guess", "Bearer visavis_00000000_x"):
            statuses = []
            for _ in range(8):
                async with session.get(f"{served.lan}/api/v1/config", headers={"Authorization": wrong}) as response:
                    statuses.append(response.status)
            assert statuses[-1] == 429
            assert 1 <= int(response.headers["Retry-After"]) <= 2
        async with session.get(f"{served.lan}/api/v1/config", headers=await link(served.access)) as response:
            assert response.status == 200
        for _ in range(6):
            async with session.get(f"{served.lan}/join/guess", allow_redirects=False) as response:
                pass
        assert response.status == 429
        good = (await link(served.access))["Authorization"].partition(" ")[2]
        async with session.get(f"{served.lan}/join/{good}", allow_redirects=False) as response:
            assert response.status == 429


OWN, OTHER, NONE = "own", "other", None
# How a change is asked for: the headers Origin and Sec-Fetch-Site; and whether it is done for whoever comes by a
# cookie, by Authorization, or uses this computer (setting local_owner).
FOREIGN = [
    (OWN, "same-origin", True, True, True),
    (NONE, "same-origin", True, True, True),
    (OWN, NONE, True, True, True),
    (NONE, NONE, False, True, True),
    (OTHER, NONE, False, False, False),
    ("null", NONE, False, False, False),
    ("port", NONE, False, False, False),
    ("scheme", NONE, False, False, False),
    (OTHER, "cross-site", False, False, False),
    (OTHER, "same-origin", False, False, False),
    (NONE, "none", False, False, False),
    (OWN, "same-site", False, False, False),
    (NONE, "cross-site", False, False, False),
    (OWN, "cross-site", False, False, False),
]


@pytest.mark.parametrize(("origin", "site", "cookie", "bearer", "local"), FOREIGN)
async def test_changes_asked_for_by_other_sites_are_refused(  # type: ignore[no-untyped-def]
    serving, origin: str | None, site: str | None, cookie: bool, bearer: bool, local: bool
) -> None:
    async with serving(parts=(changing,), accounts=accounts()) as served, served.client() as session:
        room = {"Authorization": "Bearer " + (await served.access.links.make("hall", "host", 10))[1]}
        session_cookie = {True: await signed_in(served.access), False: await signed_in(served.access, secure=False)}
        link_cookie = {"Cookie": "__Host-visavis-link=" + room["Authorization"].partition(" ")[2]}
        for server, came, path, done in (
            (served.lan, session_cookie[True], "/change", cookie),
            (served.local, session_cookie[False], "/change", cookie),
            (served.local, {}, "/change", local),
            (served.lan, link_cookie, "/api/v1/rooms/hall", cookie),
            (served.lan, room, "/api/v1/rooms/hall", bearer),
            (served.lan, {}, "/api/v1/access/sign-in", cookie),
        ):
            said = {
                OWN: server, OTHER: "https://evil.example", "null": "null", "port": server[:-1] + "1x",
                "scheme": server.replace("http", "ftp", 1),
            }  # fmt: skip
            headers = {**came, **({} if origin is None else {"Origin": said[origin]})}
            headers |= {} if site is None else {"Sec-Fetch-Site": site}
            method = "DELETE" if "rooms" in path else "POST"
            async with session.request(method, server + path, headers=headers) as response:
                refused = response.status == 403 and "page of this server" in await response.text()
                assert refused is not done, (server, came.keys(), path)


async def test_a_websocket_is_a_change_too(serving) -> None:  # type: ignore[no-untyped-def]
    async with serving(accounts=accounts()) as served, served.client() as session:
        cookie = await signed_in(served.access)
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", **cookie}
        async with session.get(f"{served.lan}/api/v1/config", headers=upgrade) as response:
            assert response.status == 403
        async with session.get(f"{served.lan}/api/v1/config", headers={**upgrade, "Origin": served.lan}) as response:
            assert response.status == 200
        foreign = {**cookie, "Origin": "https://evil.example"}
        async with session.get(f"{served.lan}/api/v1/config", headers=foreign) as response:
            assert response.status == 200
            assert "Access-Control-Allow-Origin" not in response.headers


async def test_a_body_over_64_kib_is_refused(serving) -> None:  # type: ignore[no-untyped-def]
    async with serving(parts=(changing,)) as served, aiohttp.ClientSession() as session:
        async with session.post(f"{served.local}/change", data=b"x" * 65536) as response:
            assert await response.text() == "65536"
        async with session.post(f"{served.local}/change", data=b"x" * 65537) as response:
            assert response.status == 413
            assert response.content_type == "application/problem+json"


@pytest.mark.filterwarnings("default")
async def test_every_answer_carries_the_security_headers(serving) -> None:  # type: ignore[no-untyped-def]
    async with serving(parts=(changing,)) as served, served.client() as session:
        urls = [
            *(served.local + path for path in ("/healthz", "/nothing", "/broken", "/static/nothing", "/join/x")),
            *(served.lan + path for path in ("/", "/join/x", "/sign-in")),
            *(served.trust + path for path in ("/", "/nothing", "/visavis-ca.crt")),
        ]
        for url in urls:
            async with session.get(url, allow_redirects=False) as response:
                for name, value in HEADERS.items():
                    assert response.headers.get(name) == value, (url, name)
                assert "a secret detail" not in await response.text()
