from __future__ import annotations

import asyncio
import logging
import os
import stat
from ipaddress import ip_address
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from server.join import Door, load_token
from server.security import COOKIE, JoinGuard
from server.settings import StartError
from server.terminal import qr_blocks, where_to_go

TOKEN = "correct-horse-battery"
LINK = f"https://192.168.1.5:8443/join/{TOKEN}"


def test_the_token_is_random_private_and_kept(tmp_path: Path) -> None:
    token = load_token(tmp_path / "data", "")
    assert len(token) >= 22  # 128 bits in base64
    assert load_token(tmp_path / "data", "") == token
    assert load_token(tmp_path / "other", "") != token
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "data" / "join-token").stat().st_mode) == 0o600


def test_the_settings_token_wins_and_is_not_kept(tmp_path: Path) -> None:
    assert load_token(tmp_path, "a-token-of-my-own") == "a-token-of-my-own"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff\xfe"])
def test_a_damaged_token_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "join-token").write_bytes(content)
    with pytest.raises(StartError, match="join-token: holds no join token; delete it"):
        load_token(tmp_path, "")


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=r"cannot be .*data_dir"):
        load_token(tmp_path / "file" / "below", "")


async def test_a_join_link_becomes_a_cookie_that_lets_in(serving) -> None:  # type: ignore[no-untyped-def]
    async with serving() as served, served.client() as session:
        async with session.get(f"{served.lan}/join/{TOKEN}", allow_redirects=False) as response:
            assert response.status == 303
            assert response.headers["Location"] == "/"
            cookie = response.cookies[COOKIE]
            assert (cookie["httponly"], cookie["secure"], cookie["samesite"], cookie["path"]) == (
                True,
                True,
                "Strict",
                "/",
            )
        async with session.get(f"{served.lan}/api/v1/join") as response:
            found = await response.json()
        assert found["url"] == f"https://127.0.0.1:{served.door.https_port}/join/{TOKEN}"
        assert found["trust_url"] == f"http://127.0.0.1:{served.door.trust_port}/"
        assert ElementTree.fromstring(found["qr"]).tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize("token", ["wrong", TOKEN[:-1], TOKEN + "x", "%00", "%C3%BC"])
async def test_a_wrong_link_does_not(serving, token: str) -> None:  # type: ignore[no-untyped-def]
    async with serving() as served, served.client() as session:
        async with session.get(f"{served.lan}/join/{token}", allow_redirects=False) as response:
            assert response.status == 401
            assert TOKEN not in await response.text()
        async with session.get(f"{served.lan}/api/v1/join") as response:
            assert response.status == 401


async def test_on_this_computer_a_join_link_just_forwards(serving) -> None:  # type: ignore[no-untyped-def]
    async with (
        serving() as served,
        served.client() as session,
        session.get(f"{served.local}/join/anything", allow_redirects=False) as response,
    ):
        assert (response.status, response.headers["Location"]) == (303, "/")
        assert COOKIE not in response.cookies


async def test_the_token_is_never_logged(serving, caplog: pytest.LogCaptureFixture) -> None:  # type: ignore[no-untyped-def]
    with caplog.at_level(logging.DEBUG):
        async with serving() as served, served.client() as session:
            for path in (f"/join/{TOKEN}", "/healthz", "/api/v1/join", f"/nothing/{TOKEN}"):
                async with session.get(served.lan + path, allow_redirects=False):
                    pass
    assert TOKEN not in caplog.text


async def test_not_even_when_a_request_is_no_http(serving, caplog: pytest.LogCaptureFixture) -> None:  # type: ignore[no-untyped-def]
    with caplog.at_level(logging.DEBUG):
        async with serving() as served:
            reader, writer = await asyncio.open_connection("127.0.0.1", served.http_port)
            writer.write(f"BREW /join/{TOKEN} COFFEE/1\r\n\r\n".encode())
            assert b" 400 " in await reader.readline()
            writer.close()
    assert TOKEN not in caplog.text


def test_links_name_the_likeliest_address_first() -> None:
    addresses = (ip_address("192.168.1.5"), ip_address("fd00::2"))
    door = Door(JoinGuard(TOKEN), "ada", addresses, 8443, 8080)
    assert door.url() == f"https://192.168.1.5:8443/join/{TOKEN}"
    assert door.hosts == ("192.168.1.5", "[fd00::2]", "ada.local")
    assert door.page_url() == "https://192.168.1.5:8443/"
    door.addresses = ()
    assert door.url() == f"https://ada.local:8443/join/{TOKEN}"


def test_the_terminal_shows_where_to_go() -> None:
    door = Door(JoinGuard(TOKEN), "ada", (ip_address("192.168.1.5"),), 8443, 8080)
    text = where_to_go(8000, door, colours=False)
    assert "http://localhost:8000" in text
    assert door.url() in text
    assert "http://192.168.1.5:8080/" in text
    assert "█" in text
    assert "\x1b" not in text
    assert "\x1b[97;40m" in where_to_go(8000, door, colours=True)
    door.addresses = tuple(ip_address(f"192.168.1.{last}") for last in range(5, 25))
    many = where_to_go(8000, door, colours=False)
    assert many.count("https://") == 4
    assert "https://ada.local:8443/join/" in many
    alone = where_to_go(8000, None, colours=True)
    assert "http://localhost:8000" in alone
    assert "█" not in alone


def test_the_terminals_qr_code_can_be_read() -> None:
    """Half blocks become pixels again, as a phone's camera sees them on a dark terminal."""
    rows = [row.strip(" ") for row in qr_blocks(LINK, colours=False).split("\n")]
    light = {"█": (255, 255), "▀": (255, 0), "▄": (0, 255), " ": (0, 0)}
    pixels = np.array([[light[block][half] for block in row] for row in rows for half in (0, 1)], np.uint8)
    picture = cv2.cvtColor(pixels.repeat(8, 0).repeat(8, 1), cv2.COLOR_GRAY2BGR)
    assert cv2.QRCodeDetector().detectAndDecode(picture)[0] == LINK
