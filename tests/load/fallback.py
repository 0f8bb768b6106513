"""What live video costs and gives where a firewall blocks UDP, beside WebRTC.

    sudo python -m tests.load.fallback [--seconds 15] [--rounds 3] [--json]

Server and browser run in a network namespace of their own (Linux, root), once as it is and once with a rule that
prohibits UDP, in turn. The camera shows one moving face. Times are the page's: from the press of the button to the
first result, and from capture to result; bytes are those that the browser sent for pictures. Without ``root`` or
``ip`` it says so and ends.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from pipeline.metrics import percentile
from server.commands.live_browser import camera_browser, running_server
from tests.browser.conftest import moving_portrait, write_camera
from tests.load.namespaces import block_udp, inside, unavailable
from tests.packs import models_folder

BAR = 3.0  # seconds to the first result without UDP
MEASURED = """() => {
  const { results, startedAt, firstResultAt, fallback } = window.visavis;
  const times = results.map((r) => ({ arrived: r.arrived, age: r.captured === null ? null : r.arrived - r.captured }));
  return { times, first: firstResultAt - startedAt, fallback };
}"""


@dataclass(frozen=True, slots=True)
class Run:
    """One visit: seconds to the first result, results a second, kbit/s up, bytes a picture, and ms from capture."""

    way: str
    first: float
    rate: float
    kbps: float
    picture: float
    p50: float
    p95: float


def visit(folder: Path, camera: Path, seconds: float) -> Run:
    """A page for so long. Raises :class:`playwright.sync_api.TimeoutError` where no result comes."""
    server = running_server(folder, "--models-dir", str(models_folder()))
    with server as running, camera_browser(camera) as browser:
        page = browser.new_page()
        page.goto(running.url)
        page.click("#start")
        page.wait_for_function("() => window.visavis.firstResultAt !== null", timeout=30_000)
        page.wait_for_timeout(3000)  # bit rates settle
        before, sent = page.evaluate("() => window.visavis.results.length"), page.evaluate(_SENT)
        page.wait_for_timeout(seconds * 1000)
        measured, after = page.evaluate(MEASURED), page.evaluate(_SENT)
        times = measured["times"][before:]
        ages = [one["age"] for one in times if one["age"] is not None]
        span = (times[-1]["arrived"] - times[0]["arrived"]) / 1000
        return Run(
            "WebSocket" if measured["fallback"] else "WebRTC",
            round(measured["first"] / 1000, 2),
            round((len(times) - 1) / span, 1),
            round((after["bytes"] - sent["bytes"]) * 8 / seconds / 1000),
            round((after["bytes"] - sent["bytes"]) / max(1, after["pictures"] - sent["pictures"])),
            round(percentile(ages, 50), 1),
            round(percentile(ages, 95), 1),
        )


_SENT = """async () => {
  const { bytes, pictures } = await window.visavis.sent();
  return { bytes, pictures };
}"""


def measure(seconds: float, rounds: int) -> list[Run]:
    """With and without UDP, in turn."""
    runs = []
    for _ in range(rounds):
        for more in ((), ("--block",)):
            said = inside("tests.load.fallback", "--inside", "--seconds", str(seconds), *more)
            runs.append(Run(**json.loads(said)))
    return runs


def table(runs: Sequence[Run]) -> str:
    """Medians by way."""
    lines = [f"{'way':10} {'first s':>8} {'slowest':>8} {'results/s':>10} {'kbit/s up':>10} {'B/picture':>10} {'p50 ms':>8} {'p95 ms':>8}"]  # fmt: skip  # noqa: E501
    for way in ("WebRTC", "WebSocket"):
        if of := [run for run in runs if run.way == way]:
            middle = {field: median(getattr(run, field) for run in of) for field in ("first", "rate", "kbps", "picture", "p50", "p95")}  # noqa: E501  # fmt: skip
            lines.append(
                f"{way:10} {middle['first']:8.2f} {max(run.first for run in of):8.2f} {middle['rate']:10.1f} "
                f"{middle['kbps']:10.0f} {middle['picture']:10.0f} {middle['p50']:8.1f} {middle['p95']:8.1f}"
            )
    return "\n".join(lines)


def main() -> None:
    """Print the table; the exit code says whether the bar was held."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--block", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if why := unavailable():
        sys.exit(why)
    if asked.inside:
        if asked.block:
            block_udp()
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write_camera(folder / "camera.mjpeg", moving_portrait(90))
            print(json.dumps(asdict(visit(folder / "data", folder / "camera.mjpeg", asked.seconds))))
        return
    runs = measure(asked.seconds, asked.rounds)
    print(json.dumps([asdict(run) for run in runs]) if asked.json else table(runs))
    blocked = [run for run in runs if run.way == "WebSocket"]
    sys.exit(len(blocked) != asked.rounds or max(run.first for run in blocked) > BAR)


if __name__ == "__main__":
    main()
