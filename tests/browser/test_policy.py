"""Every page in a real browser under the policy that is sent: it refuses nothing, and no page says anything wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from server.app import static_folder
from server.commands.live_browser import camera_browser
from tests.browser.conftest import Camera
from tests.browser.test_install import CONTROLLED
from tests.server.whole import Whole, seed, serving_all

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
# Every page: a new one has to be named here.
PAGES = {
    "index.html": "/",
    "people.html": "/people",
    "rooms.html": "/rooms",
    "room.html": "/room/hall",
    "photos.html": "/photos",
    "groups.html": "/groups",
    "videos.html": "/videos",
    "sightings.html": "/sightings",
    "evaluate.html": "/evaluate",
    "api.html": "/api",
    "data.html": "/data",
    "status.html": "/status",
    "access.html": "/access",
    "sign-in.html": "/sign-in",
    "own.html": "/own/nothing",
}
LISTEN = """() => {
  window.refused = [];
  const note = (e) => window.refused.push(`${e.effectiveDirective} ${e.blockedURI} ${e.sourceFile}`);
  addEventListener("securitypolicyviolation", note);
}"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    data = tmp_path_factory.mktemp("data")
    seed(data, "Ada", "Bob")
    with serving_all(data, sightings=True) as whole:
        assert whole.ask("POST", "/rooms", {"name": "hall"}).status == 201
        yield whole


@pytest.fixture(scope="module")
def browser(one_face: Camera, whole: Whole) -> Iterator[Any]:  # closed before the server is
    with camera_browser(one_face.path) as browser:
        yield browser


def listening(context: Any) -> tuple[Any, list[str]]:
    """A page, and what is said on its console or goes wrong in it."""
    page, heard = context.new_page(), list[str]()
    page.add_init_script(f"({LISTEN})()")
    # The browser of the test does not trust the authority, and so registers no offline shell over TLS.
    wrong = ("error", "warning")
    page.on(
        "console",
        lambda line: (
            line.type in wrong and "SSL certificate error" not in line.text and heard.append(f"{page.url}: {line.text}")
        ),
    )
    page.on("pageerror", lambda error: heard.append(f"{page.url}: {error}"))
    return page, heard


def test_every_page_is_named_here() -> None:
    assert {path.name for path in static_folder().glob("*.html")} == set(PAGES)


@pytest.mark.parametrize(("door", "pages"), [("local", PAGES.values()), ("lan", ("/", "/people", "/rooms"))])
def test_no_page_is_refused_anything(browser: Any, whole: Whole, door: str, pages: Iterable[str]) -> None:
    context = browser.new_context(ignore_https_errors=True)
    page, heard = listening(context)
    base = whole.local
    if door == "lan":
        base = whole.lan
        name, _, secret = whole.sign_in()["Cookie"].partition("=")
        context.add_cookies([{"name": name, "value": secret, "url": base, "secure": True}])
    for path in pages:
        page.goto(base + path)
        if path.startswith("/room/"):  # listens to events without end
            page.wait_for_selector("h1:visible, #wall")
            page.wait_for_load_state("load")
        else:
            page.wait_for_load_state("networkidle")
        for summary in page.locator("summary:visible").all():
            summary.click()
        assert page.evaluate("window.refused") == [], path
    assert heard == []
    context.close()


def test_the_live_page_is_refused_nothing_while_it_works(browser: Any, whole: Whole) -> None:
    context = browser.new_context()
    page, heard = listening(context)
    page.goto(whole.local)
    page.wait_for_function(CONTROLLED)  # the offline shell's address is the one trusted type
    page.click("#start")
    page.wait_for_selector("#faces button", state="attached", timeout=20_000)
    page.click("#more")
    page.click("#tab-phone")
    page.wait_for_function("() => document.querySelector('#phone-qr').naturalWidth > 0")
    assert page.evaluate("window.refused") == []
    assert heard == []
    context.close()


def test_the_page_about_the_certificate_is_refused_nothing(browser: Any, whole: Whole) -> None:
    page, heard = listening(browser.new_context())
    trust = whole.ask("GET", "/join").json["trust_url"]
    page.goto(trust)
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("window.refused") == []
    assert heard == []


def test_the_policy_is_in_force(browser: Any, whole: Whole) -> None:
    """What an attacker would try does nothing, and is heard of: so the tests above would hear of it as well."""
    context = browser.new_context()
    page, _ = listening(context)
    page.goto(whole.local + "/people")
    page.evaluate(
        """() => {
          const add = (tag, fields) => document.body.append(Object.assign(document.createElement(tag), fields));
          window.ran = false;
          try { add("script", { textContent: "window.ran = true" }); } catch {}
          try { add("script", { src: "data:text/javascript,window.ran=true" }); } catch {}
          try { document.body.innerHTML += "<img src=x onerror='window.ran = true'>"; } catch {}
          const styled = document.createElement("p");
          styled.setAttribute("style", "color: red");
          document.body.append(styled);
          add("img", { src: "https://elsewhere.example/x.png" });
          fetch("https://elsewhere.example/").catch(() => {});
        }"""
    )
    page.wait_for_function("() => window.refused.some((one) => one.startsWith('connect-src'))")
    refused = {re.split(r"[ -]", line)[0] for line in page.evaluate("window.refused")}
    assert {"require", "style", "img", "connect"} <= refused
    assert page.evaluate("window.ran") is False
    context.close()


def test_pictures_and_answers_say_that_nobody_else_may_have_them(whole: Whole, tmp_path: Path) -> None:
    people = whole.ask("GET", "/people").json["people"]
    samples = whole.ask("GET", f"/people/{people[0]['id']}").json["samples"]
    crop = next(one["id"] for one in samples if one["crop"])
    for path in ("/people", f"/samples/{crop}/crop", "/nothing"):
        answer = whole.ask("GET", path)
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "script-src" not in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
