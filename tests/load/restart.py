"""How soon live pages are back with their names after the server was restarted.

    python -m tests.load.restart [--pages 4] [--rounds 3] [--away 4] [--json]

A server in a process of its own, and pages in one browser, each with a camera that shows somebody who is known. The
server is ended, in turn as one that is stopped and as one that is killed, and started again on the same port a while
later. Seconds are counted from when it answers.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from server.commands.live_browser import camera_browser, running_server
from tests.browser.conftest import moving_portrait, start, write_camera
from tests.packs import models_folder

NAME = "Ada"
SESSION = "() => window.visavis.session"
BAR = 5.0  # seconds
PATIENCE = 30.0  # seconds until a page is given up
KNOWN = "name => window.visavis.state === 'live' && window.visavis.faces.some(face => face.name === name)"


@dataclass(frozen=True, slots=True)
class Round:
    """One restart: how it ended, and seconds from its answering again to each page's being live and naming."""

    ending: str
    back: list[float]


def measure(pages: int = 4, rounds: int = 3, away: float = 4.0) -> list[Round]:
    """Restart the server so many times under so many pages. Raises ``TimeoutError`` where a page does not come back."""
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_camera(folder / "camera.mjpeg", moving_portrait(90))
        flags = ("--models-dir", str(models_folder()))
        with camera_browser(folder / "camera.mjpeg") as browser:
            opened = [browser.new_context().new_page() for _ in range(pages)]
            port, ending = "0", signal.SIGTERM
            before: list[str] = []  # each page's session with the server that ended
            for number in range(rounds + 1):
                with running_server(folder / "data", *flags, "--http-port", port) as server:
                    began = time.monotonic()
                    if not before:
                        _begin(opened, server.url)
                        port = server.url.rpartition(":")[2]
                    else:
                        found.append(Round(ending.name, _wait(opened, before, began)))
                    before = [page.evaluate(SESSION) for page in opened]
                    ending = (signal.SIGTERM, signal.SIGKILL)[number % 2]
                    server.process.send_signal(ending)
                    server.process.wait(15)
                if number < rounds:
                    time.sleep(away)
    return found


def _begin(pages: list[Any], url: str) -> None:
    for page in pages:
        start(page, url)
    page = pages[0]
    page.wait_for_selector("#faces [data-track]", timeout=10_000, state="attached")
    page.locator("#faces [data-track]").first.click(force=True)
    page.fill("#who-name", NAME)
    page.click("#who-save")
    for page in pages:
        page.wait_for_function(KNOWN, arg=NAME, timeout=PATIENCE * 1e3)


def _wait(pages: list[Any], before: list[str], began: float) -> list[float]:
    """Seconds until each page names again, to a twentieth."""
    back: dict[int, float] = {}
    while len(back) < len(pages):
        if time.monotonic() - began > PATIENCE:
            raise TimeoutError(f"{len(pages) - len(back)} pages did not come back within {PATIENCE:g} s")
        for index, page in enumerate(pages):
            # Until it has noticed, it shows what the server before said last; a session of that one does not count.
            if index not in back and page.evaluate(KNOWN, NAME) and page.evaluate(SESSION) != before[index]:
                back[index] = round(time.monotonic() - began, 2)
        time.sleep(0.05)
    return [back[index] for index in range(len(pages))]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pages", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--away", type=float, default=4.0, help="seconds")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rounds = measure(asked.pages, asked.rounds, asked.away)
    worst = max(max(one.back) for one in rounds)
    if asked.json:
        print(json.dumps({"rounds": [asdict(one) for one in rounds], "worst": worst, "bar": BAR}))
    else:
        for one in rounds:
            print(f"{one.ending:8} {'  '.join(f'{seconds:5.2f}' for seconds in one.back)}")
        middle = median(seconds for one in rounds for seconds in one.back)
        print(f"median {middle:.2f} s, slowest {worst:.2f} s (bar {BAR:g} s)")
    sys.exit(worst > BAR)


if __name__ == "__main__":
    main()
