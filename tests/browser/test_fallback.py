"""A page whose browser sends no UDP at all shows names all the same, says so, and goes back when it can."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.commands.live_browser import camera_browser, running_server
from tests.browser.conftest import Camera, start
from tests.packs import models_folder

pytestmark = [pytest.mark.browser, pytest.mark.alone, pytest.mark.timeout(120)]
NO_UDP = "--webrtc-ip-handling-policy=disable_non_proxied_udp"
NAMED = "name => window.visavis.faces.some(face => face.name === name)"


def test_names_come_without_udp(tmp_path: Path, one_face: Camera) -> None:
    flags = ("--models-dir", str(models_folder()))
    with running_server(tmp_path / "data", *flags) as server, camera_browser(one_face.path, NO_UDP) as browser:
        page = browser.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        start(page, server.url)
        took = page.evaluate("() => window.visavis.firstResultAt - window.visavis.startedAt")
        assert took < 6000  # 3000 on a machine with nothing else to do: python -m tests.load.fallback
        assert page.evaluate("() => window.visavis.fallback") is True
        assert "no WebRTC" in page.inner_text("#banner")
        page.wait_for_selector("#faces [data-track]", timeout=10_000, state="attached")
        page.locator("#faces [data-track]").first.click(force=True)
        page.fill("#who-name", "Ada")
        page.click("#who-save")
        page.wait_for_function(NAMED, arg="Ada", timeout=20_000)
        page.click("#more")
        page.click("#tab-link")
        page.wait_for_function("() => document.getElementById('facts').innerText.includes('WebSocket')", timeout=5000)
        last = page.evaluate("() => window.visavis.results.at(-1)")
        assert 0 < last["arrived"] - last["captured"] < 2000
        # Without WebRTC to be waited for, the next time is quicker.
        page.click("#panel-close")
        page.click("#stop")
        page.wait_for_function("() => window.visavis.state === 'idle'")
        page.wait_for_timeout(500)
        page.click("#start")
        page.wait_for_function("() => window.visavis.state === 'live' && window.visavis.fallback", timeout=10_000)
        page.click("#stop")
        page.wait_for_timeout(1000)
        assert page.evaluate("() => fetch('/healthz').then(r => r.json())")["sessions"] == 0
        assert complaints == []
