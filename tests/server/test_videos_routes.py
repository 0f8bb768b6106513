"""Videos over HTTP with a real process: sent, followed, named, exported, erased; over restarts; and refused."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.commands.bench_videos import repeat
from server.people import People
from server.people.consent import Terms
from server.vault import open_vault
from server.videos import limits, videos
from server.videos.routes import BASE, VideoRoutes, setup_videos
from server.videos.videos import Videos
from server.videos.working import Worker, environment
from tests.packs import models_folder, open_models
from tests.server.signing import accounts, link
from tests.server.video_files import meeting, sound_only


class Client:
    """A page that looks into videos."""

    def __init__(self, http: aiohttp.ClientSession, owner: Videos, people: People, folder: Path) -> None:
        self.http, self.videos, self.people, self.folder = http, owner, people, folder

    async def ask(self, method: str, path: str = "", status: int = 200, **more: Any) -> Any:
        async with self.http.request(method, BASE + path, **more) as response:
            text = await response.text()
            assert response.status == status, text
            if status >= 400:
                assert response.content_type == "application/problem+json"
            return json.loads(text) if text else None

    async def send(self, data: bytes, file: str = "meeting.mp4", status: int = 201) -> Any:
        return await self.ask("POST", "", status, params={"file": file}, data=io.BytesIO(data))

    async def finish(self, id: str) -> Any:
        async with asyncio.timeout(60):
            while True:
                body = await self.ask("GET", f"/{id}")
                if body["state"] not in ("waiting", "running"):
                    return body
                await asyncio.sleep(0.05)

    async def running(self, id: str) -> None:
        await until(lambda: (progress := self.videos.progress(id)) and progress.done)


async def until(holds: Callable[[], object]) -> None:
    """Wait for something that comes soon."""
    async with asyncio.timeout(60):
        while True:
            if holds():
                return
            await asyncio.sleep(0.02)


def worker() -> Worker:
    return Worker(lambda: "open", models_folder(), "cpu", give_way=False)


def digest() -> str:
    return open_models().manifest.digest


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return meeting(tmp_path_factory.mktemp("video"))


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The same again and again, for four minutes: what is done to it while it runs is done in time."""
    folder = tmp_path_factory.mktemp("long")
    meeting(folder)
    return repeat(folder / "meeting.mp4", folder / "long.mkv", 240).read_bytes()


@pytest.fixture
async def client(serving: Any, tmp_path: Path) -> AsyncIterator[Client]:
    async with contextlib.AsyncExitStack() as stack:
        models = open_models()
        people = await People.open(tmp_path / "p.sqlite3", digest(), models.embedder.spec.dimension)
        stack.push_async_callback(people.close)
        owner = await Videos.open(tmp_path / "videos", worker(), digest, 30, people.vault)
        stack.push_async_callback(owner.close)
        routes = VideoRoutes(owner, people, lambda: models, True, 30)
        served = await stack.enter_async_context(serving(parts=(lambda app: setup_videos(app, routes),)))
        http = await stack.enter_async_context(aiohttp.ClientSession(served.local))
        yield Client(http, owner, people, tmp_path / "videos")


async def test_a_video_is_followed_its_strangers_named_and_its_result_exported(client: Client, video: bytes) -> None:
    sent = await client.send(video, "C:\\holiday\\meeting.mp4")
    id = sent["id"]
    assert (sent["state"], sent["bytes"]) == ("waiting", len(video))
    if os.name == "posix":
        assert (client.folder / id).stat().st_mode & 0o077 == 0
    body = await client.finish(id)
    assert (body["state"], body["words"], body["playable"]) == ("done", "", True)
    kept = b"".join(file.read_bytes() for file in (client.folder / id).rglob("*") if file.is_file())
    assert not any(
        plain in kept for plain in (video[:64], video[-64:], b"meeting.mp4", b"\xff\xd8\xff\xe0", b"intervals")
    )
    assert body["seconds"] == pytest.approx(6, abs=0.1)

    result = await client.ask("GET", f"/{id}/result")
    assert (result["width"], result["height"]) == (640, 360)
    first, second = result["people"]
    assert [first["label"], second["label"]] == ["Unknown 1", "Unknown 2"]
    (a, b), (c,) = first["intervals"], second["intervals"]
    assert a == pytest.approx([0, 3], abs=0.5)
    assert b == pytest.approx([4.5, 6], abs=0.5)
    assert c == pytest.approx([1.5, 4], abs=0.5)
    times = [look["time"] for look in first["sheet"]]
    assert times == sorted(times)
    assert len(times) >= 2
    for name in (first["best"]["picture"], first["best"]["frame"], *(look["picture"] for look in second["sheet"])):
        async with client.http.get(f"{BASE}/{id}/pictures/{name}") as response:
            assert response.content_type == "image/jpeg"
            assert (await response.read())[:2] == b"\xff\xd8"

    boxes = await client.ask("GET", f"/{id}/boxes?from=0&to=6")
    points = boxes["tracks"][str(first["tracks"][0])]
    assert all(0 <= v <= 1 for _, *box in points for v in box)
    at_two = min(points, key=lambda point: abs(point[0] - 2))
    assert at_two[1] + at_two[3] / 2 == pytest.approx(160 / 640, abs=0.04)

    client.people.terms = Terms(require=True)
    path = f"/{id}/tracks/{second['tracks'][-1]}/name"
    assert (await client.ask("POST", path, 409, json={"name": "Zoë <b>"}))["title"] == "consent_missing"
    await client.ask("POST", path, 400, json={"name": "Zoë <b>", "consent": {"basis": "consent"}})
    consent = {"purpose": "x", "basis": "consent"}
    named = await client.ask("POST", path, json={"name": "Zoë <b>", "consent": consent})
    assert client.people.consented(named["person"]["id"])
    client.people.terms = Terms()
    assert named["person"]["name"] == "Zoë <b>"
    assert [one["label"] for one in named["result"]["people"]] == ["Unknown 1", "Zoë <b>"]
    assert named["result"]["people"][1]["probability"] > 0.5
    assert (
        "already"
        in (await client.ask("POST", f"/{id}/tracks/{second['number']}/name", 409, json={"name": "X"}))["detail"]
    )
    # The name is another person's, who looks different.
    clash = await client.ask("POST", f"/{id}/tracks/{first['number']}/name", 409, json={"name": "zoë <B>"})
    assert "looks different" in clash["detail"]
    await client.ask("POST", f"/{id}/tracks/{first['number']}/name", json={"name": "=1+1"})

    async with client.http.get(f"{BASE}/{id}/export.csv") as response:
        assert "attachment" in response.headers["Content-Disposition"]
        assert "meeting.csv" in response.headers["Content-Disposition"]
        rows = list(csv.DictReader(io.StringIO(await response.text())))
    assert [row["person"] for row in rows] == ["'=1+1", "Zoë <b>", "'=1+1"]
    assert rows[2]["from_time"].startswith(("00:00:04.", "00:00:05.0"))
    async with client.http.get(f"{BASE}/{id}/export.vtt") as response:
        assert response.content_type == "text/vtt"
        assert "inline" in response.headers["Content-Disposition"]
        text = await response.text()
    assert text.startswith("WEBVTT\n\n00:00:00.")
    assert "<v Zoë &lt;b&gt;>Zoë &lt;b&gt;</v>" in text
    exported = await client.ask("GET", f"/{id}/export.json")
    assert exported["people"] == (await client.ask("GET", f"/{id}/result"))["people"]
    # Names are looked up, never kept: who is forgotten is nobody here as well.
    await client.people.forget(named["person"]["id"])
    assert (await client.ask("GET", f"/{id}/result"))["people"][1]["label"] == "Unknown 1"
    assert not any("Zoë".encode() in path.read_bytes() for path in client.folder.rglob("*.json*"))

    async with client.http.get(f"{BASE}/{id}/file", headers={"Range": "bytes=4-7"}) as response:
        assert (response.status, response.content_type, await response.read()) == (206, "video/mp4", b"ftyp")
    assert (await client.ask("GET"))["items"][0]["id"] == id
    await client.ask("DELETE", f"/{id}", 204)
    assert list(client.folder.iterdir()) == []
    for path in ("", "/result", "/file", "/boxes", "/export.csv"):
        await client.ask("GET", f"/{id}{path}", 404)


async def test_cancelling_ends_its_process_and_the_next_one_has_its_turn(
    client: Client, video: bytes, long_video: bytes
) -> None:
    one, other = (await client.send(long_video))["id"], (await client.send(video))["id"]
    await client.running(one)
    assert (await client.ask("GET", f"/{other}"))["state"] == "waiting"
    assert "not done yet" in (await client.ask("GET", f"/{one}/result", 409))["detail"]
    if sys.platform == "linux":
        (child,) = children()
        assert os.getpriority(os.PRIO_PROCESS, child) == limits.NICE
    await client.ask("DELETE", f"/{one}", 204)
    assert (await client.finish(other))["state"] == "done"
    assert [folder.name for folder in client.folder.iterdir()] == [other]
    assert children() == []


def left(folder: Path) -> list[Path]:
    """What lies on the disk."""
    return list(folder.iterdir())


def children() -> list[int]:
    """The processes of videos that this one has begun."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"server.videos.job" in (status.parent / "cmdline").read_bytes():
                found.append(int(status.parent.name))
    return found


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"Dear diary, nothing happened today.\n" * 50, "no video that can be read"),
        (b"\x00\x00\x00\x18ftypisom" + bytes(5000), "no video that can be read"),
        (b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", "no video that can be read"),
        (b"ffconcat version 1.0\nfile '/etc/hostname'\n", "no video that can be read"),
        (sound_only(), "no video in this file"),
    ],
    ids=["empty", "text", "broken", "playlist", "concat", "sound"],
)
async def test_what_is_no_video_is_said_in_words(client: Client, data: bytes, words: str) -> None:
    if not data:
        assert words in (await client.send(data, status=400))["detail"]
        assert list(client.folder.iterdir()) == []
        return
    body = await client.finish((await client.send(data))["id"])
    assert body["state"] == "failed"
    assert words in body["words"]
    assert words in (await client.ask("GET", f"/{body['id']}/result", 409))["detail"]


async def test_a_truncated_video_gives_what_there_is_of_it(client: Client, tmp_path: Path) -> None:
    from tests.server.video_files import write_video

    whole = write_video(tmp_path / "a.mkv", [(0, 0, 3)], 3, "matroska").read_bytes()
    body = await client.finish((await client.send(whole[: len(whole) * 2 // 3]))["id"])
    assert body["state"] == "done", body
    (one,) = (await client.ask("GET", f"/{body['id']}/result"))["people"]
    assert 1 < one["intervals"][0][1] < 2.7


async def test_a_process_that_dies_or_hangs_fails_its_video_alone(
    client: Client, video: bytes, long_video: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform != "linux":
        pytest.skip("the process is found in /proc")
    id = (await client.send(long_video))["id"]
    await client.running(id)
    os.kill(children()[0], signal.SIGKILL)
    body = await client.finish(id)
    assert body["state"] == "failed"
    assert "was ended" in body["words"]
    monkeypatch.setattr(limits, "SILENCE", 6)
    id = (await client.send(long_video))["id"]
    await client.running(id)
    os.kill(children()[0], signal.SIGSTOP)
    body = await client.finish(id)
    assert (body["state"], body["words"]) == ("failed", "Reading this video came to a standstill.")
    assert children() == []
    monkeypatch.setattr(limits, "SILENCE", 60)
    assert (await client.finish((await client.send(video))["id"]))["state"] == "done"


async def test_a_restart_begins_anew_what_it_interrupted(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, video: bytes, long_video: bytes
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield long_video

    vault = open_vault(tmp_path_factory.mktemp("vault"))
    owner = await Videos.open(tmp_path, worker(), digest, 30, vault)
    sent = await owner.receive("meeting.mp4", chunks(), len(long_video))
    await until(lambda: (progress := owner.progress(sent.id)) and progress.done)
    await owner.close()
    seal, state_file = owner.seal(sent.id), tmp_path / sent.id / "state"

    def said() -> dict[str, Any]:
        body: dict[str, Any] = json.loads(seal.open(state_file.read_bytes(), "state"))
        return body

    def say(**words: Any) -> None:
        state_file.write_bytes(seal.seal(json.dumps({**said(), **words}).encode(), "state"))

    assert said()["state"] == "waiting"
    say(state="running", attempts=1)  # as after a power cut
    with (tmp_path / sent.id / "film").open("wb") as file, seal.writer(file) as film:
        film.write(video)  # a shorter one, so that the test is not long
    (tmp_path / ("0" * 32)).mkdir()  # an upload that never came whole
    owner = await Videos.open(tmp_path, worker(), digest, 30, vault)
    assert [one.id for one in owner.all()] == [sent.id]
    assert not (tmp_path / ("0" * 32)).exists()
    await until(lambda: owner.get(sent.id).state == "done")
    assert (owner.get(sent.id).attempts, owner.result(sent.id).is_dir()) == (2, True)
    await owner.close()

    # What other models have found says nothing to these: it is looked for anew. One that ends every server is not.
    state = said()
    owner = await Videos.open(tmp_path, worker(), lambda: "other", 30, vault)
    assert owner.get(sent.id).state in ("waiting", "running")
    await owner.close()
    say(**{**state, "state": "running", "attempts": 3})
    owner = await Videos.open(tmp_path, worker(), digest, 30, vault)
    await until(lambda: owner.get(sent.id).state == "failed")
    assert "3 times" in owner.get(sent.id).words
    await owner.close()

    say(**{**state, "created": "2001-01-01T00:00:00.000+00:00"})
    owner = await Videos.open(tmp_path, worker(), digest, 0, vault)
    await asyncio.sleep(0.1)
    assert len(owner.all()) == 1
    await owner.close()
    owner = await Videos.open(tmp_path, worker(), digest, 30, vault)
    await until(lambda: not owner.all())
    await owner.close()
    assert left(tmp_path) == []
    assert (vault.keyring.count(), vault.keyring.destroyed()) == ({}, 1)
    vault.close()


async def test_more_than_it_takes_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as tight:
        tight.setattr(limits, "FILE_BYTES", 1 << 20)
        assert "A video may have" in (await client.send(bytes(2 << 20), status=413))["detail"]
        tight.setattr(limits, "TOTAL_BYTES", 1 << 19)
        assert "are kept at most" in (await client.send(bytes(1 << 20), status=413))["detail"]
    monkeypatch.setattr(limits, "VIDEOS", 0)
    assert "delete some first" in (await client.send(b"x", status=413))["detail"]
    monkeypatch.setattr(limits, "VIDEOS", 9)
    monkeypatch.setattr(limits, "SPARE_BYTES", 1 << 62)
    assert "nearly full" in (await client.send(b"x", status=413))["detail"]
    monkeypatch.setattr(limits, "SPARE_BYTES", 0)
    monkeypatch.setattr(limits, "FILE_BYTES", 10)
    chunked = (part for part in (b"x" * 8, b"y" * 8))

    async def parts() -> AsyncIterator[bytes]:
        for part in chunked:
            yield part

    async with client.http.post(BASE + "?file=a.mp4", data=parts()) as response:
        assert response.status == 413
    assert list(client.folder.iterdir()) == []


async def test_an_upload_that_breaks_off_leaves_nothing(client: Client) -> None:
    place = client.http._base_url
    assert place is not None
    _, writer = await asyncio.open_connection(place.host, place.port)
    head = f"POST {BASE}?file=a.mp4 HTTP/1.1\r\nHost: localhost:{place.port}\r\nContent-Length: 5000\r\n\r\n"
    writer.write(head.encode() + b"only this")
    await writer.drain()
    await until(lambda: left(client.folder))
    writer.close()
    await writer.wait_closed()
    await until(lambda: not left(client.folder))
    assert (await client.ask("GET"))["items"] == []


@pytest.mark.parametrize("file", ["", "a\nb.mp4", "x" * 401])
async def test_names_that_make_no_sense_are_refused(client: Client, file: str) -> None:
    assert "file names" in (await client.send(b"x", file, 400))["detail"]


@pytest.mark.parametrize(
    "path", ["/boxes?from=-1", "/boxes?from=0&to=9999", "/boxes?from=nan", "/boxes?from=x", "/boxes?from=5&to=1"]
)
async def test_times_that_make_no_sense_are_refused(client: Client, path: str) -> None:
    id = (await client.send(b"no video"))["id"]
    await client.finish(id)
    await client.ask("GET", f"/{id}{path}", 400)


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"name": 1}', b'{"name": ""}', b'{"name": "A", "b": 1}'])
async def test_names_that_are_none_are_refused(client: Client, body: bytes, video: bytes, tmp_path: Path) -> None:
    id = (await client.send(b"no video"))["id"]
    await client.finish(id)
    status = 400 if body in (b"{", b"[]", b"{}") or b"b" in body else 409
    await client.ask("POST", f"/{id}/tracks/1/name", status, data=body)


async def test_pages_of_videos_and_addresses_that_lead_nowhere(client: Client) -> None:
    ids = [(await client.send(b"no video", f"{n}.mp4"))["id"] for n in range(9)]  # several in a millisecond
    first = await client.ask("GET", "?limit=2")
    rest = await client.ask("GET", f"?limit=7&cursor={first['next']}")
    assert [one["id"] for one in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next"] is None
    for query in ("limit=0", "limit=x", "limit=999", "cursor=nowhere"):
        await client.ask("GET", f"?{query}", 400)
    for path in ("/" + "0" * 32, f"/{ids[0]}/pictures/1.jpg/..", "/" + "x" * 32, f"/{ids[0]}/export.exe"):
        await client.ask("GET", path, 404)
    for id in ids:
        await client.finish(id)


async def test_guests_see_no_videos(serving: Any, tmp_path: Path) -> None:
    models = open_models()
    people = await People.open(tmp_path / "p.sqlite3", digest(), models.embedder.spec.dimension)
    owner = await Videos.open(tmp_path / "videos", worker(), digest, 30, people.vault)
    routes = VideoRoutes(owner, people, lambda: models, True, 30)
    async with serving(parts=(lambda app: setup_videos(app, routes),), accounts=accounts()) as served:
        async with served.client(headers=await link(served.access)) as http:
            for method in ("GET", "POST"):
                async with http.request(method, served.lan + BASE) as response:
                    assert response.status == 403
        async with aiohttp.ClientSession(served.local) as http, http.get("/videos") as response:
            assert response.status == 200
            assert "videos/main.js" in await response.text()
    await owner.close()
    await people.close()


def test_every_limit_has_its_words() -> None:
    assert videos.ATTEMPTS == 3
    for arguments, words in [
        ((640, 480, 10.0, 33), "33 streams"),
        ((9000, 480, 10.0, 1), "9000×480"),
        ((8192, 8192, 10.0, 1), "8192×8192"),
        ((8, 8, 10.0, 1), "8×8"),
        ((640, 480, 1e6, 1), "longer than 6 hours"),
    ]:
        with pytest.raises(limits.VideoRefused, match=words):
            limits.check(*arguments)
    limits.check(640, 480, None, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux")
def test_a_worker_gets_no_more_memory_and_time_than_a_video_may_take() -> None:
    words = (
        "import os, resource\n"
        "from server.videos import limits\n"
        "limits.be_modest()\n"
        "limits.bound_time(6.0)\n"
        "limits.give_way()\n"
        "assert os.sched_getscheduler(0) == os.SCHED_IDLE\n"
        "print(os.nice(0), *resource.getrlimit(resource.RLIMIT_CPU))\n"
        "try:\n    bytearray(limits.MEMORY + 1)\n"
        "except MemoryError:\n    print('no more')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", words], env=environment(), capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == [str(os.nice(0) + limits.NICE), "180", "185", "no", "more"]
