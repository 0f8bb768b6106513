from __future__ import annotations

import plistlib
import re

import aiohttp
import pytest
from cryptography import x509

from server.trust_page import PLATFORMS, platforms_for

AGENTS = {
    "ios": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Safari/604.1",
    "android": "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/141.0 Mobile Safari/537.36",
    "macos": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.5 Safari/605.1",
    "windows": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36",
    "linux": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
}


@pytest.mark.parametrize("key", AGENTS)
def test_the_visitors_platform_comes_first(key: str) -> None:
    order = platforms_for(AGENTS[key])
    assert order[0].key == key
    assert sorted(platform.key for platform in order) == sorted(platform.key for platform in PLATFORMS)


def test_an_unknown_visitor_sees_all_platforms() -> None:
    assert platforms_for("curl/8") == PLATFORMS
    assert platforms_for("") == PLATFORMS


def test_on_an_iphone_both_steps_are_told() -> None:
    steps = " ".join(platforms_for(AGENTS["ios"])[0].steps)
    assert "VPN &amp; Device Management" in steps
    assert "Certificate Trust Settings" in steps


async def test_the_page_shows_the_fingerprint_and_links_without_the_token(serving) -> None:  # type: ignore[no-untyped-def]
    async with serving() as served, aiohttp.ClientSession() as session:
        async with session.get(served.trust, headers={"User-Agent": AGENTS["android"]}) as response:
            text = await response.text()
            assert response.status == 200
        shown = re.search(r"fingerprint\"><code>([^<]+)", text)
        assert shown
        assert shown[1].replace(" ", ":") == served.store.authority.fingerprint
        assert f'href="{served.lan}/"' in text
        assert "/join/" not in text
        assert "/own/" not in text
        assert text.index('id="android" open') < text.index('id="ios"')
        assert "$" not in text
        style = re.search(r'rel="stylesheet" href="([^"]+)"', text)
        assert style
        async with session.get(served.trust + style[1]) as response:
            assert response.content_type == "text/css"
        for link in set(re.findall(r'href="(/[^"]+)"', text)):
            async with session.get(served.trust + link) as response:
                assert response.status == 200, link


async def test_a_strange_host_header_does_not_get_into_the_page(serving) -> None:  # type: ignore[no-untyped-def]
    async with serving() as served, aiohttp.ClientSession() as session:
        for host in ("evil.example", 'x"><script>', "[::1"):
            async with session.get(served.trust, headers={"Host": host}) as response:
                text = await response.text()
                assert response.status != 200 or f'href="{served.lan}/"' in text
                assert "evil" not in text
                assert "<script" not in text


async def test_the_certificate_and_the_profile_are_handed_out(serving) -> None:  # type: ignore[no-untyped-def]
    async with serving() as served, aiohttp.ClientSession() as session:
        async with session.get(f"{served.trust}/visavis-ca.crt") as response:
            assert response.content_type == "application/x-x509-ca-cert"
            body = await response.read()
            assert x509.load_pem_x509_certificate(body) == served.store.authority.certificate
            assert b"PRIVATE" not in body
        profiles = []
        for _ in range(2):
            async with session.get(f"{served.trust}/visavis.mobileconfig") as response:
                assert response.content_type == "application/x-apple-aspen-config"
                profiles.append(await response.read())
        assert profiles[0] == profiles[1]
        profile = plistlib.loads(profiles[0])
        (payload,) = profile["PayloadContent"]
        assert profile["PayloadType"] == "Configuration"
        assert payload["PayloadType"] == "com.apple.security.root"
        assert x509.load_der_x509_certificate(payload["PayloadContent"]) == served.store.authority.certificate


@pytest.mark.parametrize(
    "path", ["/healthz", "/api/v1/config", "/api/v1/join", "/join/correct-horse-battery", "/static/app.js"]
)
async def test_nothing_else_is_served_in_the_clear(serving, path: str) -> None:  # type: ignore[no-untyped-def]
    async with serving() as served, aiohttp.ClientSession() as session:
        async with session.get(served.trust + path) as response:
            assert response.status == 404
        async with session.post(f"{served.trust}/", data=b"x") as response:
            assert response.status == 405
        async with session.head(f"{served.trust}/") as response:
            assert response.status == 200
