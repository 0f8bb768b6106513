"""What surrounds the picture: keys, people, other devices."""

from __future__ import annotations

import re

import pytest

from server.commands.live_browser import running_server
from tests.browser.conftest import ask, start
from tests.browser.test_live import enrol
from tests.packs import models_folder

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


def test_keys_do_what_the_buttons_do_but_not_while_typing(house):
    server, browser = house
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(server.url)
    page.keyboard.press("Space")
    page.wait_for_function("() => window.visavis.faces.length === 1", timeout=20_000)
    assert page.get_attribute("#mirror", "aria-pressed") == "true"
    page.keyboard.press("m")
    assert page.get_attribute("#mirror", "aria-pressed") == "false"
    page.keyboard.press("l")
    assert page.is_visible("#panel")
    page.keyboard.press("l")
    assert not page.is_visible("#panel")
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("Escape")
    page.locator("#faces [data-track]").first.click(force=True)
    page.keyboard.type("m l?")
    assert page.input_value("#who-name") == "m l?"
    assert page.get_attribute("#mirror", "aria-pressed") == "false"
    page.click("#who-cancel")
    page.evaluate("() => document.activeElement.blur()")
    page.keyboard.press("Space")
    page.wait_for_function("() => window.visavis.state === 'idle'", timeout=5_000)


def test_a_face_is_named_by_keyboard_alone(house):
    server, browser = house
    page = browser.new_page()
    start(page, server.url)
    page.wait_for_function("() => window.visavis.faces.length === 1", timeout=10_000)
    page.evaluate("() => document.activeElement.blur()")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.dataset.track !== undefined"):
            break
    page.keyboard.press("Enter")
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "() => window.visavis.faces.some(f => f.identity === 'known' && f.name === 'Ada')", timeout=15_000
    )


def test_somebody_is_forgotten_in_the_panel_after_being_asked(house):
    server, browser = house
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    start(page, server.url)
    enrol(page, "Ada")
    page.wait_for_function("() => !document.querySelector('#who').open", timeout=5_000)
    page.click("#more")
    page.click("#people-list summary")
    page.click("#people-list button[aria-label='Forget Ada']")
    page.click("#ask-no")
    assert page.is_visible("#people-list li")
    page.click("#people-list button[aria-label='Forget Ada']")
    page.click("#ask-yes")
    page.wait_for_selector("#people-empty:visible", timeout=5_000)
    assert ask(server, "/people") == {"people": []}


def test_a_name_that_cannot_be_is_refused_in_words(house):
    server, browser = house
    page = browser.new_page()
    start(page, server.url)
    page.wait_for_selector("#faces [data-track]", timeout=10_000, state="attached")
    page.locator("#faces [data-track]").first.click(force=True)
    page.click("#who-save")
    assert "name" in page.inner_text("#who-status").lower()
    page.evaluate("() => { document.querySelector('#who-name').value = 'a\\u0007b' }")
    page.click("#who-save")
    page.wait_for_function("() => document.querySelector('#who-status').textContent.includes('control')", timeout=5_000)


def test_another_device_joins_by_the_printed_link_and_not_without(house, tmp_path):
    data = tmp_path / "data"
    lan = ("--lan", "--https-port", "0", "--trust-port", "0", "--models-dir", str(models_folder()))
    browser = house[1]  # with another server
    with running_server(data, *lan) as server:
        printed = (data / "server.out").read_text()
        found = re.search(r"(https://\S+)/join/(\S+)", printed)
        if found is None:
            pytest.skip("this machine is in no network, so there is no address to join by")
        address, token = found.groups()
        page = browser.new_context(ignore_https_errors=True).new_page()
        page.goto(address + "/people")
        assert page.url == f"{address}/sign-in?next=/people"
        page.goto(f"{address}/join/{token}")
        assert token not in page.url
        page.click("#start")
        page.wait_for_function("() => window.visavis.faces.length === 1", timeout=20_000)
        assert "gone when you leave" in page.inner_text("#visit")  # it came as a guest's camera
        assert token not in server.log.read_text()
        owner = browser.new_context().new_page()
        owner.goto(server.url)
        owner.click("#more")
        owner.click("#tab-phone")
        owner.wait_for_selector("#phone-qr:visible", timeout=5_000)
        assert owner.evaluate("() => document.querySelector('#phone-qr').naturalWidth") > 0
