from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.face_models import PhotoFace, main_face, read_photo
from pipeline.frame_pipeline import PipelineConfig
from server import __version__
from server.live.session import LiveSession
from server.peers import PeerRegistry, at_most
from server.people import People
from server.storage import NewSample
from server.storage.room_reading import RoomReading
from server.transport import install, uninstall
from tests.packs import open_models
from tests.pictures import group_photo
from tests.server.loopback import LOOPBACK, Camera, Image, Page
from tests.server.test_reading import Reader
from tracking import DEFAULT_POLICY

FACE = 130  # pixels across
RATE = 15


@functools.cache
def faces() -> list[PhotoFace]:
    """The people of the photo, from left to right."""
    return sorted(read_photo(open_models(), group_photo()), key=lambda face: float(face.box[0]))


@functools.cache
def portrait(index: int, width: int = 640, height: int = 480) -> list[Image]:
    """A camera before one of these people, held in the hand; the neighbours are cut away."""
    x, y, w, h = (float(v) for v in faces()[index].box)
    left, top = max(0, int(x - 0.4 * w)), max(0, int(y - 0.6 * h))
    photo = group_photo()[top : int(y + 1.5 * h), left : int(x + 1.4 * w)]
    x, y = x - left, y - top
    pictures = []
    for step in range(30):
        t = 2 * np.pi * step / 30
        scale = FACE / w * (1 + 0.1 * np.sin(t)) * height / 480
        shift = np.array([width / 2 + 25 * np.sin(t), height / 2 + 15 * np.cos(t)]) - scale * np.array(
            [x + w / 2, y + h / 2]
        )
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        picture = cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        pictures.append(np.ascontiguousarray(picture))
    return pictures


@functools.cache
def samples(index: int) -> list[NewSample]:
    """What enrolment would have gathered of one of them earlier."""
    found = [main_face(read_photo(open_models(), picture), 640, 480) for picture in portrait(index)[::6]]
    return [NewSample(face.embedding, 0.8, "live") for face in found if face is not None]


class House:
    """A server without its HTTP: people, models, peers."""

    def __init__(self, people: People, peers: PeerRegistry) -> None:
        self.people = people
        self.peers = peers
        self.pages: list[Page] = []

    async def visit(self, index: int = 0) -> Page:
        """Somebody before their camera; the first face has been seen."""
        page = Page(Camera(portrait(index), RATE))
        self.pages.append(page)
        _, answer = await self.peers.open(await page.offer())
        await page.accept(answer)
        await page.until(lambda: any(result["faces"] for result in page.results), 8, "a face")
        return page


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    install(LOOPBACK)
    models = open_models()
    people = await People.open(tmp_path / "p.sqlite3", models.manifest.digest, models.manifest.embedder.dimension)
    executor = ThreadPoolExecutor(2)

    def session(peer: Any) -> LiveSession:
        return LiveSession(peer, models, people, executor, PipelineConfig(), DEFAULT_POLICY)

    opened = House(people, PeerRegistry(LOOPBACK, session, at_most(4)))
    yield opened
    for page in opened.pages:
        await page.close()
    await opened.peers.close_all("shutdown")
    executor.shutdown()
    await people.close()
    uninstall()


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three samples will do at once, where the time is not what the test is about."""
    monkeypatch.setattr("server.live.enrolment.PATIENCE", 0.0)
    monkeypatch.setattr("server.live.enrolment.SAME_VIEW_SPACING", 0.31)


def track(page: Page) -> int:
    """The number of the face in the middle, by the newest result that has one."""
    newest = next(result for result in reversed(page.results) if result["faces"])
    return int(min(newest["faces"], key=lambda f: abs(f["box"][0] + f["box"][2] / 2 - 0.5))["track"])


def names(page: Page) -> list[str | None]:
    return [face["name"] for face in page.results[-1]["faces"]]


async def test_faces_are_boxed_where_they_are(house: House) -> None:
    page = await house.visit()
    hello = await page.hears("hello")
    assert hello == {
        "v": 1,
        "type": "hello",
        "session": hello["session"],
        "resume": hello["resume"],
        "resumed": False,
        "protocol": 1,
        "version": __version__,
        "pack": "open",
        "people": 0,
        "room": None,
        "guest": False,
        "name": None,
        "recognising": True,
        "reading": {"distance": True, "gender": False, "age": False},
        "liveness": "off",
        "consent_mode": False,
    }
    assert house.peers.get(hello["session"])
    await page.until(lambda: len(page.results) > 20, what="results")
    seqs = [result["seq"] for result in page.results]
    assert seqs == sorted(set(seqs))
    for result in page.results[5:]:
        (face,) = [f for f in result["faces"] if abs(f["box"][0] + f["box"][2] / 2 - 0.5) < 0.15]
        x, y, w, h = face["box"]
        assert w * 640 == pytest.approx(FACE, rel=0.35)
        assert (x + w / 2, y + h / 2) == (pytest.approx(0.5, abs=0.09), pytest.approx(0.5, abs=0.09))
        assert (result["width"], result["height"]) == (640, 480)
        assert result["rtp"] is not None
        assert result["timing"]["sent"] >= result["timing"]["received"]
    assert page.results[-1]["faces"][0]["identity"] == "unknown"


async def test_a_typed_name_is_shown_within_four_seconds_and_kept(house: House) -> None:
    page = await house.visit()
    began = time.perf_counter()
    page.send("enrol", id=4, track=track(page), name="  Ada ")
    first = await page.hears("enrolling", id=4)
    assert (first["name"], first["samples"], first["needed"], first["hint"]) == ("Ada", 0, 5, None)
    page.send("enrol", id=5, track=track(page), name="Bea")
    assert (await page.hears("error", id=5))["code"] == "already_enrolling"
    done = await page.hears("enrolled", 5, id=4)
    await page.until(lambda: "Ada" in names(page), 3, "the name")
    assert time.perf_counter() - began < 4
    assert (done["name"], done["added_to_existing"]) == ("Ada", False)
    assert done["samples"] >= 3
    assert (await page.hears("people"))["people"] == 1
    assert (await house.people.list())[0].samples == done["samples"]
    (known,) = [face for face in page.results[-1]["faces"] if face["identity"] == "known"]
    assert (known["identity"], known["person"], known["margin"]) == ("known", done["person"], None)
    assert known["probability"] > 0.9
    second = await house.visit()  # elsewhere, too
    await second.until(lambda: "Ada" in names(second), 3, "the name")
    third = await house.visit(3)
    await asyncio.sleep(1)
    assert "Ada" not in names(third)
    # Forgotten at once, everywhere.
    await house.people.forget(done["person"])
    await second.until(lambda: names(second)[0] is None, 1, "the name's going")
    assert (await second.hears("people"))["people"] == 0


@pytest.mark.usefixtures("_quick")
async def test_the_same_name_and_face_adds_to_the_person(house: House) -> None:
    ada = await house.people.add_person("Ada", samples(0))
    page = await house.visit(0)
    page.send("enrol", id=1, track=track(page), name="ADA")
    done = await page.hears("enrolled", 5)
    assert (done["person"], done["name"], done["added_to_existing"]) == (ada.id, "Ada", True)
    assert (await house.people.list())[0].samples == len(samples(0)) + done["samples"]


@pytest.mark.usefixtures("_quick")
async def test_the_same_name_for_another_face_is_refused(house: House) -> None:
    await house.people.add_person("Ada", samples(3))
    page = await house.visit(0)
    page.send("enrol", id=1, track=track(page), name="ada")
    error = await page.hears("error", 5)
    assert (error["code"], error["name"]) == ("different_person", "Ada")
    assert [(row.name, row.samples) for row in await house.people.list()] == [("Ada", len(samples(3)))]


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize(("confirm", "after"), [("rename", ["Augusta"]), ("new", ["Ada", "Augusta"])])
async def test_a_known_face_under_another_name_is_asked_about(house: House, confirm: str, after: list[str]) -> None:
    ada = await house.people.add_person("Ada", samples(0))
    page = await house.visit(0)
    page.send("enrol", id=1, track=track(page), name="Augusta")
    error = await page.hears("error", 5)
    assert (error["code"], error["person"], error["name"]) == ("looks_like", ada.id, "Ada")
    page.send("enrol", id=2, track=track(page), name="Augusta", confirm=confirm)
    done = await page.hears("enrolled", 5)
    assert [row.name for row in await house.people.list()] == after
    assert (done["name"], done["person"] == ada.id) == ("Augusta", confirm == "rename")
    assert done["added_to_existing"] is (confirm == "rename")


async def test_commands_that_cannot_be_done_say_why(house: House) -> None:
    page = await house.visit()
    number = track(page)
    asked: list[tuple[dict[str, Any], str]] = [
        ({"type": "enrol", "track": number, "name": " "}, "bad_name"),
        ({"type": "enrol", "track": number, "name": "x" * 81}, "bad_name"),
        ({"type": "enrol", "track": number, "name": "a\x00b"}, "bad_name"),
        ({"type": "enrol", "track": number, "name": 7}, "bad_name"),
        ({"type": "enrol", "track": number}, "bad_name"),
        ({"type": "enrol", "track": 10**6, "name": "Ada"}, "no_such_track"),
        ({"type": "enrol", "track": "7", "name": "Ada"}, "bad_message"),
        ({"type": "enrol", "name": "Ada"}, "bad_message"),
        ({"type": "enrol", "track": number, "name": "Ada", "confirm": ["new"]}, "bad_message"),
        ({"type": "cancel_enrol", "track": number}, "no_such_track"),
        ({"type": "cancel_enrol"}, "bad_message"),
        ({"type": "enroll"}, "unknown_type"),
    ]
    for identity, (fields, code) in enumerate(asked):
        page.send(fields.pop("type"), id=identity, **fields)
        error = await page.hears("error", id=identity)
        assert (error["code"], len(error["message"]) > 10) == (code, True)
    assert await house.people.list() == []


@pytest.mark.usefixtures("_quick")
async def test_an_enrolment_can_be_cancelled_and_begun_again(house: House) -> None:
    page = await house.visit()
    page.send("enrol", id=1, track=track(page), name="Ada")
    await page.hears("enrolling")
    page.send("cancel_enrol", id=2, track=track(page))
    assert (await page.hears("cancelled")) == {"v": 1, "type": "cancelled", "id": 2, "track": track(page)}
    page.send("enrol", id=3, track=track(page), name="Ada")
    assert (await page.hears("enrolled", 5))["id"] == 3
    assert len(await house.people.list()) == 1


async def test_ping_and_stats(house: House) -> None:
    page = await house.visit()
    for sent, back in ((123.4, 123.4), (0, 0.0), ("x", None), (10**400, None), (True, None), (None, None)):
        page.send("ping", id="p", t=sent)
        pong = await page.hears("pong", id="p")
        assert pong["t"] == back
        assert pong["now"] == pytest.approx(time.time(), abs=1)
    page.send("stats", id=6)
    stats = (await page.hears("stats", id=6))["session"]
    assert stats["frames"] >= stats["results"] > 0
    assert stats["total_p50_ms"] > 0


async def test_nonsense_is_answered_and_twenty_times_ends_the_session(house: House) -> None:
    page = await house.visit()
    nonsense: list[str | bytes] = [
        "",
        "hello",
        b"\xff\x00",
        "[]",
        "{}",
        '{"v":1}',
        "x" * 20_000,
        '{"v":1,"type":"\\ud800"}',
    ]
    for raw in nonsense:
        page.commands.send(raw)
        error = await page.hears("error")
        assert (error["code"], error["id"]) == ("bad_message", None)
    assert house.peers.sessions == 1
    for _ in range(20 - len(nonsense)):
        page.commands.send("again")
    assert (await page.hears("bye"))["reason"] == "too_many_errors"
    await asyncio.sleep(0.3)
    assert house.peers.sessions == 0
    assert sum(message["type"] == "error" for message in page.said) == 20 - len(nonsense)
    assert not [message for message in page.said if message["type"] == "bye"]  # said once


@pytest.mark.usefixtures("_quick")
async def test_one_session_s_nonsense_is_not_another_s(house: House) -> None:
    bad, good = await house.visit(0), await house.visit(3)
    good.send("enrol", id=1, track=track(good), name="Ada")
    for _ in range(25):
        with contextlib.suppress(Exception):
            bad.commands.send("nonsense")
    await bad.hears("bye")
    done = await good.hears("enrolled", 5)
    await good.until(lambda: "Ada" in names(good), 3, "the name")
    assert done["name"] == "Ada"
    assert not [message for message in good.said if message["type"] in ("error", "bye")]
    assert house.peers.sessions == 1


@pytest.mark.usefixtures("_quick")
async def test_two_enrolling_one_name_at_once_do_not_mix(house: House) -> None:
    one, two = await house.visit(0), await house.visit(3)
    for page in (one, two):
        page.send("enrol", id=1, track=track(page), name="Ada")
    outcomes = []
    for page in (one, two):
        await page.until(lambda page=page: any(m["type"] in ("enrolled", "error") for m in page.said), 6)
        outcomes.append(next(m for m in page.said if m["type"] in ("enrolled", "error")))
    kinds = sorted(outcome.get("code", outcome["type"]) for outcome in outcomes)
    assert kinds in (["different_person", "enrolled"], ["bad_name", "enrolled"])
    assert len(await house.people.list()) == 1


async def test_a_picture_that_changes_its_size_is_followed(house: House) -> None:
    page = await house.visit()
    for width, height in ((320, 240), (480, 640), (1280, 720), (322, 242)):
        page.camera.pictures = portrait(0, width, height)
        seen = len(page.results)

        def arrived(size: tuple[int, int] = (width, height), seen: int = seen) -> bool:
            return any((r["width"], r["height"]) == size and r["faces"] for r in page.results[seen:])

        await page.until(arrived, 6, f"a face in {width}×{height}")
    assert house.peers.sessions == 1


async def test_a_page_that_says_bye_is_gone(house: House) -> None:
    page = await house.visit()
    page.send("enrol", id=1, track=track(page), name="Ada")
    page.send("bye")
    await asyncio.sleep(0.5)
    assert house.peers.sessions == 0
    assert await house.people.list() == []


async def test_a_server_that_ends_says_so(house: House) -> None:
    pages = [await house.visit(0), await house.visit(1)]
    began = time.perf_counter()
    await house.peers.close_all("shutdown")
    assert time.perf_counter() - began < 1
    for page in pages:
        assert (await page.hears("bye", 1)) == {"v": 1, "type": "bye", "reason": "shutdown"}
    assert house.people._listeners == set()


async def test_what_a_room_reads_shows_at_once_and_no_more(house: House) -> None:
    page = await house.visit()
    assert (await page.hears("hello"))["reading"] == {"distance": True, "gender": False, "age": False}
    face = page.results[-1]["faces"][0]
    assert face["distance"]["low"] < face["distance"]["m"] < face["distance"]["high"]
    assert "apparent" not in face
    session = house.peers.peers[0].handler
    assert isinstance(session, LiveSession)
    session.change_reading(RoomReading(distance=False, age=True), Reader())
    assert (await page.hears("reading"))["age"] is True
    await page.until(lambda: any("apparent" in f for f in page.results[-1]["faces"]), 8, "an age")
    face = next(f for f in page.results[-1]["faces"] if "apparent" in f)
    assert face["apparent"]["low"] <= 33 <= face["apparent"]["high"]
    assert "gender" not in face["apparent"]
    assert "distance" not in face
    (report,) = [await peer.handler.report() for peer in house.peers.peers if isinstance(peer.handler, LiveSession)]
    assert report["faces"][0]["detection"] > 0.5
    assert report["faces"][0]["distance"]["low"] < report["faces"][0]["distance"]["high"]  # though the room hides it
    assert {"overall", "yaw", "roll", "uniformity", "dynamic_range"} <= set(report["faces"][0]["quality"])
    assert report["timing"]["total"] > 0
    session.change_reading(RoomReading(distance=False), None)
    await page.until(lambda: not any("apparent" in f for f in page.results[-1]["faces"]), 8, "no age")
    assert (await session.report())["faces"][0]["apparent"] == "off"


async def test_a_camera_is_found_out_and_narrows_the_interval(house: House) -> None:
    page = await house.visit()
    wide = page.results[-1]["faces"][0]["distance"]
    page.send("camera", id=3, track=track(page), metres=1.5, **{"from": "distance"})
    assert (await page.hears("camera", 12, id=3))["known"] == "distance"
    count = len(page.results)
    await page.until(lambda: len(page.results) > count + 3, 8, "a result with the camera known")
    narrow = next(f for f in page.results[-1]["faces"] if f["track"] == track(page))["distance"]
    assert narrow["high"] / narrow["low"] < wide["high"] / wide["low"]
    assert narrow["low"] < 1.5 < narrow["high"]
    page.send("camera", id=4, pixels=-3, metres=1, width=640, height=480, **{"from": "card"})
    assert (await page.hears("error", id=4))["code"] == "bad_message"
    page.send("camera", id=6, focal=10**400, spread=0.1, known="card", **{"from": "kept"})
    assert (await page.hears("error", id=6))["code"] == "bad_message"
    page.send("camera", id=7, track=track(page), metres=1.5, **{"from": "distance"})
    page.send("camera", id=8, **{"from": "usual"})
    assert "another measurement" in (await page.hears("error", id=7))["message"]
    assert (await page.hears("camera", id=8))["known"] == "usual"
    page.send("camera", id=5, track=999, metres=1, **{"from": "distance"})
    assert (await page.hears("error", id=5))["code"] == "no_such_track"
