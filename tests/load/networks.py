"""What live video gives over a bad line: packets lost, jitter, a slow line.

    sudo python -m tests.load.networks [--seconds 15] [--rounds 3] [--only NAME] [--stock] [--json]

Server and browser are in network namespaces of their own (Linux, root) and have nothing in common but one line, which
is impaired both ways. A real Chromium shows the page, over HTTPS, with one moving face before its camera. What makes
each condition, the kernel's queues or a wire of our own, is said in the table. ``--stock`` measures beside it the
WebRTC library as it comes.

Times are the page's, in milliseconds. *Age* is that of the newest result there is, at any moment: what a person sees
that moves. Seconds before ``SETTLE`` are not in the figures but in the column *start*, the oldest that was ever shown
in them.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from pipeline.metrics import percentile
from server.commands.live_browser import camera_browser, find_chromium, running_server
from tests.browser.conftest import moving_portrait, write_camera
from tests.load.two_sides import SERVER, Sides, no_sides, two_sides
from tests.load.wire import Condition
from tests.packs import models_folder

SETTLE = 5.0  # seconds after the first result
STEP = 5.0  # ms between two looks at how old the newest result is
STOCK = ("--no-marker-frames", "--no-early-remb", "--no-stall-guard")
CONDITIONS = (
    Condition("no impairment"),
    Condition("3 % loss", loss=0.03),
    Condition("10 % loss", loss=0.10),
    Condition("jitter 0-100 ms", delay=50, jitter=50),
    Condition("500 kbit/s", kbits=500),
)
READ = """() => ({now: performance.now(), startedAt: window.visavis.startedAt, fallback: window.visavis.fallback,
  results: window.visavis.results.map((r) => [r.arrived, r.captured, r.drawn, r.width, r.height])})"""
SENT = "async () => [performance.now(), (await window.visavis.sent()).bytes]"


@dataclass(frozen=True, slots=True)
class Run:
    """One visit of a page under one condition; times in ms."""

    condition: str
    means: str
    stock: bool
    way: str
    first: float  # from the press of the button to the first result
    rate: float  # results a second
    p50: float  # capture → result
    p95: float
    drawn: float  # capture → drawn, p50
    age95: float
    worst: float
    gap: float  # longest time without a result
    start: float
    kbps: float
    height: int


def ages(results: Sequence[tuple[float, float]], begin: float, end: float) -> list[float]:
    """How old the newest of ``results`` (arrival, capture) is, every ``STEP`` ms."""
    found, index, newest = [], 0, -float("inf")
    now = begin
    while now < end:
        while index < len(results) and results[index][0] <= now:
            newest = max(newest, results[index][1])
            index += 1
        if index:
            found.append(now - newest)
        now += STEP
    return found


def visit(page: Any, url: str, sides: Sides, condition: Condition, seconds: float, stock: bool = False) -> Run:
    """Load the page, impair the line, press the button. Raises ``playwright.sync_api.TimeoutError`` where no result
    comes."""
    sides.ready_for(condition)
    _load(page, url)
    page.wait_for_selector("#start:not([disabled])")
    means = sides.impair(condition)
    page.click("#start")
    page.wait_for_function("() => window.visavis.firstResultAt !== null", timeout=60_000)
    collected: dict[float, list[Any]] = {}
    sent = [page.evaluate(SENT)]
    first = page.evaluate("() => window.visavis.firstResultAt")
    read = page.evaluate(READ)
    while read["now"] < first + 1000 * (SETTLE + seconds):
        page.wait_for_timeout(500)
        if read["now"] > first + 1000 * SETTLE and len(sent) == 1:
            sent.append(page.evaluate(SENT))
        read = page.evaluate(READ)
        collected |= {row[0]: row for row in read["results"]}
    sent.append(page.evaluate(SENT))
    rows = [collected[arrived] for arrived in sorted(collected)]
    begin, end = first + 1000 * SETTLE, read["now"]
    known = [(arrived, captured) for arrived, captured, *_ in rows if captured is not None]
    late = [row for row in rows if row[0] >= begin]
    if len(late) < 2:
        raise RuntimeError(f"{condition.name}: {len(late)} results came in {seconds:g} s")
    shown = [row[2] - row[1] for row in late if row[1] is not None and row[2] is not None]
    waits = [row[0] - row[1] for row in late if row[1] is not None]
    stops = [begin, *(row[0] for row in late), end]
    age = ages(known, begin, end)
    (since, before), (until, after) = sent[-2:]
    return Run(
        condition.name,
        means,
        stock,
        "WebSocket" if read["fallback"] else "WebRTC",
        round(first - read["startedAt"]),
        round(len(late) / (end - begin) * 1000, 1),
        round(percentile(waits, 50), 1),
        round(percentile(waits, 95), 1),
        round(percentile(shown, 50), 1),
        round(percentile(age, 95)),
        round(max(age)),
        round(max(later - earlier for earlier, later in pairwise(stops))),
        round(max(ages(known, first, begin), default=0.0)),
        round((after - before) * 8 / (until - since)),
        late[-1][4],
    )


def _load(page: Any, url: str) -> None:
    """Where another interface carries now, the browser drops what it began before it noticed: the page, or a part of
    it. Raises ``playwright.sync_api.Error`` if it does so again and again."""
    for left in (3, 2, 1, 0):
        page.wait_for_timeout(1500)
        try:
            page.goto(url)
            page.wait_for_function("() => window.visavis !== undefined", timeout=5000)
            return
        except Exception as error:
            if left == 0 or not type(error).__module__.startswith("playwright"):
                raise


def measure(
    conditions: Sequence[Condition], seconds: float, rounds: int, variants: Sequence[bool], flags: Sequence[str] = ()
) -> list[Run]:
    """Every condition in turn, so many rounds, tuned and (where ``variants`` has ``True``) stock."""
    runs = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_camera(folder / "camera.mjpeg", moving_portrait(90))
        with two_sides(folder) as sides:
            for number in range(rounds):
                for stock in variants:
                    more = (*flags, *(STOCK if stock else ()))
                    data = folder / f"data-{number}-{stock}"
                    runs += _round(sides, data, folder / "camera.mjpeg", conditions, seconds, stock, more)
    return runs


def _round(
    sides: Sides,
    data: Path,
    camera: Path,
    conditions: Sequence[Condition],
    seconds: float,
    stock: bool,
    flags: Sequence[str],
) -> list[Run]:
    sides.impair(Condition())
    lan = ("--lan", "--https-port", "0", "--trust-port", "0", "--models-dir", str(models_folder()))
    path = find_chromium()
    chromium = sides.program("browser", path) if path else None
    server = running_server(data, *lan, *flags, before=sides.prefix("server"))
    runs = []
    with server, camera_browser(camera, "--ignore-certificate-errors", path=chromium) as browser:
        found = re.search(r"https://\S+:(\d+)/join/(\S+)", (data / "server.out").read_text())
        assert found is not None
        for condition in conditions:
            page = browser.new_page()
            url = f"https://{SERVER}:{found.group(1)}/join/{found.group(2)}"
            try:
                runs.append(visit(page, url, sides, condition, seconds, stock))
            except Exception as error:
                if not (isinstance(error, RuntimeError) or type(error).__module__.startswith("playwright")):
                    raise
                print(f"{condition.name}: {str(error).splitlines()[0]}", file=sys.stderr)
            page.close()
    return runs


COLUMNS = {
    "first": "first",
    "rate": "rate/s",
    "p50": "p50",
    "p95": "p95",
    "drawn": "drawn",
    "age95": "age p95",
    "worst": "age max",
    "gap": "gap",
    "start": "start",
    "kbps": "kbit/s",
    "height": "height",
}


def table(runs: Sequence[Run]) -> str:
    """Medians over the rounds; of ``worst``, ``gap`` and ``start`` too."""
    lines = [f"{'condition':18} {'by':5} {'library':7} " + " ".join(f"{name:>8}" for name in COLUMNS.values())]
    for key in dict.fromkeys((run.condition, run.stock) for run in runs):
        of = [run for run in runs if (run.condition, run.stock) == key]
        middle = (f"{median(getattr(run, field) for run in of):8.4g}" for field in COLUMNS)
        ways = "" if all(run.way == "WebRTC" for run in of) else "  (WebSocket)"
        lines.append(f"{key[0]:18} {of[0].means:5} {'stock' if key[1] else 'tuned':7} " + " ".join(middle) + ways)
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=15.0, help="measured, after the first five")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", metavar="NAME", help="of the conditions, by a part of the name")
    parser.add_argument("--stock", action="store_true", help="the library as it comes, too")
    parser.add_argument("--flag", action="append", default=[], help="a further flag of the server")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if why := no_sides():
        sys.exit(why)
    wanted = [one for one in CONDITIONS if not asked.only or any(part in one.name for part in asked.only)]
    runs = measure(wanted, asked.seconds, asked.rounds, (False, True) if asked.stock else (False,), asked.flag)
    if asked.json:
        print(json.dumps([asdict(run) for run in runs]))
        return
    print(table(runs))


if __name__ == "__main__":
    main()
