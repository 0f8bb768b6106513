from __future__ import annotations

import asyncio

import av
import pytest
from aiortc import MediaStreamTrack, VideoStreamTrack
from aiortc.mediastreams import MediaStreamError

from server.recognition_track import RecognitionTrack
from server.transport import FrameClock
from server.transport.assembly import EncodedFrame


class Source(MediaStreamTrack):
    """A remote track whose frames the test hands in, through a queue without end like aiortc's."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.queue: asyncio.Queue[object] = asyncio.Queue()

    async def recv(self) -> object:
        thing = await self.queue.get()
        if thing is None:
            raise MediaStreamError
        return thing


class Wire:
    """A track on a source, and a clock that has seen the packets of its frames."""

    def __init__(self, origin: int = 5000) -> None:
        self.source, self.clock, self.origin = Source(), FrameClock(), origin
        self.track = RecognitionTrack(self.source, self.clock)

    async def send(self, *numbers: int) -> None:
        """Frames by number, 30 a second, decoded; returns when they were drained."""
        for number in numbers:
            timestamp = (self.origin + number * 3000) & 0xFFFFFFFF
            pts = self.clock.map(timestamp)
            self.clock.completed(EncodedFrame(b"", timestamp, asyncio.get_running_loop().time()))
            frame = av.VideoFrame(16, 16, "yuv420p")
            frame.pts = pts
            self.source.queue.put_nowait(frame)
        while not self.source.queue.empty():  # noqa: ASYNC110 - until the task under test has drained it
            await asyncio.sleep(0)
        await asyncio.sleep(0)


@pytest.fixture
async def wire():  # type: ignore[no-untyped-def]
    made = Wire()
    yield made
    await made.track.close()


async def test_it_is_a_video_track() -> None:
    wire = Wire()
    assert isinstance(wire.track, VideoStreamTrack)
    await wire.send(0)
    assert (await wire.track.recv()).pts == 0
    await wire.track.close()


async def test_the_newest_frame_is_taken_and_the_others_are_counted(wire: Wire) -> None:
    await wire.send(0)
    first = await wire.track.newest()
    await wire.send(1, 2, 3, 4)
    newest = await wire.track.newest()
    assert (first.time, first.rtp, first.skipped) == (0.0, 5000, 0)
    assert (newest.time, newest.rtp, newest.skipped) == (pytest.approx(4 / 30), 17000, 3)
    await wire.send(5)
    assert (await wire.track.newest()).skipped == 0
    assert (wire.track.frames, wire.track.dropped) == (6, 3)


async def test_a_reader_waits_for_the_next_frame_and_never_gets_one_twice(wire: Wire) -> None:
    await wire.send(0)
    await wire.track.newest()
    reading = asyncio.create_task(wire.track.newest())
    await asyncio.sleep(0.02)
    assert not reading.done()
    await wire.send(1)
    assert (await asyncio.wait_for(reading, 1)).rtp == 8000


async def test_nothing_piles_up_while_nobody_reads(wire: Wire) -> None:
    await wire.send(*range(500))
    assert wire.source.queue.empty()
    assert (await wire.track.newest()).skipped == 499


async def test_times_of_a_frame() -> None:
    wire = Wire(origin=2**32 - 3000)
    wire.clock.sender_report((2_208_988_800 + 1000) << 32, 0)
    await wire.send(0, 1, 2)
    await asyncio.sleep(0.02)
    frame = await wire.track.newest()
    assert frame.rtp == 3000
    assert frame.time == pytest.approx(2 / 30)
    assert frame.capture == pytest.approx(1000 + 3000 / 90_000)
    assert frame.received is not None
    assert 20 <= frame.queue_ms < 500
    assert 0 <= frame.decode_ms < 500
    await wire.track.close()


async def test_time_never_runs_backwards_though_the_sender_s_clock_does(wire: Wire) -> None:
    times, stamps = [], []
    for number in (100, 103, 40, 41, 44):  # a sender that begins anew at 40
        await wire.send(number)
        frame = await wire.track.newest()
        times.append(frame.time)
        stamps.append(frame.rtp)
    assert times == [pytest.approx(n / 30) for n in (0, 3, 3, 4, 7)]
    assert stamps == [5000 + n * 3000 for n in (100, 103, 40, 41, 44)]


async def test_without_a_report_or_a_completion_time_that_is_said() -> None:
    wire = Wire()
    frame = av.VideoFrame(16, 16, "yuv420p")
    frame.pts = 0
    wire.source.queue.put_nowait(frame)
    received = await wire.track.newest()
    assert (received.rtp, received.capture, received.received) == (None, None, None)
    await wire.track.close()


async def test_what_is_no_picture_is_passed_over(wire: Wire) -> None:
    wire.source.queue.put_nowait(av.AudioFrame("s16", "mono", 160))
    await wire.send(0)
    assert wire.track.frames == 1


async def test_the_last_frame_comes_before_the_end(wire: Wire) -> None:
    await wire.send(0, 1)
    wire.source.queue.put_nowait(None)
    await asyncio.sleep(0.01)
    assert (await wire.track.newest()).skipped == 1
    for _ in range(2):
        with pytest.raises(MediaStreamError):
            await wire.track.newest()


@pytest.mark.parametrize("end", ["source", "close"])
async def test_a_waiting_reader_is_told_of_the_end(end: str) -> None:
    wire = Wire()
    reading = asyncio.create_task(wire.track.newest())
    await asyncio.sleep(0.01)
    if end == "source":
        wire.source.queue.put_nowait(None)
    else:
        await wire.track.close()
    with pytest.raises(MediaStreamError):
        await asyncio.wait_for(reading, 1)
    await wire.track.close()
    await wire.track.close()
    assert wire.track.readyState == "ended"


async def test_closing_ends_the_draining() -> None:
    wire = Wire()
    before = len(asyncio.all_tasks())
    await wire.track.close()
    assert len(asyncio.all_tasks()) == before - 1
