"""Reverse proxies: who is believed, for whom they ask, and that nobody else gets past the door by their headers."""

from __future__ import annotations

import ast
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from server.access.forwarded import BadForwarded, Proxies
from server.asked import ASKED
from server.join import Door, page_url
from server.lan import addresses
from server.settings import SettingsError, configure
from tests.server.signing import accounts, signed_in

HERE = ("127.0.0.1", "::1")
SAID = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "faces.example.org"}


def request(*headers: tuple[str, str], host: str = "faces.example.org") -> web.Request:
    return make_mocked_request("GET", "/", headers=CIMultiDict([("Host", host), *headers]))


def plain(chain: str, *more: tuple[str, str]) -> web.Request:
    return request(("X-Forwarded-For", chain), ("X-Forwarded-Proto", "https"), *more)


def standard(*values: str) -> web.Request:
    return request(*(("Forwarded", value) for value in values))


PROXIES = Proxies(["10.0.0.0/24", "2001:db8:1::/64", "192.0.2.7"])


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 10.0.0.4", "203.0.113.9"),
        ("203.0.113.9,192.0.2.7,10.0.0.4", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9", "203.0.113.9"),  # what the client made up stands to the left
        ("10.0.0.9, 203.0.113.9", "203.0.113.9"),  # … also where it plays one of the proxies
        ("<script>, 203.0.113.9, 10.0.0.4", "203.0.113.9"),
        ("203.0.113.9:50123", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:9::1", "2001:db8:9::1"),
        ("[2001:db8:9::1]:443, 2001:db8:1::5", "2001:db8:9::1"),
        ("10.0.0.3, 10.0.0.4", "10.0.0.3"),  # a proxy that asks for itself, through another
    ],
)
def test_the_client_is_the_nearest_that_is_no_proxy(chain: str, client: str) -> None:
    found = PROXIES.read(plain(chain))
    assert found is not None
    assert (found.address, found.host, found.secure, found.forwarded) == (client, "faces.example.org", True, True)


def test_a_chain_over_several_lines_is_one() -> None:
    found = PROXIES.read(plain("1.1.1.1", ("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-For", "10.0.0.4")))
    assert found is not None
    assert found.address == "203.0.113.9"


@pytest.mark.parametrize(
    ("values", "client", "secure", "host"),
    [
        (["for=203.0.113.9;proto=https;host=a.example"], "203.0.113.9", True, "a.example"),
        (['For="[2001:db8:9::1]:4711" ; Proto=https'], "2001:db8:9::1", True, "faces.example.org"),
        (['for=203.0.113.9;proto=https;host="a.example:8443"'], "203.0.113.9", True, "a.example:8443"),
        (["for=1.1.1.1;proto=http;host=evil, for=203.0.113.9;proto=https"], "203.0.113.9", True, "faces.example.org"),
        (
            ["for=203.0.113.9;proto=https;host=a.example", "for=10.0.0.4;proto=http;host=b"],
            "203.0.113.9",
            True,
            "a.example",
        ),
        (["for=203.0.113.9;proto=http"], "203.0.113.9", False, "faces.example.org"),
    ],
)
def test_the_standard_header_is_read_hop_by_hop(values: list[str], client: str, secure: bool, host: str) -> None:
    found = PROXIES.read(standard(*values))
    assert found is not None
    assert (found.address, found.secure, found.host) == (client, secure, host)


@pytest.mark.parametrize(
    "said",
    [
        plain("unknown"),
        plain("203.0.113.9, "),
        plain(""),
        plain("203.0.113.9, fe80::1%eth0"),
        plain("203.0.113.999"),
        plain("0x7f.1"),
        plain("203.0.113.9", ("Forwarded", "for=1.1.1.1;proto=https")),
        plain("203.0.113.9", ("X-Forwarded-Proto", "http")),
        plain("203.0.113.9", ("X-Forwarded-Host", "a.example, b.example")),
        plain("203.0.113.9", ("X-Forwarded-Host", "evil.example/path")),
        plain("203.0.113.9", ("X-Forwarded-Host", "a@b")),
        plain("203.0.113.9", ("X-Forwarded-Host", "")),
        request(("X-Forwarded-For", "203.0.113.9")),  # over what, it does not say
        request(("X-Forwarded-Proto", "https")),  # … nor here for whom
        request(("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https"), host=""),
        standard("for=_hidden;proto=https"),
        standard("for=unknown;proto=https"),
        standard("proto=https"),
        standard("for=203.0.113.9;for=1.1.1.1;proto=https"),
        standard("for=203.0.113.9;proto"),
        standard('for="203.0.113.9;proto=https'),
        standard("for=203.0.113.9;proto=https,"),
        standard(""),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_refused(said: web.Request) -> None:
    with pytest.raises(BadForwarded):
        PROXIES.read(said)


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("10.0.0.1", True),
        ("::ffff:10.0.0.1", True),
        ("2001:db8:1::9", True),
        ("192.0.2.7", True),
        ("10.0.1.1", False),
        ("192.0.2.8", False),
        ("::1", False),
        ("", False),
        (None, False),
        ("fe80::1%eth0", False),
    ],
)
def test_only_named_networks_are_trusted(address: str | None, trusted: bool) -> None:
    assert PROXIES.trusts(address) is trusted
    assert not Proxies(()).trusts(address)


async def test_a_trusted_proxy_is_believed(serving) -> None:  # type: ignore[no-untyped-def]
    options = {"accounts": accounts(), "trusted_proxies": HERE, "local_owner": False}
    async with serving(**options) as served, served.client() as session:
        cookie = await signed_in(served.access)  # of TLS: with its prefix
        for server in (served.local, served.lan):
            async with session.get(f"{server}/healthz", headers={**SAID, **cookie}) as response:
                assert await response.json() == {"status": "ok", "sessions": 2}
        change, origin = f"{served.local}/api/v1/access/sign-out", "https://faces.example.org"
        for headers, status in (
            ({"Origin": served.local}, 403),
            ({"Origin": "https://evil.example"}, 403),
            ({}, 403),
            ({"Origin": origin}, 204),
        ):
            async with session.post(change, json={}, headers={**SAID, **cookie, **headers}) as response:
                assert response.status == status, headers
        async with session.get(f"{served.local}/", headers={**SAID, "Accept": "text/html"}) as response:
            assert response.url.path == "/sign-in"


async def test_wrong_guesses_are_counted_by_the_forwarded_address(serving) -> None:  # type: ignore[no-untyped-def]
    options = {"accounts": accounts(), "trusted_proxies": HERE, "local_owner": False}
    async with serving(**options) as served, served.client() as session:

        async def guess(chain: str) -> int:
            headers = {**SAID, "X-Forwarded-For": chain, "Authorization": "Bearer wrong"}
            async with session.get(f"{served.local}/api/v1/config", headers=headers) as response:
                return response.status

        for number in range(6):  # what stands left of it changes nothing
            assert await guess(f"198.51.100.{number}, 203.0.113.9") == 401 or number == 5
        assert await guess("198.51.100.77, 203.0.113.9") == 429
        assert await guess("203.0.113.10") == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"}, 403),
        ({"X-Forwarded-For": "garbage"}, 403),
        ({"X-Forwarded-Proto": "https"}, 403),
        ({"X-Forwarded-Host": "localhost"}, 403),
        ({"Forwarded": "for=127.0.0.1;proto=https"}, 403),
        ({}, 200),
    ],
)
async def test_a_proxy_nobody_named_is_refused_and_no_owner(serving, headers: dict[str, str], status: int) -> None:  # type: ignore[no-untyped-def]
    async with serving() as served, served.client() as session:  # with local_owner
        async with session.get(f"{served.local}/api/v1/config", headers=headers) as response:
            assert response.status == status
        # Over TLS anybody may write them, and they change nothing.
        async with session.get(f"{served.lan}/api/v1/config", headers=headers) as response:
            assert response.status == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({**SAID, "X-Forwarded-Proto": "http"}, 421),
        ({"X-Forwarded-For": "203.0.113.9"}, 400),
        ({**SAID, "X-Forwarded-For": "203.0.113.9, x"}, 400),
        ({**SAID, "Forwarded": "for=1.1.1.1"}, 400),
        ({**SAID, "X-Forwarded-Host": "a b"}, 400),
    ],
)
async def test_a_proxy_set_up_wrongly_is_told_why(serving, headers: dict[str, str], status: int) -> None:  # type: ignore[no-untyped-def]
    options = {"accounts": accounts(), "trusted_proxies": HERE, "local_owner": False}
    async with serving(**options) as served, served.client() as session:
        for path in ("/sign-in", "/healthz"):
            async with session.get(served.local + path, headers=headers) as response:
                assert response.status == status
                assert "proxy" in (await response.json())["detail"]
                assert "203.0.113" not in await response.text()


@pytest.fixture
def own_address() -> str:
    """An IPv4 address of this computer's that is not loopback."""
    found = [str(address) for address in addresses() if address.version == 4]
    return found[0] if found else pytest.skip("this computer is in no network")


@pytest.mark.parametrize("wide", [True, False])
async def test_plain_http_from_elsewhere_is_not_answered(serving, own_address: str, wide: bool) -> None:  # type: ignore[no-untyped-def]
    options = {"http_address": "0.0.0.0" if wide else own_address, "trusted_proxies": ("192.0.2.7",)}
    async with serving(**options) as served, aiohttp.ClientSession() as session:  # with local_owner
        there = f"http://{own_address}:{served.http_port}"
        local = {"Host": f"localhost:{served.http_port}"}
        for headers in ({}, local):
            for path in ("/", "/healthz", "/api/v1/config"):
                async with session.get(there + path, headers=headers) as response:
                    assert response.status == 421
        async with session.get(f"{there}/healthz", headers={**SAID, **local}) as response:
            assert response.status == 403
        async with session.get(f"{served.local}/healthz") as response:  # this computer's own
            assert await response.json() == {"status": "ok", "sessions": 2}


async def test_a_proxy_may_look_whether_the_server_is_well_and_is_nobody(serving, own_address: str) -> None:  # type: ignore[no-untyped-def]
    options = {"http_address": own_address, "trusted_proxies": (own_address,)}
    async with serving(**options) as served, aiohttp.ClientSession() as session:  # with local_owner
        there = f"http://{own_address}:{served.http_port}"
        async with session.get(f"{there}/healthz") as response:
            assert await response.json() == {"status": "ok"}
        async with session.get(f"{there}/api/v1/config") as response:
            assert response.status == 421
        async with session.get(f"{there}/api/v1/config", headers=SAID) as response:
            assert response.status == 401


@pytest.mark.parametrize("lan", [True, False])
def test_links_lead_to_where_the_proxy_is(lan: bool) -> None:
    door = Door("testhost", (ip_address("192.168.1.5"),), 8443, 8080) if lan else None
    said = plain("203.0.113.9", ("X-Forwarded-Host", "Faces.Example.org:9443"))
    how = PROXIES.read(said)
    assert how is not None
    assert page_url(said, door) == ("https://192.168.1.5:8443/" if lan else "http://faces.example.org/")
    said[ASKED] = how
    assert page_url(said, door) == "https://faces.example.org:9443/"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"http_address": "0.0.0.0"}, "trusted_proxies names nobody"),
        ({"http_address": "::"}, "trusted_proxies names nobody"),
        ({"http_address": "here"}, "no IP address"),
        ({"trusted_proxies": "0.0.0.0/0"}, "half the world"),
        ({"trusted_proxies": "::/0"}, "half the world"),
        ({"trusted_proxies": "10.0.0.1/8"}, "bits set"),
        ({"trusted_proxies": "proxy"}, "neither an IP address nor a network"),
        ({"trusted_proxies": "127.0.0.1", "local_owner": True}, "everybody the owner"),
        ({"trusted_proxies": "::/16", "local_owner": True}, "everybody the owner"),
        ({"trusted_proxies": "126.0.0.0/8,127.0.0.0/8", "local_owner": True}, "everybody the owner"),
    ],
)
def test_settings_that_would_let_in_too_many(flags: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        configure(flags, {})


ASKED_ITSELF = ("asked.py", "access/door.py", "security.py", "trust_page.py", "nodes/forwarding.py")
"""Who works it out, serves the connection alone, or hands on to another node what it says."""


def test_nobody_asks_the_connection_what_a_proxy_may_know_better() -> None:
    """``request.secure`` and the like are what the connection says; behind a proxy that is the proxy's."""
    server = Path(__file__).resolve().parents[2] / "server"
    found = [
        f"{path.relative_to(server)}: {node.attr}"
        for path in server.rglob("*.py")
        if path.relative_to(server).as_posix() not in ASKED_ITSELF
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in ("secure", "scheme", "host", "remote")
        and isinstance(node.value, ast.Name)
        and node.value.id in ("request", "_request")
    ]
    assert found == []
