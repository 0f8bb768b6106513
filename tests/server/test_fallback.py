"""Where UDP is blocked: pictures over a WebSocket, never more of them than get through, and bad ones refused."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import struct
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from server.fallback.jpeg import MAX_BYTES, BadPicture, JpegDecoder, size_of
from server.fallback.link import BAD_PICTURES, HEADER
from server.fallback.routes import setup_fallback
from server.peers import PeerRegistry, at_most
from server.signalling import setup_whip
from tests.server.loopback import LOOPBACK, Recorder
from tests.server.signing import accounts, link

PATH = "/api/v1/fallback"


def jpeg(width: int = 320, height: int = 240, value: int = 90, **options: Any) -> bytes:
    out = io.BytesIO()
    picture = np.full((height, width, 3), value, np.uint8)
    picture[: height // 2] = 255 - value
    Image.fromarray(picture).save(out, "JPEG", **options)
    return out.getvalue()


def packed(number: int, data: bytes, taken: float = 1_800_000_000.25) -> bytes:
    return HEADER.pack(number, taken) + data


class Door:
    def __init__(self, served: Any, peers: PeerRegistry, client: aiohttp.ClientSession, made: list[Recorder]) -> None:
        self.served, self.peers, self.client, self.made = served, peers, client, made

    def open(self, query: str = "", **options: Any) -> Any:
        return self.client.ws_connect(self.served.local + PATH + query, **options)


@pytest.fixture
def door(serving):  # type: ignore[no-untyped-def]
    @contextlib.asynccontextmanager
    async def open_door(work: float = 0.0, most: int = 2) -> AsyncIterator[Door]:
        made: list[Recorder] = []

        def make(_link: Any) -> Recorder:
            made.append(Recorder(work))
            return made[-1]

        peers = PeerRegistry(LOOPBACK, make, at_most(most))
        executor = ThreadPoolExecutor(1)
        parts = (lambda app: setup_whip(app, peers), lambda app: setup_fallback(app, peers, executor))
        async with (
            serving(parts=parts, end_sessions=peers.close_all, accounts=accounts()) as served,
            aiohttp.ClientSession() as client,
        ):
            yield Door(served, peers, client, made)
        executor.shutdown()
        assert peers.sessions == 0

    return open_door


async def heard(socket: Any, kind: str) -> dict[str, Any]:
    """The next message of a kind."""
    async with asyncio.timeout(5):
        while True:
            said = json.loads(await socket.receive_str())
            if said["type"] == kind:
                return dict(said)


async def test_a_picture_comes_as_a_frame_with_its_time_and_is_acknowledged(door) -> None:  # type: ignore[no-untyped-def]
    async with door() as house, house.open() as socket:
        for number in (7, 8, 9):
            await socket.send_bytes(packed(number, jpeg(value=30 * number - 200)))
            assert (await heard(socket, "ack"))["frame"] == number
            await asyncio.sleep(0.05)
        (recorder,) = house.made
        frames = [frame for _, frame in recorder.frames]
        assert [frame.rtp for frame in frames] == [7, 8, 9]
        assert {frame.capture for frame in frames} == {1_800_000_000.25}
        assert {(frame.frame.width, frame.frame.height) for frame in frames} == {(320, 240)}
        assert 0 == frames[0].time < frames[1].time < frames[2].time < 2
        assert abs(frames[0].received - time.time()) < 5
        assert recorder.opened.is_set()


async def test_of_many_pictures_the_newest_is_taken(door) -> None:  # type: ignore[no-untyped-def]
    async with door(work=0.1) as house, house.open() as socket:
        for number in range(1, 31):
            await socket.send_bytes(packed(number, jpeg()))
        while (await heard(socket, "ack"))["frame"] != 30:
            pass
        frames = [frame for _, frame in house.made[0].frames]
        assert len(frames) < 10
        assert sum(frame.skipped for frame in frames) + len(frames) == 30
        link = house.peers.peers[0]
        assert link.stats()["frames"] == 30


async def test_commands_go_to_and_fro_and_the_end_is_told(door) -> None:  # type: ignore[no-untyped-def]
    async with door() as house, house.open("?room=lab&guest=1") as socket:
        await socket.send_str('{"v":1,"type":"ping"}')
        await asyncio.sleep(0.05)
        await house.made[0].until(lambda: house.made[0].commands == ['{"v":1,"type":"ping"}'])
        link = house.peers.peers[0]
        assert (link.visit.room, link.visit.guest) == ("lab", True)
        assert link.send_result('{"v":1,"type":"result","seq":0}')
        assert (await heard(socket, "result"))["seq"] == 0
        await link.close("shutdown")
        assert (await heard(socket, "bye"))["reason"] == "shutdown"
        assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


async def test_a_page_that_goes_ends_its_session(door) -> None:  # type: ignore[no-untyped-def]
    async with door() as house:
        async with house.open() as socket:
            await socket.send_bytes(packed(1, jpeg()))
            await heard(socket, "ack")
        await asyncio.wait_for(house.made[0].ended.wait(), 3)
        assert house.made[0].closed == ["closed"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "number, a time"),
        (b"\0" * 12, "number, a time"),
        (packed(1, b"hello"), "must be a JPEG"),
        (packed(1, jpeg()[:40]), "whole JPEG"),
        (packed(1, jpeg(8, 8)), "too small"),
        (packed(1, jpeg(2000, 2000)), "too large"),
        (packed(1, jpeg().replace(struct.pack(">HH", 240, 320), struct.pack(">HH", 65000, 65000))), "too large"),
    ],
)
async def test_a_bad_picture_is_refused_and_the_next_good_one_taken(door, data: bytes, words: str) -> None:  # type: ignore[no-untyped-def]
    async with door() as house, house.open() as socket:
        await socket.send_bytes(data)
        error = await heard(socket, "error")
        assert error["code"] == "bad_picture"
        assert words in error["message"]
        await socket.send_bytes(packed(2, jpeg()))
        while (await heard(socket, "ack"))["frame"] != 2:
            pass
        assert len(house.made[0].frames) == 1


async def test_nothing_but_nonsense_ends_the_session_and_no_other(door) -> None:  # type: ignore[no-untyped-def]
    async with door() as house, house.open() as bad, house.open() as good:
        for _ in range(BAD_PICTURES):
            await bad.send_bytes(b"x")
        assert (await heard(bad, "bye"))["reason"] == "too_many_errors"
        await good.send_bytes(packed(1, jpeg()))
        assert (await heard(good, "ack"))["frame"] == 1


async def test_a_message_that_is_too_long_is_not_read(door) -> None:  # type: ignore[no-untyped-def]
    async with door() as house, house.open() as socket:
        await socket.send_bytes(packed(1, jpeg() + b"\0" * MAX_BYTES))
        async with asyncio.timeout(5):
            while not socket.closed:
                await socket.receive()
        assert socket.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
        assert house.made[0].frames == []


async def test_who_may_come_in(door) -> None:  # type: ignore[no-untyped-def]
    async with door(most=1) as house:
        async with house.client.get(house.served.local + PATH) as response:
            assert (response.status, response.content_type) == (426, "application/problem+json")
        for query, status in (("?guest=perhaps", 400), ("?room=a%20b", 400), ("?resume=" + "x" * 65, 400)):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await house.open(query)
            assert refused.value.status == status
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:  # another site's page
            await house.open(headers={"Origin": "https://elsewhere.example"})
        assert refused.value.status == 403
        async with house.served.client() as outside:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await outside.ws_connect(house.served.lan + PATH)
            assert refused.value.status == 401
            bearer = await link(house.served.access)
            async with outside.ws_connect(house.served.lan + PATH, headers=bearer) as socket:
                await socket.send_bytes(packed(1, jpeg()))
                await heard(socket, "ack")
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await house.open()
                assert refused.value.status == 503


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 5}, {"comment": b"x" * 70}]
)
def test_any_usual_jpeg_is_decoded(options: dict[str, Any]) -> None:
    data = jpeg(322, 242, **options)
    assert size_of(data) == (322, 242)
    frame = JpegDecoder().decode(data)
    assert isinstance(frame, av.VideoFrame)
    assert abs(int(frame.to_ndarray(format="gray")[5, 5]) - 165) < 6


@given(at=st.integers(0, 600), value=st.integers(0, 255), cut=st.integers(0, 700))
def test_no_damage_does_harm(at: int, value: int, cut: int) -> None:
    data = bytearray(jpeg(64, 48))
    data[at % len(data)] = value
    with contextlib.suppress(BadPicture):
        assert JpegDecoder().decode(bytes(data[: len(data) - cut])).width <= 65535
