"""Naming a face: guided and quick, for whom, and what is asked when the face is somebody's already."""

from __future__ import annotations

import re
import time

import pytest

from tests.browser.accessibility import serious
from tests.browser.conftest import ask, start
from tests.browser.test_live import KNOWN, enrol

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

PHONE = {"width": 390, "height": 844}
SMALL = {"width": 320, "height": 640}
DESKTOP = {"width": 1280, "height": 800}
# Answers 'enrol' in the server's place: for what a well-behaved camera never brings about.
EAVESDROP = """(() => {
  const make = RTCPeerConnection.prototype.createDataChannel;
  window.channel = { sent: [] };
  RTCPeerConnection.prototype.createDataChannel = function (name, options) {
    const made = make.call(this, name, options);
    if (name !== 'commands') return made;
    const send = made.send.bind(made);
    made.send = text => {
      const message = JSON.parse(text);
      channel.sent.push(message);
      if (message.type !== 'enrol') send(text);
    };
    const data = message => JSON.stringify({ v: 1, id: channel.sent.at(-1).id, ...message });
    channel.tell = message => made.onmessage({ data: data(message) });
    return made;
  };
})()"""


def people(server):
    return ask(server, "/people")["people"]


def open_sheet(page):
    page.wait_for_selector("#faces [data-track]", timeout=10_000, state="attached")
    page.locator("#faces [data-track]").first.click(force=True)
    page.wait_for_selector("#who[open]")


def closed(page, seconds=20):
    page.wait_for_function("() => !document.querySelector('#who').open", timeout=seconds * 1000)


def fits(page):
    """Nothing is wider than the screen, in the sheet neither."""
    return page.evaluate(
        "() => [document.documentElement, document.querySelector('#who')].every(e => e.scrollWidth <= e.clientWidth)"
    )


def in_sight(page, selector):
    """Whether all of it is on the screen without scrolling."""
    return page.evaluate(
        """s => { const r = document.querySelector(s).getBoundingClientRect();
        return r.width > 0 && r.top >= 0 && r.left >= 0 && r.bottom <= innerHeight && r.right <= innerWidth }""",
        selector,
    )


@pytest.mark.parametrize(("size", "scheme"), [(SMALL, "dark"), (DESKTOP, "light")])
def test_a_face_is_learnt_by_the_ring(house, size, scheme):
    server, browser = house
    page = browser.new_page(viewport=size, color_scheme=scheme)
    start(page, server.url)
    open_sheet(page)
    page.fill("#who-name", "Ada")
    assert serious(page) == []
    began = time.monotonic()
    page.click("#who-guide")
    page.wait_for_selector("#guide:visible")
    page.wait_for_function("() => /^[1-5] of 5/.test(document.querySelector('#guide-progress').textContent)")
    for part in ("#guide-face", "#guide-advice", "#guide-progress", "#guide-marks", "#who-cancel"):
        assert in_sight(page, part), part
    assert fits(page)
    assert serious(page) == []
    assert re.search(r"\d+ s left", page.inner_text("#guide-progress"))
    assert page.inner_text("#guide-advice") != ""
    # The ring shows the face itself, and it moves as the face does.
    pixels = "() => document.querySelector('#guide-face').toDataURL()"
    first = page.evaluate(pixels)
    page.wait_for_function(f"first => ({pixels})() !== first", arg=first)
    # Somebody who hardly moves is not kept for long.
    page.wait_for_function(KNOWN, arg="Ada", timeout=20_000)
    assert time.monotonic() - began < 15
    closed(page)
    assert "Ada is known now" in page.inner_text("#toasts")
    assert serious(page) == []
    (ada,) = people(server)
    assert ada["name"] == "Ada"
    assert ada["samples"] >= 5


def test_a_guided_enrolment_can_be_given_up(house):
    server, browser = house
    page = browser.new_page(viewport=PHONE)
    start(page, server.url)
    open_sheet(page)
    page.fill("#who-name", "Ada")
    page.click("#who-guide")
    page.wait_for_function("() => /^[1-5] of 5/.test(document.querySelector('#guide-progress').textContent)")
    page.click("#who-cancel")
    closed(page)
    page.wait_for_timeout(2000)
    assert people(server) == []
    open_sheet(page)  # and begun anew
    page.fill("#who-name", "Ada")
    page.click("#who-save")
    page.wait_for_function(KNOWN, arg="Ada", timeout=15_000)


def test_that_will_do_saves_at_once_what_is_there(house):
    server, browser = house
    page = browser.new_page(viewport=PHONE)
    start(page, server.url)
    open_sheet(page)
    page.fill("#who-name", "Ada")
    page.click("#who-guide")
    page.wait_for_selector("#who-finish:visible", timeout=20_000)
    page.click("#who-finish")
    page.wait_for_function(KNOWN, arg="Ada", timeout=5_000)


def test_a_face_that_is_somebodys_is_asked_about(house):
    server, browser = house
    page = browser.new_page(viewport=PHONE)
    start(page, server.url)
    enrol(page, "Ada")
    closed(page)
    before = people(server)[0]["samples"]

    def ask():
        open_sheet(page)
        page.fill("#who-name", "Augusta")
        page.click("#who-save")
        page.wait_for_selector("#who-choice:visible", timeout=15_000)
        assert re.search(r"This looks like \w+ \(p\s=\s\d+\s%\)", page.inner_text("#who-status"))

    ask()
    assert page.inner_text("#who-add") == "Add to Ada"
    assert page.inner_text("#who-rename") == "Rename Ada to Augusta"
    assert serious(page) == []
    page.click("#who-cancel")
    page.wait_for_timeout(500)
    assert people(server)[0]["samples"] == before

    ask()
    page.click("#who-add")
    closed(page, 5)
    assert "Added to Ada" in page.inner_text("#toasts")
    ((name, samples),) = [(p["name"], p["samples"]) for p in people(server)]
    assert name == "Ada"
    assert samples > before

    ask()
    page.click("#who-rename")
    page.wait_for_function(KNOWN, arg="Augusta", timeout=5_000)
    assert [p["name"] for p in people(server)] == ["Augusta"]


def test_pictures_that_disagree_are_asked_about_once(house):
    server, browser = house
    page = browser.new_page(viewport=SMALL)
    page.add_init_script(EAVESDROP)
    start(page, server.url)
    open_sheet(page)
    page.fill("#who-name", "Ada")
    page.click("#who-save")
    words = "These pictures do not agree with each other."
    tell = "words => channel.tell({ type: 'error', code: 'review_failed', message: words })"
    page.evaluate(tell, words)
    assert page.inner_text("#who-status") == words
    assert serious(page) == []
    page.click("#who-new")
    said = page.evaluate("() => channel.sent.at(-1)")
    assert (said["type"], said["confirm"]) == ("enrol", "new")
    page.evaluate(tell, words)
    assert page.inner_text("#who-status") == words
    assert not page.is_visible("#who-new")


def test_a_room_offers_whom_a_name_is_for(house):
    server, browser = house
    page = browser.new_page(viewport=SMALL)
    start(page, server.url + "/?room=lab")
    assert page.inner_text("#visit") == "Room lab"
    open_sheet(page)
    assert page.locator("#who-scope input").count() == 3
    assert serious(page) == []
    page.fill("#who-name", "Ada")
    page.click("#who-save")
    page.wait_for_function(KNOWN, arg="Ada", timeout=15_000)
    assert [(p["name"], p["room"]) for p in people(server)] == [("Ada", "lab")]
    elsewhere = browser.new_page()
    start(elsewhere, server.url)
    elsewhere.wait_for_function("() => window.visavis.faces.some(f => f.identity === 'unknown')", timeout=15_000)
    closed(page)
    page.click("#more")
    page.wait_for_selector("#people-room:visible")
    page.select_option("#people-rooms", "everyone")
    assert page.locator("#people-list li").count() == 0
    page.select_option("#people-rooms", "room:lab")
    assert page.locator("#people-list li").count() == 1


def test_what_a_guest_adds_is_gone_with_the_visit(house):
    server, browser = house
    page = browser.new_page(viewport=SMALL)
    start(page, server.url + "/?guest=1")
    assert "gone when you leave" in page.inner_text("#visit")
    assert serious(page) == []
    enrol(page, "Ada")
    assert people(server) == []
    page.reload()
    page.click("#start")
    page.wait_for_function("() => window.visavis.faces.some(f => f.identity === 'unknown')", timeout=20_000)


def test_a_room_that_cannot_be_is_refused_in_words(house):
    server, browser = house
    page = browser.new_page()
    page.goto(server.url + "/?room=a%20b")
    page.click("#start")
    page.wait_for_selector("#error:visible", timeout=15_000)
    assert "room" in page.inner_text("#error").lower()


def test_people_are_renamed_removed_and_taken_back_in_the_panel(house):
    server, browser = house
    page = browser.new_page(viewport=PHONE)
    start(page, server.url)
    enrol(page, "Ada")
    closed(page)
    page.click("#more")
    page.click("#people-list summary")
    assert serious(page) == []
    page.click("#people-list button[aria-label='Rename Ada']")
    assert serious(page) == []
    page.keyboard.type("Augusta")
    page.keyboard.press("Enter")
    page.wait_for_function(KNOWN, arg="Augusta", timeout=5_000)
    page.wait_for_selector("#people-list button[aria-label='Remove Augusta']")
    page.click("#people-list button[aria-label='Remove Augusta']")
    page.wait_for_selector("#people-empty:visible", timeout=5_000)
    assert people(server) == []
    page.click("#toasts button")
    page.wait_for_selector("#people-list li", timeout=5_000)
    assert [p["name"] for p in people(server)] == ["Augusta"]
    page.wait_for_function(KNOWN, arg="Augusta", timeout=5_000)
    assert page.get_attribute("#people-manage", "href") == "/people"


def test_still_things_stay_still_for_who_asks(house):
    server, browser = house
    page = browser.new_page(viewport=PHONE, reduced_motion="reduce")
    start(page, server.url)
    open_sheet(page)
    page.fill("#who-name", "Ada")
    page.click("#who-guide")
    page.wait_for_selector(".arc[data-is='next']", state="attached")
    assert page.evaluate("() => document.getAnimations().length") == 0
