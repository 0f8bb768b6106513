"""Names over faces, each time with a camera and a server of its own: who is known again, and when."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from server.commands.live_browser import running_server
from tests.browser.conftest import ask, live, start
from tests.browser.test_live import KNOWN, enrol, sessions, wait_until
from tests.packs import models_folder

pytestmark = [pytest.mark.browser, pytest.mark.alone, pytest.mark.timeout(180)]
SCREENSHOT = Path(__file__).resolve().parents[2] / "docs" / "screenshot.png"


def box_on_video(page):
    """The first face's box as a share of the picture, not of the page."""
    return page.evaluate(
        """() => { const last = window.visavis.results.filter(r => r.faces.length).at(-1);
        return last ? last.faces[0].box : null }"""
    )


def overlap(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def test_a_face_is_boxed_named_and_known_after_a_restart(tmp_path, one_face):
    with live(tmp_path / "data", one_face.path) as (server, browser):
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        problems = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        start(page, server.url)
        page.wait_for_function("() => window.visavis.faces.length === 1", timeout=10_000)
        assert overlap(box_on_video(page), one_face.face) > 0.6
        enrol(page, "Zoë O’Neill")
        stored = ask(server, "/people")["people"]
        assert [p["name"] for p in stored] == ["Zoë O’Neill"]
        page.click("#stop")
        assert wait_until(lambda: sessions(server) == 0, 3)
        assert problems == []
        log = server.log.read_text()
        assert "Zoë" not in log
    with live(tmp_path / "data", one_face.path) as (server, browser):
        page = browser.new_page()
        start(page, server.url)
        page.wait_for_function(KNOWN, arg="Zoë O’Neill", timeout=5_000)


def test_a_room_full_of_people_is_told_apart_as_the_readme_shows(tmp_path, six_faces):
    with live(tmp_path / "data", six_faces.path) as (server, browser):
        page = browser.new_page(viewport={"width": 1120, "height": 700}, color_scheme="dark")
        start(page, server.url)
        page.wait_for_function("() => window.visavis.faces.length === 6", timeout=15_000)
        left_to_right = "() => window.visavis.faces.toSorted((a, b) => a.box[0] - b.box[0]).map(f => f.track)"
        for index, name in ((0, "Grace Hopper"), (2, "Ada Lovelace"), (4, "Alan Turing")):
            track = page.evaluate(left_to_right)[index]
            page.locator(f"#faces [data-track='{track}']").click(force=True)
            page.fill("#who-name", name)
            page.click("#who-save")
            page.wait_for_function(KNOWN, arg=name, timeout=20_000)
            page.wait_for_function("() => !document.querySelector('#who').open", timeout=5_000)
        page.wait_for_timeout(1500)
        said = page.evaluate(
            "() => window.visavis.faces.toSorted((a, b) => a.box[0] - b.box[0])"
            ".map(f => f.identity === 'known' ? f.name : null)"
        )
        assert said == ["Grace Hopper", None, "Ada Lovelace", None, "Alan Turing", None]
        if os.environ.get("UPDATE_SCREENSHOT"):
            # The people in the picture belong to somebody else: only what Visavis draws stays sharp.
            page.evaluate("() => { document.querySelector('#video').style.filter = 'blur(14px)' }")
            page.mouse.move(5, 5)
            page.screenshot(path=SCREENSHOT)


def test_who_leaves_and_comes_back_is_known_at_once(tmp_path, comes_and_goes):
    with live(tmp_path / "data", comes_and_goes.path) as (server, browser):
        page = browser.new_page()
        start(page, server.url)
        enrol(page, "Ada")
        page.wait_for_function("() => window.visavis.faces.length === 0", timeout=20_000)
        seen = page.evaluate("() => window.visavis.results.at(-1).seq")
        page.wait_for_function(KNOWN, arg="Ada", timeout=20_000)
        waits = page.evaluate(
            """since => { const later = window.visavis.results.filter(r => r.seq > since && r.faces.length);
            const named = later.find(r => r.faces[0].identity === 'known');
            return [later[0].captured ?? later[0].arrived, named.captured ?? named.arrived,
                    new Set(later.map(r => r.faces[0].track)).size] }""",
            seen,
        )
        assert waits[1] - waits[0] <= 1500
        assert waits[2] == 1


def test_the_server_ending_is_said_on_the_page_and_the_page_comes_back(tmp_path, one_face):
    with live(tmp_path / "data", one_face.path) as (server, browser):
        page = browser.new_page()
        start(page, server.url)
        server.process.terminate()
        assert server.process.wait(10) == 0
        page.wait_for_function("() => window.visavis.state === 'reconnecting'", timeout=15_000)
        port = server.url.rpartition(":")[2]
        with running_server(tmp_path / "data", "--models-dir", str(models_folder()), "--http-port", port):
            page.wait_for_function("() => window.visavis.state === 'live'", timeout=20_000)


def test_a_browser_without_a_camera_file_still_connects(tmp_path, chromium, one_face):
    """Chromium's own test picture has no face: results come all the same, and say so."""
    blank = tmp_path / "blank.mjpeg"
    done, data = cv2.imencode(".jpg", np.full((480, 640, 3), 120, np.uint8))
    assert done
    blank.write_bytes(data.tobytes() * 30)
    with live(tmp_path / "data", blank) as (server, browser):
        page = browser.new_page()
        start(page, server.url)
        page.wait_for_function("() => window.visavis.results.length > 30", timeout=15_000)
        assert page.evaluate("() => window.visavis.results.every(r => r.faces.length === 0)")
