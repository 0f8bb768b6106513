from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from server.access.links import Links, load_key
from server.join import Door
from server.settings import StartError
from server.storage import PeopleStore
from server.terminal import qr_blocks, where_to_go
from tests.server.signing import Clock, accounts, link

TOKEN = "correct-horse-battery"
LINK = f"https://192.168.1.5:8443/join/{TOKEN}"


async def opened(data_dir: Path, clock: Clock | None = None) -> tuple[PeopleStore, Links]:
    store = PeopleStore(data_dir / "people.sqlite3")

    async def run(work: Callable[[PeopleStore], Any]) -> Any:
        return work(store)

    return store, await Links.open(run, data_dir, clock or Clock())


async def test_the_key_of_links_is_random_private_and_kept(tmp_path: Path) -> None:
    store, links = await opened(tmp_path)
    _, token = await links.make(None, "camera", 10)
    key = (tmp_path / "link-key").read_bytes()
    assert len(key) == 32
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "link-key").stat().st_mode) == 0o600
    store.close()
    store, again = await opened(tmp_path)
    given = again.find(token)
    assert given is not None
    assert (given.room, given.role) == (None, "camera")
    (tmp_path / "link-key").unlink()
    assert Links(again._run, again.all(), load_key(tmp_path)).find(token) is None
    store.close()


@pytest.mark.parametrize("content", [b"", b"short\n"])
def test_a_damaged_key_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "link-key").write_bytes(content)
    with pytest.raises(StartError, match="link-key: holds no key; delete it"):
        load_key(tmp_path)


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=r"cannot be .*data_dir"):
        load_key(tmp_path / "file" / "below")


async def test_what_is_changed_in_a_link_is_worth_nothing(tmp_path: Path) -> None:
    store, links = await opened(tmp_path)
    viewer, token = await links.make("hall", "viewer", 10)
    _, host = await links.make("hall", "host", 10)
    payload, signature = token.rsplit(".", 1)
    for wrong in (token[:-1], f"{host.rsplit('.', 1)[0]}.{signature}", f".{payload}.{signature}", "", "x" * 10_000):
        assert links.find(wrong) is None
        assert await links.come(wrong) is None
    # Signed with the right key, but not what is kept: of a link that never was, or was made for something else.
    for said in (
        [viewer.id, "hall", "host", 2**40],
        [viewer.id],
        ["00000000", "hall", "viewer", 1],
        {"id": viewer.id},
        7,
    ):
        assert links.find(str(links._signer.dumps(said))) is None
    assert links.find(token) is not None
    store.close()


async def test_a_link_is_over_at_its_time_and_when_it_is_revoked(tmp_path: Path) -> None:
    clock = Clock()
    store, links = await opened(tmp_path, clock)
    (first, token), (second, other) = await links.make(None, "camera", 10), await links.make(None, "camera", 10)
    assert await links.revoke(second.id, "hall") is False
    assert await links.revoke(second.id) is True
    assert links.find(other) is None
    clock.move(minutes=9, seconds=59)
    assert links.holds(first.id)
    clock.move(seconds=1)
    assert (links.find(token), links.holds(first.id), links.all()) == (None, False, [])
    assert links.is_signed(token)  # nobody guessed it
    store.close()


async def test_a_join_link_becomes_a_cookie_that_lets_in(serving) -> None:  # type: ignore[no-untyped-def]
    async with serving(accounts=accounts(), local_owner=False) as served, served.client() as session:
        token = (await link(served.access))["Authorization"].partition(" ")[2]
        for page, name, secure in ((served.lan, "__Host-visavis-link", True), (served.local, "visavis-link", False)):
            async with session.get(f"{page}/api/v1/config") as response:
                assert response.status == 401
            async with session.get(f"{page}/join/{token}", allow_redirects=False) as response:
                assert (response.status, response.headers["Location"]) == (303, "/")
                cookie = response.cookies[name]
                flags = (
                    cookie["httponly"],
                    bool(cookie["secure"]),
                    cookie["samesite"],
                    cookie["path"],
                    cookie["domain"],
                )
                assert flags == (True, secure, "Strict", "/", "")
                assert 590 <= int(cookie["max-age"]) <= 600
            async with session.get(f"{page}/api/v1/config") as response:
                assert (response.status, (await response.json())["guest"]) == (200, True)
            async with session.get(f"{page}/api/v1/join") as response:
                assert response.status == 403


async def test_the_link_that_the_server_shows(serving) -> None:  # type: ignore[no-untyped-def]
    clock = Clock()
    async with serving(accounts=accounts(now=clock), join_hours=2) as served, served.client() as session:
        shown = []
        for hours in (0, 1, 1):
            clock.move(hours=hours)
            async with session.get(f"{served.local}/api/v1/join") as response:
                shown.append(await response.json())
        first, same, next = shown
        assert first == same
        assert first["url"].startswith(f"https://127.0.0.1:{served.door.https_port}/join/")
        assert first["trust_url"] == f"http://127.0.0.1:{served.door.trust_port}/"
        assert first["expires"] == "2026-11-28T14:00:00+00:00"
        assert next["expires"] == "2026-11-28T16:00:00+00:00"
        assert next["url"] != first["url"]
        assert ElementTree.fromstring(first["qr"]).tag == "{http://www.w3.org/2000/svg}svg"


async def test_the_terminal_is_told_of_the_next_link(serving) -> None:  # type: ignore[no-untyped-def]
    clock, told = Clock(), asyncio.Event()
    said: list[str] = []
    async with serving(accounts=accounts(now=clock), join_hours=1) as served:
        served.access.when_renewed(lambda token: (said.append(token), told.set()))
        _, before = await served.access.standing()
        clock.move(hours=1)
        await asyncio.wait_for(told.wait(), 10)
        assert said == [(await served.access.standing())[1]]
        assert said != [before]


async def test_of_links_that_starts_showed_only_used_ones_stay(tmp_path: Path) -> None:
    store, links = await opened(tmp_path)
    used, token = await links.make(None, "camera", 10, standing=True)
    assert await links.come(token) is not None
    await links.make(None, "camera", 10, standing=True)
    newest, _ = await links.make(None, "camera", 10, standing=True)
    store.close()
    store, again = await opened(tmp_path)
    # Both were made in the same moment: which comes first is not said.
    assert {one.id for one in again.all()} == {one.id for one in links.all()} == {used.id, newest.id}
    store.close()


@pytest.mark.parametrize("token", ["wrong", "WyJhIl0.x", "%00", "%C3%BC", "~", "x" * 5000])
async def test_a_wrong_link_does_not(serving, token: str) -> None:  # type: ignore[no-untyped-def]
    async with serving(accounts=accounts()) as served, served.client() as session:
        async with session.get(f"{served.lan}/join/{token}", allow_redirects=False) as response:
            assert response.status == 401
        async with session.get(f"{served.lan}/api/v1/join") as response:
            assert response.status == 401


async def test_links_are_never_logged(serving, caplog: pytest.LogCaptureFixture) -> None:  # type: ignore[no-untyped-def]
    with caplog.at_level(logging.DEBUG):
        async with serving(accounts=accounts()) as served, served.client() as session:
            token = (await link(served.access))["Authorization"].partition(" ")[2]
            _, secret = await served.access.one_time.make("owner")
            for path in (f"/join/{token}", "/api/v1/config", f"/nothing/{token}", f"/own/{secret}"):
                async with session.get(served.lan + path, allow_redirects=False):
                    pass
    assert token not in caplog.text
    assert secret not in caplog.text


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
    door = Door("ada", addresses, 8443, 8080)
    assert door.join_url(TOKEN) == f"https://192.168.1.5:8443/join/{TOKEN}"
    assert door.hosts == ("192.168.1.5", "[fd00::2]", "ada.local")
    assert door.page_url() == "https://192.168.1.5:8443/"
    door.addresses = ()
    assert door.join_url(TOKEN) == f"https://ada.local:8443/join/{TOKEN}"


def test_the_terminal_shows_where_to_go() -> None:
    page, owner = "http://localhost:8000/", "http://localhost:8000/own/SECRET"
    door = Door("ada", (ip_address("192.168.1.5"),), 8443, 8080)
    text = where_to_go(page, owner, door, TOKEN, colours=False)
    assert text.startswith("\nOn this computer:   http://localhost:8000\n")
    assert f"  {owner}\n" in text
    assert door.join_url(TOKEN) in text
    assert "http://192.168.1.5:8080/" in text
    assert "█" in text
    assert "\x1b" not in text
    assert "\x1b[97;40m" in where_to_go(page, owner, door, TOKEN, colours=True)
    assert "/own/" not in where_to_go(page, None, door, TOKEN, colours=False)
    door.addresses = tuple(ip_address(f"192.168.1.{last}") for last in range(5, 25))
    many = where_to_go(page, None, door, TOKEN, colours=False)
    assert many.count("https://") == 5
    assert "https://ada.local:8443/\n" in many
    alone = where_to_go(page, owner, None, None, colours=True)
    assert owner in alone
    assert "█" not in alone


def test_the_terminals_qr_code_can_be_read() -> None:
    """Half blocks become pixels again, as a phone's camera sees them on a dark terminal."""
    rows = [row.strip(" ") for row in qr_blocks(LINK, colours=False).split("\n")]
    light = {"█": (255, 255), "▀": (255, 0), "▄": (0, 255), " ": (0, 0)}
    pixels = np.array([[light[block][half] for block in row] for row in rows for half in (0, 1)], np.uint8)
    picture = cv2.cvtColor(pixels.repeat(8, 0).repeat(8, 1), cv2.COLOR_GRAY2BGR)
    assert cv2.QRCodeDetector().detectAndDecode(picture)[0] == LINK
