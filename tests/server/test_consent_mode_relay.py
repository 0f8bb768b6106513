"""Consent mode over real connections: what a viewer gets before, while and after it is on."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import av
import numpy as np
import pytest

from pipeline.align import face_chip
from server.live.session import LiveSession
from server.pixels import rgb
from server.relay.viewers import Viewers
from server.transport import is_key_frame
from tests.packs import open_models
from tests.server.loopback import LOOPBACK, Camera, Page
from tests.server.test_live_session import RATE, House, house, portrait, samples  # noqa: F401 - the fixture
from tests.server.test_relay_viewer import prefer, session_of, until, watch
from tests.server.viewing import Viewing

pytestmark = pytest.mark.alone

ON_THE_WAY = 0.15  # seconds after which everything that had left has come


@pytest.fixture
async def viewers() -> AsyncIterator[Viewers]:
    opened = Viewers(LOOPBACK, 8)
    yield opened
    await opened.close_all("shutdown")


def own_pictures(session: LiveSession) -> set[bytes]:
    """Everything the camera itself sends from now on."""
    sent: set[bytes] = set()
    publish = session.feed.publish

    def noted(codec: str, data: bytes, *more: Any, **named: Any) -> None:
        if not named.get("masked"):
            sent.add(data)
        publish(codec, data, *more, **named)

    session.feed.publish = noted  # type: ignore[method-assign]
    return sent


def decoded(data: list[bytes]) -> list[Any]:
    decoder = av.CodecContext.create("vp8", "r")
    return [rgb(picture) for piece in data for picture in decoder.decode(av.Packet(piece))]  # type: ignore[attr-defined]


def alike(image: Any, index: int) -> float:
    """How alike whoever is found in the middle of a picture is to one of the photo's people; 0: nobody is found."""
    models = open_models()
    found = models.detector.detect(image, 640)
    middle = found.boxes[:, 0] + found.boxes[:, 2] / 2
    spec = models.embedder.spec
    best = 0.0
    for at in np.flatnonzero(np.abs(middle - 320) < 80):
        embedding = models.embedder.embed([face_chip(image, found.landmarks[at], spec.template, spec.size)])[0]
        best = max(best, *(models.matcher.similarity(embedding, one.embedding) for one in samples(index)))
    return best


async def test_no_picture_shows_who_it_was_once_the_mode_is_on(house: House, viewers: Viewers) -> None:  # noqa: F811
    bob = await house.people.add_person("Bob", samples(0))
    page = await house.visit(0)
    await page.until(lambda: page.results[-1]["faces"][0]["name"] == "Bob", 5, "the name")
    session = session_of(house)
    own = own_pictures(session)
    viewing = Viewing()
    viewer = await watch(viewers, session, viewing)
    await until(lambda: len(viewing.frames) > 10 and viewing.results)
    needed = open_models().matcher.threshold(1)
    assert alike(decoded([frame.data for _, frame in viewing.frames])[-1], 0) > needed  # the test can tell
    assert viewing.results[-1][1]["faces"][0]["name"] == "Bob"

    session.set_consent_mode(True)
    assert viewer._forwarder is not None
    assert viewer._forwarder._kept == {}  # nor is an older one sent again
    assert (await page.hears("consent_mode"))["on"] is True
    await asyncio.sleep(ON_THE_WAY)
    seen, told = len(viewing.frames), len(viewing.results)
    await until(lambda: len(viewing.frames) > seen + 15 and len(viewing.results) > told + 5)
    data = [frame.data for _, frame in viewing.frames]
    begun = next(at for at, piece in enumerate(data) if piece not in own)
    assert is_key_frame(data[begun])
    assert not own & set(data[begun:])
    assert begun <= seen + 1
    pictures = decoded(data[begun:])
    assert len(pictures) > 10
    assert max(alike(image, 0) for image in pictures) < needed
    for _, result in viewing.results[told:]:
        for one in result["faces"]:
            assert (one["identity"], one["name"], one["person"], one["probability"]) == ("unknown", None, None, None)
            assert one["landmarks"] == []
            assert "apparent" not in one
    assert page.results[-1]["faces"][0]["person"] == bob.id  # its own page sees its own picture
    assert any(one.get("consent_mode") is True or one["type"] == "consent_mode" for one in viewing.said)
    assert all(face["name"] is None for face in (await session.report())["faces"])
    # About 15 a second, each at its place in time.
    stamps = np.diff([frame.timestamp for _, frame in viewing.frames[begun + 2 :]].copy())
    assert 4000 < np.median(stamps) < 14_000
    offset = [one["offset"] for one in viewing.said if one["type"] == "clock"][-1]
    marked = {frame.timestamp for _, frame in viewing.frames[begun:]}
    assert any((result["rtp"] + offset) & 0xFFFFFFFF in marked for _, result in viewing.results[told:])

    session.set_consent_mode(False)
    seen = len(viewing.frames)
    await until(lambda: len(viewing.frames) > seen + 10)
    assert {frame.data for _, frame in viewing.frames[-5:]} <= own
    await viewing.close()


async def test_whoever_has_consented_is_shown_until_they_withdraw(house: House, viewers: Viewers) -> None:  # noqa: F811
    ada = await house.people.add_person("Ada", samples(0))
    consented = {ada.id}
    page = await house.visit(0)
    session = session_of(house)
    session._consent.consented = consented.__contains__
    session.set_consent_mode(True)
    await page.until(lambda: page.results[-1]["faces"][0]["name"] == "Ada", 5, "the name")
    viewing = Viewing()
    await watch(viewers, session, viewing)
    await until(lambda: len(viewing.frames) > 20 and len(viewing.results) > 5)
    needed = open_models().matcher.threshold(1)
    assert viewing.results[-1][1]["faces"][0]["name"] == "Ada"
    assert alike(decoded([frame.data for _, frame in viewing.frames])[-1], 0) > needed
    consented.clear()
    await asyncio.sleep(ON_THE_WAY)
    seen = len(viewing.frames)
    await until(lambda: len(viewing.frames) > seen + 5)
    assert alike(decoded([frame.data for _, frame in viewing.frames])[-1], 0) < needed
    assert viewing.results[-1][1]["faces"][0]["name"] is None
    await viewing.close()


async def test_a_camera_with_another_codec_is_watched_anew(house: House, viewers: Viewers) -> None:  # noqa: F811
    page = Page(Camera(portrait(0), RATE))
    house.pages.append(page)
    await prefer(page, "H264")
    _, answer = await house.peers.open(await page.offer())
    await page.accept(answer)
    await until(lambda: house.peers.handlers and session_of(house).codec == "H264")
    session = session_of(house)
    viewing = Viewing()
    await watch(viewers, session, viewing)
    await until(lambda: len(viewing.frames) > 3 and viewing.said)
    session.set_consent_mode(True)
    assert session.codec == "VP8"
    await until(lambda: viewing.said[-1]["type"] == "bye")
    assert viewing.said[-1]["reason"] == "codec changed"
    await viewing.close()
    again = Viewing()
    await watch(viewers, session, again)
    await until(lambda: len(again.frames) > 5)
    pictures = decoded([frame.data for _, frame in again.frames])
    assert alike(pictures[-1], 0) < open_models().matcher.threshold(1)
    await again.close()


async def test_a_session_keeps_nothing_of_whoever_has_left(house: House) -> None:  # noqa: F811
    page = await house.visit(0)
    session = session_of(house)
    session.set_consent_mode(True)
    await page.until(lambda: page.results[-1]["faces"][0]["votes"] >= 3, 5, "evidence")

    def templates() -> list[weakref.ref[Any]]:
        return [weakref.ref(v) for t in session._pipeline.tracker.visible for v in t.evidence._vectors]

    kept = templates()
    assert kept
    page.camera.pictures = [np.full((480, 640, 3), 90, np.uint8)]
    await page.until(lambda: not page.results[-1]["faces"], 8, "nobody")
    await until(lambda: not session._pipeline.tracker.visible)
    await until(lambda: (gc.collect(), not any(one() is not None for one in kept))[1], 5)


@pytest.mark.parametrize("how", ["paused", "silent", "broken"])
async def test_a_session_without_pictures_keeps_nobody(house: House, how: str) -> None:  # noqa: F811
    page = await house.visit(0)
    session = session_of(house)
    session.set_consent_mode(True)
    await page.until(lambda: page.results[-1]["faces"][0]["votes"] >= 3, 5, "evidence")
    kept = [weakref.ref(v) for t in session._pipeline.tracker.visible for v in t.evidence._vectors]
    assert kept
    if how == "paused":
        session.recognise(False)
    elif how == "silent":
        page.camera.paused = True
    else:
        await page.close()
        house.peers.peers[0].end("closed")
    await until(lambda: (gc.collect(), session.faces == () and not any(one() is not None for one in kept))[1], 8)
    assert session in house.peers.handlers
