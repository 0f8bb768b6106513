"""'Why this name?', and 'this is not NAME'."""

from __future__ import annotations

import pytest

from server.commands.live_browser import running_server
from tests.browser.accessibility import serious
from tests.browser.conftest import start
from tests.browser.test_enrol import DESKTOP, PHONE, SMALL, closed, fits, open_sheet
from tests.browser.test_live import KNOWN, enrol
from tests.packs import models_folder

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
TOLD = "() => document.querySelector('#why').dataset.is === 'told'"


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (SMALL, "dark"), (DESKTOP, "dark")])
def test_a_name_is_explained(house, size, scheme):
    server, browser = house
    page = browser.new_page(viewport=size, color_scheme=scheme)
    start(page, server.url)
    enrol(page, "Ada")
    closed(page)
    open_sheet(page)
    assert page.inner_text("#who-why") == "Why this name?"
    page.click("#who-why")
    page.wait_for_function(TOLD, timeout=5_000)
    assert "sure it is Ada" in page.inner_text("#why-chance")
    assert "Ada" in page.inner_text("#why-words")
    assert "No picture is kept" in page.inner_text("#why-kept-figure")
    assert "alike" in page.inner_text("#why-kept-words")
    scale = page.inner_text("#why-scale")
    assert "needed" in scale
    assert "this face" in scale
    assert page.locator("#why-quality meter").count() == 4
    assert "pixels" in page.inner_text("#why-facts")
    assert fits(page)
    assert serious(page) == []
    # Asked again while it is open.
    page.evaluate("() => { document.querySelector('#why-words').textContent = 'old' }")
    page.wait_for_function("() => document.querySelector('#why-words').textContent !== 'old'", timeout=3_000)
    pixels = "() => document.querySelector('#why-live').toDataURL()"
    first = page.evaluate(pixels)
    page.wait_for_function(f"first => ({pixels})() !== first", arg=first)
    page.click("#who-why")
    assert not page.is_visible("#why")
    assert page.get_attribute("#who-why", "aria-expanded") == "false"


def test_a_kept_picture_stands_beside_the_face(house, tmp_path):
    flags = ("--models-dir", str(models_folder()), "--keep-crops")
    browser = house[1]  # with another server
    with running_server(tmp_path / "data", *flags) as server:
        page = browser.new_page(viewport=PHONE)
        start(page, server.url)
        enrol(page, "Ada")
        closed(page)
        open_sheet(page)
        page.click("#who-why")
        page.wait_for_selector("#why-kept:visible", timeout=5_000)
        page.wait_for_function("() => document.querySelector('#why-kept').naturalWidth > 0")
        assert not page.is_visible("#why-none")


def test_a_stranger_is_explained_too(house):
    server, browser = house
    page = browser.new_page(viewport=PHONE)
    start(page, server.url)
    page.wait_for_function("() => window.visavis.faces.some(f => f.identity === 'unknown')", timeout=15_000)
    open_sheet(page)
    assert page.inner_text("#who-why") == "Why no name?"
    assert not page.is_visible("#who-not")
    page.click("#who-why")
    page.wait_for_function(TOLD, timeout=5_000)
    assert page.inner_text("#why-words") != ""
    assert not page.is_visible("#why-kept-figure")
    assert serious(page) == []


def test_this_is_not_ada_takes_the_name_away_and_undo_gives_it_back(house):
    server, browser = house
    page = browser.new_page(viewport=PHONE)
    start(page, server.url)
    enrol(page, "Ada")
    closed(page)
    open_sheet(page)
    page.click("#who-not")
    closed(page, 5)
    assert "this is not Ada" in page.inner_text("#toasts")
    assert serious(page) == []
    page.wait_for_function("() => window.visavis.faces.every(f => f.identity !== 'known')", timeout=5_000)
    page.click("#toasts button")
    page.wait_for_function(KNOWN, arg="Ada", timeout=5_000)
    assert "Taken back" in page.inner_text("#toasts")
