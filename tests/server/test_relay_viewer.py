"""Viewers over real connections: the camera's own pictures, its results, and no decoding or encoding for them."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import av
import pytest
from aiortc import RTCPeerConnection

from server.live.session import LiveSession
from server.relay.viewer import Viewer
from server.relay.viewers import TooMany, Viewers
from server.sdp import OfferError
from server.transport import is_key_frame
from tests.server.loopback import LOOPBACK, Camera, Page
from tests.server.test_live_session import RATE, House, house, portrait  # noqa: F401 - the fixture
from tests.server.viewing import Viewing


@pytest.fixture
async def viewers() -> AsyncIterator[Viewers]:
    opened = Viewers(LOOPBACK, 8)
    yield opened
    await opened.close_all("shutdown")


async def until(condition: Callable[[], Any], seconds: float = 8.0) -> None:
    deadline = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.01)


def session_of(house: House) -> LiveSession:  # noqa: F811
    session = house.peers.handlers[0]
    assert isinstance(session, LiveSession)
    return session


async def watch(viewers: Viewers, session: LiveSession, viewing: Viewing) -> Viewer:
    viewer, answer = await viewers.open(session, await viewing.offer())
    await viewing.accept(answer)
    return viewer


async def prefer(page: Page, codec: str) -> None:
    """Let this page send in no other codec."""
    transceiver = page.pc.getTransceivers()[0]
    known = type(transceiver.sender).getCapabilities("video").codecs
    transceiver.setCodecPreferences([one for one in known if one.mimeType == f"video/{codec}"])


@pytest.mark.parametrize(("codec", "stock"), [("VP8", False), ("H264", False), ("VP8", True), ("H264", True)])
async def test_pictures_go_on_as_they_came(
    house: House,  # noqa: F811
    viewers: Viewers,
    codec: str,
    stock: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if stock:  # an aiortc without the names that quick sending needs
        monkeypatch.setattr("server.transport.sender.RELAY_NAMES", ("nothing of this name",))
    page = Page(Camera(portrait(0), RATE))
    house.pages.append(page)
    await prefer(page, codec)
    _, answer = await house.peers.open(await page.offer())
    await page.accept(answer)
    await until(lambda: house.peers.handlers and session_of(house).codec == codec)
    session = session_of(house)
    sent: list[bytes] = []
    publish = session.feed.publish

    def noted(codec: str, data: bytes, *more: Any, **named: Any) -> None:
        sent.append(data)
        publish(codec, data, *more, **named)

    session.feed.publish = noted  # type: ignore[method-assign]
    viewing = Viewing()
    await watch(viewers, session, viewing)
    await until(lambda: len(viewing.frames) > 20 and len(viewing.results) > 20)
    data = [frame.data for _, frame in viewing.frames]
    assert is_key_frame(data[0])
    start = sent.index(data[0])
    assert data == sent[start : start + len(data)]  # to the byte, none left out
    decoder = av.CodecContext.create("vp8" if codec == "VP8" else "h264", "r")
    pictures = [picture for piece in data for picture in decoder.decode(av.Packet(piece))]
    assert len(pictures) >= len(data) - 2
    assert (pictures[0].width, pictures[0].height) == (640, 480)

    # Results beside it, and by which picture they are meant.
    assert viewing.said[0]["type"] == "hello"
    assert "resume" not in viewing.said[0]
    offset = next(one["offset"] for one in viewing.said if one["type"] == "clock")
    stamps = {frame.timestamp for _, frame in viewing.frames}
    placed = [(result["rtp"] + offset) & 0xFFFFFFFF in stamps for _, result in viewing.results]
    assert sum(placed) > 0.8 * len(placed)
    assert any(result["faces"] for _, result in viewing.results)
    await viewing.close()


async def test_a_lost_packet_is_sent_again(house: House, viewers: Viewers) -> None:  # noqa: F811
    await house.visit()
    viewing = Viewing()
    viewer = await watch(viewers, session_of(house), viewing)
    await until(lambda: len(viewing.frames) > 5)
    assert viewer._sender is not None
    transport, ssrc, swallowed = viewer._sender.transport, viewer._sender._ssrc, []
    send = transport._send_rtp

    async def lossy(data: bytes) -> None:
        # Not what is sent again, which has a source of its own: the receiver here asks only once.
        first = int.from_bytes(data[8:12], "big") == ssrc and not 192 <= data[1] <= 223  # RFC 5761 §4: no RTCP
        if first and len(swallowed) < 3 and int.from_bytes(data[2:4], "big") % 5 == 0:
            swallowed.append(data)
            return
        await send(data)

    transport._send_rtp = lossy
    await until(lambda: len(swallowed) == 3)
    seen = len(viewing.frames)
    await until(lambda: len(viewing.frames) > seen + 20)
    stamps = [frame.timestamp for _, frame in viewing.frames]
    steps = {(b - a) & 0xFFFFFFFF for a, b in itertools.pairwise(stamps)}
    assert max(steps) < 2 * 90_000 // RATE, "a picture is missing"
    await viewing.close()


async def test_however_many_watch_one_decodes(house: House, viewers: Viewers) -> None:  # noqa: F811
    page = await house.visit()
    session = session_of(house)
    decoders = [thread for thread in threading.enumerate() if thread.name == "video-decoder"]
    watching = [Viewing() for _ in range(4)]
    opened = [await watch(viewers, session, one) for one in watching]
    await until(lambda: all(len(one.frames) > 10 for one in watching))
    assert len(decoders) == 1
    assert session.feed.watched == 4
    # Each receiver of this process has a thread; those of the four viewers are the test's own.
    now = [thread for thread in threading.enumerate() if thread.name == "video-decoder"]
    assert len(now) - len(decoders) == 4
    assert all(viewer._pc.getReceivers()[0].track is None for viewer in opened)
    await page.pc.close()
    await until(lambda: True)
    for one in watching:
        await one.close()
    await until(lambda: len(viewers) == 0, 10)
    assert session.feed.watched == 0


async def test_who_takes_another_codec_is_told_which(house: House, viewers: Viewers) -> None:  # noqa: F811
    await house.visit()
    viewing = Viewing(codecs=("H264",))
    with pytest.raises(OfferError, match="sends VP8") as refused:
        await viewers.open(session_of(house), await viewing.offer())
    assert refused.value.status == 406
    assert len(viewers) == 0
    await viewing.close()


async def test_offers_that_do_not_receive_are_refused(house: House, viewers: Viewers) -> None:  # noqa: F811
    await house.visit()
    session = session_of(house)
    other = Page(Camera())
    for offer, status in (("hello", 400), ((await other.offer()).replace("a=sendrecv", "a=sendonly"), 422)):
        with pytest.raises(OfferError) as refused:
            await viewers.open(session, offer)
        assert refused.value.status == status
    await other.close()
    assert len(viewers) == 0
    await house.peers.peers[0].close("deleted")
    viewing = Viewing()
    with pytest.raises(OfferError, match="ended") as refused:
        await viewers.open(session, await viewing.offer())
    assert refused.value.status == 404
    await viewing.close()


async def test_the_end_of_a_camera_ends_its_viewers(house: House, viewers: Viewers) -> None:  # noqa: F811
    await house.visit()
    viewing = Viewing()
    await watch(viewers, session_of(house), viewing)
    await until(lambda: len(viewing.frames) > 5 and viewing.said)
    await house.peers.peers[0].close("deleted")
    await until(lambda: viewing.said[-1]["type"] == "bye")
    assert viewing.said[-1]["reason"] == "camera ended"
    await until(lambda: len(viewers) == 0)
    await viewing.close()


async def test_viewers_have_a_limit_and_leave_nothing(house: House) -> None:  # noqa: F811
    await house.visit()
    few = Viewers(LOOPBACK, 1)
    tasks = len(asyncio.all_tasks())
    first, second = Viewing(), Viewing()
    await watch(few, session_of(house), first)
    with pytest.raises(TooMany):
        await few.open(session_of(house), await second.offer())
    await few.close_all("shutdown")
    await first.close()
    await second.close()
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    assert session_of(house).feed.watched == 0


async def test_a_viewer_that_lost_its_picture_gets_a_key_frame(house: House, viewers: Viewers) -> None:  # noqa: F811
    await house.visit()
    viewing = Viewing()
    viewer = await watch(viewers, session_of(house), viewing)
    await until(lambda: len(viewing.frames) > 20)
    seen = len(viewing.frames)
    await asyncio.sleep(1.0)  # one request a second
    viewer._sender._send_keyframe()  # type: ignore[union-attr]
    await until(lambda: any(is_key_frame(frame.data) for _, frame in viewing.frames[seen:]))
    await viewing.close()


async def test_a_plain_player_needs_no_channel(house: House, viewers: Viewers) -> None:  # noqa: F811
    await house.visit()
    viewing = Viewing(channel=False)
    await watch(viewers, session_of(house), viewing)
    await until(lambda: len(viewing.frames) > 10)
    await viewing.close()
    assert isinstance(viewing.pc, RTCPeerConnection)
