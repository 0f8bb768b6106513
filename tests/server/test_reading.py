"""What a room reads of faces: chosen by the host, kept, shown and no more."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from models import AttributePack, PackDamaged, load_attributes
from pipeline.attributes import AGES, Apparent, AttributeEvidence
from pipeline.distance import Distance
from pipeline.results import Face, FrameResult
from server.live.messages import result_message
from server.live.reading import Readings, setup_reading
from server.people import People
from server.problems import problem_middleware
from server.storage.room_reading import RoomReading
from tests.packs import open_models
from tests.server.conftest import Serving
from tests.server.signing import accounts, link, signed_in
from tests.serving import on_free_port
from tracking import IdentityState, TrackState

pytestmark = pytest.mark.usefixtures("either_store")

MODELS = open_models()
URL = "/api/v1/reading"


@contextlib.asynccontextmanager
async def served(path: Path) -> AsyncIterator[tuple[aiohttp.ClientSession, Readings, list[str | None]]]:
    people = await People.open(path, MODELS.manifest.digest, 128)
    readings = await Readings.open(people, MODELS, "cpu")
    told: list[str | None] = []
    app = web.Application(middlewares=[problem_middleware])
    setup_reading(app, readings, lambda: MODELS, told.append)
    try:
        async with on_free_port(app) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            yield client, readings, told
    finally:
        await people.close()


async def _put(client: aiohttp.ClientSession, body: Any) -> tuple[int, dict[str, Any]]:
    async with client.put(URL, json=body) as response:
        return response.status, await response.json()


async def test_gender_and_age_are_off_until_somebody_switches_them_on(tmp_path: Path) -> None:
    async with served(tmp_path / "p.sqlite3") as (client, readings, told):
        async with client.get(URL) as response:
            assert await response.json() == {"distance": True, "gender": False, "age": False}
        assert readings.reader(None, MODELS) is None
        assert await _put(client, {"gender": True}) == (200, {"distance": True, "gender": True, "age": False})
        assert told == [None]
        reader = readings.reader(None, MODELS)
        assert reader is not None
        assert reader.name == "ensemble"
        await _put(client, {"gender": False, "distance": False})
        assert readings.reader(None, MODELS) is None


async def test_a_room_has_its_own_and_it_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "p.sqlite3"
    async with served(path) as (client, readings, told):
        await _put(client, {"room": "hall", "age": True})
        assert told == ["hall"]
        assert readings.of("hall").age
        assert not readings.of(None).age
        assert not readings.of("door").age
    async with served(path) as (client, readings, _):
        assert readings.of("hall") == RoomReading(distance=True, age=True)
        assert readings.reader("hall", MODELS) is not None


async def test_networks_that_cannot_be_loaded_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(provider: str) -> None:
        raise PackDamaged("the network residual.onnx for gender and age is damaged; install Visavis again")

    path = tmp_path / "p.sqlite3"
    async with served(path) as (client, readings, told):
        with monkeypatch.context() as patched:
            patched.setattr("server.live.reading.load_attributes", damaged)
            status, body = await _put(client, {"gender": True})
        assert status == 503
        assert "damaged" in body["detail"]
        assert told == []
        assert not readings.of(None).gender
        await _put(client, {"gender": True})
    monkeypatch.setattr("server.live.reading.load_attributes", damaged)
    async with served(path) as (_, readings, _):
        assert not readings.of(None).gender, "what cannot be read is not said to be read"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"gender": 1}', b'{"gender": "yes"}', b'{"room": "hall"}', b'{"gender": true, "mood": true}',
     b'{"gender": true, "room": 5}', b"\xff", b'{"gender": null}', b"[" * 100_000, b'{"gender": %s}' % (b"1" * 5000)],
)  # fmt: skip
async def test_nonsense_is_refused(tmp_path: Path, body: bytes) -> None:
    async with served(tmp_path / "p.sqlite3") as (client, readings, told):
        async with client.put(URL, data=body, headers={"content-type": "application/json"}) as response:
            assert response.status == 400
            assert (await response.json())["detail"]
        async with client.get(URL, params={"room": "x" * 99}) as response:
            assert response.status == 400
        assert told == []
        assert readings.of(None) == RoomReading()


async def test_an_unheard_of_character_set_does_no_harm(tmp_path: Path) -> None:
    """JSON is UTF-8, whatever the header says."""
    async with served(tmp_path / "p.sqlite3") as (client, readings, _):
        headers = {"content-type": "application/json; charset=klingon"}
        async with client.put(URL, data=b'{"gender": true}', headers=headers) as response:
            assert response.status == 200
        assert readings.of(None).gender


async def test_another_switch_does_not_begin_evidence_anew(tmp_path: Path) -> None:
    """A session drops its evidence with the reader it was gathered with, so all rooms have the same one."""
    async with served(tmp_path / "p.sqlite3") as (client, readings, _):
        await _put(client, {"gender": True})
        before = readings.reader(None, MODELS)
        assert before is not None
        await _put(client, {"room": "hall", "age": True})
        await _put(client, {"distance": False})
        assert readings.reader(None, MODELS) is before
        assert readings.reader("hall", MODELS) is before


@pytest.mark.parametrize("role", ["owner", "host", "viewer", "camera"])
async def test_hosts_switch_and_nobody_else(tmp_path: Path, serving: Serving, role: Any) -> None:
    people = await People.open(tmp_path / "p.sqlite3", MODELS.manifest.digest, 128)
    try:
        readings = await Readings.open(people, MODELS, "cpu")
        parts = (lambda app: setup_reading(app, readings, lambda: MODELS, lambda _: None),)
        async with serving(parts=parts, accounts=accounts()) as server, server.client() as device:
            assert server.access is not None
            url, came = f"{server.lan}{URL}", {"Origin": server.lan}
            came |= await (link(server.access) if role == "camera" else signed_in(server.access, role))
            for method, body in (("GET", None), ("PUT", {"age": True}), ("PUT", {"age": True, "room": "hall"})):
                async with device.request(method, url, json=body, headers=came) as response:
                    may = role in ("owner", "host") or (method == "GET" and role == "viewer")
                    assert response.status == (200 if may else 403)
                    assert (response.content_type == "application/problem+json") is not may
            assert readings.of(None).age is readings.of("hall").age is (role in ("owner", "host"))
            async with device.put(url, json={"gender": True}) as response:
                assert response.status == 401, "who has not joined is nobody"
            async with device.put(f"{server.local}{URL}", json={"gender": True}) as response:
                assert response.status == 200
        assert readings.of(None).gender
    finally:
        await people.close()


def _face(apparent: Apparent | None) -> Face:
    return Face(
        track=1, box=np.array([10, 10, 50, 60], np.float32), landmarks=np.zeros((5, 2), np.float32),
        state=TrackState.CONFIRMED, identity=IdentityState.PENDING, opinion=None, name=None, votes=0, quality=None,
        age=0, score=0.9, distance=Distance(2.4, 1.9, 3.1, "near"), apparent=apparent, looks=3,
    )  # fmt: skip


def _shown(apparent: Apparent | None, reading: RoomReading) -> dict[str, Any]:
    result = FrameResult(640, 480, 0.0, False, (_face(apparent),), {}, 0)
    text = result_message(0, result, rtp=None, capture=None, skipped=0, timing={}, reading=reading)
    face: dict[str, Any] = json.loads(text)["faces"][0]
    return {key: face[key] for key in ("distance", "apparent") if key in face}


SAID = Apparent("female", 0.931, 34.4, 28.2, 41.7, None)


def test_only_what_is_asked_for_is_sent() -> None:
    assert _shown(SAID, RoomReading(distance=False)) == {}
    assert _shown(SAID, RoomReading()) == {"distance": {"m": 2.4, "low": 1.9, "high": 3.1, "band": "near"}}
    only_age = _shown(SAID, RoomReading(distance=False, age=True))
    assert only_age == {"apparent": {"looks": 3, "reason": None, "age": 34, "low": 28, "high": 42}}
    only_gender = _shown(SAID, RoomReading(distance=False, gender=True))
    assert only_gender == {"apparent": {"looks": 3, "reason": None, "gender": "female", "p": 0.931}}


def test_what_is_not_said_is_not_sent_either() -> None:
    far = Apparent(None, 0.97, None, 20.0, 60.0, "too far")
    shown = _shown(far, RoomReading(distance=False, gender=True, age=True))["apparent"]
    assert shown["gender"] is None
    assert shown["reason"] == "too far"
    assert (shown["age"], shown["low"], shown["high"]) == (None, None, None)


class Reader:
    """Sees what it was told to; the ensemble's own tests are elsewhere."""

    name, sure, min_width = "made up", 0.8, 20.0
    embedder: str | None = None

    def read(self, image: Any, landmarks: Any, width: float, embedding: Any = None) -> AttributeEvidence:
        ages = np.exp(-0.5 * ((AGES - 33) / 5) ** 2)
        return AttributeEvidence(3.0, (ages / ages.sum()).astype(np.float32), 1.0)


async def test_two_switches_turned_at_once_both_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(_provider: str) -> AttributePack:
        time.sleep(0.2)
        return load_attributes("cpu")

    monkeypatch.setattr("server.live.reading.load_attributes", slowly)
    async with served(tmp_path / "p.sqlite3") as (client, readings, _told):
        await asyncio.gather(_put(client, {"gender": True}), _put(client, {"age": True}))
        assert readings.of(None) == RoomReading(distance=True, gender=True, age=True)
