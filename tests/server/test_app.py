from __future__ import annotations

import inspect
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from server import __version__
from server.app import create_app, ice_servers, static_folder
from server.settings import Settings, StartError, configure


async def test_the_page_gets_its_configuration(serving) -> None:  # type: ignore[no-untyped-def]
    async with (
        serving() as served,
        aiohttp.ClientSession() as session,
        session.get(f"{served.local}/api/v1/config") as response,
    ):
        assert await response.json() == {
            "version": __version__,
            "protocol": 1,
            "iceServers": [],
            "pack": {"name": "open", "licence": "MIT and CC0-1.0"},
            "video": {"width": 640, "height": 480, "frameRate": 30, "maxBitrate": 1500000},
            "people": 3,
            "guest": False,
            "invited": False,
            "secure": True,
            "consent": {
                "required": False,
                "days": 365,
                "grace": 30,
                "purpose": "To be recognised by name on this server",
            },
            "retention": "Video is never stored. A name you type keeps numbers computed from the face on this server.",
        }
        assert response.headers["Cache-Control"] == "no-store"


async def test_what_is_kept_is_said_before_the_camera_starts(serving) -> None:  # type: ignore[no-untyped-def]
    async with (
        serving(keep_crops=True, inbox=True, inbox_days=3) as served,
        aiohttp.ClientSession() as session,
        session.get(f"{served.local}/api/v1/config") as response,
    ):
        said = (await response.json())["retention"]
    assert "small pictures" in said
    assert "3 days" in said


def test_turn_servers_come_with_their_credentials() -> None:
    environ = {"VISAVIS_TURN_PASSWORD": "p", "VISAVIS_TURN_USERNAME": "u", "VISAVIS_ICE_SERVERS": "stun:s:1,turn:t:2"}
    assert ice_servers(configure({}, environ).settings) == [
        {"urls": ["stun:s:1"]},
        {"urls": ["turn:t:2"], "username": "u", "credential": "p"},
    ]
    assert ice_servers(Settings()) == []


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small page instead of the real one."""
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html><title>page</title>")
    (folder / "app.js").write_text("export {}")
    (tmp_path / "secret").write_text("not for you")
    (folder / "link").symlink_to(tmp_path / "secret")
    monkeypatch.setattr("server.app.static_folder", lambda: folder)
    return folder


async def test_files_are_served_and_asked_for_again(serving, page: Path) -> None:  # type: ignore[no-untyped-def]
    async with serving() as served, aiohttp.ClientSession() as session:
        async with session.get(served.local) as response:
            assert response.content_type == "text/html"
            assert "page" in await response.text()
        async with session.get(f"{served.local}/static/app.js") as response:
            assert response.content_type in ("text/javascript", "application/javascript")
            assert response.headers["Cache-Control"] == "no-cache"
            assert "Last-Modified" in response.headers
            seen = {"If-None-Match": response.headers["ETag"]}
        async with session.get(f"{served.local}/static/app.js", headers=seen) as response:
            assert response.status == 304
        (page / "app.js").write_text("export { changed }")
        async with session.get(f"{served.local}/static/app.js", headers=seen) as response:
            assert response.status == 200


@pytest.mark.parametrize(
    "path", ["/static/", "/static/none.js", "/static/../secret", "/static/%2e%2e/secret", "/static/link"]
)
async def test_nothing_outside_the_folder_is_served(serving, page: Path, path: str) -> None:  # type: ignore[no-untyped-def]
    async with (
        serving() as served,
        aiohttp.ClientSession() as session,
        session.get(URL(served.local + path, encoded=True)) as response,
    ):
        assert response.status in (403, 404)
        assert response.content_type == "application/problem+json"
        assert "not for you" not in await response.text()


async def test_unknown_paths_and_methods_are_problems(serving) -> None:  # type: ignore[no-untyped-def]
    async with serving() as served, aiohttp.ClientSession() as session:
        for method, path, status in (
            ("GET", "/nothing", 404),
            ("POST", "/healthz", 405),
            ("PUT", "/api/v1/config", 405),
        ):
            async with session.request(method, served.local + path) as response:
                assert response.status == status
                assert response.content_type == "application/problem+json"
                assert (await response.json())["status"] == status


def test_the_source_trees_page_is_found() -> None:
    assert static_folder() == Path(__file__).resolve().parents[2] / "static"


def test_a_missing_page_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.app.__file__", str(tmp_path / "server" / "app.py"))
    with pytest.raises(StartError, match="install Visavis again"):
        static_folder()


def test_create_app_only_composes() -> None:
    assert len(inspect.getsource(create_app).splitlines()) < 80
