"""A server of its own and a headless Chromium whose camera is a video file: what live measurements and browser tests
drive."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import click
import numpy as np

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    # Headless pages are throttled as if nobody saw them, which a page in use is not.
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
)
CAMERA_RATE = 30  # frames a second at which Chromium plays a file of JPEG pictures
START_TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server process. ``log`` is what it printed on standard error, secrets excepted by its own rules."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome, or ``None``."""
    return next((path for name in CHROMIUM if (path := shutil.which(name))), None)


@contextlib.contextmanager
def running_server(
    data_dir: Path, *flags: str, environ: dict[str, str] | None = None, before: Sequence[str] = ()
) -> Iterator[RunningServer]:
    """Start a server on a free port of loopback, where this computer is the owner, and end it afterwards; ``before`` is
    a command that runs its own arguments, as in another network namespace. Raises ``click.ClickException`` if it does
    not start."""
    data_dir.mkdir(parents=True, exist_ok=True)
    log, said = data_dir / "server.log", data_dir / "server.out"
    command = [*before, sys.executable, "-m", "server", "--no-lan", "--local-owner", "--http-port", "0"]
    command += ["--data-dir", str(data_dir), *flags]
    # Whom it enrols are faces of a file: nobody is there to be asked.
    ours = {"PYTHONUNBUFFERED": "1", "VISAVIS_CONSENT": "ask"}
    with log.open("a") as errors, said.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=errors, env={**os.environ, **ours, **(environ or {})})
    try:
        yield RunningServer(process, _wait_for_url(process, said, log), log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_url(process: subprocess.Popen[bytes], said: Path, log: Path) -> str:
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"http://localhost:\d+", said.read_text()):
            return found.group()
        time.sleep(0.05)
    last = log.read_text().strip().splitlines()
    raise click.ClickException(f"the server did not start: {last[-1] if last else 'it said nothing'}")


@contextlib.contextmanager
def camera_browser(camera: Path, *flags: str, path: str | None = None) -> Iterator[Any]:
    """A headless Chromium, that of ``path`` or one that is found, with further ``flags`` whose only camera plays
    ``camera``. Raises ``click.ClickException`` if there is none."""
    path = path or find_chromium()
    if path is None:
        raise click.ClickException("no Chromium was found; on Debian: apt-get install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise click.ClickException("playwright is missing: pip install 'visavis[bench]'") from error
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=path, headless=True, args=[*FLAGS, *flags, f"--use-file-for-fake-video-capture={camera}"]
        )
        try:
            yield browser
        finally:
            browser.close()


def make_camera(video: Path, target: Path, width: int = 640, height: int = 480, seconds: float = 60.0) -> int:
    """Write a video as the stream of JPEG pictures that Chromium takes for a camera, fitted into
    ``width``×``height`` with borders, at 30
    frames a second; returns how many. Raises ``click.ClickException`` if it cannot be read."""
    try:
        with av.open(str(video)) as source, av.open(str(target), "w", format="mjpeg") as sink:
            if not source.streams.video:
                raise click.ClickException(f"{video}: there is no video in it")
            stream = sink.add_stream("mjpeg", rate=CAMERA_RATE)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
            stream.options = {"qmin": "2", "qmax": "4"}
            written = 0
            for frame in source.decode(video=0):
                due = 1 + int((frame.time or 0.0) * CAMERA_RATE)
                picture = _fitted(frame, width, height)
                while written < due and written < seconds * CAMERA_RATE:
                    picture.pts = written
                    sink.mux(stream.encode(picture))
                    written += 1
            sink.mux(stream.encode(None))
    except av.FFmpegError as error:
        raise click.ClickException(f"{video}: {error.strerror or error}") from error
    if not written:
        raise click.ClickException(f"{video}: no frame could be read")
    return written


def _fitted(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    scale = min(width / frame.width, height / frame.height)
    w, h = (min(side, 2 * round(length * scale / 2)) for side, length in ((width, frame.width), (height, frame.height)))
    canvas = np.full((height, width, 3), 60, np.uint8)
    left, top = (width - w) // 2, (height - h) // 2
    canvas[top : top + h, left : left + w] = frame.reformat(w, h, "rgb24").to_ndarray()
    return av.VideoFrame.from_ndarray(canvas, "rgb24").reformat(format="yuvj420p")


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="visavis-") as folder:
        yield Path(folder)
