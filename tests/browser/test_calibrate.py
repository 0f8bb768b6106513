"""Setting up distances: with a bank card, or standing where it is known how far that is, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from server.commands.live_browser import camera_browser
from tests.browser.accessibility import in_reach
from tests.browser.conftest import Camera, moving_portrait, start, write_camera
from tests.browser.test_enrol import DESKTOP, PHONE, SMALL
from tests.browser.test_reading import READ, panel, serving, shot

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

CARD = (40, 330, 150, 95)  # x, y, width, height in the camera's picture, pixels
FOCAL = 150 * 0.297 / 0.0856 / 640  # … which is what it looks like at the long side of an A4 sheet


@pytest.fixture(scope="module")
def with_card(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Camera:
    """Somebody before the camera who holds up a card."""
    path = tmp_path_factory.mktemp("camera") / "card.mjpeg"
    x, y, w, h = CARD

    def pictures() -> Iterator[np.ndarray]:
        for picture in moving_portrait(60):
            cv2.rectangle(picture, (x, y), (x + w - 1, y + h - 1), (30, 60, 160), -1)
            yield picture

    write_camera(path, pictures())
    return Camera(path, (0, 0, 0, 0))


@pytest.mark.parametrize(("size", "scheme"), [(SMALL, "light"), (DESKTOP, "dark")])
def test_a_bank_card_sets_up_distances_and_is_remembered(tmp_path, with_card, size, scheme):
    with serving(tmp_path / "data") as url, camera_browser(with_card.path) as browser:
        page = browser.new_context(viewport=size, color_scheme=scheme).new_page()
        start(page, url)
        page.wait_for_function(READ, arg="about ", timeout=15_000)
        before = page.evaluate("() => window.visavis.results.findLast(r => r.faces.length).faces[0].distance")
        panel(page)
        assert not page.is_visible("#calibrate-forget")
        page.click("#calibrate-open")
        in_reach(page)
        shot(page, tmp_path, "choose")
        page.check("input[name=how][value=card]")
        in_reach(page)
        page.click("#calibrate-go")
        page.wait_for_selector("#calibrate-card:visible", timeout=10_000)
        # The left line by the keys, the right one by dragging.
        assert page.evaluate("() => document.activeElement.id") == "card-left"
        for _ in range(20):
            page.keyboard.press("Shift+ArrowLeft")
        for _ in range(10):
            page.keyboard.press("ArrowLeft")
        assert page.get_attribute("#card-left", "aria-valuenow") == "40"
        picture = page.locator("#card-picture").bounding_box()
        handle = page.locator("#card-right").bounding_box()
        page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + 20)
        page.mouse.down()
        page.mouse.move(picture["x"] + 192 / 640 * picture["width"], handle["y"] + 25, steps=5)
        page.mouse.up()
        page.focus("#card-right")
        off = int(page.get_attribute("#card-right", "aria-valuenow")) - 190
        assert abs(off) < 8
        for _ in range(abs(off)):
            page.keyboard.press("ArrowLeft" if off > 0 else "ArrowRight")
        in_reach(page)
        shot(page, tmp_path, "card")
        page.click("#calibrate-use")
        page.wait_for_function("() => document.querySelector('#calibrate-result').textContent.includes('before')")
        in_reach(page)
        shot(page, tmp_path, "done")
        page.click("#calibrate-cancel")
        kept = page.evaluate("() => Object.values(JSON.parse(localStorage['visavis.cameras']))")
        assert kept[0]["known"] == "card"
        assert kept[0]["focal"] == pytest.approx(FOCAL, rel=0.01)
        after = page.evaluate("() => window.visavis.results.findLast(r => r.faces.length).faces[0].distance")
        assert after["high"] / after["low"] < 0.8 * before["high"] / before["low"]
        assert "bank card" in page.inner_text("#calibrate-state")
        shot(page, tmp_path, "kept")
        # The next visit begins with it.
        page.reload()
        start(page, url)
        exact = "() => { const d = window.visavis.results.findLast(r => r.faces.length)?.faces[0].distance;"
        page.wait_for_function(f"{exact} return d && d.high / d.low < {0.8 * before['high'] / before['low']} }}")
        panel(page)
        page.click("#calibrate-forget")
        page.wait_for_function(f"{exact} return d.high / d.low > {0.95 * before['high'] / before['low']} }}")
        assert page.evaluate("() => localStorage['visavis.cameras']") == "{}"


def test_standing_at_a_known_distance(tmp_path, one_face):
    with serving(tmp_path / "data") as url, camera_browser(one_face.path) as browser:
        page = browser.new_page(viewport=PHONE)
        start(page, url)
        page.wait_for_function(READ, arg="about ", timeout=15_000)
        panel(page)
        page.click("#calibrate-open")
        for wrong in ("", "0.1", "40"):
            page.fill("#stand-metres", wrong)
            page.click("#calibrate-go")
            assert "metres from 0.3 to 10" in page.inner_text("#calibrate-status")
        page.fill("#stand-metres", "0.5")
        page.click("#calibrate-go")
        page.wait_for_selector("#calibrate-wait:visible")
        in_reach(page)
        shot(page, tmp_path, "count")
        page.wait_for_selector("#calibrate-done:visible", timeout=25_000)
        page.wait_for_function("() => window.visavis.results.at(-1).faces[0]?.distance.m < 0.56")
        said = page.evaluate("() => window.visavis.results.at(-1).faces[0].distance")
        assert said["m"] == pytest.approx(0.5, rel=0.08)
        page.click("#calibrate-again")
        page.fill("#stand-metres", "9")  # so large a face is not nine metres away before any camera
        page.click("#calibrate-go")
        page.wait_for_selector("#calibrate-status:visible", timeout=25_000)
        assert page.is_visible("#calibrate-choose")
        assert "be" in page.inner_text("#calibrate-status")
