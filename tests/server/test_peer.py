from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import re
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import aioice.ice
import pytest
from aiortc import AudioStreamTrack, RTCRtpSender
from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, unpack_remb_fci

from server import link as link_module
from server import peer as peer_module
from server.peer import Peer
from server.sdp import OfferError, parse_fragment
from server.transport import TransportOptions, install, uninstall
from tests.server.loopback import LOOPBACK, Camera, Page, Recorder, connect
from tests.server.offers import CAMERA

pytestmark = pytest.mark.alone


@pytest.fixture(autouse=True)
def _transport() -> Iterator[None]:
    install(LOOPBACK)
    yield
    uninstall()


@contextlib.asynccontextmanager
async def session(
    *tracks: Any, work: float = 0.0, options: TransportOptions = LOOPBACK
) -> AsyncIterator[tuple[Page, Recorder, Peer]]:
    """A page and the peer that answered it."""
    page, recorder = Page(*tracks), Recorder(work)
    peer = await connect(page, recorder, options)
    try:
        yield page, recorder, peer
    finally:
        await peer.close("done")
        await page.close()


@contextlib.contextmanager
def network(drop: Callable[[bytes], bool]) -> Iterator[None]:
    """Drop what arrives at a socket, where a network would; STUN and DTLS get through."""
    receive = aioice.ice.StunProtocol.datagram_received

    def datagram_received(protocol: Any, data: bytes, addr: Any) -> None:
        if not (data[0] > 127 and drop(data)):
            receive(protocol, data, addr)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aioice.ice.StunProtocol, "datagram_received", datagram_received)
        yield


def is_media(data: bytes) -> bool:
    """RTP, not RTCP (RFC 5761 §4)."""
    return not 192 <= data[1] <= 223


def age(arrived: float, frame: Any) -> float:
    assert frame.capture is not None
    return arrived - float(frame.capture)


async def test_frames_come_with_their_times() -> None:
    async with session() as (page, recorder, peer):
        await recorder.until(lambda: recorder.frames[-1][1].capture is not None, 4)
        now, frame = recorder.frames[-1]
        first = recorder.frames[0][1]
        assert (frame.frame.width, frame.frame.height) == (320, 240)
        assert first.time == 0.0
        assert first.rtp is not None
        assert frame.rtp == (first.rtp + round(frame.time * 90_000)) & 0xFFFFFFFF
        true = page.camera.taken(frame.time)
        assert frame.capture == pytest.approx(true, abs=0.05)
        assert frame.received is not None
        assert true - 0.001 < frame.received < now
        assert 0 < frame.decode_ms < 100
        assert 0 <= frame.queue_ms < 100
        assert peer.stats()["frames"] >= len(recorder.frames)


async def test_a_frame_waits_for_no_other_frame() -> None:
    """With the marker bit a picture is there when it is complete: at 4 a second, the next one is 250 ms away."""
    async with session(Camera(rate=4)) as (page, recorder, _):
        await recorder.until(lambda: len(recorder.frames) >= 3)
        (arrived, frame) = recorder.frames[-1]
        assert arrived - page.camera.taken(frame.time) < 0.15


async def test_switched_off_a_frame_waits_for_the_next() -> None:
    stock = TransportOptions(False, False, False, bind_addresses=("127.0.0.1",))
    async with session(Camera(rate=4), options=stock) as (page, recorder, _):
        await recorder.until(lambda: len(recorder.frames) >= 2)
        (arrived, frame) = recorder.frames[-1]
        assert arrived - page.camera.taken(frame.time) > 0.2


@pytest.mark.parametrize(("early", "announced"), [(True, {2_000_000}), (False, set())])
async def test_the_sender_is_told_of_its_bit_rate_from_the_start(
    monkeypatch: pytest.MonkeyPatch, early: bool, announced: set[int]
) -> None:
    told: list[tuple[float, int]] = []
    handle = RTCRtpSender._handle_rtcp_packet

    async def listening(sender: RTCRtpSender, packet: Any) -> None:
        if isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            told.append((time.perf_counter(), unpack_remb_fci(packet.fci)[0]))
        await handle(sender, packet)

    monkeypatch.setattr(RTCRtpSender, "_handle_rtcp_packet", listening)
    async with session(options=replace(LOOPBACK, early_remb=early)):
        first_frame = time.perf_counter()
        await asyncio.sleep(1.0)
    assert {bps for _, bps in told} == announced
    if early:
        assert told[0][0] < first_frame + 0.1


async def test_after_an_outage_frames_are_back_soon_and_none_is_old() -> None:
    out = False
    with network(lambda data: out and is_media(data)):
        async with session() as (_, recorder, _):
            await recorder.until(lambda: recorder.frames[-1][1].capture is not None, 4)
            out = True
            await asyncio.sleep(1.0)
            out, back, before = False, time.time(), len(recorder.frames)
            await recorder.until(lambda: len(recorder.frames) >= before + 10, 3)
            again = recorder.frames[before:]
            assert again[0][0] - back < 1.2
            assert again[9][0] - again[0][0] < 1.0  # a stream, not one frame
            assert max(age(*entry) for entry in again) < 0.3


async def test_a_slow_handler_gets_the_newest_frame() -> None:
    async with session(work=0.05) as (_, recorder, peer):
        await recorder.until(lambda: recorder.frames[-1][1].capture is not None, 4)
        await asyncio.sleep(2)
        late = [age(*entry) for entry in recorder.frames if entry[1].capture is not None]
        assert sorted(late)[len(late) // 2] < 0.15
        assert late[-1] < 0.15
        assert peer.stats()["skipped"] == sum(frame.skipped for _, frame in recorder.frames) > 10


async def test_three_percent_of_loss_does_not_stop_the_stream() -> None:
    luck = random.Random(3)
    with network(lambda data: luck.random() < 0.03):
        async with session() as (_, recorder, _):
            begun, before = time.time(), len(recorder.frames)
            await asyncio.sleep(3)
            rate = (len(recorder.frames) - before) / (time.time() - begun)
            assert rate > 20
            times = [at for at, _ in recorder.frames[before:]]
            assert max(b - a for a, b in itertools.pairwise(times)) < 1.0


async def test_sound_and_a_second_video_are_refused() -> None:
    page, recorder = Page(Camera(), AudioStreamTrack(), Camera()), Recorder()
    peer = await connect(page, recorder)
    sections = [(t.kind, t.currentDirection) for t in page.pc.getTransceivers()]
    assert sorted(sections) == [("audio", "inactive"), ("video", "inactive"), ("video", "sendonly")]
    await peer.close("done")
    await page.close()


async def test_sound_nobody_understands_is_named_as_the_reason() -> None:
    page = Page(Camera(), AudioStreamTrack())
    offer = await page.offer()
    before, sound, after = re.split(r"(?=m=audio)|(?=m=application)", offer)
    sound = re.sub(r"a=rtpmap:(\d+) \S+", r"a=rtpmap:\1 multiopus/48000/6", sound)
    peer = Peer(LOOPBACK, lambda _: Recorder(), lambda *_: None)
    with pytest.raises(OfferError, match="no audio codec in common") as caught:
        await peer.answer(before + sound + after)
    assert caught.value.status == 406
    await peer.close("refused")
    await page.close()


async def test_only_the_two_channels_are_kept() -> None:
    async with session() as (page, recorder, peer):
        other, second = page.pc.createDataChannel("other"), page.pc.createDataChannel("commands")
        await recorder.until(lambda: other.readyState == second.readyState == "closed")
        page.commands.send("hello")
        await recorder.until(lambda: recorder.commands == ["hello"])
        assert peer.send_command('{"type":"still here"}')
        await page.hears("still here")


async def test_results_and_commands_arrive() -> None:
    async with session() as (page, recorder, peer):
        await asyncio.wait_for(recorder.opened.wait(), 3)
        await recorder.until(lambda: peer.send_result('{"seq":1}'))
        assert peer.send_command('{"type":"hello"}')
        await page.hears("hello")
        await page.until(lambda: bool(page.results))
        assert page.results[0] == {"seq": 1}


async def test_results_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_module, "MAX_BUFFERED", 1000)
    async with session() as (_, recorder, peer):
        await recorder.until(lambda: peer.send_result("x"))
        before = peer.stats()["results_dropped"]
        sent = [peer.send_result("y" * 600) for _ in range(5)]  # nothing leaves while the loop is busy
        assert sent == [True, True, False, False, False]
        assert peer.stats()["results_dropped"] - before == 3


async def test_results_without_a_channel_are_counted_as_dropped() -> None:
    peer = Peer(LOOPBACK, lambda _: Recorder(), lambda *_: None)
    assert [peer.send_result("x") for _ in range(3)] == [False] * 3
    assert (peer.stats()["results_sent"], peer.stats()["results_dropped"]) == (0, 3)
    await peer.close("done")


async def test_a_page_that_reads_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_module, "MAX_COMMANDS_BUFFERED", 1000)
    async with session() as (_, recorder, peer):
        await recorder.until(lambda: peer.send_command("{" + '"type":"x"}'))
        while peer.send_command("y" * 600):
            pass
        await asyncio.wait_for(recorder.ended.wait(), 3)
        assert recorder.closed == ["reads nothing"]


async def test_a_page_that_never_connects_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "CONNECT_TIMEOUT", 0.6)
    recorder = Recorder()
    peer = Peer(LOOPBACK, lambda _: recorder, lambda *_: None)
    await peer.answer(CAMERA)
    await asyncio.wait_for(recorder.ended.wait(), 3)
    assert recorder.closed == ["not connected in time"]


async def test_a_camera_that_stops_is_told_and_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "SILENT_AFTER", 0.4)
    monkeypatch.setattr(link_module, "IDLE_AFTER", 1.5)
    monkeypatch.setattr(link_module, "WATCH_EVERY", 0.1)
    async with session() as (page, recorder, _):
        page.camera.paused = True
        await recorder.until(lambda: recorder.video[-1:] == [False], 2)
        page.camera.paused = False
        await recorder.until(lambda: recorder.video[-1:] == [True], 2)
        page.camera.paused = True
        await page.hears("bye", reason="idle")
        await asyncio.wait_for(recorder.ended.wait(), 2)
        assert recorder.video == [False, True, False]
        assert recorder.closed == ["idle"]


async def test_the_time_it_took_to_connect_is_not_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "SILENT_AFTER", 0.5)
    monkeypatch.setattr(link_module, "WATCH_EVERY", 0.05)
    page, recorder = Page(), Recorder()
    page.camera.paused = True
    peer = Peer(LOOPBACK, lambda _: recorder, lambda *_: None)
    answer = await peer.answer(await page.offer())
    await asyncio.sleep(0.8)
    await page.accept(answer)
    await asyncio.wait_for(recorder.opened.wait(), 3)
    await asyncio.sleep(0.2)
    assert recorder.video == []
    await recorder.until(lambda: recorder.video == [False], 2)
    await peer.close("done")
    await page.close()


async def test_the_end_is_said_once_and_only_where_the_page_should_know() -> None:
    for reason, told in (("shutdown", True), ("too_many_errors", True), ("deleted", False)):
        async with session() as (page, recorder, peer):
            await recorder.until(lambda: peer.send_command('{"type":"open"}'))
            await page.hears("open")
            began = time.perf_counter()
            await asyncio.gather(peer.close(reason), peer.close("again"), peer.close("and again"))
            await peer.close("afterwards")
            assert time.perf_counter() - began < 0.5
            assert recorder.closed == [reason]
            await asyncio.sleep(0.05)
            assert page.said == ([{"v": 1, "type": "bye", "reason": reason}] if told else [])
            assert not peer.send_command("late")
            assert not peer.send_result("late")


async def test_a_page_that_leaves_is_noticed_at_once() -> None:
    async with session() as (page, recorder, _):
        await page.close()
        await asyncio.wait_for(recorder.ended.wait(), 1)


async def test_a_page_that_vanishes_is_noticed() -> None:
    install(TransportOptions(bind_addresses=("127.0.0.1",), consent_interval=0.1, consent_failures=3))
    dead = False
    receive = aioice.ice.StunProtocol.datagram_received
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aioice.ice.StunProtocol, "datagram_received", lambda *given: None if dead else receive(*given))
        async with session() as (_, recorder, _):
            dead = True
            await asyncio.wait_for(recorder.ended.wait(), 6)
            assert recorder.closed[0] in ("failed", "closed")


async def test_a_handler_that_fails_ends_its_session(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Recorder):
        async def on_frame(self, frame: Any) -> None:
            self.frames.append((0.0, frame))
            raise RuntimeError("broken")

    page, recorder = Page(), Failing()
    await connect(page, recorder)
    await asyncio.wait_for(recorder.ended.wait(), 2)
    assert recorder.closed == ["internal error"]
    assert "recognition failed" in caplog.text
    await page.close()


async def test_a_handler_that_fails_at_the_end_is_still_let_go(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Recorder):
        async def on_closed(self, reason: str) -> None:
            raise RuntimeError("broken")

    gone: list[str] = []
    page, recorder = Page(), Failing()
    peer = Peer(LOOPBACK, lambda _: recorder, lambda _, reason: gone.append(reason))
    await page.accept(await peer.answer(await page.offer()))
    await peer.close("done")
    assert gone == ["done"]
    assert "could not be ended in order" in caplog.text
    await page.close()


async def test_a_closed_peer_answers_nothing() -> None:
    peer = Peer(LOOPBACK, lambda _: Recorder(), lambda *_: None)
    await peer.close("early")
    with pytest.raises(OfferError, match="has ended"):
        await peer.answer(CAMERA)
    await peer.negotiation.add_candidates(parse_fragment("a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n"))


async def test_candidates_have_an_end() -> None:
    peer = Peer(LOOPBACK, lambda _: Recorder(), lambda *_: None)
    await peer.answer(CAMERA)
    many = parse_fragment("".join(f"a=candidate:1 1 udp 1 127.0.0.1 {6000 + n} typ host\r\n" for n in range(64)))
    await peer.negotiation.add_candidates(many)
    await peer.negotiation.add_candidates(many)
    with pytest.raises(OfferError, match="128 candidates"):
        await peer.negotiation.add_candidates(many)
    await peer.close("done")


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def candidates(answer: str) -> set[tuple[str, int]]:
    lines = [line.split(" ") for line in answer.split("\r\n") if line.startswith("a=candidate:")]
    return {(parts[4], int(parts[5])) for parts in lines}


async def test_ports_are_taken_from_their_range_until_none_is_left() -> None:
    first = free_port()
    options = TransportOptions(bind_addresses=("127.0.0.1",), udp_ports=(first, first + 1))
    install(options)
    peers = [Peer(options, lambda _: Recorder(), lambda *_: None) for _ in range(3)]
    taken = [candidates(await peer.answer(CAMERA)) for peer in peers[:2]]
    assert taken[0] | taken[1] == {("127.0.0.1", first), ("127.0.0.1", first + 1)}
    with pytest.raises(OfferError, match=r"no address to receive video on with a free port .*udp_ports") as caught:
        await peers[2].answer(CAMERA)
    assert caught.value.status == 503
    for peer in peers:
        await peer.close("done")
    # What ended is free again.
    peer = Peer(options, lambda _: Recorder(), lambda *_: None)
    assert candidates(await peer.answer(CAMERA)) <= taken[0] | taken[1]
    await peer.close("done")


async def test_an_address_this_machine_does_not_have() -> None:
    options = TransportOptions(bind_addresses=("192.0.2.77",), loopback=False, udp_ports=(20_000, 60_000))
    install(options)
    peer = Peer(options, lambda _: Recorder(), lambda *_: None)
    began = time.perf_counter()
    with pytest.raises(OfferError, match="bind_addresses"):
        await peer.answer(CAMERA)
    assert time.perf_counter() - began < 1  # other ports of it are not tried
    await peer.close("done")


async def test_advertised_addresses_are_in_the_answer() -> None:
    options = TransportOptions(bind_addresses=("127.0.0.1",), advertised_addresses=("203.0.113.9",))
    peer = Peer(options, lambda _: Recorder(), lambda *_: None)
    answer = await peer.answer(CAMERA)
    assert {host for host, _ in candidates(answer)} == {"203.0.113.9"}
    await peer.close("done")


async def test_loopback_is_offered_beside_the_others() -> None:
    install(TransportOptions())
    peer = Peer(TransportOptions(), lambda _: Recorder(), lambda *_: None)
    assert "127.0.0.1" in {host for host, _ in candidates(await peer.answer(CAMERA))}
    await peer.close("done")
