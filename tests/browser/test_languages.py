"""The pages in other languages: nothing is left in English, and from right to left nothing falls off the screen."""

from __future__ import annotations

import json
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
from tests.pictures import photo_path
from tests.server.whole import Whole, seed, serving_all

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
LANGUAGES = Path(__file__).resolve().parents[2] / "static" / "languages"
ENGLISH = json.loads((LANGUAGES / "en.json").read_text("utf-8"))
SIZES = [(360, 740), (1280, 800)]
PAGES = {
    "/people": ".card.person",
    "/people#add": ".zone",
    "/people#strangers": "#panel-strangers .card",
    "/people#threshold": "#panel-threshold fieldset",
    "/rooms": ".opening",
    "/photos": ".zone",
    "/groups": ".zone",
    "/videos": ".zone",
    "/sightings#2030-05-01": ".attendance",
    "/evaluate": ".zone",
    "/status": ".verdict[data-state]",
}
# Texts and spoken names in sight without a bracket, besides names and what is the same everywhere.
LEFT = """() => {
  const same = /^(API|CSV|JSON|Visavis|Ada|Bob|AL|A|B|JPEG)$/;
  const words = (text) => /\\p{L}{2}/u.test(text) && !same.test(text.trim());
  const apart = `script, style, noscript, [translate=no], [data-languages] option, code,
    #devices, #phone-url, :is(#facts, .facts) dd`;
  const seen = (e) => e.checkVisibility() && !e.closest(apart);
  const left = [];
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const text = node.data;
    if (!words(text) || !seen(node.parentElement) || /[⟦⟧]/.test(text)) continue;
    if (!/^⟦.*⟧$/s.test(node.parentElement.textContent.trim())) left.push(text); // between two elements of a sentence
  }
  for (const e of document.querySelectorAll('*'))
    for (const name of ['aria-label', 'title', 'placeholder', 'alt']) {
      const text = e.getAttribute(name) ?? '';
      if (words(text) && seen(e) && !/⟦.*⟧/s.test(text)) left.push(`${name}: ${text}`);
    }
  return left;
}"""


def pseudo(wrap: str = "⟦{}⟧") -> dict[str, Any]:
    """A language that is English in brackets; its plurals have all forms."""
    forms = ("zero", "one", "two", "few", "many", "other")
    return {
        key: wrap.format(said) if isinstance(said, str) else {form: wrap.format(said["other"]) for form in forms}
        for key, said in ENGLISH.items()
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """Two people, one of them seen, and a stranger; everything that can be switched on is."""
    data = tmp_path_factory.mktemp("data")
    ada, bob = seed(data, "Ada", "Bob")
    store = PeopleStore(data / "people.sqlite3")
    noon = datetime(2030, 5, 1, 12).astimezone()
    rows = [
        Seen(uuid4().hex, person, None, "s", noon.astimezone(UTC), (noon + timedelta(minutes=9)).astimezone(UTC), 0.9)
        for person in (ada, bob, None)
    ]
    write(store.engine, rows, [], [])
    store.close()
    with serving_all(data, sightings=True, sightings_days=3650, inbox=True) as whole:
        yield whole


def opened(browser: Any, whole: Whole, language: str, size: tuple[int, int], said: dict[str, Any] | None) -> Any:
    """A page of a browser that asks for this language; ``said``: its catalogue, where it is not the real one."""
    width, height = size
    context = browser.new_context(locale=language, viewport={"width": width, "height": height})
    if said is not None:
        context.route("**/languages/*.json", lambda route: route.fulfill(json=said))
    page = context.new_page()
    page.set_default_timeout(40_000)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(whole.local)
    return page


def shot(page: Any, name: str) -> None:
    """Where somebody wants to look at the page: a picture of it."""
    if target := os.environ.get("TEST_PICTURES"):
        page.screenshot(path=f"{target}/{name}.png")


def settled(page: Any, whole: Whole, path: str) -> None:
    page.goto(f"{whole.local}{path}")
    page.wait_for_selector(PAGES[path])


def live(page: Any) -> None:
    page.click("#start")
    page.wait_for_function("() => window.visavis.firstResultAt !== null", timeout=20_000)
    page.wait_for_selector("#faces button", state="attached")


def test_no_text_of_any_page_is_left_in_english(browser: Any, whole: Whole) -> None:
    page = opened(browser, whole, "fr-FR", (1280, 800), pseudo())
    page.wait_for_selector("html[data-language=fr]")
    page.wait_for_function("() => document.querySelector('#retention').textContent.startsWith('⟦')")
    assert page.evaluate(LEFT) == []
    for path in PAGES:
        settled(page, whole, path)
        assert page.evaluate("document.documentElement.lang") == "fr"
        for summary in page.locator("summary:visible").all():
            summary.click()
        page.wait_for_load_state("networkidle")
        assert page.evaluate(LEFT) == [], path
    settled(page, whole, "/people")
    page.click(".card.person >> nth=0")
    page.wait_for_selector(".tiles .tile")
    assert page.evaluate(LEFT) == []
    assert page.problems == []


def test_no_text_of_the_live_page_is_left_in_english(browser: Any, whole: Whole) -> None:
    page = opened(browser, whole, "fr-FR", (1280, 800), pseudo())
    live(page)
    page.click("#more")
    for tab in ("people", "view", "phone", "link"):
        page.click(f"#tab-{tab}")
        page.wait_for_timeout(1200)  # the connection's figures come once a second
        assert page.evaluate(LEFT) == [], tab
    page.click("#tab-view")
    page.click("label:has(#reading-gender)")
    page.wait_for_selector("#ask[open]")
    assert page.evaluate(LEFT) == []
    page.click("#ask-no")
    page.click("#calibrate-open")
    assert page.evaluate(LEFT) == []
    page.click("#calibrate-cancel")
    page.keyboard.press("?")
    assert page.evaluate(LEFT) == []
    page.click("#help-close")
    page.wait_for_function("() => window.visavis.faces.some(face => face.identity === 'unknown')", timeout=20_000)
    assert "⟦" in page.evaluate("window.visavis.faces[0].label")
    page.click("#faces button", force=True)
    page.click("#who-why")
    page.wait_for_selector("#why[data-is=told]")
    assert page.evaluate(LEFT) == []
    page.click("#who-save")
    page.wait_for_function("() => document.querySelector('#who-status').textContent.startsWith('⟦')")
    page.fill("#who-name", "Ada")
    page.click("#who-save")
    page.wait_for_selector("#who[data-step=quick] #who-status:has-text('⟦')")
    assert page.evaluate(LEFT) == []
    assert page.problems == []


def test_what_the_server_says_of_a_photo_is_translated(browser: Any, whole: Whole) -> None:
    page = opened(browser, whole, "fr-FR", (1280, 800), pseudo())
    settled(page, whole, "/photos")
    photo = {"name": "us.jpg", "mimeType": "image/jpeg", "buffer": photo_path().read_bytes()}
    broken = {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"milk, bread"}
    page.set_input_files("input[type=file]", [photo, broken])
    page.wait_for_selector(".photo .faces li >> nth=5")
    page.wait_for_selector(".photo.notice >> text=⟦This is no JPEG")
    for summary in page.locator(".photo details.visits summary").all():
        summary.click()
    assert [text for text in page.evaluate(LEFT) if ".jpg" not in text] == []


@pytest.mark.parametrize("size", SIZES, ids=["phone", "desktop"])
def test_from_right_to_left_everything_stays_on_the_screen(browser: Any, whole: Whole, size: tuple[int, int]) -> None:
    said = None if (LANGUAGES / "ar.json").is_file() else pseudo("مرحبا {}")
    page = opened(browser, whole, "ar-EG", size, said)
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["ar", "rtl"]
    in_reach(page)
    live(page)
    assert page.evaluate("getComputedStyle(document.querySelector('#video')).transform").startswith("matrix(-1")
    page.click("#more")
    page.wait_for_selector("#panel:not([hidden])")
    for tab in ("people", "view", "phone", "link"):
        page.click(f"#tab-{tab}")
        in_reach(page)
        shot(page, f"ar-{tab}-{size[0]}")
    beside = page.evaluate("document.querySelector('#panel').getBoundingClientRect().left")
    assert beside == 0  # the panel stands at the end of the lines
    page.click("#panel-close")
    page.wait_for_selector("#faces button", state="attached")
    page.click("#faces button", force=True)
    in_reach(page)
    shot(page, f"ar-who-{size[0]}")
    page.click("#who-cancel")
    for path in PAGES:
        settled(page, whole, path)
        in_reach(page)
        shot(page, f"ar-{path[1:].replace('#', '-')}-{size[0]}")
    assert page.problems == []


def test_a_language_can_be_chosen_and_stays_chosen(browser: Any, whole: Whole) -> None:
    page = opened(browser, whole, "en-US", (1280, 800), pseudo())
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["en", "ltr"]
    page.click("#more")
    assert page.locator("#panel [data-languages] option").all_inner_texts()[:2] == ["English", "Français"]
    page.select_option("#panel [data-languages] select", "de")
    page.wait_for_selector("html[data-language=de]")
    settled(page, whole, "/people")
    assert page.evaluate("document.documentElement.lang") == "de"
    assert page.input_value("footer select") == "de"
    page.select_option("footer select", "en")
    page.wait_for_selector("html[data-language=en]")
    assert page.inner_text("#tab-people") == "People"


def test_a_language_that_cannot_be_had_is_english(browser: Any, whole: Whole) -> None:
    context = browser.new_context(locale="ar-EG")
    context.route("**/languages/*.json", lambda route: route.fulfill(status=503, body="later"))
    page = context.new_page()
    page.goto(whole.local)
    page.wait_for_selector("html[data-language=en][dir=ltr][lang=en]")
    assert page.inner_text("#start") == "Start the camera"
