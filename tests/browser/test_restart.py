"""The server goes away under live pages, in every way it can, and they come back by themselves."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.browser.conftest import Camera, live, start
from tests.load.restart import SESSION, measure

pytestmark = [pytest.mark.browser, pytest.mark.alone, pytest.mark.timeout(180)]


def test_pages_are_back_with_names_soon_after_a_restart() -> None:
    """Stopped, then killed, and back at once: before a browser's own checks notice that anything happened."""
    rounds = measure(pages=2, rounds=2, away=0.0)
    assert [one.ending for one in rounds] == ["SIGTERM", "SIGKILL"]
    assert (
        max(max(one.back) for one in rounds) < 10
    )  # 5 on a machine with nothing else to do: python -m tests.load.restart


@pytest.mark.skipif(sys.platform == "win32", reason="processes are not paused like that there")
def test_a_server_that_slept_is_found_awake(tmp_path: Path, one_face: Camera) -> None:
    with live(tmp_path / "data", one_face.path) as (server, browser):
        page = browser.new_page()
        start(page, server.url)
        before = page.evaluate(SESSION)
        server.process.send_signal(signal.SIGSTOP)
        try:
            page.wait_for_function("() => window.visavis.state === 'reconnecting'", timeout=15_000)
            assert "does not answer" in page.inner_text("#banner")
        finally:
            server.process.send_signal(signal.SIGCONT)
        page.wait_for_function("() => window.visavis.state === 'live'", timeout=20_000)
        page.wait_for_function("before => window.visavis.session === before", arg=before, timeout=5000)  # it goes on
        page.wait_for_timeout(1500)
        assert page.evaluate("() => fetch('/healthz').then(r => r.json())")["sessions"] == 1
