"""Sources as links, on real video: files, MJPEG and HLS over HTTP, RTSP; what breaks is told and tried again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from aiohttp import web

from server.link import Visit
from server.relay.feed import Feed
from server.sources import interrupt, reasons
from server.sources.address import parse_address
from server.sources.link import JITTER, SourceLink
from tests.server.loopback import Recorder, moving_bars
from tests.server.source_media import (
    PASSWORD,
    RATE,
    USER,
    MjpegCamera,
    RtspCamera,
    encoded,
    jpegs,
    running,
    write_clip,
)
from tests.server.test_sources_relaying import decoded
from tests.server.video_files import sound_only
from tests.serving import on_free_port

QUICK = (0.1, 0.2)


class Watched(Recorder):
    """A recorder with a feed."""

    def __init__(self, work: float = 0.0) -> None:
        super().__init__(work)
        self.feed = Feed()


class Fetching:
    """A link with what it was told."""

    def __init__(self, url: str, pauses: tuple[float, ...], work: float) -> None:
        self.recorder = Watched(work)
        self.ended: list[str] = []
        self.link = SourceLink(
            parse_address(url),
            lambda _: self.recorder,
            lambda _, reason: self.ended.append(reason),
            Visit(),
            None,
            pauses,
        )

    @property
    def frames(self) -> list[Any]:
        return [frame for _, frame in self.recorder.frames]

    async def until(self, condition: Callable[[], bool], seconds: float = 8.0) -> None:
        await self.recorder.until(condition, seconds)

    async def down(self, seconds: float = 12.0) -> str:
        """The reason, once it is retried."""
        await self.until(lambda: self.link.status.state == "retrying", seconds)
        assert self.link.status.retry_in is not None
        return self.link.status.reason or ""


@contextlib.asynccontextmanager
async def fetching(url: str | Path, pauses: tuple[float, ...] = QUICK, work: float = 0.0) -> AsyncIterator[Fetching]:
    """Fetch it; afterwards nothing is left."""
    tasks = asyncio.all_tasks()
    made = Fetching(url.as_uri() if isinstance(url, Path) else url, pauses, work)
    made.link.start()
    try:
        yield made
    finally:
        began = time.perf_counter()
        await made.link.close("ended")
        await made.link.close("ended")
        assert time.perf_counter() - began < 1.5
        assert made.ended == made.recorder.closed == ["ended"]
        assert {task for task in asyncio.all_tasks() - tasks if made.link.id in task.get_name()} == set()
        await made.until(lambda: sources_at_work() == [], 2)


def sources_at_work() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("source ")]


# -- files -----------------------------------------------------------------------------------------------------------


async def test_a_file_is_played_at_its_own_pace_again_and_again(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a clip.mp4", moving_bars(count=RATE))
    async with fetching(path) as source:
        await source.until(lambda: bool(source.frames))
        began = time.perf_counter()
        await source.until(lambda: len(source.frames) >= 60)
        assert 60 / RATE - 0.3 < time.perf_counter() - began < 60 / RATE + 3.0
        times = [frame.time for frame in source.frames]
        assert times == sorted(times)
        came = [frame.received for frame in source.frames]
        assert times[-1] - times[0] == pytest.approx(came[-1] - came[0], abs=0.3)
        assert source.link.status.state == "live"
        assert source.link.connected
        assert all(frame.rtp == round(frame.time * 90_000) for frame in source.frames)
        assert all(abs(frame.received - at) < 0.5 for at, frame in source.recorder.frames)
        assert {(frame.frame.width, frame.frame.height) for frame in source.frames} == {(320, 240)}
        assert source.link.stats()["frames"] >= 60


async def test_what_watchers_get_decodes_and_bears_the_times_of_the_results(tmp_path: Path) -> None:
    async with fetching(write_clip(tmp_path / "clip.mp4")) as source:
        await source.until(lambda: source.recorder.feed.bytes > 0)
        assert source.link.relays
        watcher = source.recorder.feed.subscribe()
        async with asyncio.timeout(8):
            got = [await watcher.next() for _ in range(35)]  # over the end of the file
        assert got[0].key
        assert {picture.codec for picture in got} == {"H264"}
        shown = decoded("H264", [picture.data for picture in got])
        assert len(shown) == 35
        by_rtp = {frame.rtp: frame.frame.to_ndarray(format="gray") for frame in source.frames}
        compared = [
            (one, by_rtp[picture.rtp]) for one, picture in zip(shown, got, strict=True) if picture.rtp in by_rtp
        ]
        assert len(compared) > 10  # all but those that were overtaken
        assert all(np.array_equal(one, other) for one, other in compared)


@pytest.mark.parametrize(("form", "codec", "options"), [("mp4", "libx264", {"bf": "2"}), ("avi", "mjpeg", {})])
async def test_what_browsers_cannot_take_is_not_published(
    tmp_path: Path, form: str, codec: str, options: dict[str, str]
) -> None:
    path = write_clip(tmp_path / f"clip.{form}", codec=codec, **options)
    async with fetching(path) as source:
        await source.until(lambda: len(source.frames) > 40)
        assert not source.link.relays
        assert source.recorder.feed.bytes == 0
        times = [frame.time for frame in source.frames]
        assert times == sorted(times)


async def test_of_pictures_that_are_not_taken_in_time_the_newest_wins(tmp_path: Path) -> None:
    async with fetching(write_clip(tmp_path / "clip.mp4"), work=0.25) as source:
        await source.until(lambda: len(source.frames) >= 6)
        assert sum(frame.skipped for frame in source.frames[1:]) > 12
        assert np.median([frame.queue_ms for frame in source.frames]) < 150
        came, dropped = source.link.frame_counts()
        assert came - dropped >= len(source.frames)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, reasons.NO_FILE),
        (b"", reasons.NO_VIDEO),
        (b"root:x:0:0:\n" * 500, reasons.NO_VIDEO),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", reasons.NO_VIDEO),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", reasons.NO_VIDEO),
        (b"\0\0\0\x18ftypmp42" + bytes(5000), reasons.NO_VIDEO),
        (sound_only(), reasons.NO_VIDEO),
    ],
)
async def test_files_that_are_no_video_are_told_in_words(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    async with fetching(path) as source:
        assert await source.down() == reason
        assert source.frames == []


async def test_pipes_and_folders_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        async with fetching(path) as source:
            assert await source.down(2) == "It is no file."


async def test_a_file_that_appears_later_is_played(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    async with fetching(path) as source:
        await source.down()
        write_clip(path)
        await source.until(lambda: len(source.frames) > 5)
        assert source.link.status.reason is None


async def test_a_broken_file_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.ts", form="mpegts")
    data = bytearray(path.read_bytes())
    for at in range(4000, len(data), 1500):
        data[at : at + 60] = os.urandom(60)
    path.write_bytes(data)
    async with fetching(path) as source:
        await source.until(lambda: len(source.frames) > 40)
        times = [frame.time for frame in source.frames]
        assert times == sorted(times)


async def test_a_camera_that_is_not_there() -> None:
    async with fetching("v4l2:///dev/video99") as source:
        assert await source.down() == reasons.NO_CAMERA


# -- HTTP ------------------------------------------------------------------------------------------------------------


async def test_an_http_camera_that_dies_and_comes_back_keeps_its_session() -> None:
    camera = MjpegCamera()
    async with running(camera), fetching(camera.url) as source:
        await source.until(lambda: len(source.frames) > 10)
        assert not source.link.relays
        rates = np.diff([frame.time for frame in source.frames])
        assert np.median(rates) == pytest.approx(1 / RATE, abs=0.02)
        await camera.stop()
        assert await source.down(6) in (reasons.SILENT, "The connection broke.", reasons.UNREACHABLE)
        await source.until(lambda: source.link.status.reason == reasons.UNREACHABLE)
        assert not source.link.connected
        await source.until(lambda: source.recorder.video == [False])
        count, last = len(source.frames), source.frames[-1].time
        await camera.start()
        await source.until(lambda: len(source.frames) > count + 10)
        assert 0.5 < source.frames[count].time - last < 1.5  # a gap that tracks last over
        await source.until(lambda: source.recorder.video == [False, True])
        assert source.recorder.closed == source.ended == []


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
async def test_a_camera_that_falls_silent_is_asked_again(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.sources.reader.STALL", 0.6)
    camera: Any = MjpegCamera() if scheme == "http" else RtspCamera(encoded(moving_bars(count=50)))
    async with running(camera), fetching(camera.url if scheme == "http" else camera.url()) as source:
        await source.until(lambda: len(source.frames) > 5)
        camera.silent = True
        began = time.perf_counter()
        assert await source.down() == reasons.SILENT
        assert time.perf_counter() - began < 2
        camera.silent = False
        count = len(source.frames)
        await source.until(lambda: len(source.frames) > count + 5)


async def test_pictures_that_change_their_size_or_are_none_do_not_end_it() -> None:
    camera = MjpegCamera()
    small, large = jpegs(moving_bars(160, 120, 5)), jpegs(moving_bars(640, 480, 5))
    camera.pictures = [*small, b"no picture", large[0][:300], b"", *large, small[0][:-2]]
    async with running(camera), fetching(camera.url) as source:
        await source.until(lambda: len(source.frames) > 30)
        assert {frame.frame.width for frame in source.frames} == {160, 640}
        assert source.link.status.state == "live"


async def test_a_wrong_password_is_said_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    av.logging.set_level(av.logging.DEBUG)
    try:
        camera, other = MjpegCamera(), RtspCamera(encoded(moving_bars(count=5)))
        async with running(camera), running(other):
            for url in (camera.url.replace(PASSWORD, "Wr0ng-Wort"), other.url("Wr0ng-Wort")):
                async with fetching(url) as source:
                    assert await source.down() == reasons.REFUSED
                    assert "Wr0ng" not in f"{source.link.status} {source.link.address} {source.link}"
    finally:
        av.logging.set_level(None)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("server")]
    assert any(reasons.REFUSED in text for text in ours)
    assert not [text for text in ours if "Wr0ng" in text or USER in text]
    assert "Traceback" not in caplog.text


async def test_each_pause_is_longer_than_the_one_before(caplog: pytest.LogCaptureFixture) -> None:
    tries: list[float] = []

    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tries.append(time.perf_counter())
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with fetching(f"rtsp://127.0.0.1:{port}/x", (0.2, 0.4, 0.8)) as source:
        await source.until(lambda: len(tries) >= 5, 10)
    assert len(caplog.records) == 1  # the same reason is told once
    server.close()
    await server.wait_closed()
    pauses = np.diff(tries)[:4]
    assert all(pause > wanted * (1 - JITTER) for pause, wanted in zip(pauses, (0.2, 0.4, 0.8, 0.8), strict=True))
    assert all(pause < wanted * (1 + JITTER) + 0.3 for pause, wanted in zip(pauses, (0.2, 0.4, 0.8, 0.8), strict=True))


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
async def test_whoever_never_answers_is_given_up_and_does_not_hold_up_the_end(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(nothing, "127.0.0.1", 0)
    url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    async with fetching(url):
        await asyncio.sleep(0.3)  # … and it is ended here, at once
    monkeypatch.setattr("server.sources.reader.OPEN_WITHIN", 0.5)
    async with fetching(url) as source:
        assert await source.down(3) == "It did not answer in time."
    server.close()
    await server.wait_closed()


async def test_a_thread_that_does_not_let_go_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("server.sources.link.END_WITHIN", 0.2)
    stop = threading.Event()

    def hang(_address: object) -> None:
        stop.wait()
        raise reasons.SourceDown(reasons.UNREACHABLE)

    monkeypatch.setattr("server.sources.reader.open_container", hang)
    link = SourceLink(parse_address((tmp_path / "x").as_uri()), lambda _: Watched(), lambda *_: None)
    link.start()
    await asyncio.sleep(0.1)
    await asyncio.wait_for(link.close("shutdown"), 1)
    assert "left behind" in caplog.text
    stop.set()
    await Recorder().until(lambda: sources_at_work() == [], 2)


@contextlib.asynccontextmanager
async def folder(path: Path) -> AsyncIterator[str]:
    """Files over HTTP."""
    app = web.Application()
    app.router.add_static("/", path)
    async with on_free_port(app, shutdown_timeout=0.1) as port:
        yield f"http://127.0.0.1:{port}"


async def test_recorded_video_over_http_comes_at_its_own_pace(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", moving_bars(count=RATE))
    write_clip(tmp_path / "live.m3u8", moving_bars(count=4 * RATE), form="hls", gop=RATE)
    async with folder(tmp_path) as base:
        for name in ("clip.mp4", "live.m3u8"):
            async with fetching(f"{base}/{name}") as source:
                await source.until(lambda source=source: bool(source.frames))  # type: ignore[misc]
                began = time.perf_counter()
                await source.until(lambda source=source: len(source.frames) >= 40)  # type: ignore[misc]
                assert 40 / RATE - 0.6 < time.perf_counter() - began < 40 / RATE + 3.0, name
                assert source.link.relays


async def test_a_playlist_leads_to_no_file_of_this_computer(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.ts", form="mpegts")
    listed = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.2,\n{clip.as_uri()}\n#EXT-X-ENDLIST\n"
    (tmp_path / "list.m3u8").write_text(listed)
    async with folder(tmp_path) as base:
        async with fetching(f"{base}/list.m3u8") as source:
            await source.down()
            assert source.frames == []
        async with fetching(f"{base}/none.m3u8") as source:
            assert "404" in await source.down()


# -- RTSP ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sets", [True, False])
async def test_an_rtsp_camera(sets: bool) -> None:
    camera = RtspCamera(encoded(moving_bars(count=50)), sets=sets)
    async with running(camera):
        async with fetching(camera.url()) as source:
            await source.until(lambda: source.recorder.feed.bytes > 0)
            assert source.link.relays
            watcher = source.recorder.feed.subscribe()
            async with asyncio.timeout(8):
                got = [await watcher.next() for _ in range(25)]
        assert got[0].key
        assert len(decoded("H264", [picture.data for picture in got])) == 25
        stamps = [picture.rtp for picture in got]
        assert set(np.diff(stamps)) == {90_000 // RATE}
        assert len(set(stamps) & {frame.rtp for frame in source.frames}) > 5  # all but those that were overtaken
        ages = [
            at - camera.sent[round(frame.rtp * RATE / 90_000)]
            for at, frame in source.recorder.frames[10:]
            if round(frame.rtp * RATE / 90_000) in camera.sent
        ]
        assert np.median(ages) < 0.3  # FFmpeg takes a picture as whole when the next begins: 1 / RATE
        assert [line.split("/")[-1] for line in camera.said if line.startswith("SETUP")] == ["track1"]  # no sound
        assert not any(PASSWORD in line for line in camera.said)
        await source.until(lambda: camera.said[-1].startswith("TEARDOWN"))


async def test_an_rtsp_camera_that_dies_and_comes_back_keeps_its_session() -> None:
    camera = RtspCamera(encoded(moving_bars(count=50)))
    async with running(camera), fetching(camera.url()) as source:
        await source.until(lambda: len(source.frames) > 10)
        await camera.stop()
        await source.down(7)
        count, last = len(source.frames), source.frames[-1]
        await camera.start()
        await source.until(lambda: len(source.frames) > count + 10)
        assert 0.5 < source.frames[count].time - last.time < 2
        assert source.recorder.closed == []


async def test_damaged_packets_do_not_end_it() -> None:
    camera = RtspCamera(encoded(moving_bars(count=50)))
    async with running(camera), fetching(camera.url()) as source:
        await source.until(lambda: len(source.frames) > 5)
        camera.damage = True
        await asyncio.sleep(1.0)
        camera.damage = False
        count = len(source.frames)
        await source.until(lambda: len(source.frames) > count + 15)
        assert source.recorder.closed == []


# -- what ends a wait ------------------------------------------------------------------------------------------------


def test_the_clock_of_a_thread_runs_ahead_once_its_patience_is_at_its_end() -> None:
    assert interrupt.install()
    patience = interrupt.Patience()
    patience.allow(5)
    now = time.monotonic()
    assert patience.clock(now) == now
    assert patience.clock(now + 6) - now > 1e8
    patience = interrupt.Patience()
    patience.end()
    first, second = patience.clock(now), patience.clock(now)
    assert second - first > 1e8  # whichever began the time-out


def test_without_such_a_clock_the_time_outs_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupt, "container", object())
    assert not interrupt.install()
