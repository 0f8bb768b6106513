"""A sender that is no browser: Debian's `simple-whip-client` publishes a test picture, and its results are listened to.

    python -m tests.load.whip_client [--seconds 10] [--codec vp8|h264] [--json]

The client is GStreamer's webrtcbin behind WHIP (RFC 9725), without data channels: results come as server-sent events
from the address that the answer links to. Seconds are from the client's start.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from server.commands.live_browser import running_server
from tests.packs import models_folder

CLIENT = "whip-client"
SOURCE = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=480,framerate=30/1 ! videoconvert ! "
PIPELINES = {
    "vp8": SOURCE + "queue ! vp8enc deadline=1 keyframe-max-dist=60 ! rtpvp8pay pt=96 ssrc=2 ! queue ! "
    "application/x-rtp,media=video,encoding-name=VP8,payload=96",
    "h264": SOURCE + "queue ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=60 ! "
    "video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1 pt=96 ssrc=2 ! queue ! "
    "application/x-rtp,media=video,encoding-name=H264,payload=96",
}


@dataclass(frozen=True, slots=True)
class Published:
    """What came of one publication: seconds to the first result, results a second, the picture's size."""

    codec: str
    first: float
    results: int
    rate: float
    size: str


def _ask(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return dict(json.load(answer))


def publish(seconds: float, codec: str) -> Published:
    """Publish to a server of our own for so long. Raises ``TimeoutError`` where no session begins or no result comes,
    with what the client said."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with running_server(folder / "data", "--models-dir", str(models_folder())) as server:
            command = [CLIENT, "-u", f"{server.url}/api/v1/whip", "-V", PIPELINES[codec], "--disable-colors"]
            with (folder / "client").open("w") as said:
                client = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
            try:
                return _listen(server.url, seconds, codec, folder / "client")
            finally:
                client.terminate()
                try:
                    client.wait(5)
                except subprocess.TimeoutExpired:
                    client.kill()
                    client.wait()


def _listen(url: str, seconds: float, codec: str, log: Path) -> Published:
    began = time.monotonic()
    while not (sessions := _ask(f"{url}/api/v1/sessions")["sessions"]):
        if time.monotonic() - began > 15:
            raise TimeoutError(f"no session began; the client said: {log.read_text()[-600:]}")
        time.sleep(0.05)
    times: list[float] = []
    size = ""
    events = f"{url}/api/v1/sessions/{sessions[0]['id']}/events"
    with urllib.request.urlopen(events, timeout=20) as stream:
        kind = ""
        for raw in stream:
            line = raw.decode().strip()
            if line.startswith("event: "):
                kind = line[7:]
            elif line.startswith("data: ") and kind == "result":
                result = json.loads(line[6:])
                times.append(time.monotonic())
                size = f"{result['width']}×{result['height']}"
            if times and time.monotonic() - times[0] > seconds:
                break
            if time.monotonic() - began > seconds + 30:
                break
    if len(times) < 2:
        raise TimeoutError(f"no results came; the client said: {log.read_text()[-600:]}")
    rate = (len(times) - 1) / (times[-1] - times[0])
    return Published(codec, round(times[0] - began, 2), len(times), round(rate, 1), size)


def unavailable() -> str | None:
    """Why there is no such client here."""
    return (
        None if shutil.which(CLIENT) else "whip-client is not installed; on Debian: apt-get install simple-whip-client"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--codec", choices=[*PIPELINES], action="append")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if why := unavailable():
        sys.exit(why)
    found = [publish(asked.seconds, codec) for codec in asked.codec or PIPELINES]
    if asked.json:
        print(json.dumps([asdict(one) for one in found]))
        return
    print(f"{'codec':6} {'first s':>8} {'results':>8} {'a second':>9}  picture")
    for one in found:
        print(f"{one.codec:6} {one.first:8.2f} {one.results:8} {one.rate:9.1f}  {one.size}")


if __name__ == "__main__":
    main()
