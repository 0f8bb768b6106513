"""The page about people in a real browser: corrections, strangers, threshold and models; what goes wrong, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.accessibility import serious
from tests.browser.people_standin import ADA, GRACE, RECEIPT, SIZES, Standin, browsing, change, hexadecimal

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
TABS = ("people", "add", "strangers", "threshold")
UNDONE = change(9, "rename", "…", undone=True)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    with browsing(chromium) as browser:
        yield browser


@pytest.fixture
def standin(browser: Any) -> Iterator[Standin]:
    made = Standin(browser)
    yield made
    made.close()


def fits(page: Any) -> bool:
    """Nothing sticks out to the side."""
    return page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def preview(verdict: str) -> dict[str, Any]:
    """Of merging Ada into Grace."""
    both = {"from": ADA["id"], "into": GRACE["id"]}
    return both | {"samples": 6, "similarity": 0.5, "verdict": verdict, "words": "Compare them yourself."}


def toast(page: Any) -> str:
    page.wait_for_selector("#toasts .toast")
    return page.inner_text("#toasts span")


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("small phone", "light"), ("desktop", "light")])
def test_every_tab_is_in_reach_of_everybody(browser: Any, size: str, scheme: str) -> None:
    standin = Standin(browser, SIZES[size], scheme)
    for place in (*TABS, f"people/{ADA['id']}", "people/nobody"):
        page = standin.open(place)
        page.wait_for_selector("section:not([hidden]) :is(h2, [role=alert])")
        page.wait_for_load_state("networkidle")
        assert serious(page) == [], place
        assert fits(page), place
    standin.close()


def test_every_sheet_is_in_reach_of_everybody(browser: Any) -> None:
    standin = Standin(browser, SIZES["small phone"], "dark")
    standin.answers[f"GET /people/{ADA['id']}/merge"] = (
        200,
        {
            "from": ADA["id"],
            "into": GRACE["id"],
            "samples": 6,
            "similarity": 0.2,
            "verdict": "different",
            "words": "No.",
        },
    )
    page = standin.open(f"people/{ADA['id']}")
    for words in ("Rename", "Known to: everyone", "Forget for good …"):
        page.click(f"text={words}")
        page.wait_for_selector("dialog")
        assert serious(page) == [], words
        assert fits(page), words
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog", state="detached")
    page.click("text=Merge into …")
    page.wait_for_selector("dialog")
    assert serious(page) == []
    page.click("dialog label >> text=Grace")
    page.click("dialog >> text=Compare")
    page.wait_for_selector("dialog >> text=Merge all the same")
    assert serious(page) == []
    standin.close()


def test_tabs_by_keyboard_and_address(standin: Standin) -> None:
    page = standin.open("strangers")
    page.focus("#tab-strangers")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("() => [location.hash, document.activeElement.id]") == ["#threshold", "tab-threshold"]
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#tab-people[aria-selected=true]")
    page.wait_for_selector("#panel-people h2")
    assert not page.is_visible("#panel-threshold")
    page.go_back()
    page.wait_for_selector("#panel-threshold:visible")


def test_somebody_is_found_among_all(standin: Standin) -> None:
    page = standin.open()
    page.fill("input[type=search]", "lab")
    assert page.locator(".cards .name").all_inner_texts() == ["Grace"]
    page.fill("input[type=search]", "nobody")
    assert "0 people found" in page.inner_text("#panel-people [role=status]")


def test_a_name_that_is_taken_is_refused_in_the_sheet_which_stays(standin: Standin) -> None:
    standin.answers[f"PATCH /people/{ADA['id']}"] = (409, {"detail": "Somebody else is called Grace."})
    page = standin.open(f"people/{ADA['id']}")
    page.click("text=Rename")
    page.fill("dialog input", "Grace")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog >> text=Somebody else is called Grace.")
    page.fill("dialog input", "")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog >> text=Type a name first.")
    page.fill("dialog input", "x" * 500)
    page.evaluate("() => document.querySelector('dialog input').select()")
    page.keyboard.type("y" * 90)
    assert len(page.input_value("dialog input")) == 80


def test_a_merge_is_looked_at_first_and_can_be_undone(standin: Standin) -> None:
    preview = {
        "from": ADA["id"],
        "into": GRACE["id"],
        "samples": 6,
        "similarity": 0.8,
        "verdict": "same",
        "words": "Yes.",
    }
    standin.answers[f"GET /people/{ADA['id']}/merge"] = (200, preview)
    standin.answers[f"POST /people/{ADA['id']}/merge"] = (200, {"change": change(9, "merge", "Merged Ada into Grace")})
    standin.answers[f"POST /changes/{hexadecimal(9)}/undo"] = (200, {"change": UNDONE})
    page = standin.open(f"people/{ADA['id']}")
    page.click("text=Merge into …")
    page.click("dialog label >> text=Grace")
    page.click("dialog >> text=Compare")
    page.wait_for_selector("dialog >> text=Grace will have 6 pictures")
    assert standin.asked == []
    page.click("dialog button.primary")
    assert toast(page) == "Ada is merged into Grace."
    assert page.evaluate("() => location.hash") == f"#people/{GRACE['id']}"
    page.click("#toasts >> text=Undo")
    page.wait_for_selector("#toasts >> text=Undone.")
    merge, undo = standin.asked
    assert merge == (f"POST /people/{ADA['id']}/merge", {"into": GRACE["id"]})
    assert undo[0] == f"POST /changes/{hexadecimal(9)}/undo"


def test_several_pictures_are_moved_and_brought_back_last_first(standin: Standin) -> None:
    for at in (0, 1):
        sample, number = hexadecimal(100 + at), 20 + at
        standin.answers[f"POST /samples/{sample}/move"] = (200, {"change": change(number, "move_sample", "Moved")})
        standin.answers[f"POST /changes/{hexadecimal(number)}/undo"] = (200, {"change": UNDONE})
    page = standin.open(f"people/{ADA['id']}")
    page.check(".tile input >> nth=0")
    page.check(".tile input >> nth=1")
    page.click("text=Move to …")
    page.click("dialog label >> text=Grace")
    page.click("dialog >> text=Move >> nth=-1")
    assert toast(page) == "Moved to Grace."
    page.click("#toasts >> text=Undo")
    page.wait_for_selector("#toasts >> text=Undone.")
    assert [question for question, _ in standin.asked[2:]] == [f"POST /changes/{hexadecimal(n)}/undo" for n in (21, 20)]


def test_what_was_done_before_a_failure_is_said_and_can_be_undone(standin: Standin) -> None:
    standin.answers[f"DELETE /samples/{hexadecimal(100)}"] = (200, {"change": change(20, "remove_sample", "Removed")})
    standin.answers[f"DELETE /samples/{hexadecimal(101)}"] = (409, {"detail": "The last picture stays."})
    page = standin.open(f"people/{ADA['id']}")
    page.check(".tile input >> nth=0")
    page.check(".tile input >> nth=1")
    page.click(".choice >> text=Remove")
    assert toast(page) == "1 of 2 done. The last picture stays."
    assert page.is_visible("#toasts >> text=Undo")


def test_pictures_are_split_off_under_a_name(standin: Standin) -> None:
    standin.answers[f"POST /people/{ADA['id']}/split"] = (200, {"change": change(9, "split", "Split"), "person": GRACE})
    page = standin.open(f"people/{ADA['id']}")
    assert "Resembles Grace more" in page.inner_text(".tiles")
    page.check(".tile input >> nth=1")
    page.click("text=Split off …")
    page.fill("dialog input", "Mary")
    page.keyboard.press("Enter")
    assert toast(page) == "Mary is a person of their own now."
    assert standin.asked == [(f"POST /people/{ADA['id']}/split", {"samples": [hexadecimal(101)], "name": "Mary"})]


def test_an_undo_that_comes_too_late_says_why(standin: Standin) -> None:
    standin.answers[f"POST /changes/{hexadecimal(1)}/undo"] = (409, {"detail": "Ada has been forgotten since."})
    page = standin.open()
    page.click("summary >> text=Recent changes")
    page.click(".changes >> text=Undo")
    assert toast(page) == "Ada has been forgotten since."


def test_forgetting_asks_first(standin: Standin) -> None:
    standin.answers[f"DELETE /people/{ADA['id']}"] = (200, {"receipt": RECEIPT})
    page = standin.open(f"people/{ADA['id']}")
    page.click("text=Forget for good …")
    page.click("dialog >> text=Keep")
    assert standin.asked == []
    page.click("text=Forget for good …")
    page.click("dialog button.danger")
    assert toast(page) == "Ada is forgotten."
    assert not page.is_visible("#toasts >> text=Undo")
    page.click("#toasts >> text=Receipt")
    page.wait_for_selector("dialog >> text=3 sets of numbers of the face")
    page.wait_for_selector("dialog >> text=The film of video 00000000")
    assert serious(page) == []


def test_a_server_that_is_gone_is_said_on_every_tab_and_another_try_works(standin: Standin) -> None:
    page = standin.open()
    page.wait_for_selector(".cards")
    standin.gone = True
    for tab in ("strangers", "threshold", "people"):
        page.click(f"#tab-{tab}")
        page.wait_for_selector(f"#panel-{tab} >> text=cannot be reached")
    assert serious(page) == []
    standin.gone = False
    page.click("#panel-people >> text=Try again")
    page.wait_for_selector(".cards")


def test_strangers_off_says_how_to_have_them(standin: Standin) -> None:
    page = standin.open("strangers")
    page.wait_for_selector("text=Strangers are not kept")
    assert "visavis serve --inbox" in page.inner_text("#panel-strangers")


def test_a_stranger_is_named_with_names_suggested(standin: Standin) -> None:
    sighting = {"session": "s", "began": "2026-11-20T10:00:00+00:00", "ended": "2026-11-20T10:04:00+00:00"}
    stranger = {"id": hexadecimal(5), "seen": 4, "first": sighting["began"], "last": sighting["ended"]}
    stranger |= {"crop": False, "quality": 0.8, "sightings": [sighting] * 4}
    inbox = {"enabled": True, "keeps": "A crop.", "days": 14, "strangers": [stranger]}
    standin.answers["GET /inbox"] = (200, inbox)
    refused = (409, {"detail": "This stranger does not look like Grace."})
    named = (200, {"person": ADA, "seen": 4})
    standin.answers[f"POST /inbox/{stranger['id']}/name"] = lambda body: refused if body["name"] == "Grace" else named
    page = standin.open("strangers")
    assert "Seen 4 times" in page.inner_text(".stranger")
    assert serious(page) == []
    names = page.eval_on_selector_all("#stranger-names option", "all => all.map(one => one.value)")
    assert names == ["Ada", "Grace"]
    page.fill(".stranger input", "Grace")
    page.click(".stranger >> text=Save")
    page.wait_for_selector(".stranger >> text=does not look like Grace")
    page.fill(".stranger input", "Ada")
    standin.answers["GET /inbox"] = (200, inbox | {"strangers": []})
    page.click(".stranger >> text=Save")
    assert toast(page) == "Added to Ada."
    page.wait_for_selector("text=No stranger is waiting")


def test_the_threshold_is_chosen_among_costs(standin: Standin) -> None:
    standin.answers["PUT /threshold"] = (200, {})
    page = standin.open("threshold")
    label = page.get_attribute("svg.plot", "aria-label")
    assert "6 lie above it and 0 below" in label
    assert "0 lie above it and 6 below" in label
    page.click("text=The figures")
    assert page.locator(".card table tbody tr").count() >= 2
    assert page.is_checked("input[value='250']")
    page.check("input[value='100']")
    assert "one wrong name in 100 strangers" in toast(page)
    page.select_option("#panel-threshold select", "lab")
    page.wait_for_load_state("networkidle")
    page.check("input[value='1000']")
    page.wait_for_function("() => document.querySelector('#toasts').textContent.includes('1,000')")
    assert standin.asked == [("PUT /threshold", {"one_in": 100}), ("PUT /threshold", {"one_in": 1000, "room": "lab"})]
    page.click("text=Back to what the models come with")
    page.wait_for_function("() => document.querySelector('#toasts').textContent.includes('models')")
    assert standin.asked[-1] == ("PUT /threshold", {"one_in": None, "room": "lab"})
    page.click("button:text-is('Compare')")
    page.wait_for_selector("dialog")


def test_models_are_changed_after_a_look(standin: Standin) -> None:
    status = dict(standin.answers["GET /model-change"][1], state="running", pack="other", total=2)

    def begin(_body: Any) -> tuple[int, Any]:
        standin.answers["GET /model-change"] = (200, status)
        return 202, status

    standin.answers["POST /model-change"] = begin
    standin.answers["POST /model-change/switch"] = (200, status)
    page = standin.open("threshold")
    page.click("text=Change to these …")
    page.click("dialog >> text=Begin")
    page.wait_for_selector("text=0 of 2 pictures")
    assert serious(page) == []
    sides = {"old": {"d_prime": 3.1, "rank1": 0.97}, "new": {"d_prime": 3.9, "rank1": 0.99}}
    ready = {"state": "ready", "done": 2, "comparison": {"samples": 2, "people": 2, "words": "Better.", **sides}}
    left = [{"person": GRACE["id"], "name": "Grace", "samples": 3}]
    standin.answers["GET /model-change"] = (200, {**status, **ready, "without_crop": left})
    page.wait_for_selector("text=Switch to other")
    text = page.inner_text("#panel-threshold")
    assert "Better." in text
    assert "Grace: 3 pictures" in text
    assert serious(page) == []
    page.click("text=Switch to other")
    page.wait_for_selector("dialog >> text=1 person will not be recognised")
    page.click("dialog button.primary")
    assert toast(page) == "Recognition uses other now."
