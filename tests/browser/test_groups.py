"""The groups page in a real browser: photos in, groups out, corrected, named once, closed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.accessibility import in_reach, shows_pictures
from tests.browser.people_standin import browsing
from tests.server.photos import varied
from tests.server.whole import Whole, serving_all

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
VIEWS = {"phone": (360, 740), "desktop": (1280, 800)}


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    with browsing(chromium) as browser:
        yield browser


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three pictures of each of two people, one of a third, and a text that is called a photo."""
    folder = tmp_path_factory.mktemp("photos")
    made = []
    for person, shots in ((0, 3), (1, 3), (2, 1)):
        for shot in range(shots):
            made.append(folder / f"{person}-{shot}.jpg")
            made[-1].write_bytes(varied(person, shot))
    made.append(folder / "diary.jpg")
    made[-1].write_text("Dear diary")
    return made


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Whole]:
    with serving_all(tmp_path) as whole:
        yield whole


def shot(page: Any, name: str) -> None:
    """Where somebody wants to look at the page: a picture of it."""
    if target := os.environ.get("TEST_PICTURES"):
        page.screenshot(path=f"{target}/{name}.png", full_page=True)


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("desktop", "light")])
def test_photos_become_people_with_names(browser: Any, whole: Whole, files: list[Path], size: str, scheme: str) -> None:
    width, height = VIEWS[size]
    page = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme).new_page()
    page.set_default_timeout(40_000)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: "Content Security" in line.text and problems.append(line.text))
    page.goto(f"{whole.local.replace('127.0.0.1', 'localhost')}/groups")
    page.wait_for_selector(".zone")
    in_reach(page)
    page.set_input_files("input[type=file] >> nth=0", files)
    page.wait_for_selector("text=2 people, as it seems")
    assert page.locator("main > section > .groups > .group").count() == 2
    page.wait_for_selector("summary >> text=1 face like no other")
    page.wait_for_selector("summary >> text=1 file not used")
    shows_pictures(page, "main > section > .groups .strip img")
    in_reach(page)
    shot(page, f"groups-{size}")

    # One face is said to be somebody else's, and then it was the same person after all.
    first = page.locator("main > section > .groups > .group").first
    first.locator("text=Not all the same?").click()
    first.locator(".strip input").first.check()
    in_reach(page)
    first.locator("text=Somebody else").click()
    page.wait_for_selector("summary >> text=2 faces like no other")
    page.click("summary >> text=2 faces like no other")
    page.locator("details .group").first.locator("text=Ignore").click()
    page.wait_for_selector("summary >> text=1 group set apart")

    name = page.locator("main > section > .groups > .group").first
    name.locator("input[list]").fill("Ada")
    name.locator("text=Save").click()
    page.wait_for_selector(".toast >> text=Ada: 3 faces.")
    page.wait_for_selector("text=1 person, as it seems")
    (person,) = whole.ask("GET", "/people").json["people"]
    assert person["name"] == "Ada"

    page.click("text=Close these photos")
    page.click("#ask-no")
    page.click("text=Close these photos")
    in_reach(page)
    page.click("#ask-yes")
    page.wait_for_selector(".group", state="detached")
    assert problems == []
    page.close()
