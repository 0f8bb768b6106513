"""The page about the interface in a real browser: keys are made and revoked, operations found, read and tried."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.accessibility import in_reach
from tests.browser.people_standin import SIZES, browsing
from tests.server.whole import Whole, seed, serving_all

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    with browsing(chromium) as browser:
        yield browser


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("whole")
    seed(folder, "Ada")
    with serving_all(folder) as whole:
        yield whole


def opened(browser: Any, url: str, size: str = "desktop", scheme: str = "light", **more: Any) -> Any:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **more)
    page = context.new_page()
    page.set_default_timeout(40_000)
    page.problems, page.foreign = [], []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda line: "Content Security" in line.text and page.problems.append(line.text))
    page.on("request", lambda request: request.url.startswith(url) or page.foreign.append(request.url))
    page.goto(f"{url}/api")
    page.wait_for_selector(".operation")
    return page


def closed(page: Any) -> None:
    assert page.problems == []
    assert page.foreign == []  # nothing comes from elsewhere
    page.context.close()


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("small phone", "light"), ("desktop", "light")])
def test_the_page_is_in_reach_of_everybody(browser: Any, whole: Whole, size: str, scheme: str) -> None:
    page = opened(browser, whole.local, size, scheme)
    in_reach(page)
    for path in ("/people/{id}", "/threshold"):
        page.locator("summary", has_text=path).first.click()
    page.wait_for_selector(".operation pre")
    in_reach(page)
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"api-{size}-{scheme}.png"), full_page=False)
        page.locator(".operation[open]").first.scroll_into_view_if_needed()
        page.screenshot(path=str(Path(folder) / f"api-{size}-{scheme}-open.png"))
    closed(page)


def test_a_key_is_made_shown_once_used_and_revoked(browser: Any, whole: Whole) -> None:
    page = opened(browser, whole.local)
    page.click("text=Make a key")  # without a name the browser itself asks for one
    assert page.locator(".fresh").count() == 0
    page.fill("form input[maxlength]", "Front <b>door</b>")
    page.uncheck("input[value=read]")
    page.click("text=Make a key")
    page.wait_for_selector("text=Choose at least one thing")
    page.check("input[value=people]")
    page.check("input[value=read]")
    page.click("text=Make a key")
    page.wait_for_selector(".fresh")
    in_reach(page)
    key = page.input_value(".fresh input")
    assert page.evaluate("() => document.activeElement.value") == key
    assert page.inner_text(".changes .name") == "Front <b>door</b>"
    assert "May read, people" in page.inner_text(".changes small")
    assert whole.ask("GET", "/people", lan=True, key=key).status == 200
    page.reload()
    page.wait_for_selector(".changes")
    assert key not in page.content()
    page.click("text=Revoke")
    page.click("text=Revoke for good?")
    page.wait_for_selector("text=There are no keys yet.")
    assert whole.ask("GET", "/people", lan=True, key=key).status == 401
    closed(page)


def test_operations_are_found_read_and_tried(browser: Any, whole: Whole) -> None:
    page = opened(browser, whole.local)
    everything = page.locator(".operation").count()
    assert everything == len([1 for item in whole.ask("GET", "/openapi.json").json["paths"].values() for _ in item])
    page.fill("#operations input[type=search]", "merge get")
    page.wait_for_selector("text=1 operation")
    page.click(".operation:not([hidden]) summary")
    page.wait_for_selector(".operation[open] > .stack")  # it is filled when it is opened
    shown = page.inner_text(".operation[open]")
    assert "similarity: number or null" in shown
    assert "into query, required" in shown
    assert f'curl -H "Authorization: Bearer $KEY" "{whole.local}/api/v1/people/{{id}}/merge"' in shown
    page.fill("#operations input[type=search]", "everybody, or")
    page.click(".operation:not([hidden]) summary")
    page.click(".operation[open]:not([hidden]) >> text=Try it")
    page.wait_for_selector("text=200 OK")
    assert '"Ada"' in page.inner_text(".operation[open]:not([hidden])")
    in_reach(page)
    page.fill("#operations input[type=search]", "nothing of the kind")
    page.wait_for_selector("text=0 operations")
    closed(page)


def test_by_keyboard_alone(browser: Any, whole: Whole) -> None:
    page = opened(browser, whole.local)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # skip to what can be asked
    page.keyboard.press("Tab")  # openapi.json
    page.keyboard.press("Tab")
    page.keyboard.type("somebody with samples")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".operation[open] pre")
    closed(page)


def test_who_is_no_owner_is_told_who_makes_keys(browser: Any, whole: Whole) -> None:
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    name, _, value = whole.sign_in("host")["Cookie"].partition("=")
    context.add_cookies([{"name": name, "value": value, "url": whole.lan, "secure": True}])
    page.goto(f"{whole.lan}/api")
    page.wait_for_selector("text=Keys are made on the computer that Visavis runs on")
    assert page.locator("form", has_text="A new key").count() == 0
    context.close()


def test_without_the_server_it_says_so(browser: Any, whole: Whole) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route("**/api/v1/**", lambda route: route.abort())
    page.goto(f"{whole.local}/api")
    page.wait_for_selector("#keys [role=alert] >> text=cannot be reached")
    page.wait_for_selector("#operations [role=alert] >> text=cannot be reached")
    page.unroute("**/api/v1/**")
    page.click("#operations >> text=Try again")
    page.wait_for_selector(".operation")
    context.close()
