"""The Data page in a real browser against a real server: what is held, receipts, the audit log."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from server.people.receipts import verify_receipt
from tests.browser.accessibility import in_reach
from tests.server.whole import Whole, seed, serving_all

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
VIEWS = {"phone": (390, 844), "desktop": (1280, 800)}


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def ids() -> list[str]:
    return []


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, ids: list[str]) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("data")
    ids.extend(seed(folder, "Ada", "Bob", "Cleo"))
    with serving_all(folder) as whole:
        for id in ids:
            whole.ask("GET", f"/people/{id}")
        yield whole


def opened(browser: Any, whole: Whole, path: str, size: str, scheme: str) -> Any:
    width, height = VIEWS[size]
    page = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme).new_page()
    page.set_default_timeout(40_000)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda line: "Content Security" in line.text and page.problems.append(line.text))
    page.goto(f"{whole.local.replace('127.0.0.1', 'localhost')}{path}")
    return page


@pytest.mark.parametrize(("size", "scheme", "who"), [("phone", "dark", 0), ("desktop", "light", 1)])
def test_somebody_is_forgotten_and_the_page_tells_of_it(
    browser: Any, whole: Whole, ids: list[str], size: str, scheme: str, who: int, tmp_path: Path
) -> None:
    id, name = ids[who], ("Ada", "Bob")[who]
    page = opened(browser, whole, f"/people#people/{id}", size, scheme)
    with page.expect_download() as begun:
        page.click("text=Everything in one file")
    assert Path(begun.value.path()).read_bytes()[:2] == b"PK"
    page.click("text=Forget for good …")
    page.click("dialog button.danger")
    page.wait_for_selector(f"#toasts >> text={name} is forgotten.")
    page.click("#toasts >> text=Receipt")
    page.wait_for_selector("dialog >> text=3 sets of numbers of the face")
    in_reach(page)
    with page.expect_download() as begun:
        page.click("dialog >> text=Save the receipt")
    receipt = json.loads(Path(begun.value.path()).read_text())
    assert receipt["person"] == id
    assert verify_receipt(receipt) == receipt["key"]["fingerprint"]

    page.goto(f"{whole.local.replace('127.0.0.1', 'localhost')}/data")
    page.wait_for_selector("text=The log holds")
    cells = page.locator(".held tbody tr", has_text="Numbers of faces").locator("td").all_inner_texts()
    assert cells[0].splitlines()[-1].startswith(str(3 * (2 - who)))
    page.wait_for_selector(f"#receipts >> text=Person {id[:8]}")
    page.select_option("#audit select", "person.forgotten")
    page.wait_for_function("count => document.querySelectorAll('.log tbody tr').length === count", arg=who + 1)
    page.click(f".log .id >> text={id[:8]}")
    page.select_option("#audit select", "")
    page.wait_for_selector(".log >> text=Exported everything about a person")
    assert "Looked at a person" in page.locator(".log").inner_text()
    page.fill("#audit input", "Ada Lovelace")
    page.keyboard.press("Enter")
    page.wait_for_selector("#audit .refused >> text=An id has digits")
    page.fill("#audit input", "")
    page.keyboard.press("Enter")
    page.wait_for_selector(".log >> text=The log began")
    in_reach(page)
    if target := os.environ.get("TEST_PICTURES"):
        page.screenshot(path=f"{target}/data-{size}.png", full_page=True)
    assert page.problems == []
    page.context.close()


def test_a_log_that_does_not_hold_is_said(browser: Any, whole: Whole) -> None:
    page = opened(browser, whole, "/", "desktop", "light")
    answer = {
        "holds": False, "rows": 6, "broken": 7, "words": "It was changed.", "checked": "2026-11-28T10:00:00+00:00",
        "fingerprint": "0" * 64, "public": "", "days": 730,
    }  # fmt: skip
    page.route("**/api/v1/audit/chain", lambda route: route.fulfill(json=answer))
    page.goto(f"{whole.local.replace('127.0.0.1', 'localhost')}/data")
    page.wait_for_selector(".notice.bad >> text=Row 7 does not hold.")
    page.wait_for_selector(".notice.bad >> text=It was changed.")
    in_reach(page)
    page.context.close()
