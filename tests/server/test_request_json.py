"""Whatever is sent as JSON to any door of the whole server is answered in words, and never with an error of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from models import load_pack
from server.app import create_app
from server.services import open_services
from server.settings import Settings
from tests.packs import models_folder
from tests.serving import on_free_port

DOORS = [
    ("PUT", "/api/v1/reading"),
    ("PUT", "/api/v1/threshold"),
    ("POST", "/api/v1/model-change"),
    ("POST", "/api/v1/imports"),
    ("POST", "/api/v1/evaluations"),
    ("POST", "/api/v1/inbox/none/name"),
    ("PATCH", "/api/v1/people/none"),
    ("POST", "/api/v1/people/none/merge"),
    ("POST", "/api/v1/people/none/split"),
]
BODIES = {
    "deep": b"[" * 20_000,
    "a long number": b'{"one_in": ' + b"9" * 5000 + b"}",
    "not text": b"\xff\xfe\xfd",
    "cut off": b'{"name": "A',
    "a list": b"[1]",
    "a number": b"3",
}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    settings = Settings(data_dir=tmp_path, models_dir=models_folder(), lan=False, inbox=True, local_owner=True)
    pack = load_pack("open", models_folder(), "cpu", lambda line: None)
    async with (
        open_services(settings, pack, None) as services,
        on_free_port(create_app(settings, services)) as port,
        aiohttp.ClientSession(f"http://localhost:{port}") as session,
    ):
        yield session


async def test_no_body_is_too_odd(client: aiohttp.ClientSession) -> None:
    for method, door in DOORS:
        for what, body in BODIES.items():
            async with client.request(method, door, data=body) as response:
                assert response.status in (400, 404), (door, what, response.status)
                assert response.content_type == "application/problem+json"
                assert (await response.json(content_type=None))["detail"]
        odd = {"Content-Type": "application/json; charset=no-such-thing"}
        async with client.request(method, door, data=b"[]", headers=odd) as response:
            assert response.status in (400, 404), door
    async with client.get("/healthz") as response:
        assert response.status == 200
