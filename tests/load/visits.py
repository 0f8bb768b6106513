"""A server on one side, a page of a real browser on the other, over HTTPS by the link that the terminal shows."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from server.commands.live_browser import camera_browser, find_chromium, running_server
from tests.browser.conftest import moving_portrait, write_camera
from tests.load.two_sides import Sides
from tests.packs import models_folder


@contextlib.contextmanager
def visiting(
    sides: Sides,
    folder: Path,
    host: str,
    *flags: str,
    environ: Mapping[str, str] | None = None,
    browser_flags: Sequence[str] = (),
) -> Iterator[Any]:
    """The loaded page, whose camera sees one moving face; ``host`` is how the browser knows the server."""
    write_camera(folder / "camera.mjpeg", moving_portrait(90))
    path = find_chromium()
    chromium = sides.program("browser", path) if path else None
    lan = ("--lan", "--https-port", "0", "--trust-port", "0", "--models-dir", str(models_folder()))
    server = running_server(folder / "data", *lan, *flags, environ=dict(environ or {}), before=sides.prefix("server"))
    trust = ("--ignore-certificate-errors", *browser_flags)
    with server, camera_browser(folder / "camera.mjpeg", *trust, path=chromium) as browser:
        found = re.search(r"https://\S+:(\d+)/join/(\S+)", (folder / "data" / "server.out").read_text())
        assert found is not None
        page = browser.new_page()
        page.goto(f"https://{host}:{found.group(1)}/join/{found.group(2)}")
        yield page
