from __future__ import annotations

import asyncio
import contextlib
import io
import zipfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from server.media.decoding import FILE_BYTES
from server.people import People
from server.people.import_routes import BASE, setup_imports
from server.people.photos import imports as imports_module
from server.people.photos.imports import Imports
from tests.packs import open_models
from tests.pictures import photo_path
from tests.server.photos import varied

MODELS = open_models()


class Client:
    """A page that imports."""

    def __init__(self, http: aiohttp.ClientSession, people: People, imports: Imports) -> None:
        self.http, self.people, self.imports = http, people, imports

    async def ask(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        async with self.http.request(method, BASE + path, **more) as response:
            body = await response.json() if response.content_length else None
            assert response.status == status, body
            return body

    async def open(self, **wish: Any) -> str:
        id: str = (await self.ask("POST", "", 201, json=wish))["id"]
        return id

    async def add(self, id: str, name: str, file: str, data: bytes | io.BytesIO) -> Any:
        answer = await self.ask("POST", f"/{id}/files", params={"name": name, "file": file}, data=data)
        (entry,) = answer["files"]
        return entry


@pytest.fixture
async def client(serving: Any, tmp_path: Path) -> AsyncIterator[Client]:
    async with contextlib.AsyncExitStack() as stack:
        executor = stack.enter_context(ThreadPoolExecutor(1))
        people = await People.open(tmp_path / "p.sqlite3", MODELS.manifest.digest, MODELS.manifest.embedder.dimension)
        stack.push_async_callback(people.close)
        imports = Imports(people, lambda: MODELS, executor, review="standard", keep_crops=True)
        stack.callback(imports.close)
        served = await stack.enter_async_context(serving(parts=(lambda app: setup_imports(app, imports),)))
        http = await stack.enter_async_context(aiohttp.ClientSession(served.local))
        yield Client(http, people, imports)


def zipped(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        for path, data in files.items():
            out.writestr(path, data)
    return file.getvalue()


async def test_photos_are_judged_one_by_one_and_saved_all_at_once(client: Client) -> None:
    id = await client.open()
    used = await client.add(id, "Ada Ω", "1.jpg", varied(0, 0))
    assert (used["verdict"], used["words"], used["name"]) == ("used", "Used.", "Ada Ω")
    assert len(used["faces"]) == 1
    assert all(0 <= part <= 1 for part in used["faces"][0])
    assert 0.5 < used["quality"] <= 1
    group = await client.add(id, "Bob", "group.jpg", photo_path().read_bytes())
    assert (group["verdict"], group["width"], group["height"], len(group["faces"])) == ("several_faces", 1280, 886, 6)
    assert (await client.add(id, "Cleo", "3.jpg", b"Dear diary"))["verdict"] == "not_a_picture"
    assert (await client.add(id, "Bob", "2.png", varied(1, 0, ".png")))["verdict"] == "used"
    assert (await client.add(id, "Bob", "copy.png", varied(1, 0, ".png")))["verdict"] == "duplicate"
    assert (await client.add(id, "Bob", "no Bob.jpg", varied(0, 2)))["like"]["name"] == "Ada Ω"

    assert await client.people.list() == []  # nothing is saved before commit
    shown = await client.ask("GET", f"/{id}")
    assert [(p["name"], p["exists"], len(p["files"])) for p in shown["people"]] == [
        ("Ada Ω", False, 1),
        ("Bob", False, 4),
        ("Cleo", False, 1),
    ]
    answer = await client.ask("POST", f"/{id}/commit")
    saved = answer["people"]
    assert [(p["name"], p["added"]) for p in saved] == [("Ada Ω", 1), ("Bob", 1)]
    assert [(row.name, row.samples) for row in await client.people.list()] == [("Ada Ω", 1), ("Bob", 1)]
    await client.ask("GET", f"/{id}", 404)
    detail = await client.people.person(saved[0]["id"])
    assert detail is not None
    (sample,) = detail.samples
    assert (sample.source, sample.crop, len(sample.content or "")) == ("photo", True, 64)
    found = client.people.gallery.search(sample.embedding, 1)
    assert found.people[0].name == "Ada Ω"
    await client.people.undo(answer["change"]["id"])
    assert await client.people.list() == []


async def test_what_was_imported_adds_nothing_again_and_is_not_even_read(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await client.open()
    await client.add(id, "Ada", "1.jpg", varied(0, 0))
    await client.ask("POST", f"/{id}/commit")
    monkeypatch.setattr(imports_module, "read", None)
    again = await client.open()
    entry = await client.add(again, "Ada", "1.jpg", varied(0, 0))
    assert (entry["verdict"], entry["words"]) == ("duplicate", "This photo is one of Ada's already.")
    refused = await client.ask("POST", f"/{again}/commit", 409)
    assert refused["detail"] == "There is no photo to save yet."


async def test_a_zip_gives_people_by_folder(client: Client) -> None:
    id = await client.open()
    data = zipped(
        {
            "people/Ada/1.jpg": varied(0, 0),
            "people/Bob.jpg": varied(1, 0),
            "people/Ada/notes.txt": b"hm",
            f"people/{'x' * 90}/1.jpg": varied(2, 0),
        }
    )
    answer = await client.ask("POST", f"/{id}/files", params={"file": "people.zip"}, data=data)
    assert [(f["file"].rpartition("/")[2], f["name"], f["verdict"]) for f in answer["files"]] == [
        ("1.jpg", "Ada", "used"),
        ("Bob.jpg", "Bob", "used"),
        ("notes.txt", "Ada", "not_a_picture"),
        ("1.jpg", "?", "not_a_picture"),
    ]
    assert "80 characters" in answer["files"][3]["words"]
    named = await client.ask(
        "POST", f"/{id}/files", params={"file": "a.zip", "name": "Cleo"}, data=zipped({"x/y.jpg": varied(2, 0)})
    )
    assert named["files"][0]["name"] == "Cleo"
    for broken in (b"PK\x03\x04 nothing", zipped({})):
        refused = await client.ask("POST", f"/{id}/files", 400, params={"file": "a.zip"}, data=broken)
        assert "ZIP" in refused["detail"]


async def test_a_person_corrects_the_verdicts(client: Client) -> None:
    id = await client.open()
    ada = await client.add(id, "Ada", "1.jpg", varied(0, 0))
    group = await client.add(id, "Bob", "group.jpg", photo_path().read_bytes())
    path = f"/{id}/files/{group['id']}"
    chosen = [await client.ask("POST", path, json={"face": n}) for n in range(6)]
    assert {entry["face"] for entry in chosen} == set(range(6))
    assert any(entry["verdict"] == "used" for entry in chosen)
    assert any(entry.get("like", {}).get("name") == "Ada" for entry in chosen)
    like = next(n for n, entry in enumerate(chosen) if "like" in entry)
    await client.ask("POST", path, json={"face": like})
    assert (await client.ask("POST", path, json={"accept": True}))["verdict"] == "used"
    assert (await client.ask("POST", path, json={"name": "Cleo"}))["name"] == "Cleo"
    dropped = await client.ask("POST", f"/{id}/files/{ada['id']}", json={"drop": True})
    assert dropped["dropped"] is True
    people = (await client.ask("GET", f"/{id}"))["people"]
    assert [(p["name"], len(p["files"])) for p in people] == [("Cleo", 1)]
    for wrong in (
        {"face": 6},
        {"face": True},
        {"face": "0"},
        {"accept": False},
        {},
        {"x": 1},
        {"name": "\0"},
        {"name": 3},
    ):
        await client.ask("POST", path, 400, json=wrong)
    await client.ask("POST", path, 400, data=b"{")
    await client.ask("POST", path, 400, data=b"[]")
    await client.ask("POST", f"/{id}/files/nothing", 404, json={"drop": True})


async def test_an_existing_name_takes_only_faces_that_resemble(client: Client) -> None:
    id = await client.open()
    await client.add(id, "Ada", "1.jpg", varied(0, 0))
    await client.ask("POST", f"/{id}/commit")
    id = await client.open()
    stranger = await client.add(id, "ada", "2.jpg", varied(1, 0))
    assert (stranger["verdict"], stranger["name"]) == ("looks_like", "Ada")
    assert "like" not in stranger
    assert (await client.ask("GET", f"/{id}"))["people"][0]["exists"] is True


async def test_a_name_enrolled_meanwhile_stops_the_commit(client: Client) -> None:
    first, second = await client.open(), await client.open()
    await client.add(first, "Ada", "1.jpg", varied(0, 0))
    await client.add(second, "Bob", "1.jpg", varied(0, 0))
    await client.ask("POST", f"/{first}/commit")
    refused = await client.ask("POST", f"/{second}/commit", 409)
    assert "look through" in refused["detail"]
    shown = await client.ask("GET", f"/{second}")
    assert shown["people"][0]["files"][0]["verdict"] == "duplicate"


async def test_limits_hold(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports_module, "DRAFTS", 2)
    id = await client.open()
    large = await client.add(id, "Ada", "1.jpg", io.BytesIO(bytes(FILE_BYTES + 1000)))
    assert large["verdict"] == "too_large"
    assert (await client.add(id, "Ada", "1.jpg", b""))["verdict"] == "not_a_picture"
    await client.open()
    await client.ask("POST", "", 409, json={})
    client.imports._files = 2
    full = await client.ask("POST", f"/{id}/files", 409, params={"name": "A", "file": "1.jpg"}, data=varied(0, 0))
    assert "2 photos" in full["detail"]
    client.imports._files = 2000
    monkeypatch.setattr(imports_module, "HELD_BYTES", -1)
    await client.ask("POST", f"/{id}/files", 409, params={"name": "A", "file": "1.jpg"}, data=varied(0, 0))
    monkeypatch.setattr("server.people.import_routes.ARCHIVE_BYTES", 500)
    await client.ask("POST", f"/{id}/files", 413, params={"file": "1.zip"}, data=b"PK\x03\x04" + bytes(600))


async def test_an_import_nobody_touches_is_let_go(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports_module, "IDLE", 0.1)
    id = await client.open()
    await client.add(id, "Ada", "1.jpg", varied(0, 0))
    await asyncio.sleep(0.3)
    gone = await client.ask("GET", f"/{id}", 404)
    assert "left alone" in gone["detail"]


async def test_a_discarded_import_leaves_nothing(client: Client) -> None:
    id = await client.open()
    adding = asyncio.create_task(client.add(id, "Ada", "1.jpg", varied(0, 0)))
    await client.ask("DELETE", f"/{id}", 204)
    with contextlib.suppress(AssertionError):  # it may have come before or after
        await adding
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/commit"), ("POST", "/files?file=1.jpg")):
        await client.ask(method, f"/{id}{path}", 404)
    assert await client.people.list() == []


async def test_what_is_asked_wrongly_is_said(client: Client) -> None:
    for wrong in ({"review": "some"}, {"room": "a b"}, {"room": 3}, {"x": 1}):
        await client.ask("POST", "", 400, json=wrong)
    id = await client.open(room="hall", review="off")
    for params in ({"name": "Ada"}, {"name": "x" * 81, "file": "1.jpg"}, {"file": "a\nb"}, {"file": "x" * 500}):
        await client.ask("POST", f"/{id}/files", 400, params=params, data=varied(0, 0))
    assert (await client.add(id, "", "Zoë/1.jpg", varied(0, 0)))["name"] == "Zoë"
    await client.ask("POST", f"/{id}/commit")
    (row,) = await client.people.list()
    assert (row.name, row.room) == ("Zoë", "hall")


async def test_the_server_answers_while_photos_are_read(client: Client) -> None:
    id = await client.open()
    data = zipped({f"P{n}/{n}.jpg": varied(n % 4, n) for n in range(12)})
    adding = asyncio.create_task(client.ask("POST", f"/{id}/files", params={"file": "a.zip"}, data=data))
    waits = []
    while not adding.done():
        started = asyncio.get_running_loop().time()
        await client.ask("GET", f"/{id}")
        waits.append(asyncio.get_running_loop().time() - started)
        await asyncio.sleep(0.01)
    assert len((await adding)["files"]) == 12
    assert len(waits) > 5
    assert float(np.median(waits)) < 0.1
