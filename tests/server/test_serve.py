from __future__ import annotations

import contextlib
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest

from server.certificates import CertificateError, CertificateStore, Names
from server.listeners import bind
from server.serve import follow_network, open_door
from server.settings import Settings

FREE = {"http_port": 0, "https_port": 0, "trust_port": 0}
HOME, CAFE = ip_address("127.0.0.1"), ip_address("127.0.0.2")  # both really reach this computer


def test_without_the_lan_no_token_and_no_certificate_is_made(tmp_path: Path) -> None:
    settings = Settings(http_port=0, lan=False, data_dir=tmp_path)
    with contextlib.closing(bind(settings)) as listeners:
        assert open_door(settings, listeners, print) == (None, None)
    assert list(tmp_path.iterdir()) == []


def test_outside_any_network_the_start_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.serve.addresses", lambda: ())
    monkeypatch.setattr("server.serve.host_name", lambda: "ada")
    settings = Settings(**FREE, data_dir=tmp_path)
    said: list[str] = []
    with contextlib.closing(bind(settings)) as listeners:
        door, store = open_door(settings, listeners, said.append)
    assert said == ["This computer is in no network now; the link below works once it is."]
    assert door is not None
    assert store is not None
    assert door.page_url().startswith("https://ada.local:")


def test_a_host_name_set_after_the_authority_was_made_is_said(tmp_path: Path) -> None:
    CertificateStore(tmp_path / "tls", Names.of("ada", []))
    settings = Settings(**FREE, data_dir=tmp_path, host_names=("cam.example.org",))
    with contextlib.closing(bind(settings)) as listeners, pytest.raises(CertificateError, match=r"cam\.example\.org"):
        open_door(settings, listeners, print)


async def test_a_new_network_is_followed_without_a_restart(serving) -> None:  # type: ignore[no-untyped-def]
    said: list[str] = []
    async with serving() as served, served.client() as session:
        looked = follow_network(Settings(), served.door, served.store, said.append)
        moved = f"https://{CAFE}:{served.door.https_port}/healthz"
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(moved)
        await looked((HOME, CAFE))
        await looked((HOME, CAFE))
        async with session.get(moved) as response:
            assert response.status == 200
        assert served.door.addresses == (HOME, CAFE)
        assert said == [f"The network has changed: other devices now find this page at {served.lan}/"]
