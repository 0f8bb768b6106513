"""An evaluation over HTTP: files in, figures out, nothing left; and every way of being refused."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import os
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.evaluation import running
from server.evaluation.running import Evaluations
from server.evaluation_routes import BASE, setup_evaluation
from tests.packs import models_folder
from tests.server.photos import varied
from tests.server.signing import accounts, signed_in


class Client:
    """A page that evaluates."""

    def __init__(self, http: aiohttp.ClientSession, evaluations: Evaluations, folder: Path) -> None:
        self.http, self.evaluations, self.folder = http, evaluations, folder

    async def ask(self, method: str, path: str = "", status: int = 200, **more: Any) -> Any:
        async with self.http.request(method, BASE + path, **more) as response:
            text = await response.text()
            assert response.status == status, text
            if status >= 400:
                assert response.content_type == "application/problem+json"
            return json.loads(text) if text else None

    async def open(self, **wish: Any) -> str:
        id: str = (await self.ask("POST", "", 201, json=wish))["id"]
        return id

    async def add(self, id: str, file: str, data: bytes, status: int = 200) -> Any:
        return await self.ask("POST", f"/{id}/files", status, params={"file": file}, data=io.BytesIO(data))

    async def finish(self, id: str) -> Any:
        await self.ask("POST", f"/{id}/start", 202)
        async with asyncio.timeout(60):
            while True:
                body = await self.ask("GET", f"/{id}")
                if body["state"] != "running":
                    return body
                await asyncio.sleep(0.05)

    def left(self) -> list[Path]:
        """What lies on the disk."""
        return [path for path in self.folder.rglob("*") if path.is_file()]


@pytest.fixture
async def client(serving: Any, tmp_path: Path) -> AsyncIterator[Client]:
    folder = tmp_path / "evaluation"
    async with contextlib.AsyncExitStack() as stack:
        evaluations = Evaluations(folder, lambda: "open", models_folder(), "cpu")
        stack.push_async_callback(evaluations.close)
        served = await stack.enter_async_context(serving(parts=(lambda app: setup_evaluation(app, evaluations),)))
        http = await stack.enter_async_context(aiohttp.ClientSession(served.local))
        yield Client(http, evaluations, folder)


PEOPLE = {f"holiday/Person {p}/{s}.jpg": (p, s) for p in range(4) for s in range(3)}


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return packed.getvalue()


async def test_a_folder_of_people_becomes_a_report_and_nothing_is_left(client: Client) -> None:
    id = await client.open(all_distances=False)
    for path, (person, shot) in PEOPLE.items():
        await client.add(id, path, varied(person, shot))
    await client.add(id, "holiday/Person 0/broken.jpg", b"no picture at all")
    assert len(client.left()) == len(PEOPLE) + 1
    assert not any("Person" in str(path) for path in client.folder.rglob("*"))
    if os.name == "posix":
        assert {path.stat().st_mode & 0o077 for path in (client.folder, client.folder / id)} == {0}
    body = await client.finish(id)
    assert (body["state"], body["words"]) == ("done", "")
    assert body["done"] == body["total"] == len(PEOPLE) + 1
    assert client.left() == []

    figures = (await client.ask("GET", f"/{id}/report.json"))["figures"]
    assert figures["people"] == 4
    assert figures["pictures left out (no face)"] == 1
    assert figures["1:N rank-1 [%]"] == 100
    async with client.http.get(f"{BASE}/{id}/report.html") as response:
        page = await response.text()
        policy = response.headers["Content-Security-Policy"]
        assert (response.content_type, response.charset) == ("text/html", "utf-8")
        assert response.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "Verification and identification with pack open" in page
    async with client.http.get(f"{BASE}/{id}/report.html?download") as response:
        assert response.headers["Content-Disposition"] == 'attachment; filename="visavis-report.html"'
    async with client.http.get(f"{BASE}/{id}/report.zip") as response:
        archive = zipfile.ZipFile(io.BytesIO(await response.read()))
    assert {"report.html", "report.json", "pairs_roc.csv", "openset_tpir.csv"} <= set(archive.namelist())
    assert len(list(csv.reader(io.StringIO(archive.read("pairs_roc.csv").decode())))) > 3
    everything = page + "".join(archive.read(name).decode() for name in archive.namelist())
    assert "Person" not in everything
    assert "holiday" not in everything

    again = await client.open()  # one that is over makes room
    await client.ask("GET", f"/{id}", 404)
    await client.ask("DELETE", f"/{again}", 204)
    assert (await client.ask("GET"))["evaluation"] is None


async def test_a_zip_with_a_table_is_measured_by_its_table(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Wherever the server was started: another project's folder of that name is not taken for ours.
    (tmp_path / "elsewhere" / "server").mkdir(parents=True)
    (tmp_path / "elsewhere" / "server" / "__init__.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path / "elsewhere")
    files = {f"photos/{p}-{s}.jpg": varied(p, s) for p in range(3) for s in range(3)}
    rows = ["first,second,same"]
    rows += [f"{p}-0.jpg,{p}-{s}.jpg,1" for p in range(3) for s in (1, 2)]
    rows += [f"{p}-0.jpg,{q}-1.jpg,0" for p in range(3) for q in range(3) if p != q]
    id = await client.open()
    archive = zipped({**files, "pairs.csv": "\n".join(rows).encode()})
    assert (await client.add(id, "all.zip", archive))["files"] == 1
    body = await client.finish(id)
    assert body["state"] == "done", body
    report = await client.ask("GET", f"/{id}/report.json")
    assert report["figures"]["pairs"] == 12
    assert report["figures"]["pairs left out (no face)"] == 0
    assert client.left() == []


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"Ada/1.jpg": b"x", "Bob/1.jpg": b"y"}, "No faces were found"),
        ({"a.csv": b"file,gender\n1.jpg,f", "1.jpg": b"x"}, "Line 2: gender must be male or female"),
    ],
)
async def test_what_cannot_be_evaluated_is_said_in_words(client: Client, files: dict[str, bytes], words: str) -> None:
    id = await client.open()
    await client.add(id, "all.zip", zipped(files))
    body = await client.finish(id)
    assert body["state"] == "failed"
    assert words in body["words"]
    assert body["words"].endswith(".")
    assert client.left() == []
    await client.ask("GET", f"/{id}/report.html", 409)


async def test_one_at_a_time_and_cancelling_ends_its_process(client: Client) -> None:
    id = await client.open(all_distances=True)
    assert "going on already" in (await client.ask("POST", "", 409, json={}))["detail"]
    for path, (person, shot) in PEOPLE.items():
        await client.add(id, path, varied(person, shot))
    await client.ask("POST", f"/{id}/start", 202)
    assert "going on already" in (await client.ask("POST", "", 409, json={}))["detail"]
    assert "takes no more files" in (await client.add(id, "x/1.jpg", b"x", 409))["detail"]
    await client.ask("POST", f"/{id}/start", 409)
    async with asyncio.timeout(30):
        while True:
            if (await client.ask("GET", f"/{id}"))["done"]:
                break
            await asyncio.sleep(0.05)
    if sys.platform == "linux":
        (child,) = _children()
        assert os.getpriority(os.PRIO_PROCESS, child) == 10
    await client.ask("DELETE", f"/{id}", 204)
    assert client.left() == []
    if sys.platform == "linux":
        assert _children() == []
    await client.ask("GET", f"/{id}", 404)
    await client.open()


def _children() -> list[int]:
    """The processes of evaluations that this one has begun."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            command = (status.parent / "cmdline").read_bytes()
            if parent == os.getpid() and b"server.evaluation.job" in command:
                found.append(int(status.parent.name))
    return found


async def test_the_server_answers_while_it_runs(client: Client) -> None:
    id = await client.open()
    for path, (person, shot) in PEOPLE.items():
        await client.add(id, path, varied(person, shot))
    await client.ask("POST", f"/{id}/start", 202)
    waits, loop = [], asyncio.get_running_loop()
    while True:
        started = loop.time()
        body = await client.ask("GET", f"/{id}")
        waits.append(loop.time() - started)
        if body["state"] != "running":
            break
        await asyncio.sleep(0.02)
    assert body["state"] == "done"
    assert sorted(waits)[len(waits) // 2] < 0.05


@pytest.mark.parametrize(
    ("file", "data", "status", "words"),
    [
        ("", b"x", 400, "file names"),
        ("a\nb.jpg", b"x", 400, "file names"),
        ("x" * 401, b"x", 400, "file names"),
        ("notes.txt", b"x", 415, "Send JPEG"),
        ("all.zip", b"no zip", 400, "damaged"),
        ("all.zip", zipped({}), 400, "empty"),
    ],
)
async def test_files_that_make_no_sense_are_refused(
    client: Client, file: str, data: bytes, status: int, words: str
) -> None:
    id = await client.open()
    assert words in (await client.add(id, file, data, status))["detail"]
    assert client.left() == []
    assert (await client.ask("GET", f"/{id}"))["files"] == 0
    await client.ask("POST", f"/{id}/start", 409)


async def test_paths_never_lead_anywhere(client: Client) -> None:
    id = await client.open()
    for path in ("../../evil.jpg", "/etc/evil.jpg", "C:\\evil.jpg"):
        await client.add(id, path, varied(0, 0))
    assert sorted(path.relative_to(client.folder).as_posix() for path in client.left()) == [
        f"{id}/{n}" for n in range(3)
    ]


async def test_more_than_it_takes_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    id = await client.open()
    monkeypatch.setattr(running, "FILE_BYTES", 3 << 20)
    monkeypatch.setattr(running, "TOTAL_BYTES", 5 << 20)
    monkeypatch.setattr(running, "FILES", 2)
    assert "3 MB" in (await client.add(id, "a/1.jpg", bytes(4 << 20), 413))["detail"]
    assert client.left() == []
    await client.add(id, "a/1.jpg", bytes(3 << 20))
    await client.add(id, "a/2.jpg", bytes(100), 200)
    assert "2 files" in (await client.add(id, "a/3.jpg", b"x", 413))["detail"]
    monkeypatch.setattr(running, "FILES", 9)
    assert "takes" in (await client.add(id, "a/3.jpg", bytes(3 << 20), 413))["detail"]
    assert len(client.left()) == 2
    assert "one ZIP, or of files" in (await client.add(id, "a.zip", zipped({"a": b"x"}), 409))["detail"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"all_distances": 1}', b'{"what": true}', b"[" * 5000])
async def test_a_beginning_that_makes_no_sense_is_refused(client: Client, body: bytes) -> None:
    await client.ask("POST", "", 400, data=body)
    assert (await client.ask("GET"))["evaluation"] is None


async def test_what_nobody_touches_is_let_go(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "IDLE", 0.05)
    id = await client.open()
    with contextlib.suppress(AssertionError):
        await client.add(id, "a/1.jpg", varied(0, 0))
    await asyncio.sleep(0.3)
    await client.ask("GET", f"/{id}", 404)
    assert client.left() == []


async def test_leftovers_are_erased_at_the_start(tmp_path: Path) -> None:
    folder = tmp_path / "evaluation" / "old"
    folder.mkdir(parents=True)
    (folder / "0").write_bytes(b"somebody's picture")
    Evaluations(tmp_path / "evaluation", lambda: "open", tmp_path, "cpu")
    assert not folder.exists()


async def test_a_process_that_dies_is_said(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running.sys, "executable", "/bin/true" if os.name == "posix" else sys.executable)
    id = await client.open()
    await client.add(id, "a/1.jpg", varied(0, 0))
    body = await client.finish(id)
    assert (body["state"], body["words"]) == ("failed", "The evaluation ended unexpectedly.")
    assert client.left() == []
    monkeypatch.setattr(running.sys, "executable", "/nonexistent")
    id = await client.open()
    await client.add(id, "a/1.jpg", varied(0, 0))
    assert "cannot be run" in (await client.finish(id))["words"]


async def test_the_owner_alone_evaluates(serving: Any, tmp_path: Path) -> None:
    evaluations = Evaluations(tmp_path / "evaluation", lambda: "open", models_folder(), "cpu")
    async with serving(parts=(lambda app: setup_evaluation(app, evaluations),), accounts=accounts()) as served:
        page = {"Origin": served.lan, **await signed_in(served.access, "host")}
        async with served.client(headers=page) as http:
            async with http.post(served.lan + BASE, json={}) as response:
                assert response.status == 403
            async with http.get(served.lan + BASE) as response:
                assert response.status == 403
        async with aiohttp.ClientSession(served.local) as http, http.get("/evaluate") as response:
            assert response.status == 200
            assert "evaluate/main.js" in await response.text()
