"""People over HTTP: every door, with good and bad things said at it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pipeline.face_models import FaceModels
from server.people import People
from server.people.routes import setup_people
from server.storage import NewSample
from tests.packs import open_models
from tests.server.conftest import Serving
from tests.server.forgetters import forgetting_for
from tests.server.test_storage import DIGEST, embedding, sample

NOBODY = "0" * 32
JPEG = b"\xff\xd8 a picture \xff\xd9"


def models() -> FaceModels:
    """The real ones; the embeddings here are made up, so plain cosines are compared."""
    manifest = open_models().manifest
    return replace(open_models(), manifest=manifest)


@dataclass
class Doors:
    people: People
    client: aiohttp.ClientSession

    async def ask(self, method: str, path: str, status: int = 200, **body: Any) -> Any:
        """Ask, expect a status, and a problem in words where it is one."""
        async with self.client.request(method, "/api/v1" + path, **body) as response:
            assert response.status == status, await response.text()
            if status >= 400:
                assert response.content_type == "application/problem+json"
                problem = await response.json()
                assert problem["status"] == status
                assert problem["detail"].endswith(".")
                return problem
            return None if status == 204 else await response.json()


@pytest.fixture
async def doors(tmp_path: Path, serving: Serving) -> AsyncIterator[Doors]:
    people = await People.open(tmp_path / "people.sqlite3", DIGEST, 128)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(people.close)
        forgetting = await stack.enter_async_context(forgetting_for(people, tmp_path))
        parts = (lambda app: setup_people(app, people, models, 2, forgetting),)
        served = await stack.enter_async_context(serving(parts=parts))
        client = await stack.enter_async_context(aiohttp.ClientSession(served.local))
        yield Doors(people, client)


async def test_people_are_listed_shown_and_forgotten(doors: Doors) -> None:
    ada = await doors.people.add_person("Ada Ω", [sample(1), sample(2), sample(3)])
    bob = await doors.people.add_person("Bob", [NewSample(embedding(4), 0.5, "photo", crop=JPEG)], "attic")
    (row, other) = (await doors.ask("GET", "/people"))["people"]
    assert set(row) == {"id", "name", "room", "samples", "used", "negatives", "created", "cover", "consent"}
    assert (row["id"], row["name"], row["samples"], row["used"], row["cover"]) == (ada.id, "Ada Ω", 3, 2, None)
    assert timedelta() < datetime.now(UTC) - datetime.fromisoformat(row["created"]) < timedelta(minutes=1)
    assert [r["id"] for r in (await doors.ask("GET", "/people?room=attic"))["people"]] == [bob.id]
    assert [r["id"] for r in (await doors.ask("GET", "/people?room="))["people"]] == [ada.id]
    await doors.ask("GET", "/people?room=no%20room", 422)
    async with doors.client.get(f"/api/v1/samples/{other['cover']}/crop") as response:
        assert (response.content_type, await response.read()) == ("image/jpeg", JPEG)
    shown = await doors.ask("GET", f"/people/{ada.id}")
    assert sum(s["used"] for s in shown["samples"]) == 2
    assert all(s["comparable"] and s["fits"] is not None and s["nearest"] is None for s in shown["samples"])
    (photo,) = (await doors.ask("GET", f"/people/{bob.id}"))["samples"]
    assert (photo["crop"], photo["fits"], photo["nearest"]["person"]) == (True, None, ada.id)
    await doors.ask("GET", f"/samples/{shown['samples'][0]['id']}/crop", 404)
    await doors.ask("DELETE", f"/people/{ada.id}")
    await doors.ask("DELETE", f"/people/{ada.id}", 404)
    await doors.ask("GET", f"/people/{ada.id}", 404)


async def test_names_and_rooms_are_changed_and_changed_back(doors: Doors) -> None:
    ada = await doors.people.add_person("Ada", [sample(1)])
    await doors.people.add_person("Bob", [sample(2)])
    renamed = await doors.ask("PATCH", f"/people/{ada.id}", json={"name": " Augusta "})
    assert (renamed["name"], renamed["change"]["kind"]) == ("Augusta", "rename")
    moved = await doors.ask("PATCH", f"/people/{ada.id}", json={"room": "attic"})
    assert moved["room"] == "attic"
    await doors.ask("POST", f"/changes/{renamed['change']['id']}/undo", 409)  # the room was changed since
    for change in (moved["change"], renamed["change"]):
        undone = await doors.ask("POST", f"/changes/{change['id']}/undo")
        assert undone["change"]["undone"]
    listed = (await doors.ask("GET", "/changes"))["changes"]
    assert [c["undone"] for c in listed if c["kind"] in ("rename", "room")] == [True, True]
    assert (await doors.ask("GET", f"/people/{ada.id}"))["name"] == "Ada"
    await doors.ask("PATCH", f"/people/{ada.id}", 409, json={"name": "BOB"})
    await doors.ask("PATCH", f"/people/{ada.id}", 422, json={"name": "\n"})
    await doors.ask("PATCH", f"/people/{ada.id}", 422, json={"room": "no room"})
    await doors.ask("PATCH", f"/people/{ada.id}", 400, json={"name": 3})
    await doors.ask("PATCH", f"/people/{NOBODY}", 404, json={"name": "X"})


async def test_people_are_merged_split_and_removed(doors: Doors) -> None:
    ada = await doors.people.add_person("Ada", [sample(1), sample(2)])
    bob = await doors.people.add_person("Bob", [sample(3)])
    preview = await doors.ask("GET", f"/people/{bob.id}/merge?into={ada.id}")
    assert (preview["samples"], preview["verdict"]) == (3, "different")
    assert preview["words"] == "Bob and Ada look like two different people."
    merged = await doors.ask("POST", f"/people/{bob.id}/merge", json={"into": ada.id})
    assert merged["person"]["samples"].__len__() == 3
    assert len(doors.people.gallery) == 1
    ids = [s["id"] for s in merged["person"]["samples"]]
    split = await doors.ask("POST", f"/people/{ada.id}/split", 201, json={"samples": ids[:2], "name": "Cleo"})
    assert (split["person"]["name"], len(split["person"]["samples"])) == ("Cleo", 2)
    await doors.ask("POST", f"/samples/{ids[0]}/move", json={"person": ada.id})
    removed = await doors.ask("DELETE", f"/samples/{ids[0]}")
    await doors.ask("DELETE", f"/samples/{ids[0]}", 404)
    await doors.ask("POST", f"/changes/{removed['change']['id']}/undo")
    gone = await doors.ask("POST", f"/people/{split['person']['id']}/remove")
    assert [p.name for p in doors.people.gallery.people()] == ["Ada"]
    await doors.ask("POST", f"/changes/{gone['change']['id']}/undo")
    marked = await doors.people.add_negative(ada.id, embedding(9))
    (mark,) = (await doors.ask("GET", f"/people/{ada.id}"))["negatives"]
    await doors.ask("DELETE", f"/negatives/{mark['id']}")
    assert marked.kind == "add_negative"
    await doors.ask("POST", f"/people/{ada.id}/merge", 400, json={"into": ada.id})
    await doors.ask("POST", f"/people/{ada.id}/merge", 400, json={"into": "x"})
    await doors.ask("POST", f"/people/{ada.id}/merge", 404, json={"into": NOBODY})
    await doors.ask("GET", f"/people/{ada.id}/merge", 400)
    await doors.ask("POST", f"/people/{ada.id}/split", 409, json={"samples": [], "name": "X"})
    await doors.ask("POST", f"/people/{ada.id}/split", 404, json={"samples": [NOBODY], "name": "X"})
    await doors.ask("POST", f"/people/{ada.id}/split", 400, json={"samples": "all", "name": "X"})
    await doors.ask("POST", f"/samples/{ids[2]}/move", 404, json={"person": NOBODY})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/people/x"),
        ("GET", f"/people/{NOBODY}"),
        ("GET", f"/people/{NOBODY.upper()}A"),
        ("POST", f"/people/{NOBODY}/remove"),
        ("DELETE", f"/people/{NOBODY}"),
        ("DELETE", f"/samples/{NOBODY}"),
        ("DELETE", f"/negatives/{NOBODY}"),
        ("GET", f"/samples/{NOBODY}/crop"),
        ("GET", "/samples/..%2f..%2fetc/crop"),
        ("POST", f"/changes/{NOBODY}/undo"),
        ("POST", "/changes/drop%20table/undo"),
    ],
)
async def test_what_is_not_there_is_said_not_to_be(doors: Doors, method: str, path: str) -> None:
    await doors.ask(method, path, 404)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"name=Ada", 400),
        (b"[]", 400),
        (b'{"name": "X", "admin": true}', 400),
        (b"{}", 400),
        (b'{"name": "X", "room": "attic"}', 400),
        (b"[" * 50_000, 400),
        (b'{"name": "' + b"x" * 70_000 + b'"}', 413),
        (b"\xff\xfe", 400),
    ],
)
async def test_bodies_that_say_nothing_are_refused(doors: Doors, data: bytes, status: int) -> None:
    ada = await doors.people.add_person("Ada", [sample(1)])
    await doors.ask("PATCH", f"/people/{ada.id}", status, data=data, headers={"Content-Type": "application/json"})
    assert [p.name for p in doors.people.gallery.people()] == ["Ada"]


async def test_no_name_reaches_the_log(doors: Doors, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ada = await doors.people.add_person("Augusta Ada King", [sample(1)])
    await doors.ask("PATCH", f"/people/{ada.id}", json={"name": "Countess"})
    await doors.ask("PATCH", f"/people/{ada.id}", 422, json={"name": "Secret\0Name"})
    await doors.ask("DELETE", f"/people/{ada.id}")
    assert not [word for word in ("Augusta", "Countess", "Secret") if word in caplog.text]
