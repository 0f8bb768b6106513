"""The live page in a real browser: a session begins and ends, nothing is in the way; names: test_live_names.py."""

from __future__ import annotations

import json
import time
import urllib.request

import pytest

from tests.browser.conftest import ask, start

pytestmark = [pytest.mark.browser, pytest.mark.alone, pytest.mark.timeout(180)]

KNOWN = "name => window.visavis.faces.some(f => f.identity === 'known' && f.name === name)"


def sessions(server):
    return json.load(urllib.request.urlopen(server.url + "/healthz", timeout=5))["sessions"]


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return condition()


def enrol(page, name):
    page.wait_for_selector("#faces [data-track]", timeout=10_000, state="attached")
    page.locator("#faces [data-track]").first.click(force=True)
    page.fill("#who-name", name)
    page.click("#who-save")
    page.wait_for_function(KNOWN, arg=name, timeout=15_000)


def test_closing_the_tab_ends_the_session(house):
    server, browser = house
    page = browser.new_page()
    start(page, server.url)
    assert sessions(server) == 1
    page.close()
    assert wait_until(lambda: sessions(server) == 0, 9)


def test_two_browsers_do_not_disturb_each_other(house):
    server, browser = house
    first, second = browser.new_page(), browser.new_context().new_page()
    start(first, server.url)
    start(second, server.url)
    assert sessions(server) == 2
    second.close()
    seq = first.evaluate("() => window.visavis.results.at(-1).seq")
    first.wait_for_function("seq => window.visavis.results.at(-1).seq > seq + 30", arg=seq, timeout=10_000)


def test_forgetting_takes_the_name_away_at_once(house):
    server, browser = house
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    start(page, server.url)
    enrol(page, "Ada")
    (person,) = ask(server, "/people")["people"]
    request = urllib.request.Request(f"{server.url}/api/v1/people/{person['id']}", method="DELETE")
    assert urllib.request.urlopen(request, timeout=5).status == 200
    page.wait_for_function("() => window.visavis.faces.every(f => f.identity !== 'known')", timeout=5_000)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("NotAllowedError", "allow"),
        ("NotFoundError", "camera"),
        ("NotReadableError", "another"),
        ("OverconstrainedError", "camera"),
        ("AbortError", "again"),
    ],
)
def test_each_camera_error_has_its_way_out(house, name, word):
    refuse = f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('no', '{name}') }}"
    server, browser = house
    page = browser.new_page()
    page.add_init_script(refuse)
    page.goto(server.url)
    page.click("#start")
    page.wait_for_selector("#error:visible", timeout=5_000)
    assert word in page.inner_text("#error").lower()
    assert sessions(server) == 0


@pytest.mark.parametrize("size", [(320, 640), (390, 844), (844, 390), (1280, 800)])
def test_the_page_fits(house, size):
    server, browser = house
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.goto(server.url)
    wide = "() => document.documentElement.scrollWidth <= window.innerWidth"
    assert page.evaluate(wide)
    page.click("#start")
    page.wait_for_function("() => window.visavis.faces.length === 1", timeout=20_000)
    assert page.evaluate(wide)
    x, y, w, h = page.evaluate("() => window.visavis.faces[0].box")
    assert x + w / 2 > 0
    assert x + w / 2 < size[0]
    assert y + h / 2 < size[1]
    small = page.evaluate(
        """() => [...document.querySelectorAll('button')].filter(b => b.offsetParent && !b.dataset.track)
        .map(b => [b.id || b.textContent.trim(), b.getBoundingClientRect()])
        .filter(([, r]) => r.width < 40 || r.height < 40).map(([n]) => n)"""
    )
    assert small == []


def test_everything_named_for_a_screen_reader(house):
    server, browser = house
    page = browser.new_page()
    start(page, server.url)
    page.wait_for_function("() => window.visavis.faces.length === 1", timeout=10_000)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, a[href], input, select, video, dialog')]
        .filter(e => e.offsetParent && !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby')
          || e.title || e.textContent.trim() || (e.labels && e.labels.length)))
        .map(e => e.outerHTML.slice(0, 80))"""
    )
    assert nameless == []
    assert page.get_attribute("#status", "aria-live") in ("polite", "assertive")
    assert page.evaluate("() => document.documentElement.lang") != ""
    assert page.evaluate("() => document.querySelectorAll('main, [role=main]').length") == 1


def test_nothing_is_asked_of_anybody_else(house):
    server, browser = house
    page = browser.new_page()
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    start(page, server.url)
    page.wait_for_timeout(2000)
    assert [u for u in asked if not u.startswith((server.url, "data:", "blob:"))] == []
    assert complaints == []


def test_a_camera_that_turns_its_picture_is_followed(house):
    # applyConstraints changes the picture's size in mid-stream, as turning a phone does.
    server, browser = house
    page = browser.new_page()
    start(page, server.url)
    page.evaluate(
        """() => document.querySelector('#video').srcObject.getVideoTracks()[0]
        .applyConstraints({width: 240, height: 320})"""
    )
    page.wait_for_function(
        "() => { const r = window.visavis.results.at(-1); return r.height > r.width && r.faces.length }",
        timeout=10_000,
    )
