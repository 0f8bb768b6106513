"""Why somebody may be recognised, as a person meets it: in the sheet that names a face, and on the page of people."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from server.commands.live_browser import camera_browser, running_server
from tests.browser.accessibility import serious
from tests.browser.conftest import Camera, start
from tests.browser.people_standin import ADA, GRACE, SIZES, Standin, browsing, change, consent, detail, hexadecimal
from tests.browser.test_enrol import closed, fits, open_sheet
from tests.packs import models_folder

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
ASKS = {"required": True, "days": 365, "grace": 30, "purpose": "To be known at the door"}
HISTORY = f"GET /people/{ADA['id']}/consents"


def people(server: Any) -> list[dict[str, Any]]:
    said = json.load(urllib.request.urlopen(server.url + "/api/v1/people", timeout=5))["people"]
    return list(said)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    with browsing(chromium) as browser:
        yield browser


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_name_asks_once_and_stays_quick(tmp_path: Path, one_face: Camera, size: str) -> None:
    flags = ("--models-dir", str(models_folder()), "--consent", "require")
    with running_server(tmp_path / "data", *flags) as server, camera_browser(one_face.path) as browser:
        width, height = SIZES[size]
        page = browser.new_page(viewport={"width": width, "height": height})
        start(page, server.url)
        open_sheet(page)
        page.fill("#who-name", "Ada")
        day = datetime.now().astimezone() + timedelta(days=365)
        agree = page.get_by_label(f"They agree to be recognised here until {day.day} {day:%B %Y}")
        assert agree.is_visible()
        assert not agree.is_checked()
        page.keyboard.press("Enter")
        assert page.text_content("#who-status") == "Say first that they agree, or choose another reason."
        assert agree.evaluate("box => box === document.activeElement")
        assert serious(page) == []
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        closed(page)
        page.wait_for_function("() => visavis.results.at(-1)?.faces.some(f => f.name === 'Ada')", timeout=10_000)
        (ada,) = people(server)
        assert (ada["consent"]["basis"], ada["consent"]["state"], ada["consent"]["recorded_by"]) == (
            "consent", "holds", "local",
        )  # fmt: skip
        # Of whom it is known, nothing is asked again.
        open_sheet(page)
        page.fill("#who-name", "ada")
        assert not page.is_visible("#who .consent")
        page.fill("#who-name", "Bob")
        page.get_by_text("Another reason, or other dates …").click()
        page.get_by_label("Reason").select_option("contract")
        page.get_by_label("What for").fill("Opening hours")
        page.get_by_role("textbox", name="Until").fill("")
        assert page.get_by_label("They may be recognised here, with no end set").is_visible()
        assert fits(page)
        assert serious(page) == []
        page.keyboard.press("Escape")
        # Withdrawn by somebody else: the name goes from the picture.
        path = f"{server.url}/api/v1/people/{ada['id']}/consents/withdraw"
        urllib.request.urlopen(urllib.request.Request(path, method="POST"), timeout=5).close()
        page.wait_for_function("() => visavis.results.at(-1).faces.every(f => f.name === null)", timeout=2000)


@pytest.mark.parametrize("size", ["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_people_marks_whom_it_concerns(browser: Any, size: str, scheme: str) -> None:
    shown = Standin(browser, SIZES[size], scheme)
    soon = (datetime.now().astimezone() + timedelta(days=9)).isoformat()
    states = [
        consent(), consent("over", expires="2026-11-01T00:00:00+00:00"), consent(expires=soon),
        consent("withdrawn", withdrawn="2026-11-20T10:00:00+00:00"), consent("not_recorded", basis="not_recorded"),
    ]  # fmt: skip
    rows = [{**ADA, "id": hexadecimal(n), "name": f"Person {n}", "consent": state} for n, state in enumerate(states, 1)]
    shown.answers["GET /people"] = (200, {"people": rows})
    page = shown.open()
    page.wait_for_selector(".consent-mark")
    words = page.locator(".consent-mark").all_text_contents()
    assert [text.split(" until")[0] for text in words] == [
        "Not recognised: the time is over",
        "Recognised",
        "Not recognised: consent withdrawn",
        "Nobody recorded why they may be recognised",
    ]
    assert serious(page) == []
    page.get_by_label("Only whose consent needs a look (4)").check()
    assert page.locator(".card.person").count() == 4
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    shown.close()


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_consent_is_withdrawn_and_renewed(browser: Any, size: str) -> None:
    shown = Standin(browser, SIZES[size], "dark" if size == "phone" else "light")
    shown.answers["GET /config"] = (200, {"consent": ASKS})
    old = consent("not_recorded", basis="not_recorded", recorded_by="migration", purpose="recognition")
    shown.answers[HISTORY] = (200, {"consents": [ADA["consent"], old]})
    page = shown.open(f"people/{ADA['id']}")
    part = page.get_by_role("region", name="Why they may be recognised").or_(
        page.locator("section", has=page.get_by_role("heading", name="Why they may be recognised"))
    )
    assert part.get_by_text("Holds, with no end set.").is_visible()
    assert part.get_by_text("They agree, 20 November 2026 · At the door").is_visible()
    part.get_by_text("Every record").click()
    part.get_by_text("by migration").wait_for()
    assert serious(page) == []

    gone = {**ADA, "consent": consent("withdrawn", withdrawn="2026-11-28T10:00:00+00:00")}
    path = f"POST /people/{ADA['id']}/consents"

    def withdraw(_body: Any) -> tuple[int, Any]:
        shown.answers[f"GET /people/{ADA['id']}"] = (200, detail(gone))
        return 200, {"consent": gone["consent"]}

    shown.answers[f"{path}/withdraw"] = withdraw
    part.get_by_role("button", name="Withdraw …").click()
    dialog = page.get_by_role("dialog")
    assert "Ada is not recognised from this moment on. After 30 days everything kept" in dialog.text_content()
    assert serious(page) == []
    dialog.get_by_role("button", name="Withdraw").click()
    part.get_by_text("Withdrawn on 28 November 2026.").wait_for()
    part.get_by_text("is erased on 28 December 2026, unless it is renewed").wait_for()
    assert not part.get_by_role("button", name="Withdraw …").is_visible()
    assert serious(page) == []

    part.get_by_role("button", name="Renew …").click()
    dialog.get_by_role("button", name="Save").click()
    assert dialog.get_by_role("alert").text_content() == "Say first that they agree, or choose another reason."
    assert serious(page) == []
    shown.answers[path] = lambda _body: (409, {"detail": "Ada is on holiday."})
    dialog.get_by_role("checkbox").check()
    dialog.get_by_role("button", name="Save").click()
    dialog.get_by_text("Ada is on holiday.").wait_for()

    def renew(_body: Any) -> tuple[int, Any]:
        shown.answers[f"GET /people/{ADA['id']}"] = (200, detail(ADA))
        return 201, {"consent": ADA["consent"]}

    shown.answers[path] = renew
    dialog.get_by_role("button", name="Save").click()
    part.get_by_text("Holds, with no end set.").wait_for()
    day = datetime.now().astimezone() + timedelta(days=365)
    assert shown.asked[-1][1] == {"purpose": ASKS["purpose"], "basis": "consent", "expires": f"{day:%Y-%m-%d}"}
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    shown.close()


def test_whoever_is_split_off_or_was_a_stranger_is_asked_for(browser: Any) -> None:
    shown = Standin(browser)
    shown.answers["GET /config"] = (200, {"consent": ASKS})
    stranger = {
        "id": hexadecimal(7), "seen": 2, "first": ADA["created"], "last": ADA["created"], "room": None, "crop": False,
        "quality": 0.5, "sightings": [],
    }  # fmt: skip
    shown.answers["GET /inbox"] = (200, {"enabled": True, "keeps": "x", "days": 14, "strangers": [stranger]})
    shown.answers[f"POST /inbox/{stranger['id']}/name"] = (200, {"person": {"id": GRACE["id"]}, "seen": 2})
    page = shown.open("strangers")
    name = page.get_by_label("Who is this?")
    name.wait_for()
    agree = page.locator(".consent").get_by_role("checkbox")
    assert not agree.is_visible()
    name.fill("Grace")  # known, and her consent holds
    assert not agree.is_visible()
    name.fill("Hedy")
    page.keyboard.press("Enter")
    page.get_by_text("Say first that they agree").wait_for()
    assert shown.asked == []
    assert serious(page) == []
    agree.check()
    page.get_by_role("button", name="Save").click()
    page.wait_for_function("() => document.querySelector('#toasts').textContent.includes('Hedy')")
    assert shown.asked[-1][1]["consent"]["purpose"] == ASKS["purpose"]

    splitting = f"POST /people/{ADA['id']}/split"
    shown.answers[splitting] = (201, {"change": change(4, "split", "…"), "person": detail(GRACE)})
    shown.open(f"people/{ADA['id']}")
    page.locator(".tile input").first.check()
    page.get_by_role("button", name="Split off …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Whose are they?").fill("Mary")
    dialog.get_by_role("button", name="Split off").click()
    dialog.get_by_text("Say first that they agree").wait_for()
    dialog.get_by_role("checkbox").check()
    dialog.get_by_role("button", name="Split off").click()
    page.get_by_text("Mary is a person of their own now.").wait_for()
    assert shown.asked[-1][0] == splitting
    assert shown.asked[-1][1]["consent"]["basis"] == "consent"
    shown.close()
