"""Learning people from photos in a real browser: a real server looks at real pictures; refusals are played."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from server.commands.live_browser import running_server
from tests.browser.accessibility import serious
from tests.browser.people_standin import ADA, SIZES, Standin, browsing, change, hexadecimal
from tests.packs import models_folder
from tests.pictures import photo_path
from tests.server.photos import varied

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
DRAFT = {"id": hexadecimal(7), "limits": {"file_bytes": 1000, "archive_bytes": 2000, "pixels": 10**7, "files": 100}}
FILES = f"POST /imports/{DRAFT['id']}/files"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    with browsing(chromium) as browser:
        yield browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running_server(tmp_path_factory.mktemp("data"), "--models-dir", str(models_folder())) as server:
        yield server


@pytest.fixture
def standin(browser: Any) -> Iterator[Standin]:
    made = Standin(browser)
    made.answers |= {"POST /imports": (201, DRAFT), f"GET /imports/{DRAFT['id']}": (200, {"people": []})}
    made.answers[f"DELETE /imports/{DRAFT['id']}"] = (204, None)
    yield made
    made.close()


def file(name: str, data: bytes) -> dict[str, Any]:
    """A file to be chosen."""
    return {"name": name, "mimeType": "image/jpeg", "buffer": data}


def used(number: int, name: str = "Ada") -> dict[str, Any]:
    """The entry of a good photo."""
    entry = {
        "id": hexadecimal(1000 + number),
        "file": f"{number}.jpg",
        "name": name,
        "verdict": "used",
        "words": "Used.",
    }
    return entry | {"faces": [], "width": 10, "height": 10}


def choose(page: Any, *files: dict[str, Any], name: str = "Ada") -> None:
    """Choose photos of somebody."""
    page.fill("#panel-add .fields input >> nth=0", name)
    page.set_input_files("#panel-add input[type=file] >> nth=0", list(files))


def people(server: Any) -> dict[str, int]:
    """How many pictures there are of whom."""
    answer = json.load(urllib.request.urlopen(server.url + "/api/v1/people", timeout=5))
    return {person["name"]: person["samples"] for person in answer["people"]}


def empty_room() -> bytes:
    """A picture of nobody."""
    picture = np.random.default_rng(1).normal(120, 3, (300, 300, 3)).clip(0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", picture)[1].tobytes()


def test_photos_of_every_kind_are_judged_decided_and_saved(server: Any, browser: Any) -> None:
    page = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    page.set_default_timeout(40_000)
    page.goto(server.url + "/people#add")
    group = photo_path().read_bytes()
    choose(
        page,
        file("good.jpg", varied(0, 0)),
        file("again.jpg", varied(0, 0)),
        file("diary.jpg", b"Dear diary"),
        file("empty.jpg", b""),
        file("nobody.jpg", empty_room()),
        file("group.jpg", group),
    )
    page.wait_for_selector(".saving button:enabled:text('Save 1 person, 1 picture')")
    text = page.inner_text(".verdicts")
    for words in ("Several faces", "Not a picture", "No face", "1 known already"):
        assert words in text, words
    assert page.locator(".crowd-face").count() == 6
    assert page.evaluate("() => document.querySelector('.crowd img').naturalWidth") == 1280
    assert serious(page) == []
    page.check("text=Only what needs you")
    assert page.locator(".file").count() == 1
    page.click(".crowd-face >> nth=0")
    page.wait_for_selector(".crowd", state="detached")
    assert people(server) == {}
    page.click(".saving button.primary")
    page.wait_for_selector("#panel-add >> text=1 person saved.")
    assert list(people(server)) == ["Ada"]
    page.click("#toasts >> text=Undo")
    page.wait_for_selector("#toasts >> text=Undone.")
    page.wait_for_selector("#panel-add >> text=1 person saved.", state="detached")
    assert people(server) == {}


def test_a_zip_of_folders_is_everybody_in_it_and_names_may_be_corrected(server: Any, browser: Any) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("Grace/1.jpg", varied(1, 0))
        archive.writestr("Mary/1.jpg", varied(2, 0))
        archive.writestr("Mary/grace.jpg", varied(1, 4))
    page = browser.new_page()
    page.set_default_timeout(40_000)
    page.goto(server.url + "/people#add")
    page.set_input_files(
        "#panel-add input[type=file] >> nth=0",
        [{"name": "all.zip", "mimeType": "application/zip", "buffer": packed.getvalue()}],
    )
    page.click("text=It is Grace")
    page.wait_for_selector(".group >> text=1 picture to save · 1 known already")  # the same photo, a little turned
    page.wait_for_selector(".saving button:enabled:text('Save 2 people, 2 pictures')")
    page.click(".saving button.primary")
    page.wait_for_selector("text=2 people saved.")
    assert people(server) == {"Grace": 1, "Mary": 1}
    page.click("#panel-add a >> text=Grace")
    page.wait_for_selector("h2 >> text=Grace")
    assert page.locator(".tile").count() == 1
    assert serious(page) == []


def test_two_who_are_one_are_merged_parted_again_and_renamed(server: Any, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(40_000)
    page.goto(server.url + "/people#add")
    for name, who in (("Edith", 0), ("Emmy", 3)):
        choose(page, file("1.jpg", varied(who, 0)), name=name)
        page.wait_for_selector(f".group >> text={name}")
    page.click(".saving button:enabled:text('Save 2 people, 2 pictures')")
    page.wait_for_selector("text=2 people saved.")
    page.click("#panel-add a >> text=Edith")
    page.click("text=Merge into …")
    page.click("dialog label >> text=Emmy")
    page.click("dialog >> text=Compare")
    page.wait_for_selector("dialog >> text=Edith and Emmy look like two different people.")
    assert serious(page) == []
    page.click("dialog >> text=Merge all the same")
    page.wait_for_selector("h2 >> text=Emmy")
    assert people(server)["Emmy"] == 2
    page.wait_for_selector(".tile >> nth=1")
    assert serious(page) == []
    page.click("#toasts >> text=Undo")
    page.wait_for_selector("#toasts >> text=Undone.")
    assert people(server)["Edith"] == people(server)["Emmy"] == 1
    page.click("text=Rename")
    page.fill("dialog input", "Edith")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog [role=alert]:not(:empty)")
    page.fill("dialog input", "Emmy N.")
    page.keyboard.press("Enter")
    page.wait_for_selector("h2 >> text=Emmy N.")
    page.click("text=Remove >> nth=-1")
    page.wait_for_selector("#toasts >> text=Emmy N. is removed.")
    page.click("summary >> text=Recent changes")
    page.click(".changes li:first-child >> text=Undo")
    page.wait_for_selector(".cards >> text=Emmy N.")
    assert people(server)["Emmy N."] == 1


def test_a_folder_is_chosen_with_its_names(server: Any, browser: Any, tmp_path: Path) -> None:
    for name in ("Zoë", "Bo"):
        (tmp_path / "team" / name).mkdir(parents=True)
    (tmp_path / "team" / "Zoë" / "1.jpg").write_bytes(varied(3, 0))
    (tmp_path / "team" / "Bo" / "notes.txt").write_text("x")
    page = browser.new_page()
    page.set_default_timeout(40_000)
    page.goto(server.url + "/people#add")
    page.set_input_files("#panel-add input[webkitdirectory]", str(tmp_path / "team"))
    page.wait_for_selector("text=1 photo of 1 person. 1 other file was left out.")
    page.wait_for_selector(".group >> text=Zoë")
    page.click("text=Discard")
    page.click("dialog >> text=Discard >> nth=-1")
    page.wait_for_selector(".group", state="detached")
    assert "Zoë" not in people(server)


def test_photos_without_a_name_wait_for_one(standin: Standin) -> None:
    standin.answers[FILES] = (200, {"files": [used(1)]})
    page = standin.open("add")
    page.set_input_files("#panel-add input[type=file] >> nth=0", [file("1.jpg", b"x")])
    page.wait_for_selector("text=Whose photo is this?")
    assert serious(page) == []
    assert standin.asked == []
    page.fill("#panel-add .fields input >> nth=0", "Ada")
    page.keyboard.press("Enter")
    page.wait_for_selector(".saving button:enabled:text('Save 1 person, 1 picture')")


def test_a_lost_connection_is_said_and_the_photo_sent_again(standin: Standin) -> None:
    standin.answers[FILES] = (200, {"files": [used(1)]})
    page = standin.open("add")
    standin.gone = True
    choose(page, file("1.jpg", b"x"))
    page.wait_for_selector("text=cannot be reached. Is it still running, and are you in its network? Trying again")
    assert serious(page) == []
    standin.gone = False
    page.wait_for_selector(".saving button:enabled:text('Save 1 person, 1 picture')")


@pytest.mark.parametrize("status", [413, 415])
def test_a_refused_file_is_said_in_words_and_may_be_left_out(standin: Standin, status: int) -> None:
    standin.answers[FILES] = (status, None)
    page = standin.open("add")
    choose(page, file("1.jpg", b"x"))
    page.wait_for_selector("text=1 file did not get through")
    assert "1.jpg That is" in page.inner_text("#panel-add [role=alert]")
    assert serious(page) == []
    assert page.locator("#panel-add >> text=Try again").count() == 0
    page.click("#panel-add .notice >> text=Leave out")
    page.wait_for_selector("text=1 file did not get through", state="detached")


def test_too_many_at_once_is_tried_again_by_itself(standin: Standin) -> None:
    answers = iter([(429, None), (200, {"files": [used(1)]})])
    standin.answers[FILES] = lambda _body: next(answers)
    page = standin.open("add")
    choose(page, file("1.jpg", b"x"))
    page.wait_for_selector(".saving button:enabled:text('Save 1 person, 1 picture')")


def test_a_file_too_large_is_never_sent(standin: Standin) -> None:
    page = standin.open("add")
    choose(page, file("1.jpg", b"x" * 2000))
    page.click(".group summary")
    page.wait_for_selector(".file >> text=Too large")
    assert [question for question, _ in standin.asked] == ["POST /imports"]


def test_a_draft_the_server_has_lost_is_made_anew_from_the_same_photos(standin: Standin) -> None:
    standin.answers[FILES] = (404, {"detail": "There is no such import."})
    page = standin.open("add")
    choose(page, file("1.jpg", b"x"))
    page.wait_for_selector("text=The server has lost what was looked at so far")
    standin.answers[FILES] = (200, {"files": [used(1)]})
    page.click("text=Look at all of them again")
    page.wait_for_selector(".saving button:enabled:text('Save 1 person, 1 picture')")


def test_a_save_that_is_refused_saves_nothing_and_can_be_tried_again(standin: Standin) -> None:
    commit = f"POST /imports/{DRAFT['id']}/commit"
    standin.answers[FILES] = (200, {"files": [used(1)]})
    standin.answers[commit] = (409, {"detail": "People have been changed meanwhile."})
    page = standin.open("add")
    choose(page, file("1.jpg", b"x"))
    page.click(".saving button:enabled:text('Save 1 person, 1 picture')")
    page.wait_for_selector("text=People have been changed meanwhile. Nothing was saved.")
    saved = {"people": [{"id": ADA["id"], "name": "Ada", "added": 1}], "change": change(9, "add_samples", "Added")}
    standin.answers[commit] = (200, saved)
    page.click(".saving button.primary")
    page.wait_for_selector("text=Ada: 1 new picture")
    assert serious(page) == []


def test_leaving_asks_only_while_something_is_unsaved(standin: Standin) -> None:
    standin.answers[FILES] = (200, {"files": [used(1)]})
    page = standin.open("add")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.reload()
    assert asked == []
    choose(page, file("1.jpg", b"x"))
    page.wait_for_selector(".saving button:enabled:text('Save 1 person, 1 picture')")
    page.reload()
    assert asked == ["beforeunload"]


def test_many_photos_on_a_small_phone_stay_in_reach(browser: Any) -> None:
    standin = Standin(browser, SIZES["small phone"], "dark")
    entries = [used(at, f"A rather long name of somebody {at % 3}") for at in range(12)]
    entries[0] |= {"verdict": "looks_like", "words": "This looks like Ada (97 %).", "file": "x" * 80 + ".jpg"}
    entries[0]["like"] = {"person": ADA["id"], "name": "Ada", "probability": 0.97}
    entries[1] |= {"verdict": "poor_quality", "words": "The face is blurred."}
    standin.answers |= {"POST /imports": (201, DRAFT), FILES: (200, {"files": entries})}
    standin.answers[f"GET /imports/{DRAFT['id']}"] = (200, {"people": []})
    page = standin.open("add")
    choose(page, file("all.zip", b"PK"))
    page.wait_for_selector("text=It is Ada")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    assert serious(page) == []
    standin.close()
