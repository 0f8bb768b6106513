from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import aioice.ice
import aiortc.rtcicetransport
import pytest
from aiortc import RTCRtpReceiver
from aiortc.rate import RemoteBitrateEstimator
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtcpSenderInfo, RtcpSrPacket, RtpPacket

from server.transport import FrameClock, TransportOptions, install, tune_receiver, uninstall
from server.transport import receiver as tuned
from server.transport.assembly import EncodedFrame
from server.transport.bitrate import EarlyBitrate
from server.transport.ice import UNREAD, BoundConnection
from server.transport.nacks import Nacks
from server.transport.receiver import NTP_EPOCH, REMEMBERED, StampedBuffer, TunedBuffer

INSTALL = sys.modules["server.transport.install"]  # the package shows the function of that name
KEY = b"\x10\x02\x00\x9d\x01\x2a" + bytes(8)
DELTA = b"\x11" + bytes(13)
VP8 = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90000, payloadType=96)


@pytest.fixture(autouse=True)
def _stock_again() -> Iterator[None]:
    yield
    uninstall()


def receiver() -> RTCRtpReceiver:
    """A real receiver that has not begun to receive."""
    made = RTCRtpReceiver("video", SimpleNamespace(state="new", _stats_id="t"))
    getattr(made, tuned.CODECS)[96] = VP8
    return made


# -- FrameClock ----------------------------------------------------------------------------------------------------


def test_times_go_on_across_the_wrap() -> None:
    clock = FrameClock()
    stamps = [2**32 - 6000, 2**32 - 3000, 0, 3000]
    assert [clock.map(s) for s in stamps] == [0, 3000, 6000, 9000]
    assert [clock.rtp(p) for p in (0, 3000, 6000, 9000)] == stamps


def test_a_frame_out_of_order_does_not_count_as_a_wrap() -> None:
    """aiortc's own mapper takes every step back for a wrap: 13 hours."""
    clock = FrameClock()
    assert [clock.map(s) for s in (6000, 9000, 7500, 12000)] == [0, 3000, 1500, 6000]


def test_nothing_is_known_before_the_first_frame_and_the_first_report() -> None:
    clock = FrameClock()
    assert clock.rtp(0) is None
    assert clock.capture(0) is None
    assert clock.take_completed(0) is None
    clock.map(5000)
    assert clock.rtp(90) == 5090
    assert clock.capture(90) is None


@pytest.mark.parametrize(("at", "reported"), [(90_000, 90_000), (45_000, 2**32 - 45_000), (2**32 - 9_000, 81_000)])
def test_capture_time_from_a_sender_report(at: int, reported: int) -> None:
    clock = FrameClock()
    clock.map(at)
    clock.sender_report(int((1_795_436_400.25 + NTP_EPOCH) * 2**32), reported)
    step = (at - reported + 2**31) % 2**32 - 2**31
    assert clock.capture(0) == pytest.approx(1_795_436_400.25 + step / 90_000, abs=1e-6)
    assert clock.capture(9000) == pytest.approx(1_795_436_400.35 + step / 90_000, abs=1e-6)


def test_the_newest_report_counts() -> None:
    clock = FrameClock()
    clock.map(0)
    clock.sender_report((NTP_EPOCH + 10) << 32, 0)
    clock.sender_report((NTP_EPOCH + 20) << 32, 90_000)
    assert clock.capture(0) == pytest.approx(19.0)


def test_completion_times_are_taken_once_and_do_not_pile_up() -> None:
    clock = FrameClock()
    for number in range(3 * REMEMBERED):
        clock.map(number * 3000)
        clock.completed(EncodedFrame(b"", number * 3000, float(number)))
    newest = 3 * REMEMBERED - 1
    wall, moment = clock.take_completed(newest * 3000) or (0.0, 0.0)
    assert wall == pytest.approx(time.time(), abs=5)
    assert moment == newest
    assert clock.take_completed(newest * 3000) is None
    assert clock.take_completed(0) is None  # long forgotten
    assert len(clock._completed) == REMEMBERED - 1


# -- EarlyBitrate --------------------------------------------------------------------------------------------------


def test_the_bit_rate_is_announced_early_then_estimated() -> None:
    early = EarlyBitrate(RemoteBitrateEstimator(), 2_000_000)
    said = []
    for ms in range(5000, 9500, 5):
        answer = early.add(
            arrival_time_ms=ms, abs_send_time=(ms * 262144 // 1000) & 0xFFFFFF, payload_size=1000, ssrc=7
        )
        if answer is not None:
            said.append((ms - 5000, *answer))
    early_ones = [entry for entry in said if entry[0] < 3000]
    assert [at for at, _, _ in early_ones] == list(range(0, 3000, 100))
    assert {(bps, tuple(sources)) for _, bps, sources in early_ones} == {(2_000_000, (7,))}
    later = [bps for at, bps, _ in said if at >= 3000]
    assert later
    assert all(bps != 2_000_000 for bps in later)  # the estimator has listened all the time


# -- tune_receiver -------------------------------------------------------------------------------------------------


def feed(made: RTCRtpReceiver, seq: int, timestamp: int, payload: bytes, marker: int = 1):  # type: ignore[no-untyped-def]
    packet = RtpPacket(payload_type=96, sequence_number=seq, timestamp=timestamp, marker=marker)
    packet._data = payload
    return getattr(made, tuned.JITTER_BUFFER).add(packet)


def test_a_tuned_receiver_completes_on_the_marker_bit() -> None:
    made = receiver()
    clock = tune_receiver(made, TransportOptions())
    assert getattr(made, tuned.MAPPER) is clock
    pli, frame = feed(made, 10, 5000, KEY)
    assert (pli, frame.data, frame.timestamp) == (False, KEY, 5000)
    clock.map(5000)
    assert clock.take_completed(0) is not None


@pytest.mark.parametrize("guard", [True, False])
def test_a_packet_is_heard_of_though_no_frame_is_whole(guard: bool) -> None:
    made = receiver()
    clock = tune_receiver(made, TransportOptions(marker_frames=guard, stall_guard=guard))
    assert clock.last_packet is None
    assert feed(made, 10, 5000, KEY, marker=0) == (False, None)
    assert clock.last_packet is not None


def test_what_is_missing_is_asked_for_by_a_generator_of_our_own_if_stalls_are_broken() -> None:
    made, plain = receiver(), receiver()
    tune_receiver(made, TransportOptions())
    tune_receiver(plain, TransportOptions(stall_guard=False))
    assert isinstance(getattr(made, tuned.NACKS), Nacks)
    assert not isinstance(getattr(plain, tuned.NACKS), Nacks)


def test_frames_completed_together_reach_the_decoder_in_order() -> None:
    made = receiver()
    clock = tune_receiver(made, TransportOptions())
    first = feed(made, 10, 5000, KEY)[1]
    clock.map(first.timestamp)
    assert feed(made, 12, 11000, DELTA)[1] is None
    last = feed(made, 11, 8000, DELTA)[1]
    queue = getattr(made, tuned.DECODER_QUEUE)
    codec, frame = queue.get_nowait()
    assert (codec, frame.timestamp) == (VP8, 3000)
    assert queue.empty()
    assert clock.map(last.timestamp) == 6000


def test_a_decoder_that_falls_behind_starts_over_at_a_key_frame() -> None:
    made = receiver()
    tune_receiver(made, TransportOptions())
    feed(made, 10, 5000, KEY)
    for _ in range(tuned.DECODER_BACKLOG + 1):
        getattr(made, tuned.DECODER_QUEUE).put("a frame")
    time.sleep(0.51)  # a key frame is not asked for more often
    assert feed(made, 11, 8000, DELTA) == (True, None)
    getattr(made, tuned.DECODER_QUEUE).queue.clear()
    assert feed(made, 12, 11000, DELTA) == (False, None)
    assert feed(made, 13, 14000, KEY)[1] is not None


@pytest.mark.parametrize("payload", [KEY, DELTA])
def test_a_decoder_that_stands_still_has_no_more_than_its_bound_before_it(payload: bytes) -> None:
    """A sender of key frames only gets no further than one that sends one."""
    made = receiver()
    tune_receiver(made, TransportOptions())
    waiting = getattr(made, tuned.DECODER_QUEUE)
    most = 0
    for seq in range(200):
        _, frame = feed(made, seq, seq * 3000, payload if seq else KEY)
        if frame is not None:
            waiting.put((VP8, frame))  # as aiortc does
        most = max(most, waiting.qsize())
    assert most == tuned.DECODER_BACKLOG + 1


def test_a_key_frame_overtakes_what_a_slow_decoder_has_not_begun_with() -> None:
    made = receiver()
    tune_receiver(made, TransportOptions())
    waiting = getattr(made, tuned.DECODER_QUEUE)
    for seq in range(tuned.DECODER_BACKLOG + 1):
        waiting.put((VP8, feed(made, seq, seq * 3000, DELTA if seq else KEY)[1]))
    assert feed(made, 13, 39000, KEY)[1].data == KEY
    assert waiting.empty()


def test_the_end_does_not_wait_for_frames_that_nobody_will_see() -> None:
    """aiortc joins the decoder's thread on the event loop."""
    made = receiver()
    tune_receiver(made, TransportOptions())
    waiting = getattr(made, tuned.DECODER_QUEUE)
    for _ in range(5):
        waiting.put("a frame")
    waiting.put(None)
    assert waiting.get_nowait() is None
    assert waiting.empty()


def test_the_stock_buffer_keeps_its_ways_but_is_timed() -> None:
    made = receiver()
    clock = tune_receiver(made, TransportOptions(marker_frames=False, stall_guard=False, early_remb=False))
    assert isinstance(getattr(made, tuned.JITTER_BUFFER), StampedBuffer)
    assert isinstance(getattr(made, tuned.ESTIMATOR), RemoteBitrateEstimator)
    assert feed(made, 10, 5000, KEY) == (False, None)
    assert feed(made, 11, 8000, DELTA)[1].data == KEY
    clock.map(5000)
    assert clock.take_completed(0) is not None


async def test_sender_reports_set_the_capture_time_and_go_on_to_aiortc() -> None:
    made = receiver()
    clock = tune_receiver(made, TransportOptions())
    clock.map(90_000)
    info = RtcpSenderInfo(ntp_timestamp=(NTP_EPOCH + 1000) << 32, rtp_timestamp=90_000, packet_count=1, octet_count=2)
    await made._handle_rtcp_packet(RtcpSrPacket(ssrc=1, sender_info=info))
    assert clock.capture(45_000) == pytest.approx(1000.5)
    assert made._RTCRtpReceiver__lsr == {1: (((NTP_EPOCH + 1000) << 32) >> 16) & 0xFFFFFFFF}


async def test_what_comes_before_anybody_reads_is_bounded() -> None:
    """Until a peer is connected, whoever reaches the port may send to it."""
    connection = BoundConnection(ice_controlling=False)
    for _ in range(3 * UNREAD):
        connection.data_received(b"\x80 spam", 1)
    assert connection._queue.qsize() == UNREAD
    await connection.close()


def ports() -> int:
    return sum(path.is_socket() for path in Path("/proc/self/fd").iterdir())


async def test_closed_while_it_looks_for_addresses_it_keeps_no_port() -> None:
    """As when a page goes before its offer is answered."""
    connection = BoundConnection(ice_controlling=False)
    connection.options = TransportOptions(bind_addresses=("127.0.0.1", "127.0.0.2", "127.0.0.3"))
    before = ports()
    gathering = asyncio.create_task(connection.gather_candidates())
    await asyncio.sleep(0)  # the first port is being bound
    await connection.close()
    with pytest.raises(ConnectionError, match="closed while it looked"):
        await gathering
    assert connection._protocols == []
    await asyncio.sleep(0.05)
    assert ports() == before


# -- install -------------------------------------------------------------------------------------------------------


def test_with_the_pinned_versions_everything_is_on() -> None:
    report = install(TransportOptions())
    assert report.remarks == []
    assert all(feature.on for feature in report.features)
    assert issubclass(aiortc.rtcicetransport.Connection, BoundConnection)
    assert (aioice.ice.CONSENT_INTERVAL, aioice.ice.CONSENT_FAILURES) == (1.0, 4)


def test_uninstall_leaves_nothing_behind() -> None:
    before = aioice.ice.CONSENT_INTERVAL, aioice.ice.CONSENT_FAILURES
    install(TransportOptions(consent_interval=9))
    uninstall()
    assert aiortc.rtcicetransport.Connection is aioice.ice.Connection
    assert before == (aioice.ice.CONSENT_INTERVAL, aioice.ice.CONSENT_FAILURES)


def test_what_is_switched_off_is_said() -> None:
    off = TransportOptions(marker_frames=False, early_remb=False, stall_guard=False)
    assert install(off).remarks == [
        f"{name} is off: switched off by a setting"
        for name in ("frames complete on the marker bit", "stall guard", "early bit rate")
    ]


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Real receivers that lack these names, as another version might."""

    class Bare(RTCRtpReceiver):  # type: ignore[misc]
        def __init__(self, kind: str, transport: object) -> None:
            super().__init__(kind, transport)
            for name in names:
                delattr(self, name)

    monkeypatch.setattr(INSTALL, "RTCRtpReceiver", Bare)
    monkeypatch.setitem(globals(), "RTCRtpReceiver", Bare)


@pytest.mark.parametrize(
    ("name", "off"),
    [
        (tuned.JITTER_BUFFER, {"frames complete on the marker bit", "stall guard"}),
        (tuned.DECODER_QUEUE, {"frames complete on the marker bit", "stall guard"}),
        (tuned.MAPPER, {"frames complete on the marker bit", "stall guard", "capture time"}),
        (tuned.ESTIMATOR, {"early bit rate"}),
        (tuned.NACKS, {"stall guard"}),
    ],
)
def test_a_missing_name_switches_off_what_needs_it_and_says_so(
    monkeypatch: pytest.MonkeyPatch, name: str, off: set[str]
) -> None:
    without(monkeypatch, name)
    report = install(TransportOptions())
    assert {feature.name for feature in report.features if not feature.on} == off
    assert all(name in line for line in report.remarks)
    made = RTCRtpReceiver("video", SimpleNamespace(state="new", _stats_id="t"))
    tune_receiver(made, TransportOptions())
    tuned_buffer = isinstance(getattr(made, tuned.JITTER_BUFFER, None), TunedBuffer)
    assert tuned_buffer is ("frames complete on the marker bit" not in off)


def test_an_unknown_version_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(INSTALL, "version", lambda name: "9.9.1")
    assert install(TransportOptions()).remarks == [
        "aiortc 9.9.1 is not the version this was made for (1.16); checked name by name",
        "aioice 9.9.1 is not the version this was made for (0.13); checked name by name",
    ]


def test_an_ice_library_without_the_names_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(aioice.ice, "server_reflexive_candidate")
    remarks = install(TransportOptions()).remarks
    assert remarks == ["choice of addresses and ports is off: this aioice has no server_reflexive_candidate"]
    assert aiortc.rtcicetransport.Connection is aioice.ice.Connection
