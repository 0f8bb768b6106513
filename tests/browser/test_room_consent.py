"""Consent mode on a whole server: the host switches it on at the wall, and the face on it is no longer to be seen."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from tests.browser.accessibility import in_reach
from tests.browser.conftest import start
from tests.browser.test_rooms import WATCHED
from tests.packs import open_models
from tests.server.whole import Whole, serving_all

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

SHOWN = """() => {
  const video = document.querySelector('.camera video');
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext('2d').drawImage(video, 0, 0);
  return canvas.toDataURL('image/png').split(',')[1];
}"""


@pytest.fixture
def whole(tmp_path: Any) -> Iterator[Whole]:
    with serving_all(tmp_path) as whole:
        yield whole


def faces_on(wall: Any) -> int:
    """How many faces the detector finds in what the wall's video element shows now."""
    data = np.frombuffer(base64.b64decode(wall.evaluate(SHOWN)), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert picture is not None
    return len(open_models().detector.detect(np.ascontiguousarray(picture[..., ::-1]), 640))


def test_the_host_hides_faces_without_consent(browser: Any, whole: Whole) -> None:
    home = whole.local.replace("127.0.0.1", "localhost")
    camera = browser.new_page(viewport={"width": 640, "height": 480})
    start(camera, f"{home}/?room=kitchen&name=Door")
    problems: list[str] = []
    wall = browser.new_page(viewport={"width": 1280, "height": 800})
    wall.on("pageerror", lambda error: problems.append(str(error)))
    wall.set_default_timeout(40_000)
    wall.goto(f"{home}/rooms")
    wall.fill("form input", "kitchen")
    wall.keyboard.press("Enter")
    wall.wait_for_selector(".camera")
    wall.wait_for_function(WATCHED)
    assert faces_on(wall) == 1
    assert wall.is_hidden("#blurred")

    wall.click("#tab-room")
    wall.get_by_role("switch", name="Blur faces without consent").click()
    wall.wait_for_selector("#blurred >> text=Faces without consent are blurred")
    camera.wait_for_selector("#banner >> text=Faces without consent are blurred for others.")
    frames = wall.evaluate("() => Object.values(visavisRoom.cameras)[0].frames")
    wall.wait_for_function(f"() => Object.values(visavisRoom.cameras)[0].frames > {frames} + 12")
    assert [faces_on(wall) for _ in range(5)] == [0] * 5
    assert wall.evaluate("() => Object.values(visavisRoom.cameras)[0].faces.map(f => f.identity)") == ["unknown"]
    in_reach(wall)

    wall.get_by_role("switch", name="Blur faces without consent").click()
    wall.wait_for_selector("#blurred", state="hidden")
    frames = wall.evaluate("() => Object.values(visavisRoom.cameras)[0].frames")
    wall.wait_for_function(f"() => Object.values(visavisRoom.cameras)[0].frames > {frames} + 12")
    assert faces_on(wall) == 1
    camera.wait_for_selector("#banner", state="hidden")
    assert problems == []
