"""A room with a whole server: two pages send cameras, a wall shows them, and its host does things with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.accessibility import in_reach
from tests.browser.conftest import start
from tests.browser.test_rooms import WATCHED
from tests.server.whole import Whole, serving_all

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture
def whole(tmp_path: Any) -> Iterator[Whole]:
    with serving_all(tmp_path) as whole:
        yield whole


def test_two_cameras_stand_on_the_wall_and_one_stranger_is_one(browser: Any, whole: Whole) -> None:
    home = whole.local.replace("127.0.0.1", "localhost")
    cameras = [browser.new_page(viewport={"width": 640, "height": 480}) for _ in range(2)]
    start(cameras[0], f"{home}/?room=kitchen&name=Door")
    start(cameras[1], f"{home}/?room=kitchen")
    problems: list[str] = []
    wall = browser.new_page(viewport={"width": 1280, "height": 800})
    wall.on("pageerror", lambda error: problems.append(str(error)))
    wall.set_default_timeout(40_000)
    wall.goto(f"{home}/rooms")
    wall.wait_for_selector(".room >> text=2 cameras")
    assert wall.is_visible("text=nobody opened it: its cameras came by themselves")
    in_reach(wall)
    wall.fill("form input", "kitchen")
    wall.keyboard.press("Enter")
    wall.wait_for_selector(".camera >> nth=1")
    wall.wait_for_function(WATCHED)
    wall.wait_for_function("() => Object.values(visavisRoom.cameras).every(c => c.glass !== null && c.glass < 2000)")
    # One file plays in both cameras: the face is the same, and so it is one stranger.
    wall.wait_for_function("() => document.querySelectorAll('#here-list li').length === 1")
    assert wall.inner_text("#here-list .name") == "Unknown 1"
    wall.wait_for_function(
        "() => Object.values(visavisRoom.cameras).every(c => c.faces.map(f => f.label).join() === 'Unknown 1')"
    )
    in_reach(wall)

    wall.get_by_role("button", name="Door: rename, pause or end").click()
    wall.get_by_role("button", name="Rename", exact=True).click()
    wall.keyboard.type("Front door")
    wall.keyboard.press("Enter")
    cameras[0].wait_for_selector("#visit >> text=Camera “Front door” in room kitchen")
    wall.get_by_role("button", name="Front door: rename, pause or end").click()
    wall.get_by_role("button", name="Pause recognition").click()
    cameras[0].wait_for_selector("#banner >> text=The host has paused recognition for this camera.")
    wall.wait_for_selector("text=Recognition is paused")

    wall.click("#invite")
    wall.get_by_role("button", name="Make a link").click()
    wall.wait_for_function("() => document.querySelector('dialog[open] img')?.naturalWidth > 0")
    wall.get_by_role("button", name="Done").click()
    wall.click("#tab-invited")
    wall.get_by_role("button", name="Revoke").click()
    wall.click("#ask-yes")
    wall.wait_for_selector("text=No link is out.")

    wall.get_by_role("button", name="Front door: rename, pause or end").click()
    wall.get_by_role("button", name="End this camera").click()
    wall.click("#ask-yes")
    cameras[0].wait_for_selector("#error-title >> text=The host has ended this camera.")
    wall.wait_for_function("() => document.querySelectorAll('.camera').length === 1")

    wall.click("#tab-room")
    wall.get_by_role("button", name="Close this room…").click()
    wall.click("#ask-yes")
    wall.wait_for_selector("text=This room is closed")
    cameras[1].wait_for_selector("#error-title >> text=The host has ended this camera.")
    assert problems == []
