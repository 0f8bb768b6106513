"""Firefox connects and gets results."""

from __future__ import annotations

import shutil

import pytest

from server.commands.live_browser import running_server
from tests.browser.marionette import firefox
from tests.packs import models_folder

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        not (shutil.which("firefox-esr") or shutil.which("firefox")),
        reason="no Firefox is installed; on Debian: apt-get install firefox-esr",
    ),
]


def test_firefox_connects_and_gets_results(tmp_path):
    with (
        running_server(tmp_path / "data", "--models-dir", str(models_folder())) as server,
        firefox(tmp_path / "p") as page,
    ):
        page.open(server.url)
        page.click("#start")
        page.wait("return window.visavis.firstResultAt !== null", 30)
        page.wait("return window.visavis.results.length > 30", 30)
        last = page.run("return window.visavis.results.at(-1)")
        assert last["width"] > 0
        # Firefox's fake camera shows no face; its sender reports still tell when each frame was captured.
        page.wait("return window.visavis.results.at(-1).capture !== null", 15)
        assert page.run("return window.visavis.state") == "live"
        page.click("#stop")
        page.wait("return window.visavis.state === 'idle'", 10)
