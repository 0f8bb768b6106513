"""The Status page in a real browser against a real server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.accessibility import in_reach
from tests.server.whole import Whole, serving_all

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
VIEWS = {"phone": (360, 740), "desktop": (1280, 800)}


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with serving_all(tmp_path_factory.mktemp("status"), max_sessions=8) as whole:
        yield whole


@pytest.fixture
def usual(whole: Whole) -> dict[str, Any]:
    """What the server says, with three cameras and nothing wrong."""
    said: dict[str, Any] = whole.ask("GET", "/status").json
    stages = {"queue": 0.6, "decode": 2.5, "flow": 3.1, "total": 4.7, "convert": 1.2, "detect": 28.0, "embed": 5.9}
    answers = {
        "rate": 88.4,
        "p50_ms": 4.2,
        "p95_ms": 17.9,
        "stages": [{"stage": s, "ms": ms} for s, ms in stages.items()],
    }
    sessions = {"now": 3, "most": 8, "waiting": 1, "refused": 0}
    return {**said, "state": "well", "remarks": [], "answers": answers, "sessions": sessions}


def opened(browser: Any, whole: Whole, size: str, scheme: str, answer: Any = None) -> Any:
    width, height = VIEWS[size]
    page = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme).new_page()
    page.set_default_timeout(40_000)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda line: "Content Security" in line.text and page.problems.append(line.text))
    if answer is not None:
        page.route("**/api/v1/status", answer)
    page.goto(f"{whole.local.replace('127.0.0.1', 'localhost')}/status")
    return page


def kept(page: Any, name: str) -> None:
    if target := os.environ.get("TEST_PICTURES"):
        page.screenshot(path=str(Path(target) / f"status-{name}.png"), full_page=True)


def test_what_the_server_says_is_shown(browser: Any, whole: Whole) -> None:
    page = opened(browser, whole, "desktop", "light")
    page.wait_for_selector(".verdict[data-state] >> text=No camera is live.")
    page.wait_for_selector(".tile >> text=of 8")
    page.wait_for_selector("text=Nothing was answered in the last minute.")
    assert page.locator("nav[data-pages] [aria-current]").inner_text() == "Status"
    in_reach(page)
    assert page.problems == []
    page.context.close()


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("desktop", "light")])
def test_a_server_at_work_is_shown_at_every_size(
    browser: Any, whole: Whole, usual: dict[str, Any], size: str, scheme: str
) -> None:
    page = opened(browser, whole, size, scheme, lambda route: route.fulfill(json=usual))
    page.wait_for_selector(".verdict[data-state=well] >> text=All is well")
    page.wait_for_selector("text=3 cameras are live; half of all answers come within 4.2 ms.")
    page.wait_for_selector(".stages >> text=28 ms")
    assert page.locator(".stages li:visible").count() == 6  # nothing was read of faces
    page.wait_for_selector(".curve polyline", state="attached")
    in_reach(page)
    kept(page, f"well-{size}")
    assert page.problems == []
    page.context.close()


@pytest.mark.parametrize(("size", "scheme"), [("phone", "light"), ("desktop", "dark")])
def test_what_is_wrong_is_said_with_its_reason(
    browser: Any, whole: Whole, usual: dict[str, Any], size: str, scheme: str
) -> None:
    remarks = [
        {"code": "not_ready", "value": None, "part": "store"},
        {"code": "full", "value": 8, "part": ""},
        {"code": "slow", "value": 412, "part": "queue"},
        {"code": "processors", "value": 0.91, "part": ""},
        {"code": "memory", "value": 900_000_000, "part": ""},
        {"code": "disk", "value": 1_200_000_000, "part": ""},
    ]
    body = {**usual, "state": "unwell", "remarks": remarks, "webhooks": {"waiting": None, "age": 0}}
    page = opened(browser, whole, size, scheme, lambda route: route.fulfill(json=body))
    page.wait_for_selector(".verdict[data-state=unwell] >> text=Something does not work")
    said = page.locator(".remarks li").all_inner_texts()
    assert len(said) == len(remarks)
    assert said[2].startswith("Answers are slow: one in twenty takes more than 412 ms. Most of it is waiting")
    assert said[3] == "The processors are busy, with 91\u00a0% of them for this server."
    assert said[4] == "Memory is short: 900\u00a0MB can be had."
    in_reach(page)
    kept(page, f"unwell-{size}")
    page.context.close()


def test_it_asks_every_two_seconds_and_not_while_nobody_looks(
    browser: Any, whole: Whole, usual: dict[str, Any]
) -> None:
    asked: list[int] = []

    def answer(route: Any) -> None:
        asked.append(1)
        route.fulfill(json=usual)

    page = opened(browser, whole, "desktop", "light", answer)
    page.wait_for_selector(".verdict[data-state]")
    page.wait_for_timeout(5_000)
    assert 2 <= len(asked) <= 4
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true, configurable: true })")
    page.wait_for_timeout(2_500)
    before = len(asked)
    page.wait_for_timeout(3_000)
    assert len(asked) == before
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(500)
    assert len(asked) == before + 1
    page.context.close()


def test_a_server_that_does_not_answer_is_said_and_found_again(
    browser: Any, whole: Whole, usual: dict[str, Any]
) -> None:
    away = [False]

    def answer(route: Any) -> None:
        if away[0]:
            route.abort()
        else:
            route.fulfill(json=usual)

    page = opened(browser, whole, "phone", "light", answer)
    page.wait_for_selector(".verdict[data-state]")
    away[0] = True
    page.wait_for_selector("[role=alert] >> text=The server cannot be reached.")
    assert not page.locator(".verdict").is_visible()
    in_reach(page)
    away[0] = False
    page.click("text=Try again")
    page.wait_for_selector(".verdict[data-state=well]")
    assert page.locator("[role=alert]").count() == 0
    page.context.close()
