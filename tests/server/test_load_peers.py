"""The parts of the load tools: what they count must be what happened."""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.load import sessions, soak, store_writes
from tests.load.designs import __main__ as comparison
from tests.load.designs.every_frame import EveryFrame
from tests.load.peers.code import BITS, draw_code, read_code
from tests.load.peers.drivers import Driver, DriverGone
from tests.load.peers.heard import Heard
from tests.load.peers.measure import Processes, Standing, Watch, robust_slope
from tests.load.peers.player import Player
from tests.load.peers.sender import Sender
from tests.load.peers.video import (
    LOOP,
    SIZES,
    Clip,
    Unreadable,
    loop_positions,
    rates_up_to,
    read_pieces,
    sample_clip,
    video_clip,
    write_pieces,
)  # fmt: skip
from tracking.keyframes import KeyframePolicy, Look

RATE = 8
FULL, SMALL = SIZES[0], SIZES[-1]


@pytest.fixture(scope="module")
def clip() -> Clip:
    return sample_clip(0, RATE)


def decoded(pieces: list[bytes]) -> list[av.VideoFrame]:
    codec = av.CodecContext.create("libvpx", "r")
    return [frame for piece in pieces for frame in codec.decode(av.Packet(piece))]  # type: ignore[attr-defined]


def pieces_of(clip: Clip, rate: int, size: tuple[int, int]) -> list[bytes]:
    return read_pieces(clip.folder / f"{size[0]}x{size[1]}@{rate}.vp8")


# Video


@pytest.mark.parametrize(("rate", "size"), [(RATE, FULL), (3, SMALL)])
def test_a_clip_has_every_picture_of_its_loop_and_a_key_frame_every_second(
    clip: Clip, rate: int, size: tuple[int, int]
) -> None:
    pieces = pieces_of(clip, rate, size)
    assert len(pieces) == LOOP * rate == len(clip.payloads(rate, size))
    keys = [index for index, piece in enumerate(pieces) if not piece[0] & 1]
    assert keys == list(range(0, LOOP * rate, rate))
    frames = decoded(pieces)
    assert len(frames) == len(pieces)
    assert {(frame.width, frame.height) for frame in frames} == {size}
    assert len(decoded(pieces[3 * rate :])) == len(pieces) - 3 * rate  # whoever begins at a key frame needs no other


def test_the_pictures_of_a_clip_move(clip: Clip) -> None:
    first, later = (frame.to_ndarray(format="gray").astype(int) for frame in decoded(pieces_of(clip, 1, FULL))[:3:2])
    assert np.abs(first - later).mean() > 1


@pytest.mark.parametrize(
    ("fps", "width", "height", "expected"),
    [
        (30, 640, 480, (8, FULL)),
        (7.9, 640, 480, (6, FULL)),
        (4, 500, 500, (4, (480, 360))),
        (2.5, 320, 240, (2, SMALL)),
        (0.2, 10, 10, (1, SMALL)),
    ],
)
def test_the_encoding_nearest_below_is_taken(
    clip: Clip, fps: float, width: int, height: int, expected: tuple[int, tuple[int, int]]
) -> None:
    assert clip.fitting(fps, width, height) == expected


def test_rates_rise_to_the_highest() -> None:
    assert rates_up_to(15) == (1, 2, 3, 4, 5, 6, 8, 10, 12, 15)
    assert rates_up_to(7) == (1, 2, 3, 4, 5, 6, 7)
    assert rates_up_to(1) == (1,)


@pytest.mark.parametrize("duration", [1.57, 2.5, 5.0, 60.0])
def test_a_loop_goes_back_and_forth_without_a_jump(duration: float) -> None:
    positions = loop_positions(duration, 10)
    assert len(positions) == 10 * LOOP
    steps = np.abs(np.diff([*positions, positions[0]]))
    assert steps.max() <= 0.1 + 1e-9
    assert min(positions) >= -1e-9
    assert max(positions) <= min(duration, LOOP / 2) + 1e-9


def test_pieces_come_back_as_they_were(tmp_path: Path) -> None:
    pieces = [b"a", b"", os.urandom(70_000)]
    write_pieces(tmp_path / "pieces", pieces)
    assert read_pieces(tmp_path / "pieces") == pieces


def test_a_video_is_read_and_bad_ones_are_refused_in_words(tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    with pytest.raises(Unreadable, match=r"bad\.mp4"):
        video_clip(bad, 2, tmp_path)
    with pytest.raises(Unreadable, match="No such file"):
        video_clip(tmp_path / "none.mp4", 2, tmp_path)
    short, good = tmp_path / "short.mkv", tmp_path / "good.mkv"
    _write_video(short, 5)
    with pytest.raises(Unreadable, match="5 pictures"):
        video_clip(short, 2, tmp_path)
    _write_video(good, 20)
    clip = video_clip(good, 2, tmp_path)
    assert len(clip.payloads(2, FULL)) == 2 * LOOP
    assert len(clip.jpegs()) == 2 * LOOP
    assert clip.stills()
    assert not list(tmp_path.glob("making-*"))
    before = {file: file.stat().st_mtime_ns for file in clip.folder.iterdir()}
    assert video_clip(good, 2, tmp_path).folder == clip.folder
    assert {file: file.stat().st_mtime_ns for file in clip.folder.iterdir()} == before


def _write_video(path: Path, count: int) -> None:
    with av.open(str(path), "w") as sink:
        stream = sink.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 200, 100, "yuvj420p"
        for index in range(count):
            picture = np.full((100, 200, 3), 10 * index, np.uint8)
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        sink.mux(stream.encode(None))


# What is played


def test_a_player_goes_round_and_changes_encoding_at_a_key_frame(clip: Clip) -> None:
    player = Player(clip, RATE, FULL)
    full, small = clip.payloads(RATE, FULL), clip.payloads(4, SMALL)
    assert [player.next() for _ in range(3)] == full[:3]
    player.want(4.5, *SMALL)
    assert [player.next() for _ in range(RATE - 3)] == full[3:RATE]
    assert [player.next() for _ in range(2)] == small[4:6]
    assert (player.rate, player.size) == (4, SMALL)
    player.want(30, *FULL)
    assert [player.next() for _ in range(3)] == [*small[6:8], full[2 * RATE]]
    for _ in range(LOOP * RATE - 2 * RATE - 1):
        player.next()
    assert player.next() == full[0]


@pytest.mark.parametrize(("played", "expected"), [(0, 0), (3, 0), (5, RATE), (RATE, RATE), (LOOP * RATE - 1, 0)])
def test_a_player_jumps_to_the_nearest_key_frame(clip: Clip, played: int, expected: int) -> None:
    player = Player(clip, RATE, FULL)
    for _ in range(played):
        player.next()
    player.jump()
    assert player.next() == clip.payloads(RATE, FULL)[expected]


async def test_a_sender_obeys_the_server_s_budget(clip: Clip) -> None:
    sender = Sender(0, "http://localhost:1", clip)
    budget = {"v": 1, "type": "budget", "fps": 3.4, "width": 320, "height": 240, "keyframe_interval": 2.0}
    sender._said(json.dumps({**budget, "reason": "shared", "sessions": 50}))
    assert sender.budget is not None
    assert sender.budget["sessions"] == 50
    for _ in range(RATE + 1):
        sender._player.next()
    sender._player.next()
    assert (sender._player.rate, sender._player.size) == (3, SMALL)
    await sender.close()


# What is counted


def result(seq: int, rtp: int, **fields: Any) -> dict[str, Any]:
    return {"seq": seq, "rtp": rtp, "skipped": 0, "keyframe": False, "faces": [], **fields}


def test_latency_age_and_names_are_those_of_the_pictures() -> None:
    heard = Heard(0.0)
    for index in range(4):
        heard.sent(100 + index, 1000, float(index))
    heard.result(result(0, 100), 50, 0.2)
    ada = {"identity": "known", "name": "Ada"}
    heard.result(result(1, 103, skipped=2, keyframe=True, faces=[ada]), 50, 3.1)
    heard.result(result(0, 101), 50, 3.2)  # overtaken: not shown any more
    window = heard.window
    assert (window.sent, window.bytes_up, window.bytes_down) == (4, 4000, 150)
    assert window.times == [0.2, 3.1]
    assert window.latencies == pytest.approx([0.2, 0.1])
    assert window.oldest == pytest.approx(3.1)  # just before the second came the first was shown
    assert (window.skipped, window.looks, window.named, window.stale) == (2, 1, 1, 1)
    assert heard.names == {"Ada"}
    heard.age(8.0)
    assert window.oldest == pytest.approx(5.0)


def test_a_session_without_results_ages_from_the_beginning_of_the_window() -> None:
    heard = Heard(0.0)
    heard.begin(10.0)
    heard.age(13.0)
    assert heard.window.oldest == pytest.approx(3.0)


def test_only_uncertain_names_are_no_names() -> None:
    heard = Heard(0.0)
    heard.result(result(0, 1, faces=[{"identity": "uncertain", "name": "Ada"}]), 1, 1.0)
    assert heard.window.named == 0


def test_a_number_survives_lossy_coding() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    for number in (0, 1, 149, 512, (1 << BITS) - 1):
        frame = av.VideoFrame.from_ndarray(draw_code(picture, number), "rgb24").reformat(format="yuv420p")
        codec = av.CodecContext.create("libvpx", "w")
        codec.width, codec.height, codec.pix_fmt, codec.bit_rate = 640, 480, "yuv420p", 300_000  # type: ignore[attr-defined]
        codec.time_base = frame.time_base = Fraction(1, 15)  # type: ignore[attr-defined]
        frame.pts = 0
        pieces = [bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)]]  # type: ignore[attr-defined]
        assert [read_code(one) for one in decoded(pieces)] == [number]
    with pytest.raises(ValueError, match="not 1024"):
        draw_code(picture, 1 << BITS)


def test_a_picture_without_a_number_is_not_read_as_one() -> None:
    black = av.VideoFrame.from_ndarray(np.zeros((480, 640, 3), np.uint8), "rgb24")
    assert read_code(black) is None


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], 0.0),
        ([(1.0, 5.0)], 0.0),
        ([(0.0, 1.0), (1.0, 3.0)], 2.0),
        ([(float(x), 7.0) for x in range(20)], 0.0),
        ([(float(x), 3.0 * x + (500.0 if x % 7 == 3 else 0.0)) for x in range(40)], 3.0),
        ([(2.0, 1.0), (2.0, 9.0)], 0.0),
    ],
)
def test_the_slope_is_not_moved_by_a_few_outliers(points: list[tuple[float, float]], expected: float) -> None:
    assert robust_slope(points) == pytest.approx(expected)


def test_processes_are_counted_with_what_they_start() -> None:
    spin = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nprint('x', flush=True)"
    code = (
        f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {spin + chr(10) + 'time.sleep(30)'!r}])"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        processes = Processes([process.pid])
        spent, standing = processes.cpu(), processes.standing()
        children = processes.tree()[1:]
        for child in children:
            child.kill()
        process.wait()
        assert spent >= 0.3
        assert standing.processes == 2
        assert standing.memory > 3
        assert processes.cpu() == spent  # that of the dead is not lost
        with Watch(processes, 0.01) as watch:
            time.sleep(0.05)
        assert watch.memory[-1][1] == 0


def test_a_driver_that_has_died_is_said(clip: Clip) -> None:
    driver = Driver("http://localhost:1", [clip])
    assert driver.hear() == {"ready": True}
    assert driver.ask("report")["sessions"] == {}
    failed = driver.ask("open", numbers=[3], pace=10)
    assert failed["open"] == []
    assert "Connect" in failed["failed"]["3"]
    driver.kill()
    with pytest.raises(DriverGone):
        driver.ask("report")


# What is judged


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([index / 15 for index in range(60)], 0.0),
        ([index / 3 for index in range(9)] + [3 + index / 15 for index in range(60)], 3.0 - 1 / 3),
        ([index / 3 for index in range(30)], math.inf),
        ([], math.inf),
    ],
)
def test_full_rate_is_found_where_it_begins_and_lasts(times: list[float], expected: float) -> None:
    assert sessions.full_rate_after(times, 0.0, 15) == pytest.approx(expected, abs=0.4)


def run_of(**changed: Any) -> sessions.Run:
    fine: dict[str, Any] = dict.fromkeys(sessions.Run.__dataclass_fields__, 0)
    fine |= {"asked": 20, "served": 20, "failed": {}, "slowest": 14.0, "p95": 90.0, "fairness": 0.9, "memory": 500}
    fine |= {"recovery": None, "missed": [], "oldest": 300.0, "counted": 20, **changed}
    return sessions.Run(**fine)


@pytest.mark.parametrize(
    ("changed", "missing"),
    [
        ({}, []),
        ({"slowest": 11.9}, ["slowest"]),
        ({"p95": 151.0}, ["p95"]),
        ({"served": 19}, ["19 of 20"]),
        ({"p95": math.nan}, ["p95"]),
        ({"asked": 100, "served": 100, "slowest": 2.0, "p95": 700.0, "oldest": 1500.0, "fairness": 0.6}, []),
        ({"asked": 100, "served": 100, "slowest": 1.9, "fairness": 0.5}, ["slowest", "fairness"]),
        ({"asked": 100, "served": 100, "recovery": 5.1, "oldest": 1501.0}, ["oldest", "full rate"]),
        ({"asked": 100, "served": 100, "recovery": math.inf}, ["full rate"]),
        ({"seconds": 600.0, "growth": 14.0}, []),
        ({"seconds": 600.0, "growth": 16.0}, ["memory"]),
        ({"seconds": 30.0, "growth": 16.0}, []),
    ],
)
def test_bars(changed: dict[str, Any], missing: list[str]) -> None:
    found = sessions.missed(run_of(**changed))
    assert len(found) == len(missing)
    assert all(word in words for word, words in zip(missing, found, strict=True))


def test_who_was_not_served_is_said() -> None:
    said = sessions.table([run_of(served=17, full=2, failed={"not connected within 20 s": 1}, silent=1, counted=18)])
    for words in ("2 were turned away as full", "1 could not connect: not connected within 20 s", "1 had no result"):
        assert words in said
    assert "the server counts 18" in said


def test_a_soak_says_what_stays_behind() -> None:
    account = soak.Account(1, start=Standing(400, 12, 40, 3), end=Standing(410, 14, 44, 3))
    assert account.missed() == []
    account.end = Standing(410, 30, 90, 3)
    account.left, account.stuck, account.deaf = 2, ["a"], [5]
    account.memory, account.slope = [(0.0, 1.0), (1300.0, 9.0)], 30.0
    said = " / ".join(account.missed())
    for words in ("threads: 12", "files: 40", "2 sessions are left", "nobody driving", "heard nothing", "30.0 MB"):
        assert words in said


def test_every_frame_is_looked_at_by_that_policy() -> None:
    policy = KeyframePolicy(EveryFrame())
    gray = np.zeros((480, 640), np.uint8)
    looks = [policy.decide(gray, [], index / 30, evidence_wanted=False, small_faces=False) for index in range(200)]
    assert Look.NONE not in looks


@pytest.mark.parametrize("text", ["", "0", "1,x", "-3", "1001", "2.5"])
def test_odd_numbers_of_sessions_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        sessions.numbers(text)


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (sessions, ["--sessions", "none"]),
        (sessions, ["--rate", "0"]),
        (sessions, ["--seconds", "0"]),
        (sessions, ["--sessions", "2,5", "--then", "2"]),
        (sessions, ["--video", "/nowhere.mp4"]),
        (soak, ["--minutes", "0"]),
        (soak, ["--sessions", "0"]),
        (soak, ["--rate", "90"]),
        (store_writes, ["--nodes", "0"]),
        (store_writes, ["--seconds", "0"]),
        (comparison, ["--seconds", "0"]),
        (comparison, ["--video", "/nowhere.mp4"]),
    ],
)
def test_bad_arguments_end_with_words(
    module: Any, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["load", *arguments])
    with pytest.raises(SystemExit) as end:
        module.main()
    assert end.value.code == 2
    assert "error:" in capsys.readouterr().err
