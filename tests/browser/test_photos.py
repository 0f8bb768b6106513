"""The photos page in a real browser, on the whole server: dropped, boxed, named, taken along; and nothing stays."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.accessibility import in_reach
from tests.browser.people_standin import SIZES, browsing
from tests.pictures import photo_path
from tests.server.whole import Whole, serving_all

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    with browsing(chromium) as browser:
        yield browser


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Whole]:
    with serving_all(tmp_path / "data") as whole:
        yield whole


def opened(browser: Any, whole: Whole, size: str, scheme: str) -> Any:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(40_000)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda line: "Content Security" in line.text and page.problems.append(line.text))
    page.goto(f"{whole.local}/photos")
    page.wait_for_selector(".zone")
    return page


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("desktop", "light")])
def test_everybody_in_a_photo_is_boxed_and_named(browser: Any, whole: Whole, size: str, scheme: str) -> None:
    page = opened(browser, whole, size, scheme)
    in_reach(page)
    photo = {"name": "=us.jpg", "mimeType": "image/jpeg", "buffer": photo_path().read_bytes()}
    broken = {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"milk, bread"}
    page.set_input_files("input[type=file]", [photo, broken])
    page.wait_for_selector(".photo .faces li >> nth=5")
    page.wait_for_selector(".photo.notice >> text=This is no JPEG")
    assert page.locator(".mark").count() == 6
    in_reach(page)
    first = page.locator(".photo").first.locator(".faces > li").first
    first.locator("input[list]").fill("Ada")
    first.locator("button[type=submit]").click()
    page.wait_for_selector(".mark.known >> text=Ada")
    page.wait_for_selector(".photo .faces b >> text=/^Ada, 9\\d/")
    assert [person["name"] for person in whole.ask("GET", "/people").json["people"]] == ["Ada"]
    with page.expect_download() as download:
        page.click("button >> text=CSV")
    rows = list(csv.DictReader(Path(download.value.path()).read_text("utf-8").splitlines()))
    assert len(rows) == 6
    assert {row["file"] for row in rows} == {"'=us.jpg"}
    assert [row["name"] for row in rows].count("Ada") == 1
    with page.expect_download() as download:
        page.click("button >> text=JSON")
    assert len(json.loads(Path(download.value.path()).read_text("utf-8"))[0]["faces"]) == 6
    page.click("button >> text=Clear")
    assert page.locator(".photo").count() == 0
    assert page.problems == []
    page.context.close()
    assert not list(whole.data.glob("*photo*")), "something of a photo was kept"


def test_a_name_that_does_not_fit_is_asked_about(browser: Any, whole: Whole) -> None:
    page = opened(browser, whole, "desktop", "light")
    photo = {"name": "us.jpg", "mimeType": "image/jpeg", "buffer": photo_path().read_bytes()}
    page.set_input_files("input[type=file]", [photo])
    page.wait_for_selector(".photo .faces li >> nth=5")
    lines = page.locator(".photo .faces > li")
    lines.first.locator("button[type=submit]").click()
    page.wait_for_selector("text=Type a name first.")
    lines.first.locator("input[list]").fill("Ada")
    lines.first.locator("button[type=submit]").click()
    page.wait_for_selector(".mark.known >> text=Ada")
    other = page.locator(".photo .faces > li:has(form)").first
    other.locator("input[list]").fill("Ada")
    other.locator("button[type=submit]").click()
    page.wait_for_selector(".naming .refused:not(:empty)")
    assert len(whole.ask("GET", "/people").json["people"]) == 1
    assert page.problems == []
    page.context.close()
