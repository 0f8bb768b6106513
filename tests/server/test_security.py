from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from server.security import COOKIE, HEADERS, WrongGuesses

TOKEN = "correct-horse-battery"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def changing(app: web.Application) -> None:
    """A route that changes something, and one that breaks."""

    async def change(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async def broken(_request: web.Request) -> web.Response:
        raise RuntimeError("a secret detail")

    app.router.add_post("/change", change)
    app.router.add_get("/broken", broken)


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


async def test_the_lan_asks_for_the_token(serving) -> None:  # type: ignore[no-untyped-def]
    async with serving() as served, served.client() as session:
        for path in ("/", "/healthz", "/api/v1/config", "/api/v1/join", "/static/app.js", "/nothing"):
            async with session.get(served.lan + path) as response:
                assert response.status == 401
                assert response.content_type == "application/problem+json"
                assert response.headers["WWW-Authenticate"] == "Bearer"
                assert (await response.json())["status"] == 401
        async with session.get(f"{served.lan}/healthz", headers=BEARER) as response:
            assert response.status == 200


async def test_icons_come_without_the_token_and_nothing_beside_them(serving) -> None:  # type: ignore[no-untyped-def]
    """Browsers that install the page ask for them without cookies."""
    async with serving() as served, served.client() as session:
        for path, status in (
            ("/static/icons/192.png", 200),
            ("/static/app.webmanifest", 200),
            ("/static/icons/../app.js", 401),
            ("/static/icons/", 401),
            ("/offline-worker.js", 401),
        ):
            async with session.get(URL(served.lan + path, encoded=True)) as response:
                assert (path, response.status) == (path, status)
        async with session.post(served.lan + "/static/icons/192.png") as response:
            assert response.status == 401


@pytest.mark.parametrize(
    "value", ["Bearer", "Bearer wrong", "Basic " + TOKEN, TOKEN, "Bearer " + TOKEN + "x", "Bearer \u00fc"]
)
async def test_other_authorization_does_not_do(serving, value: str) -> None:  # type: ignore[no-untyped-def]
    async with (
        serving() as served,
        served.client() as session,
        session.get(f"{served.lan}/healthz", headers={"Authorization": value}) as response,
    ):
        assert response.status == 401


async def test_a_browsers_page_request_is_refused_in_plain_words(serving) -> None:  # type: ignore[no-untyped-def]
    async with serving() as served, served.client() as session:
        async with session.get(f"{served.lan}/", headers={"Accept": "text/html,*/*"}) as response:
            text = await response.text()
            assert response.status == 401
            assert response.content_type == "text/html"
            assert "Scan the QR code" in text
            assert "refresh" not in text
            assert TOKEN not in text
        crossed = {"Accept": "text/html", "Sec-Fetch-Site": "cross-site"}
        async with session.get(f"{served.lan}/", headers=crossed) as response:
            assert 'http-equiv="refresh"' in await response.text()


async def test_wrong_tokens_are_slowed_down_and_the_stale_cookie_goes(serving) -> None:  # type: ignore[no-untyped-def]
    async with serving() as served, served.client(cookies={COOKIE: "stale"}) as session:
        async with session.get(f"{served.lan}/healthz") as response:
            assert response.status == 401
            assert response.cookies[COOKIE].value == ""
        for _ in range(19):
            async with session.get(f"{served.lan}/join/guess", allow_redirects=False) as response:
                assert response.status == 401
        async with session.get(f"{served.lan}/healthz", headers=BEARER) as response:
            assert response.status == 429
            assert 1 <= int(response.headers["Retry-After"]) <= 60


async def test_changes_asked_for_by_other_sites_are_refused(serving) -> None:  # type: ignore[no-untyped-def]
    async with serving(parts=(changing,)) as served, served.client() as session:
        for origin in ("https://evil.example", "null", f"http://localhost:{served.http_port + 1}", "https://localhost"):
            async with session.post(f"{served.local}/change", headers={"Origin": origin}) as response:
                assert response.status == 403
            async with session.post(f"{served.lan}/change", headers={"Origin": origin, **BEARER}) as response:
                assert response.status == 403
        async with session.post(f"{served.local}/change", headers={"Origin": served.local}) as response:
            assert response.status == 200
        async with session.post(f"{served.lan}/change", headers={"Origin": served.lan, **BEARER}) as response:
            assert response.status == 200
        async with session.post(f"{served.local}/change") as response:  # a program sends no origin
            assert response.status == 200
        async with session.get(f"{served.local}/healthz", headers={"Origin": "https://evil.example"}) as response:
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
            *(served.lan + path for path in ("/", f"/join/{TOKEN}")),
            *(served.trust + path for path in ("/", "/nothing", "/visavis-ca.crt")),
        ]
        for url in urls:
            async with session.get(url, allow_redirects=False) as response:
                for name, value in HEADERS.items():
                    assert response.headers.get(name) == value, (url, name)
                assert "a secret detail" not in await response.text()


def test_wrong_guesses_slide_out_of_the_window() -> None:
    now = 100.0
    guesses = WrongGuesses(limit=3, window=60, now=lambda: now)
    for _ in range(3):
        assert guesses.wait("192.168.1.5") == 0
        guesses.count("192.168.1.5")
    assert guesses.wait("192.168.1.5") == 60
    assert guesses.wait("192.168.1.6") == 0
    now = 159.5
    assert guesses.wait("192.168.1.5") == 1
    now = 160.0
    assert guesses.wait("192.168.1.5") == 0


def test_one_ipv6_household_counts_as_one_address() -> None:
    guesses = WrongGuesses(limit=2, now=lambda: 0.0)
    guesses.count("2a00:1:2:3::1")
    guesses.count("2a00:1:2:3::2")
    assert guesses.wait("2a00:1:2:3::3%eth0") > 0
    assert guesses.wait("2a00:1:2:4::3") == 0


def test_wrong_guesses_are_bounded_in_memory() -> None:
    guesses = WrongGuesses(limit=1, addresses=2, now=lambda: 0.0)
    for last in range(1, 4):
        guesses.count(f"10.0.0.{last}")
    assert [guesses.wait(f"10.0.0.{last}") > 0 for last in range(1, 4)] == [False, True, True]
