"""The sightings page in a real browser: somebody comes before a camera, is shown, told of, and erased."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from server.storage import PeopleStore
from server.storage.sightings import Seen, write
from tests.browser.accessibility import in_reach
from tests.browser.conftest import start
from tests.server.whole import Whole, seed, serving_all

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
VIEWS = {"phone": (360, 740), "desktop": (1280, 800)}
NOON = datetime(2030, 5, 1, 12).astimezone()  # as this computer's clock, and so its browser's, has it
DAY = "2030-05-01"


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Whole]:
    """Three sightings of one day."""
    ada, bob = seed(tmp_path, "Ada", "Bob")
    store = PeopleStore(tmp_path / "people.sqlite3")

    def row(person: str | None, begin: float, minutes: float, room: str | None = None) -> Seen:
        began = (NOON + timedelta(minutes=begin)).astimezone(UTC)
        return Seen(uuid4().hex, person, room, "s", began, began + timedelta(minutes=minutes), 0.9)

    write(store.engine, [row(ada, 0, 30), row(bob, 50, 65, "attic"), row(None, 20, 1)], [], [])
    store.close()
    with serving_all(tmp_path, sightings=True, sightings_days=3650, sightings_crops=True) as whole:
        yield whole


def opened(browser: Any, address: str, size: str = "desktop", scheme: str = "light") -> Any:
    width, height = VIEWS[size]
    page = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme).new_page()
    page.set_default_timeout(40_000)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda line: "Content Security" in line.text and page.problems.append(line.text))
    page.goto(address)
    return page


def shot(page: Any, name: str) -> None:
    """Where somebody wants to look at the page: a picture of it."""
    if target := os.environ.get("TEST_PICTURES"):
        page.screenshot(path=f"{target}/{name}.png", full_page=True)


def names(page: Any, selector: str) -> list[str]:
    return [str(text) for text in page.locator(selector).all_inner_texts()]


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("desktop", "light")])
def test_a_day_shows_who_was_there_and_lets_it_be_erased(browser: Any, whole: Whole, size: str, scheme: str) -> None:
    page = opened(browser, f"{whole.local.replace('127.0.0.1', 'localhost')}/sightings#{DAY}", size, scheme)
    page.wait_for_selector(".attendance tbody tr")
    assert names(page, ".attendance tbody th") == ["Ada", "Bob", "Unknown"]
    cells = names(page, ".attendance tbody tr:nth-child(2) td:not(.when)")
    assert [cell.splitlines()[-1] for cell in cells] == ["12:50", "13:55", "1\u00a0h 5\u00a0min"]
    in_reach(page)
    shot(page, f"sightings-{size}")

    page.select_option("select", "unknown")
    page.wait_for_function("() => document.querySelectorAll('.cards .card').length === 1")
    assert names(page, ".cards .name") == ["Unknown"]
    page.select_option("select", "")
    page.wait_for_function("() => document.querySelectorAll('.cards .card').length === 3")
    page.fill("input[placeholder=Any] >> nth=0", "attic")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelectorAll('.cards .card').length === 1")
    page.fill("input[placeholder=Any] >> nth=0", "")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelectorAll('.cards .card').length === 3")

    with page.expect_download() as download:
        page.click("text=Table (CSV)")
    assert "Bob" in Path(download.value.path()).read_text()

    page.click("[aria-label='The day after']")
    page.wait_for_selector("text=Nobody was seen on this day.")
    in_reach(page)
    page.click("[aria-label='The day before']")
    page.wait_for_selector(".attendance tbody tr")
    page.click("[aria-label^='Erase Unknown']")
    page.wait_for_function("() => document.querySelectorAll('.attendance tbody tr').length === 2")
    page.click("text=Erase every sighting")
    page.click("#ask-no")
    page.click("text=Erase every sighting")
    in_reach(page)
    page.click("#ask-yes")
    page.wait_for_selector("text=Nobody was seen on this day.")
    assert page.problems == []


@pytest.mark.parametrize(("size", "scheme"), [("phone", "light"), ("desktop", "dark")])
def test_webhooks_are_set_up_on_the_page(browser: Any, whole: Whole, size: str, scheme: str) -> None:
    page = opened(browser, f"{whole.local.replace('127.0.0.1', 'localhost')}/sightings", size, scheme)
    page.click("summary >> text=Tell other programs")
    page.wait_for_selector("text=There are no webhooks yet.")
    page.fill("input[type=url]", "http://127.0.0.1:1/hook")
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_selector(".fresh input")
    assert page.input_value(".fresh input").startswith("whsec_")
    page.click("[aria-label^='Test: ']")
    page.wait_for_selector("text=The receiver could not be reached.")
    in_reach(page)
    shot(page, f"webhooks-{size}")
    page.click("[aria-label^='Remove: ']")
    page.click("text=Remove for good?")
    page.wait_for_selector("text=There are no webhooks yet.")
    assert page.problems == []


def test_a_stranger_before_the_camera_is_shown_and_told_of(browser: Any, whole: Whole) -> None:
    home = whole.local.replace("127.0.0.1", "localhost")
    page = opened(browser, f"{home}/sightings")
    page.check("input[value=unknown]")
    live = browser.new_page(viewport={"width": 1280, "height": 800})
    start(live, home)
    page.wait_for_selector(".toast >> text=Somebody unknown came", timeout=30_000)
    page.wait_for_selector(".attendance .here")
    page.wait_for_selector(".cards img")
    page.wait_for_function("() => document.querySelector('.cards img').naturalWidth === 160")
    in_reach(page)
    live.close()
    page.wait_for_function("() => !document.querySelector('.attendance .here')", timeout=40_000)
    assert page.problems == []
