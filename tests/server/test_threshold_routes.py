from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from server.people import People
from server.people.threshold_routes import setup_threshold
from server.problems import problem_middleware
from server.storage import NewSample
from tests.packs import open_models
from tests.server.test_threshold import crowd
from tests.serving import on_free_port

MODELS = open_models()
DIGEST = MODELS.manifest.digest
URL = "/api/v1/threshold"


@contextlib.asynccontextmanager
async def served(path: Path) -> AsyncIterator[tuple[aiohttp.ClientSession, People]]:
    people = await People.open(path, DIGEST, 128)
    app = web.Application(middlewares=[problem_middleware])
    setup_threshold(app, people, lambda: MODELS, 16)
    try:
        async with on_free_port(app) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            yield client, people
    finally:
        await people.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite3"


async def enrol(people: People, count: int, each: int) -> None:
    vectors, _, owners = crowd(count, each)
    wide = np.pad(vectors, ((0, 0), (0, 64)))
    for person in range(count):
        await people.add_person(f"P{person}", [NewSample(v, 0.8, "live") for v in wide[owners == person]])


async def test_the_figures_of_the_own_people(path: Path) -> None:
    async with served(path) as (client, people):
        await enrol(people, 3, 4)
        async with client.get(URL) as response:
            body = await response.json()
        assert (body["people"], body["samples"]) == (3, 12)
        assert body["pairs"] == {"genuine": 12, "impostor": 24}
        assert sum(body["genuine"]["counts"]) == 12
        assert body["genuine"]["from"] == body["impostor"]["from"]
        assert body["cohort"]["faces"] == 0
        assert "own people" in body["cohort"]["source"]
        assert [choice["one_in"] for choice in body["choices"]] == [10, 30, 100, 300, 1000]
        assert body["now"] == {"one_in": 100, "threshold": pytest.approx(MODELS.matcher.threshold(3), abs=1e-5)}
        assert body["confusable"] == []
        assert "model's own figures" in body["words"]
        await people.add_person(
            "Twin", [NewSample(row.embedding, 0.8, "live") for row in (await people.embeddings(DIGEST))[:2]]
        )
        async with client.get(URL) as response:
            body = await response.json()
        (pair,) = body["confusable"]
        assert {pair["a"]["name"], pair["b"]["name"]} == {"P0", "Twin"}


async def test_a_choice_is_applied_and_survives_a_restart(path: Path) -> None:
    async with served(path) as (client, people):
        await enrol(people, 3, 2)
        async with client.put(URL, json={"one_in": 300}) as response:
            body = await response.json()
        assert body["now"]["one_in"] == 300
        assert body["now"]["threshold"] == pytest.approx(MODELS.matcher.threshold(3, 1 / 300), abs=1e-5)
        target = await people.target(None)
        assert target == pytest.approx(1 / 300, rel=1e-6)
    async with served(path) as (client, people):
        async with client.get(URL) as response:
            assert (await response.json())["now"]["one_in"] == 300
        async with client.put(URL, json={"one_in": None}) as response:
            assert (await response.json())["now"]["one_in"] == 100
        assert await people.target(None) is None


async def test_nobody_enrolled_is_said(path: Path) -> None:
    async with served(path) as (client, _), client.get(URL) as response:
        body = await response.json()
        assert body["words"] == "Nobody is enrolled yet."
        assert body["genuine"]["counts"] == []
        assert body["choices"][0]["misses"] is None


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b"\xff",
        b"{}",
        b'{"one_in": "100"}',
        b'{"one_in": true}',
        b'{"one_in": 1}',
        b'{"one_in": 1e9}',
        b'{"one_in": NaN}',
        b'{"one_in": -Infinity}',
        b'{"one_in": 100, "room": "no room"}',
    ],
)
async def test_what_makes_no_sense_is_refused(path: Path, data: bytes) -> None:
    async with served(path) as (client, people):
        async with client.put(URL, data=data) as response:
            assert response.status == 400
        async with client.get(URL, params={"room": "no room"}) as response:
            assert response.status == 400
        assert await people.target(None) is None
