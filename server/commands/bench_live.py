"""``visavis bench live``: the whole way, from a camera in a real browser to a result drawn in it."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import click
import psutil

from pipeline.metrics import percentile
from server.commands.live_browser import camera_browser, make_camera, running_server, scratch_folder
from server.commands.report import show, table

STAGES = ("queue", "decode", "convert", "flow", "detect", "embed", "total")
SETTLE = 3.0  # seconds left out at the start, while the sender finds its bit rate
READ = """() => ({results: window.visavis.results, startedAt: window.visavis.startedAt,
  firstResultAt: window.visavis.firstResultAt, origin: performance.timeOrigin})"""


@click.command("live")
@click.option("--video", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--seconds", type=click.FloatRange(2, 600), default=20.0, show_default=True, help="How long to measure.")
@click.option("--stock-transport", is_flag=True, help="With the WebRTC library as it comes, for comparison.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bench_live(video: Path, seconds: float, stock_transport: bool, as_json: bool) -> None:
    """A server of its own and headless Chromium with FILE as its camera, at 640×480 and 30 frames a second."""
    flags = ("--no-marker-frames", "--no-early-remb", "--no-stall-guard") if stock_transport else ()
    with scratch_folder() as folder:
        camera = folder / "camera.mjpeg"
        make_camera(video, camera)
        with running_server(folder / "data", *flags) as server, camera_browser(camera) as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(server.url)
            page.click("#start")
            page.wait_for_function("() => window.visavis.firstResultAt !== null", timeout=20_000)
            page.wait_for_timeout(SETTLE * 1e3)
            process = psutil.Process(server.process.pid)
            collected: dict[int, dict[str, Any]] = {}
            cpu, began = _cpu(process), time.perf_counter()
            read = page.evaluate(READ)
            first_seq = max((r["seq"] for r in read["results"]), default=-1) + 1
            while time.perf_counter() - began < seconds:
                page.wait_for_timeout(2000)
                collected |= {r["seq"]: r for r in page.evaluate(READ)["results"] if r["seq"] >= first_seq}
            spent, elapsed = _cpu(process) - cpu, time.perf_counter() - began
            enrolled = _enrol(page, "Visitor", "#who-save")
            guided, saved = _enrol_guided(page, server.url)
    results = [collected[seq] for seq in sorted(collected)]
    if len(results) < 10:
        raise click.ClickException(f"only {len(results)} results came in {seconds:g} s")
    _report(video, results, read, spent, elapsed, enrolled, guided, saved, stock_transport, as_json)


def _report(
    video: Path,
    results: list[dict[str, Any]],
    start: dict[str, Any],
    spent: float,
    elapsed: float,
    enrolled: float | None,
    guided: float | None,
    saved: float | None,
    stock: bool,
    as_json: bool,
) -> None:
    arrived = [r["arrived"] - r["captured"] for r in results if r["captured"] is not None]
    drawn = [r["drawn"] - r["captured"] for r in results if r["captured"] is not None and r["drawn"] is not None]
    last = results[-1]
    span = (last["arrived"] - results[0]["arrived"]) / 1e3
    frames = len(results) + sum(r["skipped"] for r in results)
    rows = [
        ("results", len(results)),
        ("results a second", round((len(results) - 1) / span, 1)),
        ("frames skipped for a newer one", sum(r["skipped"] for r in results)),
        ("frame size", f"{last['width']}×{last['height']}"),
        ("faces, mean", round(sum(len(r["faces"]) for r in results) / len(results), 2)),
        ("detected on [% of frames]", round(100 * sum(r["keyframe"] for r in results) / len(results), 1)),
        ("capture → result, p50 [ms]", round(percentile(arrived, 50), 1)),
        ("capture → result, p95 [ms]", round(percentile(arrived, 95), 1)),
        ("capture → drawn, p50 [ms]", round(percentile(drawn, 50), 1)),
        ("capture → drawn, p95 [ms]", round(percentile(drawn, 95), 1)),
        ("click on start → first result [ms]", round(start["firstResultAt"] - start["startedAt"])),
        ("name typed → shown [s]", enrolled),
        ("the same, guided by the ring [s]", guided),
        ("of that, saving until it can be recognised [ms]", saved),
        ("server CPU per frame [ms]", round(1e3 * spent / max(frames, 1), 2)),
        ("server CPU [% of one core]", round(100 * spent / elapsed, 1)),
    ]
    stages = [
        (name, round(percentile(values, 50), 2), round(percentile(values, 95), 2)) for name, values in _stages(results)
    ]
    title = f"Live{' with the stock transport' if stock else ''}: {video.name}"
    details = {"stages": {name: {"p50": p50, "p95": p95} for name, p50, p95 in stages}}
    show(title, rows, as_json, **details)
    if not as_json:
        click.echo()
        table(("stage [ms]", "p50", "p95"), stages)


def _stages(results: list[dict[str, Any]]) -> list[tuple[str, list[float]]]:
    """Milliseconds by stage; the first and last are the network's, by the two clocks of one machine."""
    up = [
        1e3 * (r["timing"]["received"] - r["capture"])
        for r in results
        if r["timing"]["received"] is not None and r["capture"] is not None
    ]
    return [("capture to last packet", up), *((s, [float(r["timing"][s]) for r in results]) for s in STAGES)]


def _enrol(page: Any, name: str, button: str) -> float | None:
    """Name the first face and measure until the name shows; ``None`` without a face or a name in time."""
    face = page.query_selector("#faces [data-track]")
    if face is None:
        return None
    face.click(force=True)
    page.fill("#who-name", name)
    began = time.perf_counter()
    page.click(button)
    shown = "name => window.visavis.faces.some(f => f.identity === 'known' && f.name === name)"
    try:
        page.wait_for_function(shown, arg=name, timeout=20_000)
    except Exception as error:
        if type(error).__name__ != "TimeoutError":
            raise
        return None
    return round(time.perf_counter() - began, 2)


def _enrol_guided(page: Any, url: str) -> tuple[float | None, float | None]:
    """Forget everybody, then the same with the ring; seconds in all, and milliseconds that the server took to save."""
    with urllib.request.urlopen(f"{url}/api/v1/people", timeout=10) as answer:
        people = json.load(answer)["people"]
    for person in people:
        path = f"{url}/api/v1/people/{person['id']}"
        urllib.request.urlopen(urllib.request.Request(path, method="DELETE"), timeout=10).close()
    page.wait_for_function("() => window.visavis.faces.every(f => f.identity !== 'known')", timeout=10_000)
    page.wait_for_function("() => !document.querySelector('#who').open", timeout=10_000)
    took = _enrol(page, "Newcomer", "#who-guide")
    if took is None:
        return None, None
    return took, page.evaluate("() => window.visavis.heard.enrolled.message.saved_ms")


def _cpu(process: Any) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
