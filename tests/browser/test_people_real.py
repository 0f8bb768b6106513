"""From a folder of photos to a gallery that is right: the page about people on a real server, nothing played."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from server.commands.live_browser import running_server
from tests.browser.accessibility import in_reach, shows_pictures
from tests.browser.people_standin import SIZES, browsing
from tests.packs import models_folder
from tests.pictures import photo_path
from tests.server.photos import varied

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
KEEPS = ("--models-dir", str(models_folder()), "--keep-crops")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    with browsing(chromium) as browser:
        yield browser


def archive() -> bytes:
    """A ZIP of Grace, Mary and Emmy."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as folder:
        for name, who, shots in (("Grace", 1, (0, 1, 2)), ("Mary", 2, (0, 1, 2)), ("Emmy", 3, (0, 2))):
            for shot in shots:
                folder.writestr(f"{name}/{shot}.jpg", varied(who, shot))
        folder.writestr("notes.txt", "Not a photo.")
    return packed.getvalue()


def people(server: Any) -> dict[str, int]:
    """How many pictures there are of whom."""
    answer = json.load(urllib.request.urlopen(server.url + "/api/v1/people", timeout=5))
    return {person["name"]: person["samples"] for person in answer["people"]}


def undo(page: Any) -> None:
    page.click("#toasts >> text=Undo")
    page.wait_for_selector("#toasts >> text=Undone.")


@pytest.mark.parametrize(("size", "scheme"), [("phone", "light"), ("desktop", "dark")])
def test_photos_become_people_who_are_put_right(tmp_path: Any, browser: Any, size: str, scheme: str) -> None:
    width, height = SIZES[size]
    # Without review: the pictures of one person are made from one photo, which would be said to be there already.
    with running_server(tmp_path / "data", *KEEPS, "--review", "off") as server:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        page = context.new_page()
        page.set_default_timeout(40_000)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(server.url + "/people")
        page.wait_for_selector("text=Nobody is known yet")
        in_reach(page)
        page.click("#panel-people >> text=Add photos")

        # A ZIP of three people, and a photo of many: choose a face. Nothing is saved before it is.
        page.fill("#panel-add .fields input >> nth=0", "Ada")
        group = {"name": "group.jpg", "mimeType": "image/jpeg", "buffer": photo_path().read_bytes()}
        packed = {"name": "all.zip", "mimeType": "application/zip", "buffer": archive()}
        page.set_input_files("#panel-add input[type=file] >> nth=0", [group, packed])
        page.wait_for_selector(".crowd-face >> nth=5")
        page.wait_for_selector(".saving button:enabled")
        in_reach(page)
        page.click(".crowd-face >> nth=0")
        page.wait_for_selector(".crowd", state="detached")
        assert people(server) == {}
        page.click(".saving button.primary:enabled")
        page.wait_for_selector("#panel-add >> text=people saved.")
        in_reach(page)
        before = people(server)
        assert {"Grace", "Mary", "Emmy"} <= set(before)

        page.click("#tab-people")
        shows_pictures(page, ".card.person img")
        in_reach(page)

        # Split one of Mary's off, and take it back.
        page.click(".card.person >> text=Mary")
        shows_pictures(page, ".tile img")
        in_reach(page)
        page.check(".tile input >> nth=0")
        in_reach(page)
        page.click("text=Split off …")
        page.fill("dialog input", "Dorothy")
        in_reach(page)
        page.keyboard.press("Enter")
        page.wait_for_selector("#toasts >> text=Dorothy is a person of their own now.")
        assert people(server) == {**before, "Mary": before["Mary"] - 1, "Dorothy": 1}
        # Merged with whom she came from, she is the same.
        page.click("text=‹ Everybody")
        page.click(".card.person >> text=Dorothy")
        page.click("text=Merge into …")
        page.click("dialog label >> text=Mary")
        in_reach(page)
        page.click("dialog >> text=Compare")
        page.wait_for_selector("dialog .pair")
        shows_pictures(page, "dialog .pair img")
        in_reach(page)
        page.click("dialog .row.end button >> nth=-1")
        page.wait_for_selector("h2 >> text=Mary")
        page.wait_for_selector("#toasts >> text=Dorothy is merged into Mary.")
        assert people(server) == before
        undo(page)
        assert people(server)["Dorothy"] == 1
        # Moved to the wrong person the picture is noticed, and brought back.
        page.goto(server.url + "/people#people")
        page.click(".card.person >> text=Mary")
        page.wait_for_selector("h2 >> text=Mary")
        page.check(".tile input >> nth=0")
        page.click("text=Move to …")
        page.click("dialog label >> text=Grace")
        page.click("dialog .row.end >> text=Move")
        page.wait_for_selector("#toasts >> text=Moved to Grace.")
        page.click("text=‹ Everybody")
        page.click(".card.person >> text=Grace")
        page.wait_for_selector(".tile >> text=/Resembles (Mary|Dorothy) more/")
        in_reach(page)
        page.click("text=‹ Everybody")
        page.click("summary >> text=Recent changes")
        in_reach(page)
        page.click(".changes li:first-child >> text=Undo")
        page.wait_for_selector("#toasts >> text=Undone.")
        assert people(server)["Grace"] == before["Grace"]

        # How sure it must be, by these very people.
        page.click("#tab-threshold")
        page.wait_for_selector("svg.plot")
        page.wait_for_load_state("networkidle")
        figures = json.load(urllib.request.urlopen(server.url + "/api/v1/threshold", timeout=10))
        assert figures["people"] == len(people(server))
        assert figures["pairs"]["genuine"] > 0
        assert figures["pairs"]["impostor"] > 0
        in_reach(page)
        choice = figures["choices"][0]["one_in"]
        page.check(f"input[value='{choice}']")
        page.wait_for_selector("#toasts >> text=From now on")
        now = json.load(urllib.request.urlopen(server.url + "/api/v1/threshold", timeout=10))["now"]
        assert now["one_in"] == choice
        page.reload()
        page.wait_for_selector(f"input[value='{choice}']:checked")
        page.click("text=Back to what the models come with")
        page.wait_for_selector("#toasts >> text=what the models come with")
        page.click("#tab-strangers")
        page.wait_for_selector("text=Strangers are not kept")
        in_reach(page)
        assert problems == []
        context.close()
