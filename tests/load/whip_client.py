"""A sender that is no browser: Debian's `simple-whip-client` publishes a test picture, and its results are listened to.

    python -m tests.load.whip_client [--seconds 10] [--codec vp8|h264] [--tls] [--json]

The client is GStreamer's webrtcbin behind WHIP (RFC 9725), without data channels: results come as server-sent events
from the address that the answer links to. Seconds are from the client's start. With ``--tls`` it publishes as another
device does, over HTTPS with what is in the link that the terminal shows.
At the end the client is told to stop, and must end its session itself.
"""

from __future__ import annotations

import argparse
import json
import os
import re
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
BEGINS_WITHIN = 60.0  # seconds: at its very first start GStreamer looks at every plugin there is
SOURCE = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=480,framerate=30/1 ! videoconvert ! "
PIPELINES = {
    "vp8": SOURCE + "queue ! vp8enc deadline=1 keyframe-max-dist=60 ! rtpvp8pay pt=96 ssrc=2 ! queue ! "
    "application/x-rtp,media=video,encoding-name=VP8,payload=96",
    "h264": SOURCE + "queue ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=60 ! "
    "video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1 pt=96 ssrc=2 ! queue ! "
    "application/x-rtp,media=video,encoding-name=H264,payload=96",
}


# Debian 12's client needs libsoup 2 and its ICE library libsoup 3, for UPnP: both refuse to be in one process. The way
# to UPnP is stood in for by a library that says it has none.
UPNP_LIBRARY = "libgupnp-igd-1.0.so.4"
NO_UPNP = """
void *gupnp_simple_igd_thread_new(void) { return 0; }
unsigned long gupnp_simple_igd_get_type(void) { return 0; }
void gupnp_simple_igd_add_port(void) { }
void gupnp_simple_igd_remove_port_local(void) { }
"""
COMPILERS = ("cc", "tcc")


@dataclass(frozen=True, slots=True)
class Published:
    """What came of one publication: seconds to the first result, results a second, the picture's size, and whether
    the client's ``DELETE`` ended it."""

    codec: str
    tls: bool
    first: float
    results: int
    rate: float
    size: str
    deleted: bool


def _ask(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return dict(json.load(answer))


def without_upnp(folder: Path) -> dict[str, str]:
    """The client's environment. Raises ``subprocess.CalledProcessError`` where the stand-in cannot be made."""
    source = folder / "no_upnp.c"
    source.write_text(NO_UPNP)
    compiler = next(path for name in COMPILERS if (path := shutil.which(name)))
    made = [compiler, "-shared", "-fPIC", "-nostdlib", "-o", str(folder / UPNP_LIBRARY), str(source)]
    subprocess.run(made, check=True)
    return {**os.environ, "LD_LIBRARY_PATH": str(folder)}


def publish(seconds: float, codec: str, tls: bool = False) -> Published:
    """Publish to a server of our own for so long. Raises ``TimeoutError`` where no session begins or no result comes,
    with what the client said."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        environ = without_upnp(folder)
        flags = ["--models-dir", str(models_folder()), "--log-level", "info"]
        flags += ["--lan", "--https-port", "0", "--trust-port", "0"] if tls else []
        with running_server(folder / "data", *flags) as server:
            command = [CLIENT, "-V", PIPELINES[codec], "--disable-colors"]
            url, token = _lan_link(folder / "data") if tls else (server.url, "")
            command += ["-u", f"{url}/api/v1/whip"]
            command += ["-t", token] if tls else []
            with (folder / "client").open("w") as said:
                client = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=environ)
            try:
                times, size = _listen(server.url, seconds, folder / "client")
            finally:
                client.terminate()
                try:
                    client.wait(5)
                except subprocess.TimeoutExpired:
                    client.kill()
                    client.wait()
            deleted = re.search(r"session \S+: link ended: deleted", server.log.read_text()) is not None
    rate = (len(times) - 1) / (times[-1] - times[0])
    return Published(codec, tls, round(times[0], 2), len(times), round(rate, 1), size, deleted)


def _lan_link(data: Path) -> tuple[str, str]:
    """The HTTPS address by which this server is told to be found, and what is in the link that it shows."""
    found = re.search(r"(https://[^/\s]+)/join/(\S+)", (data / "server.out").read_text())
    assert found is not None
    return found.group(1), found.group(2)


def _listen(url: str, seconds: float, log: Path) -> tuple[list[float], str]:
    """When results came, in seconds from now, for so long from the first on; and their picture's size."""
    began = time.monotonic()
    while not (sessions := _ask(f"{url}/api/v1/sessions")["sessions"]):
        if time.monotonic() - began > BEGINS_WITHIN:
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
                times.append(time.monotonic() - began)
                size = f"{result['width']}×{result['height']}"
            now = time.monotonic() - began
            if (times and now - times[0] > seconds) or now > seconds + BEGINS_WITHIN:
                break
    if len(times) < 2:
        raise TimeoutError(f"no results came; the client said: {log.read_text()[-600:]}")
    return times, size


def unavailable() -> str | None:
    """Why there is no such client here, or none that runs."""
    if shutil.which(CLIENT) is None:
        return "whip-client is not installed; on Debian: apt-get install simple-whip-client"
    if not any(shutil.which(name) for name in COMPILERS):
        return "whip-client runs only beside a library made for it; on Debian: apt-get install tcc"
    return None


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--codec", choices=[*PIPELINES], action="append")
    parser.add_argument("--tls", action="store_true", help="over HTTPS, by the link that the terminal shows")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if why := unavailable():
        sys.exit(why)
    found = [publish(asked.seconds, codec, asked.tls) for codec in asked.codec or PIPELINES]
    if asked.json:
        print(json.dumps([asdict(one) for one in found]))
        return
    print(f"{'codec':6} {'first s':>8} {'results':>8} {'a second':>9}  {'picture':8} end")
    for one in found:
        end = "deleted" if one.deleted else "not deleted"
        print(f"{one.codec:6} {one.first:8.2f} {one.results:8} {one.rate:9.1f}  {one.size:8} {end}")


if __name__ == "__main__":
    main()
