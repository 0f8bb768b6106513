"""The inbox over HTTP."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from server.access.door import access_middleware
from server.people import People
from server.people.consent import Terms
from server.people.inbox import Inbox
from server.people.inbox_routes import setup_inbox
from server.problems import problem_middleware
from server.settings import Settings
from tests.server.strangers import DIGEST, opened, session
from tests.serving import on_free_port


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite3"


@contextlib.asynccontextmanager
async def served(inbox: Inbox | None, people: People) -> AsyncIterator[aiohttp.ClientSession]:
    app = web.Application(middlewares=[problem_middleware, access_middleware(Settings(local_owner=True), None, None)])
    setup_inbox(app, inbox, people, 14)
    async with on_free_port(app) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        yield client


async def test_the_inbox_over_http(path: Path) -> None:
    async with opened(path) as (inbox, people), served(inbox, people) as client:
        for told in session(0):
            inbox.observe("one", None, told)
        await inbox.settle()
        async with client.get("/api/v1/inbox") as response:
            body = await response.json()
        assert (body["enabled"], body["days"], len(body["strangers"])) == (True, 14, 5)
        assert "14 days" in body["keeps"]
        first = body["strangers"][0]
        assert set(first) == {"id", "seen", "first", "last", "room", "crop", "quality", "sightings"}
        assert set(first["sightings"][0]) == {"session", "began", "ended"}
        async with client.get(f"/api/v1/inbox/{first['id']}/crop") as response:
            assert response.content_type == "image/jpeg"
            assert (await response.read())[:2] == b"\xff\xd8"
        for bad in (
            b"{",
            b"[]",
            b"\xff",
            b'{"name": 3}',
            b'{"name": ""}',
            b'{"name": "A", "room": "a room"}',
            b'{"name": "A", "consent": {"purpose": "x"}}',
            b'{"name": "A", "consent": "yes"}',
        ):
            async with client.post(f"/api/v1/inbox/{first['id']}/name", data=bad) as response:
                assert response.status == 400, bad
        people.terms = Terms(require=True)
        async with client.post(f"/api/v1/inbox/{first['id']}/name", json={"name": "Ada"}) as response:
            assert (response.status, (await response.json())["title"]) == (409, "consent_missing")
        said = {"name": "Ada", "consent": {"purpose": "x", "basis": "consent"}}
        async with client.post(f"/api/v1/inbox/{first['id']}/name", json=said) as response:
            named = await response.json()
        assert named["person"]["name"] == "Ada"
        async with client.get(f"/api/v1/people/{named['person']['id']}/sightings") as response:
            assert len((await response.json())["sightings"]) == 1
        second, third = body["strangers"][1:3]
        async with client.post(f"/api/v1/inbox/{second['id']}/name", json={"name": "Ada"}) as response:
            assert response.status == 409
            assert "looks different" in (await response.json())["detail"]
        async with client.delete(f"/api/v1/inbox/{third['id']}") as response:
            assert response.status == 204
        for method, url in (("GET", "crop"), ("POST", "name"), ("DELETE", "")):
            target = f"/api/v1/inbox/{third['id']}/{url}".rstrip("/")
            async with client.request(method, target, json={"name": "Z"} if method == "POST" else None) as response:
                assert response.status == 404
        async with client.delete("/api/v1/inbox") as response:
            assert response.status == 204
        async with client.get("/api/v1/inbox") as response:
            assert (await response.json())["strangers"] == []


async def test_switched_off_it_says_so(path: Path) -> None:
    people = await People.open(path, DIGEST, 128)
    async with served(None, people) as client:
        async with client.get("/api/v1/inbox") as response:
            body = await response.json()
        assert (body["enabled"], body["strangers"]) == (False, [])
        async with client.delete("/api/v1/inbox") as response:
            assert response.status == 404
            assert "switched off" in (await response.json())["detail"]
    await people.close()
