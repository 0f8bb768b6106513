"""Sources over HTTP and through restarts: a face from a file in a room, who may ask, and that no password comes out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from pipeline.frame_pipeline import PipelineConfig
from server.live.camera import LiveCamera
from server.live.session import LiveSession
from server.peers import Full, PeerRegistry, at_most
from server.people import People
from server.relay.feed import FeedEnded
from server.sources import reasons
from server.sources.address import BadAddress
from server.sources.sources import FULL, Fetched, Sources, TooManySources
from server.storage import BadName
from server.storage.sources import read_sources
from tests.packs import open_models
from tests.server.loopback import LOOPBACK, moving_bars
from tests.server.source_media import PASSWORD, USER, write_clip
from tests.server.test_live_session import portrait, samples
from tests.server.test_sources_link import Watched, sources_at_work
from tests.server.test_sources_relaying import decoded
from tests.server.whole import Whole, serving_all
from tracking import DEFAULT_POLICY

HALL = "/rooms/hall/sources"
SECRET = f"rtsp://{USER}:{PASSWORD}@127.0.0.1:9/live?password={PASSWORD}"


def until(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Wait for something, and give it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "the door.mp4", portrait(0), rate=15)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("whole")
    with serving_all(folder, max_sources=3) as whole:
        yield whole
    assert sources_at_work() == []


@pytest.fixture(autouse=True)
def _none_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "whole" in request.fixturenames:
        whole = request.getfixturevalue("whole")
        for source in whole.ask("GET", HALL).json["sources"]:
            assert whole.ask("DELETE", f"{HALL}/{source['id']}").status == 204


def add(whole: Whole, url: str, **more: Any) -> dict[str, Any]:
    answer = whole.ask("POST", HALL, {"url": url, **more})
    assert answer.status == 201, answer.body
    added: dict[str, Any] = answer.json
    return added


def test_a_file_is_a_camera_of_the_room_and_its_faces_are_recognised(whole: Whole, clip: Path) -> None:
    added = add(whole, clip.as_uri(), name="Door")
    assert added == {
        "id": added["id"], "name": "Door", "url": clip.as_uri(), "state": added["state"], "reason": None,
        "retry_in": None, "camera": added["camera"],
    }  # fmt: skip
    assert added["state"] in ("connecting", "live")
    session = f"/sessions/{added['camera']}"
    found = until(lambda: [f for f in whole.ask("GET", session).json["faces"] if f["identity"] == "unknown"])
    assert len(found) == 1
    track = found[0]["track"]
    (listed,) = whole.ask("GET", HALL).json["sources"]
    assert (listed["state"], listed["camera"]) == ("live", added["camera"])
    report = whole.ask("GET", session).json
    assert (report["room"], report["guest"]) == ("hall", False)
    before = report["results"]
    until(lambda: whole.ask("GET", session).json["results"] > before + 60)  # twice through the file
    assert [face["track"] for face in whole.ask("GET", session).json["faces"]] in ([track], [track + 1])
    assert whole.ask("DELETE", f"{HALL}/{added['id']}").status == 204
    assert whole.ask("GET", session).status == 404
    assert whole.ask("GET", HALL).json == {"sources": []}


def test_of_an_address_nothing_secret_comes_out(whole: Whole, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    added = add(whole, SECRET)
    assert added["name"] == "127.0.0.1"
    down = until(lambda: [s for s in whole.ask("GET", HALL).json["sources"] if s["state"] == "retrying"])[0]
    assert down["reason"] == reasons.UNREACHABLE
    assert 0 <= down["retry_in"] <= 2
    assert down["url"] == "rtsp://127.0.0.1:9/live?password=…"
    asked = [HALL, "/sessions", f"/sessions/{added['camera']}", "/openapi.json"]
    said = b"".join(whole.ask("GET", path).body for path in asked)
    said += whole.ask("POST", HALL, {"url": SECRET.replace("rtsp", "tcp")}).body
    said += whole.ask("POST", HALL, {"url": SECRET, "name": ""}).body
    said += whole.ask("DELETE", f"{HALL}/{added['id']}").body
    assert PASSWORD.encode() not in said
    assert reasons.UNREACHABLE in caplog.text
    assert PASSWORD not in caplog.text
    stored = b"".join(file.read_bytes() for file in whole.data.glob("people.sqlite3*"))
    assert PASSWORD.encode() not in stored


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "Send a URL"),
        (b"{", "Send a URL"),
        ([], "Send a URL"),
        ({"name": "x"}, "Send a URL"),
        ({"url": "rtsp://h/", "user": "x"}, "Send a URL"),
        ({"url": 7}, "is text"),
        ({"url": "rtsp://h/", "name": 7}, "name must be text"),
        ({"url": "rtsp://h/", "name": None}, "name must be text"),
        ({"url": "rtsp://h/", "name": " "}, "must not be empty"),
        ({"url": "gopher://h/"}, "begins with one of"),
        ({"url": "/etc/passwd"}, "begins with one of"),
        ({"url": "rtsp://"}, "names no host"),
    ],
)
def test_what_is_no_source_is_refused(whole: Whole, body: Any, words: str) -> None:
    answer = whole.ask("POST", HALL, body)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json; charset=utf-8")
    assert words in answer.json["detail"]
    assert whole.ask("GET", HALL).json == {"sources": []}


def test_rooms_and_sources_that_are_not_there(whole: Whole, clip: Path) -> None:
    assert whole.ask("POST", "/rooms/a%20b/sources", {"url": clip.as_uri()}).status == 400
    assert whole.ask("GET", "/rooms/elsewhere/sources").json == {"sources": []}
    assert whole.ask("DELETE", f"{HALL}/{'0' * 32}").status == 404
    added = add(whole, clip.as_uri())
    assert added["name"] == "the door.mp4"
    assert whole.ask("DELETE", f"/rooms/elsewhere/sources/{added['id']}").status == 404


def test_who_joined_by_a_link_has_the_server_call_nobody(whole: Whole) -> None:
    wish = {"url": SECRET}
    for method, path, body in (("GET", HALL, None), ("POST", HALL, wish), ("DELETE", f"{HALL}/{'0' * 32}", None)):
        assert whole.ask(method, path, body, lan=True).status == 401
        for came in (whole.sign_in("host"), {"key": whole.invite("host", "hall")}):
            assert whole.ask(method, path, body, lan=True, **came).status == 403
    for scope, status in (("people", 403), ("admin", 201)):
        key = whole.make_key(scope)
        assert whole.ask("POST", HALL, wish, lan=True, key=key).status == status


def test_there_is_an_end_of_sources(whole: Whole) -> None:
    for _ in range(3):
        add(whole, "rtsp://127.0.0.1:9/")
    refused = whole.ask("POST", HALL, {"url": "rtsp://127.0.0.1:9/"})
    assert refused.status == 409
    assert "max_sources" in refused.json["detail"]


def test_answers_are_as_they_are_described(whole: Whole) -> None:
    spec = whole.ask("GET", "/openapi.json").json
    path = spec["paths"]["/api/v1/rooms/{room}/sources"]
    added = add(whole, SECRET)
    for value, method, status in ((added, "post", "201"), (whole.ask("GET", HALL).json, "get", "200")):
        schema = path[method]["responses"][status]["content"]["application/json"]["schema"]
        jsonschema_rs.validate({"components": spec["components"], **schema}, value)


def test_sources_are_fetched_again_after_a_restart(tmp_path: Path, clip: Path) -> None:
    with serving_all(tmp_path) as whole:
        first = add(whole, clip.as_uri(), name="Door")
        add(whole, SECRET)
    assert sources_at_work() == []
    with serving_all(tmp_path) as whole:
        again = until(lambda: [s for s in whole.ask("GET", HALL).json["sources"] if s["state"] == "live"])[0]
        assert (again["id"], again["name"]) == (first["id"], "Door")
        assert again["camera"] != first["camera"]
        assert len(whole.ask("GET", HALL).json["sources"]) == 2
    assert not [t for t in threading.enumerate() if "source" in t.name]


# -- without HTTP ----------------------------------------------------------------------------------------------------


class House:
    """People, peers, and sources of theirs."""

    def __init__(self, people: People, most: int) -> None:
        self.people = people
        self.made: list[Watched] = []
        self.peers = PeerRegistry(LOOPBACK, self._make, at_most(most))
        self.sources: Sources

    def _make(self, _link: Any) -> Watched:
        self.made.append(Watched())
        return self.made[-1]

    async def kept(self) -> list[Any]:
        return await self.people.run(lambda store: read_sources(store.engine))


@contextlib.asynccontextmanager
async def housing(folder: Path, most: int = 4, limit: int = 3) -> AsyncIterator[House]:
    people = await People.open(folder / "p.sqlite3", "a" * 64, 128)
    house = House(people, most)
    house.sources = await Sources.open(people, house.peers, limit, (0.1,))
    yield house
    await house.sources.close()
    assert house.peers.sessions == 0
    await house.peers.close_all("shutdown")
    await people.close()


async def test_they_count_among_the_sessions(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", moving_bars(count=10)).as_uri()
    async with housing(tmp_path, most=1) as house:
        first = await house.sources.add("hall", clip)
        assert house.peers.sessions == 1
        with pytest.raises(Full):
            await house.sources.add("hall", clip)
        assert [source.id for source in await house.kept()] == [first.kept.id]
        assert await house.sources.remove("hall", first.kept.id)
        assert house.peers.sessions == 0
        await house.sources.add("hall", clip)
    async with housing(tmp_path, most=2) as house:
        await house.sources.add("other", clip)
    async with housing(tmp_path, most=1) as house:  # fewer than there are: one waits
        (waiting,) = house.sources.of("other")
        assert (waiting.status.state, waiting.status.reason, waiting.link) == ("retrying", FULL, None)
        assert waiting.status.retry_in is not None
        (first,) = house.sources.of("hall")
        await house.sources.remove("hall", first.kept.id)
        await Watched().until(lambda: waiting.status.state == "live")


async def test_what_is_refused_is_not_kept(tmp_path: Path) -> None:
    async with housing(tmp_path, limit=1) as house:
        for room, url, name, error in (
            ("hall", "no address", None, BadAddress),
            ("a b", "rtsp://h/", None, BadName),
            (None, "rtsp://h/", None, BadName),
            ("hall", "rtsp://h/", "\0", BadName),
        ):
            with pytest.raises(error):
                await house.sources.add(room, url, name)
        await house.sources.add("hall", "rtsp://127.0.0.1:9/")
        with pytest.raises(TooManySources):
            await house.sources.add("hall", "rtsp://127.0.0.1:9/")
        assert len(await house.kept()) == 1
    async with housing(tmp_path, limit=0) as house:
        (beyond,) = house.sources.of("hall")
        assert "max_sources" in str(beyond.status.reason)
        assert house.peers.sessions == 0


async def test_a_session_that_fails_is_begun_anew_and_one_its_host_ends_is_not(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", moving_bars(count=10)).as_uri()
    async with housing(tmp_path) as house:
        source = await house.sources.add("hall", clip)
        await house.made[0].until(lambda: len(house.made[0].frames) > 3)
        assert source.link is not None
        source.link.end("internal error")
        await house.made[0].until(lambda: len(house.made) == 2 and len(house.made[1].frames) > 3)
        assert house.made[0].closed == ["internal error"]
        source.link.end("ended")  # as DELETE rooms/…/cameras/… does
        await house.made[0].until(lambda: house.sources.of("hall") == [])
        await asyncio.sleep(0.3)
        assert await house.kept() == []
        assert len(house.made) == 2


@contextlib.asynccontextmanager
async def recognising(folder: Path) -> AsyncIterator[Sources]:
    """Sources with sessions such as browsers have; Ada is known."""
    models = open_models()
    manifest = models.manifest
    people = await People.open(folder / "p.sqlite3", manifest.digest, manifest.embedder.dimension)
    await people.add_person("Ada", samples(0))
    executor = ThreadPoolExecutor(2)

    def session_of(link: Any) -> LiveSession:
        return LiveSession(
            link, models, people, executor, PipelineConfig(), DEFAULT_POLICY, camera=LiveCamera(link.visit.name)
        )

    peers = PeerRegistry(LOOPBACK, session_of, at_most(2))
    sources = await Sources.open(people, peers, 2, (0.1,))
    yield sources
    await sources.close()
    await peers.close_all("shutdown")
    executor.shutdown()
    await people.close()


def session_of(fetched: Fetched) -> LiveSession:
    assert fetched.link is not None
    session = fetched.link.handler
    assert isinstance(session, LiveSession)
    return session


async def test_someone_enrolled_is_known_from_a_file(tmp_path: Path, clip: Path) -> None:
    async with recognising(tmp_path) as sources:
        session = session_of(await sources.add("hall", clip.as_uri(), "Door"))
        assert session.camera.name == "Door"
        await Watched().until(lambda: [face.name for face in session.faces] == ["Ada"], 15)
        await Watched().until(lambda: session.camera.state(time.time())["rate"] > 10)
        state = session.camera.state(time.time())
        assert (state["width"], state["height"], state["codec"]) == (640, 480, "H264")
        assert state["latency_p95_ms"] < 1000


async def test_what_browsers_cannot_show_is_encoded_while_somebody_watches(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", portrait(0), bf="2")
    async with recognising(tmp_path) as sources:
        session = session_of(await sources.add("hall", clip.as_uri()))
        await Watched().until(lambda: session.stats()["results"] > 5)
        assert session.feed.bytes == 0
        got: list[Any] = []
        async with asyncio.timeout(10):
            watcher = session.feed.subscribe()
            while len(got) < 10:
                try:
                    got.append(await watcher.next())
                except FeedEnded:  # of whoever came before there was a codec
                    watcher = session.feed.subscribe()
        assert {picture.codec for picture in got} == {"VP8"}
        assert len(decoded("VP8", [picture.data for picture in got])) == 10
