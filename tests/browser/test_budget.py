"""What a camera is given is what its page sends, and what the page says."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from server.commands.live_browser import camera_browser
from server.load import budget
from tests.browser.conftest import Camera, start
from tests.server.whole import serving_all

pytestmark = [pytest.mark.browser, pytest.mark.alone, pytest.mark.timeout(120)]

BUDGET = "() => window.visavis.heard.budget?.message ?? null"
RATE = """() => new Promise(async done => {
  const before = (await window.visavis.sent()).pictures;
  setTimeout(async () => done(((await window.visavis.sent()).pictures - before) / 4), 4000);
})"""


def test_a_page_sends_what_it_was_given_and_says_why(
    one_face: Camera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_all(tmp_path) as whole, camera_browser(one_face.path) as browser:
        page = browser.new_page()
        start(page, whole.local)
        page.wait_for_function(BUDGET)
        assert page.evaluate(BUDGET)["fps"] >= 15

        monkeypatch.setattr(budget, "HEADROOM", 0.01)  # as if the processors were a hundredth of what they are
        monkeypatch.setattr(budget, "LEAST", 0.0)
        page.wait_for_function("() => window.visavis.heard.budget.message.fps < 5")
        given = page.evaluate(BUDGET)
        assert (given["width"], given["height"], given["sessions"]) == (320, 240, 1)
        assert given["reason"] in ("shared", "settled", "new_face")
        page.wait_for_timeout(1500)
        assert page.evaluate(RATE) <= 1.5 * given["fps"], "what would be dropped is not sent"
        assert page.evaluate("() => window.visavis.results.at(-1).width") == 320
        assert page.evaluate("() => window.visavis.state") == "live", "few answers are no broken connection"
        assert "busy" in page.inner_text("#banner")
        page.click("#quality")
        page.wait_for_function("() => document.querySelector('#share-words').textContent.includes('320 × 240')")

        monkeypatch.undo()
        page.wait_for_function("() => window.visavis.heard.budget.message.fps >= 15", timeout=15_000)
        page.wait_for_function("() => window.visavis.results.at(-1).width === 640", timeout=30_000)
        page.wait_for_function("() => document.querySelector('#banner').hidden")


def test_a_full_server_says_when_to_try_again(one_face: Camera, tmp_path: Path) -> None:
    with serving_all(tmp_path, max_sessions=1) as whole, camera_browser(one_face.path) as browser:
        start(browser.new_page(), whole.local)
        other = browser.new_page()
        other.goto(whole.local)
        other.click("#start")
        other.wait_for_selector("#banner:not([hidden]), #error:not([hidden])")
        other.wait_for_function("() => /try again|again in|Trying/i.test(document.body.innerText)")
        answer = json.load(urllib.request.urlopen(whole.local + "/healthz"))
        assert answer["sessions"] == 1
