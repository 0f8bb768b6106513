"""One room with several cameras and viewers, on this machine: how old results and pictures are when they arrive.

    python -m tests.load.room [--cameras 4] [--viewers 8] [--seconds 30] [--one] [--wall] [--consent-mode] [--json]

A server in a process of its own; the cameras in a second, which send video encoded beforehand (640×480, 30 a second,
VP8 at about 1.5 Mbit/s, one moving face); the viewers in a third, which take every picture of every camera (with
``--one``: of one camera each) and look at no more than its packets' headers, so that the figures are the server's. With
``--wall`` one of the viewers is a real browser that shows the room's wall; its pictures are timed when they are shown.
With ``--consent-mode`` the room is in consent mode and the face is a stranger's: every picture is masked.
All of it shares the machine's processors. Ages are from the camera's sending of a picture, by one clock.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import json
import math
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
import av
import psutil
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription

from pipeline.metrics import percentile
from server.commands.live_browser import camera_browser, running_server
from server.relay.encoder import PictureEncoder
from server.relay.track import TIME_BASE
from server.transport import sent_timestamp, tune_sender
from tests.browser.conftest import moving_portrait, write_camera
from tests.packs import models_folder
from tests.server.viewing import Viewing

ROOM = "load"
RATE = 30
TICKS = 90_000 // RATE
LOOP = 90  # pictures
BARS = {"result": 60.0, "glass": 200.0}  # ms at the 95th percentile
SDP = {"Content-Type": "application/sdp"}
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Run:
    """What was seen: rates a second of each camera's results and each viewer's pictures (the slowest), ages in ms."""

    cameras: int
    viewers: int
    streams: int
    result_rate: float
    result: tuple[float, float]  # 50th and 95th percentile
    picture_rate: float
    glass: tuple[float, float]
    decoded: float  # pictures a second, all of the server
    handed_on: float
    cpu: float  # of one processor, %
    wall: tuple[float, float] | None


@functools.cache
def encoded() -> list[bytes]:
    """A loop of pictures that begins with a key frame."""
    encoder = PictureEncoder()
    pictures = []
    for index, picture in enumerate(moving_portrait(LOOP)):
        frame = av.VideoFrame.from_ndarray(picture, "bgr24").reformat(format="yuv420p")
        pictures.append(b"".join(data for data, _ in encoder.encode(frame, index * TICKS, index == 0)))
    return pictures


class Encoded(MediaStreamTrack):
    """A camera whose pictures are encoded already; begins its loop again where a key frame is asked for."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.sender: RTCRtpSender | None = None
        self.taken: OrderedDict[int, float] = OrderedDict()  # RTP timestamp → seconds since 1970
        self._at = self._count = 0
        self._began: float | None = None
        self._last: tuple[int, float] | None = None

    def want_key(self) -> None:
        """Begin anew with the next picture."""
        self._at = 0

    async def recv(self) -> av.Packet[Any]:
        """The next picture, when it is due."""
        if self._last is not None and self.sender is not None:
            stamp = sent_timestamp(self.sender)
            if stamp is not None:
                self.taken[stamp] = self._last[1]
                while len(self.taken) > 300:
                    self.taken.popitem(last=False)
        self._began = self._began or time.perf_counter()
        await asyncio.sleep(max(0.0, self._began + self._count / RATE - time.perf_counter()))
        packet: av.Packet[Any] = av.Packet(encoded()[self._at])
        packet.pts, packet.time_base = self._count * TICKS, TIME_BASE
        self._last = (self._count * TICKS, time.time())
        self._count += 1
        self._at = (self._at + 1) % LOOP
        return packet


async def cameras(url: str, number: int, seconds: float) -> dict[str, Any]:
    """Send from so many cameras; the ages of their results in ms, and each one's rate."""
    ages: list[list[float]] = [[] for _ in range(number)]
    waiting: list[list[tuple[float, int]]] = [[] for _ in range(number)]
    tracks, connections = [], []
    encoded()  # before anybody waits for this loop
    async with aiohttp.ClientSession() as client:
        for index in range(number):
            pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
            track = Encoded()
            track.sender = pc.addTrack(track)
            tune_sender(track.sender, track.want_key)
            channel = pc.createDataChannel("results", ordered=False, maxRetransmits=0)
            pc.createDataChannel("commands")

            def heard(raw: str, mine: list[tuple[float, int]] = waiting[index]) -> None:
                mine.append((time.time(), json.loads(raw)["rtp"]))

            channel.on("message", heard)
            await pc.setLocalDescription(await pc.createOffer())
            where = f"{url}/api/v1/whip?room={ROOM}&name=Camera%20{index + 1}"
            async with client.post(where, data=pc.localDescription.sdp, headers=SDP) as answer:
                assert answer.status == 201, await answer.text()
                await pc.setRemoteDescription(RTCSessionDescription(await answer.text(), "answer"))
            tracks.append(track)
            connections.append(pc)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)  # the viewers are there
        for mine in waiting:
            mine.clear()
        began = time.time()
        while time.time() - began < seconds:
            await asyncio.sleep(1.0)
            for index, mine in enumerate(waiting):
                taken = tracks[index].taken
                ages[index] += [(at - taken[rtp]) * 1e3 for at, rtp in mine if rtp in taken]
                mine.clear()
    found = {"ages": [age for one in ages for age in one], "rates": [len(one) / seconds for one in ages]}
    print(json.dumps(found), flush=True)
    await asyncio.to_thread(sys.stdin.readline)  # until the viewers are done
    for pc in connections:
        await pc.close()
    return found


async def viewers(url: str, number: int, seconds: float, one: bool) -> dict[str, Any]:
    """Watch with so many viewers; the ages of pictures in ms, and each stream's rate."""
    watching: list[Viewing] = []
    async with aiohttp.ClientSession() as client:
        async with client.get(f"{url}/api/v1/rooms/{ROOM}") as answer:
            there = [camera["id"] for camera in (await answer.json())["cameras"]]
        for viewer in range(number):
            for camera in [there[viewer % len(there)]] if one else there:
                viewing = Viewing()
                viewing.only_headers()
                where = f"{url}/api/v1/rooms/{ROOM}/cameras/{camera}/whep"
                async with client.post(where, data=await viewing.offer(), headers=SDP) as answer:
                    assert answer.status == 201, await answer.text()
                    await viewing.accept(await answer.text())
                watching.append(viewing)
        await asyncio.sleep(4.0)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        for viewing in watching:
            viewing.frames.clear()
            viewing.results.clear()
        await asyncio.sleep(seconds)
        found = {
            "ages": [age for viewing in watching for age in picture_ages(viewing)],
            "rates": [len(viewing.frames) / seconds for viewing in watching],
        }
    print(json.dumps(found), flush=True)
    for viewing in watching:
        await viewing.close()
    return found


def picture_ages(viewing: Viewing) -> list[float]:
    """Of each whole picture the time since it was sent, by the camera's clock as its results tell it; in ms."""
    offset = next((said["offset"] for said in reversed(viewing.said) if said["type"] == "clock"), None)
    if offset is None:
        return []
    captured = {(result["rtp"] + offset) & 0xFFFFFFFF: result["capture"] for _, result in viewing.results}
    return [(at - taken) * 1e3 for at, frame in viewing.frames if (taken := captured.get(frame.timestamp)) is not None]


def measure(
    number: int, watching: int, seconds: float, *, one: bool = False, wall: bool = False, consent_mode: bool = False
) -> Run:
    """One run. Raises ``AssertionError`` where somebody is not let in."""
    streams = (watching - wall) * (1 if one else number) + wall * number
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        flags = ("--models-dir", str(models_folder()), "--max-viewers", str(watching * number))
        flags += ("--consent-mode",) if consent_mode else ()
        with running_server(folder / "data", *flags) as server:
            process = psutil.Process(server.process.pid)
            with _browser(folder, wall) as browser:
                senders = _part("cameras", server.url, number, seconds)
                _wait(senders)
                page = _wall(browser, server.url)
                watchers = _part("viewers", server.url, watching - wall, seconds, *(["--one"] if one else []))
                _wait(watchers)
                time.sleep(2.0)
                began, before = time.time(), _frames(server.url)
                process.cpu_percent()
                for part in (senders, watchers):
                    _go(part)
                time.sleep(seconds)
                cpu, after = process.cpu_percent(), _frames(server.url)
                shown = page.evaluate(_SHOWN, began * 1e3) if page is not None else []
                seen, sent = _said(watchers), _said(senders)
            _go(senders)
            for part in (senders, watchers):
                part.communicate(timeout=30)
    return Run(
        cameras=number,
        viewers=watching,
        streams=streams,
        result_rate=round(min(sent["rates"]), 1),
        result=_middle(sent["ages"]),
        picture_rate=round(min(seen["rates"], default=math.nan), 1),
        glass=_middle(seen["ages"]),
        decoded=round((after - before) / seconds, 1),
        handed_on=round(sum(seen["rates"]), 1),
        cpu=round(cpu),
        wall=_middle(shown) if wall else None,
    )


# Of the pictures that were shown since then and whose results came: milliseconds from capture to showing.
_SHOWN = """(since) => Object.values(window.visavisRoom.cameras).flatMap(({ results, shown }) => {
  const captured = new Map(results.map((result) => [result.timestamp, result.capture * 1000]));
  return shown.map(({ rtp, at }) => ({ at: performance.timeOrigin + at, captured: captured.get(rtp) }))
    .filter(({ at, captured }) => captured && at > since).map(({ at, captured }) => at - captured);
})"""


@contextlib.contextmanager
def _browser(folder: Path, wanted: bool) -> Iterator[Any]:
    """A browser, if it is wanted, started before anybody would miss the time that takes."""
    if not wanted:
        yield None
        return
    write_camera(folder / "camera.mjpeg", moving_portrait(2))
    with camera_browser(folder / "camera.mjpeg") as browser:
        yield browser


def _wall(browser: Any, url: str) -> Any:
    """The wall of the room, with every camera on it."""
    if browser is None:
        return None
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{url}/room/{ROOM}")
    page.wait_for_function(
        "() => Object.keys(window.visavisRoom.cameras).length"
        " && Object.values(window.visavisRoom.cameras).every((camera) => camera.frames > 30)"
    )
    return page


def _frames(url: str) -> int:
    """Pictures the server has decoded so far, of all sessions that are there."""
    with urllib.request.urlopen(f"{url}/api/v1/sessions") as answer:
        numbers = [session["id"] for session in json.load(answer)["sessions"]]
    frames = 0
    for number in numbers:
        with urllib.request.urlopen(f"{url}/api/v1/sessions/{number}") as answer:
            frames += json.load(answer)["frames"]
    return frames


def _middle(ages: list[float]) -> tuple[float, float]:
    return (round(percentile(ages, 50), 1), round(percentile(ages, 95), 1)) if ages else (math.nan, math.nan)


def _part(kind: str, url: str, number: int, seconds: float, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.load.room", "--part", kind, "--url", url, "--number", str(number)]
    return subprocess.Popen(
        [*command, "--seconds", str(seconds), *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


def _wait(part: subprocess.Popen[str]) -> None:
    assert part.stdout is not None
    assert part.stdout.readline() == "ready\n", "a part of the load did not start"


def _go(part: subprocess.Popen[str]) -> None:
    assert part.stdin is not None
    part.stdin.write("go\n")
    part.stdin.flush()


def _said(part: subprocess.Popen[str]) -> dict[str, Any]:
    assert part.stdout is not None
    found: dict[str, Any] = json.loads(part.stdout.readline())
    return found


def main() -> None:
    """Print the table; the exit code says whether the bars were held."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--viewers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--one", action="store_true", help="each viewer watches one camera")
    parser.add_argument("--wall", action="store_true", help="one viewer is a browser with the room's wall")
    parser.add_argument("--consent-mode", action="store_true", help="the room is in consent mode")
    parser.add_argument("--json", action="store_true")
    for hidden in ("--part", "--url"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.part == "cameras":
        asyncio.run(cameras(asked.url, asked.number, asked.seconds))
        return
    if asked.part == "viewers":
        asyncio.run(viewers(asked.url, asked.number, asked.seconds, asked.one))
        return
    run = measure(
        asked.cameras, asked.viewers, asked.seconds, one=asked.one, wall=asked.wall, consent_mode=asked.consent_mode
    )
    if asked.json:
        print(json.dumps(asdict(run)))
    else:
        print(table(run))
    seen = [ages[1] for ages in (run.glass, run.wall) if ages is not None and not math.isnan(ages[1])]
    sys.exit(run.result[1] > BARS["result"] or max(seen) > BARS["glass"])


def table(run: Run) -> str:
    """One run in words."""
    lines = [
        ("cameras, viewers, streams to viewers", f"{run.cameras}, {run.viewers}, {run.streams}"),
        ("results a second, slowest camera", f"{run.result_rate:.1f}"),
        ("sent → result, p50 / p95 [ms]", f"{run.result[0]:.1f} / {run.result[1]:.1f}"),
        ("pictures a second, slowest stream", f"{run.picture_rate:.1f}"),
        ("sent → whole at the viewer, p50 / p95 [ms]", f"{run.glass[0]:.1f} / {run.glass[1]:.1f}"),
        ("pictures decoded a second, whole server", f"{run.decoded:.0f} ({run.decoded / RATE:.1f} cameras)"),
        ("pictures handed on a second", f"{run.handed_on:.0f}"),
        ("server, % of one processor", f"{run.cpu:.0f}"),
    ]
    if run.wall is not None:
        lines.append(("sent → shown on the wall, p50 / p95 [ms]", f"{run.wall[0]:.1f} / {run.wall[1]:.1f}"))
    return "\n".join(f"{name:44} {value}" for name, value in lines)


if __name__ == "__main__":
    main()
