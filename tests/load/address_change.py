"""How soon results go on after the browser's address changed, as when a phone leaves the Wi-Fi.

    sudo python -m tests.load.address_change [--rounds 5] [--json]

Server and browser run in a network namespace of their own (Linux, root); the page is live when the address that its
video leaves from is taken away and another given. Seconds are from the change to the first result of a frame captured
after it; a session that goes on keeps its number, and its tracks theirs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import median

from server.commands.live_browser import camera_browser, running_server
from tests.browser.conftest import moving_portrait, start, write_camera
from tests.load.namespaces import BROWSER, SERVER, change_address, inside, unavailable
from tests.packs import models_folder

BAR = 3.0  # seconds
NOW = (
    "() => [performance.now(), window.visavis.session, window.visavis.results.at(-1)?.faces.map((f) => f.track) ?? []]"
)
AFTER = """since => { const found = window.visavis.results.find((r) => r.captured > since + 50 && r.faces.length);
  return found ? found.arrived - since : null; }"""


def measure(rounds: int) -> list[dict[str, object]]:
    """Change the address so many times under one live page. Raises :class:`playwright.sync_api.TimeoutError` where
    results do not come back."""
    found: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_camera(folder / "camera.mjpeg", moving_portrait(90))
        flags = ("--models-dir", str(models_folder()), "--bind-addresses", SERVER)
        with running_server(folder / "data", *flags) as server, camera_browser(folder / "camera.mjpeg") as browser:
            page = browser.new_page()
            start(page, server.url)
            for number in range(rounds):
                page.wait_for_timeout(6000)
                since, session, tracks = page.evaluate(NOW)
                change_address(BROWSER[number % 2], BROWSER[1 - number % 2])
                took = page.wait_for_function(AFTER, arg=since, timeout=30_000).json_value()
                page.wait_for_timeout(1500)
                _, later, tracks_later = page.evaluate(NOW)
                way = "WebSocket" if page.evaluate("() => window.visavis.fallback") else "WebRTC"
                kept = {"session": session == later, "tracks": bool(tracks) and set(tracks) <= set(tracks_later)}
                found.append({"seconds": round(took / 1000, 2), **kept, "way": way})
    return found


def main() -> None:
    """Print the table; the exit code says whether the bar was held."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if why := unavailable():
        sys.exit(why)
    if asked.inside:
        print(json.dumps(measure(asked.rounds)))
        return
    found = json.loads(inside("tests.load.address_change", "--inside", "--rounds", str(asked.rounds)))
    seconds = [one["seconds"] for one in found]
    if asked.json:
        print(json.dumps({"changes": found, "median": median(seconds), "worst": max(seconds), "bar": BAR}))
    else:
        for one in found:
            kept = "  ".join(f"{what} {'kept' if one[what] else 'new'}" for what in ("session", "tracks"))
            print(f"{one['seconds']:5.2f} s  {kept}  {one['way']}")
        print(f"median {median(seconds):.2f} s, slowest {max(seconds):.2f} s (bar {BAR:g} s)")
    sys.exit(max(seconds) > BAR)


if __name__ == "__main__":
    main()
