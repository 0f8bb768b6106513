"""``visavis bench videos``: how fast a video is looked through, in how much memory, and what live sessions feel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import av
import click

from models import default_cache_dir
from pipeline.metrics import percentile
from server.commands.live_browser import camera_browser, make_camera, running_server, scratch_folder
from server.commands.report import show
from server.videos.sealing import VideoSeal
from server.videos.working import COMMAND, environment

SHORT, LONG = 10.0, 600.0  # seconds of video between which memory is compared
ROUNDS = 5  # with --live: of a session without and with a job, in turn
SETTLE = 3.0  # seconds left out at the start, while the sender finds its bit rate
READ = "() => window.visavis.results.filter(r => r.captured !== null).map(r => [r.seq, r.arrived - r.captured])"


@dataclass(frozen=True, slots=True)
class Run:
    """One video looked through; seconds, and bytes at the peak."""

    video: float
    wall: float
    cpu: float
    memory: int


@dataclass(frozen=True, slots=True)
class Round:
    """Latencies of a live session in ms, without and with a job; how many times as fast as it plays the video was."""

    idle: list[float]
    busy: list[float]
    speed: float


@click.command("videos")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--pack", default="open", show_default=True, help="Model pack; see `visavis models list`.")
@click.option("--models-dir", type=click.Path(path_type=Path), help="Folder of the packs.")
@click.option("--provider", default="auto", show_default=True)
@click.option("--live", is_flag=True, help="Instead: the latency of a live session without and with a video's job.")
@click.option("--seconds", type=click.FloatRange(5, 300), default=10.0, show_default=True, help="With --live: each.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bench_videos(
    file: Path, pack: str, models_dir: Path | None, provider: str, live: bool, seconds: float, as_json: bool
) -> None:
    """Work FILE off in a process of its own, then as 10 seconds and as 10 minutes of the same."""
    if live:
        _bench_live(file, pack, models_dir or default_cache_dir(), seconds, as_json)
        return
    if sys.platform == "win32":
        raise click.ClickException("what a process took can be asked on Linux and macOS only")
    models_dir = models_dir or default_cache_dir()
    task = {"pack": pack, "models_dir": str(models_dir), "provider": provider, "give_way": True}
    task = {**task, "seal": VideoSeal.passing().words()}
    with scratch_folder() as folder:
        whole = _run(file, folder / "whole", task)
        short, long = (_run(repeat(file, folder / f"{s:g}.mkv", s), folder / f"of {s:g}", task) for s in (SHORT, LONG))
    mega = 2**20
    rows = [
        ("length of the video [s]", round(whole.video, 1)),
        ("time from start to result [s]", round(whole.wall, 2)),
        ("times as fast as it plays", round(whole.video / whole.wall, 1)),
        ("processor time [s]", round(whole.cpu, 2)),
        ("memory at the peak [MB]", round(whole.memory / mega)),
        (f"… of {SHORT:g} s of it [MB]", round(short.memory / mega)),
        (f"… of {LONG / 60:g} min of it [MB]", round(long.memory / mega)),
        (f"time for {LONG / 60:g} min of it [s]", round(long.wall, 1)),
    ]
    show(f"A video's job with pack {pack}: {file.name}", rows, as_json)


def repeat(source: Path, target: Path, seconds: float) -> Path:
    """So many seconds of a video's pictures, from the beginning again where it is shorter; nothing is encoded anew.

    Raises ``click.ClickException`` if it cannot be read.
    """
    try:
        with av.open(str(target), "w", format="matroska") as out:
            made, offset = None, 0
            while True:
                with av.open(str(source)) as container:
                    stream = container.streams.video[0]
                    if made is None:
                        made = out.add_stream_from_template(stream)
                    end = offset
                    for packet in container.demux(stream):
                        if packet.dts is None or packet.pts is None or packet.time_base is None:
                            continue
                        packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                        end = max(end, packet.pts + (packet.duration or 1))
                        if packet.dts * packet.time_base > seconds:
                            return target
                        packet.stream = made
                        out.mux(packet)
                    if end == offset:
                        raise click.ClickException(f"{source}: no frame could be read")
                    offset = end
    except (av.FFmpegError, IndexError) as error:
        raise click.ClickException(f"{source}: there is no video in it that can be read") from error


def _run(video: Path, folder: Path, task: dict[str, Any]) -> Run:
    folder.mkdir()
    began = time.perf_counter()
    process = subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write((json.dumps({**task, "video": str(video), "folder": str(folder)}) + "\n").encode())
    process.stdin.flush()
    said = [json.loads(line) for line in process.stdout]
    wall = time.perf_counter() - began
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdin.close()
    process.stdout.close()
    last = said[-1] if said else {}
    if "finished" not in last:
        raise click.ClickException(f"{video.name}: {last.get('refused') or 'it could not be worked off'}")
    kilo = 1 if sys.platform == "darwin" else 1024
    return Run(last["finished"]["seconds"], wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * kilo)


def _bench_live(file: Path, pack: str, models_dir: Path, seconds: float, as_json: bool) -> None:
    with scratch_folder() as folder:
        make_camera(file, folder / "camera.mjpeg")
        long = repeat(file, folder / "long.mkv", 1800)
        flags = ("--pack", pack, "--models-dir", str(models_dir))
        with (
            running_server(folder / "data", *flags) as server,
            camera_browser(folder / "camera.mjpeg") as browser,
        ):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(server.url)
            page.click("#start")
            page.wait_for_function("() => window.visavis.firstResultAt !== null", timeout=20_000)
            page.wait_for_timeout(SETTLE * 1e3)
            rounds = [_round(page, server.url, long, seconds) for _ in range(ROUNDS)]
    if min(min(len(one.idle), len(one.busy)) for one in rounds) < 10:
        raise click.ClickException(f"fewer than 10 results came in {seconds:g} s")
    rows: list[tuple[str, float | int]] = [
        ("results without a job", sum(len(one.idle) for one in rounds)),
        ("results with a job", sum(len(one.busy) for one in rounds)),
    ]
    for share in (50, 95):
        pairs = [(percentile(one.idle, share), percentile(one.busy, share)) for one in rounds]
        rows += [
            (f"capture → result without a job, p{share} [ms]", round(median(idle for idle, _ in pairs), 1)),
            (f"capture → result with a job, p{share} [ms]", round(median(busy for _, busy in pairs), 1)),
            (f"… times as long, p{share}", round(median(busy / idle for idle, busy in pairs), 2)),
        ]
    rows.append(("the job meanwhile: times as fast as the video plays", round(median(one.speed for one in rounds), 1)))
    title = f"A live session beside a video's job, pack {pack}: {file.name}; medians of {ROUNDS} rounds"
    show(title, rows, as_json)


def _round(page: Any, url: str, video: Path, seconds: float) -> Round:
    """Latencies without a job, then with one."""
    idle = _latencies(page, seconds)
    id = _send(url, video)
    while not (state := _state(url, id))["done"]:
        if state["state"] == "failed":
            raise click.ClickException(state["words"])
        page.wait_for_timeout(100)
    before, began = state["done"], time.perf_counter()
    busy = _latencies(page, seconds)
    state = _state(url, id)
    if state["state"] != "running":
        raise click.ClickException("the video was over before the measurement: use a longer one")
    speed = (state["done"] - before) / (time.perf_counter() - began)
    urllib.request.urlopen(urllib.request.Request(f"{url}/api/v1/videos/{id}", method="DELETE"), timeout=30).close()
    page.wait_for_timeout(1000)  # until it has ended
    return Round(idle, busy, speed)


def _latencies(page: Any, seconds: float) -> list[float]:
    """Milliseconds from capture to result of what comes within so many seconds."""
    first = max((seq for seq, _ in page.evaluate(READ)), default=-1) + 1
    found: dict[int, float] = {}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        page.wait_for_timeout(1000)
        found |= {seq: took for seq, took in page.evaluate(READ) if seq >= first}
    return list(found.values())


def _send(url: str, video: Path) -> str:
    with video.open("rb") as body:
        request = urllib.request.Request(
            f"{url}/api/v1/videos?file=bench.mkv",
            data=body,
            headers={"Content-Length": str(video.stat().st_size), "Content-Type": "application/octet-stream"},
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            id: str = json.load(answer)["id"]
    return id


def _state(url: str, id: str) -> Any:
    with urllib.request.urlopen(f"{url}/api/v1/videos/{id}", timeout=10) as answer:
        return json.load(answer)
