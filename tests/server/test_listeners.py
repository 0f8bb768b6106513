from __future__ import annotations

import contextlib
import socket

import aiohttp
import pytest

from server.listeners import PortUnavailable, bind, port_of
from server.settings import Settings

FREE = {"http_port": 0, "https_port": 0, "trust_port": 0}


@pytest.mark.parametrize("setting", ["http_port", "https_port", "trust_port"])
def test_a_busy_port_is_one_line_with_port_and_setting(setting: str) -> None:
    with socket.create_server(("0.0.0.0", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(PortUnavailable) as error:
            bind(Settings(**{**FREE, setting: port}))  # type: ignore[arg-type]
    flag = "--" + setting.replace("_", "-")
    assert str(error.value) == f"{setting} = {port}: another program has that port; choose another with {flag}"


def test_two_servers_cannot_have_one_port_even_before_they_serve() -> None:
    with contextlib.closing(bind(Settings(**FREE))) as first:
        port = port_of(first.local)
        with pytest.raises(PortUnavailable):
            bind(Settings(**{**FREE, "http_port": port}))


def test_ports_are_given_back_when_a_later_one_cannot_be_had() -> None:
    with contextlib.closing(bind(Settings(http_port=0, lan=False))) as first:
        free = port_of(first.local)
    with socket.create_server(("0.0.0.0", 0)) as busy, pytest.raises(PortUnavailable):
        bind(Settings(http_port=free, https_port=busy.getsockname()[1], trust_port=0))
    bind(Settings(http_port=free, lan=False)).close()


def test_the_open_page_is_on_loopback_only_and_shares_its_port_between_families() -> None:
    with contextlib.closing(bind(Settings(**FREE))) as listeners:
        assert {sock.getsockname()[0] for sock in listeners.local} <= {"127.0.0.1", "::1"}
        assert len({sock.getsockname()[1] for sock in listeners.local}) == 1
        assert listeners.lan[0].getsockname()[0] == "0.0.0.0"


def test_without_the_lan_nothing_else_is_opened() -> None:
    with contextlib.closing(bind(Settings(http_port=0, lan=False))) as listeners:
        assert listeners.lan == listeners.trust == ()


async def test_ending_tells_the_sessions_and_closes_every_door(serving) -> None:  # type: ignore[no-untyped-def]
    async with (
        serving() as served,
        aiohttp.ClientSession() as session,
        session.get(f"{served.local}/healthz") as response,
    ):
        assert await response.json() == {"status": "ok", "sessions": 2}
    assert served.ended == ["shutdown"]
    for port in (served.http_port, served.door.https_port, served.door.trust_port):
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1)
