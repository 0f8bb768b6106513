"""From a stranger before the camera to somebody who is known and corrected: the real server, page and camera."""

from __future__ import annotations

import re
import time

import pytest

from server.commands.live_browser import camera_browser, running_server
from tests.browser.accessibility import in_reach, shows_pictures
from tests.browser.conftest import ask, start
from tests.browser.test_enrol import DESKTOP, PHONE, closed, open_sheet, people
from tests.browser.test_live import KNOWN, sessions, wait_until
from tests.browser.test_why import TOLD
from tests.packs import models_folder

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
SIZES = [pytest.param(PHONE, "dark", id="phone"), pytest.param(DESKTOP, "light", id="desktop")]
KEEPS = ("--models-dir", str(models_folder()), "--keep-crops")


def person(server, name):
    (row,) = [row for row in people(server) if row["name"] == name]
    return ask(server, f"/people/{row['id']}")


@pytest.mark.parametrize(("size", "scheme"), SIZES[:1])  # the ring at a desktop: test_enrol.py
def test_guided_then_known_then_corrected(tmp_path, one_face, size, scheme):
    with running_server(tmp_path / "data", *KEEPS) as server, camera_browser(one_face.path) as browser:
        context = browser.new_context(viewport=size, color_scheme=scheme)
        page = context.new_page()
        start(page, server.url)
        open_sheet(page)
        page.fill("#who-name", "Ada")
        began = time.monotonic()
        page.click("#who-guide")
        page.wait_for_function(KNOWN, arg="Ada", timeout=20_000)
        took = time.monotonic() - began
        print(f"\nguided enrolment to recognised: {took:.1f} s")
        assert took <= 10
        closed(page)

        # The same face under another name is asked about, and added.
        before = person(server, "Ada")["samples"]
        assert len(before) >= 5
        open_sheet(page)
        page.fill("#who-name", "Augusta")
        page.click("#who-guide")
        page.wait_for_selector("#who-choice:visible", timeout=20_000)
        assert re.search(r"This looks like Ada \(p\s=\s\d+\s%\)", page.inner_text("#who-status"))
        in_reach(page)
        page.click("#who-add")
        closed(page, 5)
        assert len(person(server, "Ada")["samples"]) > len(before)

        # Why: the kept picture beside the live one.
        open_sheet(page)
        page.click("#who-why")
        page.wait_for_function(TOLD)
        shows_pictures(page, "#why-kept")
        in_reach(page)

        # Not Ada, and back.
        page.click("#who-not")
        closed(page, 5)
        page.wait_for_function("() => window.visavis.faces.every(f => f.identity !== 'known')", timeout=5_000)
        assert len(person(server, "Ada")["negatives"]) == 1
        in_reach(page)
        page.click("#toasts >> text=Undo")
        page.wait_for_function(KNOWN, arg="Ada", timeout=5_000)
        assert person(server, "Ada")["negatives"] == []

        # The panel leads to everything about her; what is changed there is live here.
        page.click("#more")
        shows_pictures(page, "#people-list img")
        page.click("#people-list summary")
        in_reach(page)
        with page.expect_navigation():
            page.click("#people-list a >> text=Pictures")
        page.wait_for_selector("h2 >> text=Ada")
        shows_pictures(page, ".tile img")
        in_reach(page)
        live = context.new_page()
        start(live, server.url)
        live.wait_for_function(KNOWN, arg="Ada", timeout=10_000)
        page.bring_to_front()
        page.click("text=Rename")
        page.fill("dialog input", "Countess Ada")
        page.keyboard.press("Enter")
        page.wait_for_selector("h2 >> text=Countess Ada")
        live.wait_for_function(KNOWN, arg="Countess Ada", timeout=5_000, polling=100)
        page.click("text=Forget for good …")
        in_reach(page)
        page.click("dialog button.danger")
        page.wait_for_selector("text=Nobody is known yet")
        nobody = "() => window.visavis.faces.every(f => f.identity !== 'known')"
        live.wait_for_function(nobody, timeout=5_000, polling=100)


@pytest.mark.parametrize(("size", "scheme"), SIZES)
def test_a_stranger_is_kept_named_once_and_known(tmp_path, one_face, size, scheme):
    with running_server(tmp_path / "data", *KEEPS, "--inbox") as server, camera_browser(one_face.path) as browser:
        context = browser.new_context(viewport=size, color_scheme=scheme)
        live, page = context.new_page(), context.new_page()
        page.goto(server.url + "/people#strangers")
        page.wait_for_selector("text=No stranger is waiting for a name.")
        assert "one small picture each" in page.inner_text("#panel-strangers")
        in_reach(page)

        live.bring_to_front()
        start(live, server.url)

        def kept():
            return ask(server, "/inbox")["strangers"]

        assert wait_until(lambda: len(kept()) == 1, 15)
        page.bring_to_front()
        page.reload()
        shows_pictures(page, ".stranger .avatar img")
        assert "Seen 1 time" in page.inner_text(".stranger")
        page.click(".stranger summary")
        in_reach(page)
        page.fill(".stranger input", "Ada")
        page.click(".stranger >> text=Save")
        page.wait_for_selector("#toasts >> text=Ada is known now.")
        page.wait_for_selector("text=No stranger is waiting for a name.")
        live.wait_for_function(KNOWN, arg="Ada", timeout=5_000, polling=100)
        page.click("#tab-people")
        shows_pictures(page, ".card.person img")
        page.click(".card.person")
        page.wait_for_selector(".tile >> text=named stranger")
        in_reach(page)
        # Known now: the same face is no stranger any more, in another session neither.
        live.reload()
        start(live, server.url)
        live.wait_for_function(KNOWN, arg="Ada", timeout=10_000)
        assert kept() == []


def test_who_sits_beside_a_guest_is_shared_but_not_whom_the_guest_adds(tmp_path, one_face):
    with running_server(tmp_path / "data", *KEEPS, "--inbox") as server, camera_browser(one_face.path) as browser:
        context = browser.new_context(viewport=PHONE)
        page = context.new_page()
        start(page, server.url + "/?guest=1")
        open_sheet(page)
        assert page.locator("#who-scope input").count() == 0
        page.fill("#who-name", "Ada")
        page.click("#who-save")
        page.wait_for_function(KNOWN, arg="Ada", timeout=15_000)
        other = browser.new_page()
        start(other, server.url + "/?guest=1")
        other.wait_for_function("() => window.visavis.faces.some(f => f.identity === 'unknown')", timeout=15_000)
        assert people(server) == []
        other.close()
        page.close()
        assert wait_until(lambda: sessions(server) == 0, 9)
        back = context.new_page()
        start(back, server.url + "/?guest=1")
        back.wait_for_function("() => window.visavis.faces.some(f => f.identity === 'unknown')", timeout=15_000)
        assert people(server) == []
        assert ask(server, "/inbox")["strangers"] == []


def test_a_guests_device_sees_nothing_of_the_hosts_people(tmp_path, one_face):
    data = tmp_path / "data"
    flags = ("--lan", "--https-port", "0", "--trust-port", "0", *KEEPS)
    with running_server(data, *flags) as server, camera_browser(one_face.path) as browser:
        found = re.search(r"(https://\S+)/join/(\S+)", (data / "server.out").read_text())
        if found is None:
            pytest.skip("this machine is in no network, so there is no address to join by")
        address, token = found.groups()
        page = browser.new_context(ignore_https_errors=True, viewport=PHONE, color_scheme="dark").new_page()
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}/join/{token}")
        page.click("#start")
        page.wait_for_function("() => window.visavis.faces.length === 1", timeout=20_000)
        assert "gone when you leave" in page.inner_text("#visit")
        page.click("#more")
        page.wait_for_selector("#people-guest:visible")
        assert not page.is_visible("#people-manage")
        assert not page.is_visible("#people-empty")
        in_reach(page)
        page.click("#panel-close")
        open_sheet(page)
        page.fill("#who-name", "Ada")
        page.click("#who-save")
        page.wait_for_function(KNOWN, arg="Ada", timeout=15_000)
        assert people(server) == []
        assert [url for url in asked if "/api/v1/people" in url] == []
        assert page.goto(f"{address}/people").status == 403
        page.wait_for_selector("text=This link is for a camera, and for nothing else.")
