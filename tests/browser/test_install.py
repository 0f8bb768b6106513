"""Visavis as an app: what browsers ask of one, and what it says while its server is away."""

from __future__ import annotations

import json
import os
import struct
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from server.commands.live_browser import camera_browser, running_server
from tests.browser.accessibility import in_reach, serious
from tests.browser.conftest import Camera
from tests.packs import models_folder

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
SHOTS = os.environ.get("VISAVIS_SHOTS")
CONTROLLED = "() => navigator.serviceWorker.ready.then(() => navigator.serviceWorker.controller !== null)"


def served(data: Path, port: str = "0") -> Any:
    return running_server(data, "--models-dir", str(models_folder()), "--http-port", port)


def get(url: str) -> Any:
    return urllib.request.urlopen(url, timeout=5)


def test_the_manifest_names_icons_of_the_sizes_it_says(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        answer = get(server.url + "/static/app.webmanifest")
        assert answer.headers["content-type"] == "application/manifest+json"
        manifest = json.load(answer)
        assert manifest["start_url"] == manifest["scope"] == "/"
        for icon in manifest["icons"]:
            data = get(server.url + icon["src"]).read()
            if icon["type"] == "image/png":
                size = "{}x{}".format(*struct.unpack_from(">II", data, 16))
                assert size == icon["sizes"]
        assert {icon.get("purpose", "any") for icon in manifest["icons"]} == {"any", "maskable"}
        for shortcut in manifest["shortcuts"]:
            assert get(server.url + shortcut["url"]).status == 200


def test_a_browser_finds_nothing_that_keeps_it_from_installing(tmp_path: Path, one_face: Camera) -> None:
    with served(tmp_path) as server, camera_browser(one_face.path) as browser:
        page = browser.new_page()
        page.goto(server.url)
        page.wait_for_function(CONTROLLED)
        tools = page.context.new_cdp_session(page)
        manifest = tools.send("Page.getAppManifest")
        assert manifest["errors"] == []
        found = [error["errorId"] for error in tools.send("Page.getInstallabilityErrors")["installabilityErrors"]]
        assert [error for error in found if error != "in-incognito"] == []  # which every tested page is


def test_the_page_of_a_server_that_is_away_speaks_the_language_of_the_browser(tmp_path: Path, one_face: Camera) -> None:
    with camera_browser(one_face.path) as browser:
        page = browser.new_context(locale="ar-EG", viewport={"width": 360, "height": 740}).new_page()
        with served(tmp_path) as server:
            page.goto(server.url)
            page.wait_for_function(CONTROLLED)
        page.goto(server.url)
        page.wait_for_selector("html[lang=ar][dir=rtl]")
        assert page.inner_text("h1") == "الخادم غير متاح"
        in_reach(page)


def test_while_the_server_is_away_the_page_says_so_and_comes_back_by_itself(tmp_path: Path, one_face: Camera) -> None:
    with camera_browser(one_face.path) as browser:
        page = browser.new_page()
        with served(tmp_path) as server:
            port = server.url.rpartition(":")[2]
            page.goto(server.url + "/people")  # kept by none: it is asked for anew when the server is back
            page.goto(server.url)
            page.wait_for_function(CONTROLLED)
        page.goto(server.url + "/people")
        page.wait_for_selector("text=The server is away")
        page.wait_for_function("() => document.querySelector('#state').textContent.startsWith('Not yet')")
        for width, height, scheme in ((360, 740, "dark"), (320, 568, "light"), (1280, 800, "light")):
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            in_reach(page)
            assert serious(page) == []
            if SHOTS:
                page.screenshot(path=Path(SHOTS) / f"away-{width}-{scheme}.png")
        with served(tmp_path, port):
            page.wait_for_selector("nav[data-pages] a[aria-current]", timeout=15_000)
            assert page.url == server.url + "/people"


def test_nothing_but_the_shell_is_kept_in_the_browser(tmp_path: Path, one_face: Camera) -> None:
    with served(tmp_path) as server, camera_browser(one_face.path) as browser:
        page = browser.new_page()
        page.goto(server.url)
        page.wait_for_function(CONTROLLED)
        for path in ("/people", "/photos", "/"):
            page.goto(server.url + path)
        kept = page.evaluate(
            """async () => {
                const found = [];
                for (const name of await caches.keys())
                    found.push(...(await (await caches.open(name)).keys()).map(one => new URL(one.url).pathname));
                return found.sort();
            }"""
        )
        shell = [f"/static/offline/{file}" for file in ("page.css", "page.html", "page.js", "words.js")]
        assert kept == ["/static/favicon.svg", *shell]


def test_the_offer_to_install_waits_in_the_panel(tmp_path: Path, one_face: Camera) -> None:
    with served(tmp_path) as server, camera_browser(one_face.path) as browser:
        page = browser.new_page(viewport={"width": 360, "height": 740})
        page.goto(server.url)
        page.wait_for_function(CONTROLLED)
        assert page.locator("#install-offer").get_attribute("hidden") is not None
        page.evaluate(
            """() => {
                window.asked = 0;
                const offer = new Event("beforeinstallprompt", { cancelable: true });
                offer.prompt = async () => void window.asked++;
                window.held = !window.dispatchEvent(offer);
            }"""
        )
        assert page.evaluate("() => window.held")  # the browser's own bar is not laid over the picture
        page.click("#more")
        page.click("#tab-phone")
        in_reach(page)
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / "install.png")
        page.click("#install")
        assert page.evaluate("() => window.asked") == 1
        assert not page.is_visible("#install")
