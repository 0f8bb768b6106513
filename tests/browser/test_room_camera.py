"""A camera of a room on its own page, with a whole server: its name, and what its host does with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from server.peer import Peer
from server.signalling import PEERS
from tests.browser.accessibility import in_reach
from tests.browser.conftest import start
from tests.server.whole import Whole, serving_all

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture
def whole(tmp_path: Any) -> Iterator[Whole]:
    with serving_all(tmp_path) as whole:
        yield whole


def on_session(whole: Whole, do: Callable[[Any], Any]) -> None:
    """Do something with the one link there is, on the server's own thread."""
    (peer,) = whole.app[PEERS].peers
    assert isinstance(peer, Peer)
    next(iter(peer._tasks)).get_loop().call_soon_threadsafe(do, peer)


def test_a_camera_says_its_name_and_hears_its_host(browser: Any, whole: Whole) -> None:
    home = whole.local.replace("127.0.0.1", "localhost")
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    start(page, f"{home}/?room=kitchen&name=Door")
    page.wait_for_selector("#visit >> text=Camera “Door” in room kitchen")
    on_session(whole, lambda peer: peer.handler.rename("Back door"))
    page.wait_for_selector("#visit >> text=Camera “Back door” in room kitchen")
    on_session(whole, lambda peer: peer.handler.recognise(False))
    page.wait_for_selector("#banner >> text=The host has paused recognition for this camera.")
    in_reach(page)
    on_session(whole, lambda peer: peer.handler.recognise(True))
    page.wait_for_function("() => document.querySelector('#banner').hidden")
    page.click("#more")
    page.click("#tab-phone")
    assert page.get_attribute("#phone-wall-link", "href") == "/room/kitchen"
    in_reach(page)
    page.click("#panel-close")
    on_session(whole, lambda peer: peer.end("ended"))
    page.wait_for_selector("#error-title >> text=The host has ended this camera.")
    assert page.evaluate("window.visavis.state") == "error"
    in_reach(page)
    page.wait_for_timeout(2500)
    assert json.loads(whole.ask("GET", "/healthz", root="").body)["sessions"] == 0  # it does not come back by itself
    page.reload()
    page.click("#start")
    page.wait_for_selector("#visit >> text=Camera “Back door” in room kitchen", timeout=20_000)
    page.goto(f"{home}/?room=kitchen&name=Window")
    page.click("#start")
    page.wait_for_selector("#visit >> text=Camera “Window” in room kitchen", timeout=20_000)


def test_the_pages_are_served_by_the_whole_server(whole: Whole) -> None:
    assert b"rooms/list.js" in whole.ask("GET", "/rooms", root="").body
    assert b"room/main.js" in whole.ask("GET", "/room/kitchen", root="").body
    for wrong in ("/room/my%20kitchen", "/room/.x", f"/room/{'x' * 41}"):
        assert whole.ask("GET", wrong, root="").status == 404
