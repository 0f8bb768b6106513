"""Whom browsers are told to reach by HTTPS alone: nobody unless it is asked for, and then by given names only."""

from __future__ import annotations

import pytest

from server.settings import SettingsError, configure
from server.strict_transport import HEADER

BEARER = {"Authorization": "Bearer correct-horse-battery"}


async def told(served, session, url: str, host: str | None = None) -> str | None:  # type: ignore[no-untyped-def]
    headers = BEARER | ({"Host": host} if host else {})
    async with session.get(url, headers=headers) as response:
        return response.headers.get(HEADER)


async def test_nobody_is_told_by_default(serving) -> None:  # type: ignore[no-untyped-def]
    async with serving(host_names=("cam.example.org",)) as served, served.client() as session:
        for host in (None, "cam.example.org", "testhost.local"):
            assert await told(served, session, f"{served.lan}/healthz", host) is None


async def test_only_given_names_over_tls_are_told(serving) -> None:  # type: ignore[no-untyped-def]
    names = ("cam.example.org",)
    async with serving(host_names=names, hsts_days=30) as served, served.client() as session:
        page, port = f"{served.lan}/healthz", served.door.https_port
        assert await told(served, session, page, "cam.example.org") == "max-age=2592000"
        assert await told(served, session, page, f"CAM.example.org:{port}") == "max-age=2592000"
        # The page that explains the certificate is plain, on another port of these; and an address cannot be told.
        for host in ("testhost.local", "localhost", f"127.0.0.1:{port}", "[::1]", "sub.cam.example.org"):
            assert await told(served, session, page, host) is None
        assert await told(served, session, f"{served.local}/healthz") is None
        assert await told(served, session, f"{served.trust}/", "cam.example.org") is None


def test_without_names_it_has_no_use() -> None:
    with pytest.raises(SettingsError, match=r"hsts_days .* has no use: host_names is empty"):
        configure({"hsts_days": 30}, {})
    assert configure({"hsts_days": 30, "host_names": "cam.home.arpa"}, {}).settings.hsts_days == 30
