"""What is said of faces beside their names, and the host's switches, in a real browser."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import load_pack
from models.attributes import AttributePack, AttributeSpec, NetworkEntry
from server.app import create_app
from server.services import open_services
from server.settings import Settings
from tests.browser.accessibility import in_reach, serious
from tests.browser.conftest import start
from tests.browser.test_enrol import DESKTOP, PHONE, SMALL, open_sheet
from tests.packs import models_folder, open_models
from tests.serving import in_thread, on_free_port

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

READ = "words => window.visavis.faces.some(f => f.read.some(said => said.includes(words)))"


class OneNetwork:
    """In the place of the shipped networks: a woman of 35, as sure of it as it is told to be."""

    def __init__(self, sure: float = 0.2) -> None:
        self.sure = sure

    def run(self, _names: list[str], _inputs: dict[str, Any]) -> list[np.ndarray]:
        ages = -0.5 * ((np.arange(15, 81) - 35) / 4.0) ** 2
        return [np.array([[self.sure, -self.sure]], np.float32), ages[None].astype(np.float32)]


def attribute_pack(network: OneNetwork, min_width: float = 36.0) -> AttributePack:
    template = open_models().embedder.spec.template
    scale = 64 / open_models().embedder.spec.size
    spec = AttributeSpec(
        name="one", licence="none", trained_on="nothing", size=64, template=template * scale, first_age=15, last_age=80,
        networks=(NetworkEntry("one.onnx", "", 1.0),), gender_scale=10.0, gender_slope=(1.0, 1.0), embedding=None,
        age_temperature=(1.0, 1.0), age_floor=0.0, sure=0.8, min_width=min_width,
    )  # fmt: skip
    return AttributePack(spec, (network,))


@contextlib.contextmanager
def serving(data: Path) -> Iterator[str]:
    """The whole server in a thread of its own; gives its address."""
    settings = Settings(data_dir=data, models_dir=models_folder(), lan=False, consent="ask", local_owner=True)
    pack = load_pack("open", models_folder(), "cpu", lambda _line: None)

    @contextlib.asynccontextmanager
    async def whole() -> AsyncIterator[int]:
        async with (
            open_services(settings, pack, None) as services,
            on_free_port(create_app(settings, services)) as port,
        ):
            yield port

    with in_thread(whole(), "whole server") as port:
        yield f"http://localhost:{port}"


@pytest.fixture
def browser(browser: Any) -> Iterator[Any]:
    """The same one for all tests, and nothing of the last one in it."""
    yield browser
    for context in browser.contexts:
        context.close()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> OneNetwork:
    network = OneNetwork()
    monkeypatch.setattr("server.live.reading.load_attributes", lambda _provider: attribute_pack(network))
    return network


def panel(page: Any) -> None:
    page.click("#more")
    page.click("#tab-view")
    page.wait_for_selector("#view:visible")


def allow(page: Any, part: str) -> None:
    """Switch on what the page asks about first."""
    page.check(f"#reading-{part}")
    page.click("#ask-yes")


def api(url: str, path: str) -> Any:
    return json.load(urllib.request.urlopen(url + path, timeout=5))


def shot(page: Any, tmp_path: Path, name: str) -> None:
    page.screenshot(path=tmp_path / f"{name}.png")


@pytest.mark.parametrize(("size", "scheme"), [(SMALL, "dark"), (DESKTOP, "light")])
def test_the_host_chooses_what_is_said_and_it_is_said_at_once(tmp_path, browser, network, size, scheme):
    with serving(tmp_path / "data") as url:
        page = browser.new_page(viewport=size, color_scheme=scheme)
        start(page, url)
        page.wait_for_function(READ, arg="about ", timeout=15_000)
        assert page.evaluate("() => window.visavis.faces[0].read.length") == 1  # the distance and no more
        panel(page)
        page.wait_for_function("() => document.querySelector('#reading-distance').checked")
        assert not page.is_checked("#reading-gender")
        assert not page.is_checked("#reading-age")
        assert "non-commercial research" in page.inner_text("#view")
        in_reach(page)
        assert page.evaluate(
            "() => { const p = document.querySelector('#panel'); return p.scrollWidth <= p.clientWidth }"
        )
        shot(page, tmp_path, "panel")
        session = page.evaluate("() => window.visavis.session")
        for part, refuse in (("gender", page.locator("#ask-no").click), ("age", lambda: page.keyboard.press("Escape"))):
            page.check(f"#reading-{part}")
            assert "guess from a picture" in page.inner_text("#ask-text")
            assert "non-commercial research" in page.inner_text("#ask-text")
            in_reach(page)
            shot(page, tmp_path, f"ask-{part}")
            refuse()
            page.wait_for_selector("#ask", state="hidden")
            # the dialog is gone before its 'close' event, which takes the switch back, has been heard
            page.wait_for_function(
                "part => !document.querySelector(`#reading-${part}`).checked", arg=part, timeout=5_000
            )
            page.wait_for_function("part => document.activeElement.id === `reading-${part}`", arg=part, timeout=5_000)
        assert api(url, "/api/v1/reading") == {"distance": True, "gender": False, "age": False}  # nobody agreed
        allow(page, "gender")
        page.wait_for_function(READ, arg="apparently female 98\u00a0%", timeout=15_000)
        assert not page.evaluate(READ, "looks")
        allow(page, "age")
        page.wait_for_function(READ, arg="looks 30–40", timeout=15_000)
        in_reach(page)
        page.click("#panel-close")
        page.wait_for_timeout(400)
        shot(page, tmp_path, "live")
        assert serious(page) == []
        button = page.locator("#faces [data-track]").first
        assert "apparently female" in button.get_attribute("aria-label")
        (face,) = api(url, f"/api/v1/sessions/{session}")["faces"]
        assert face["distance"]["low"] < face["distance"]["m"] < face["distance"]["high"]
        assert face["apparent"]["gender"] == "female"
        assert face["detection"] > 0.3
        page.wait_for_function("() => window.visavis.faces.some(f => f.identity === 'unknown')", timeout=10_000)
        open_sheet(page)
        page.click("#who-why")
        page.wait_for_function("() => document.querySelector('#why-facts').textContent.includes('seen')", timeout=5_000)
        facts = page.inner_text("#why-facts")
        assert "Distance" in facts
        assert "female" in facts
        in_reach(page)
        shot(page, tmp_path, "why")
        page.click("#who-cancel")
        panel(page)
        for part in ("gender", "age", "distance"):
            page.uncheck(f"#reading-{part}")
        page.wait_for_function("() => window.visavis.faces.every(f => f.read.length === 0)", timeout=5_000)
        assert page.evaluate("() => window.visavis.session") == session  # without a new connection
        assert api(url, "/api/v1/reading") == {"distance": False, "gender": False, "age": False}


def test_the_networks_that_ship_speak_of_a_real_face(tmp_path, browser):
    with serving(tmp_path / "data") as url:
        page = browser.new_page(viewport=DESKTOP)
        start(page, url)
        panel(page)
        allow(page, "gender")
        allow(page, "age")
        page.wait_for_function("() => window.visavis.results.at(-1).faces[0]?.apparent?.looks > 3", timeout=20_000)
        said = page.evaluate("() => window.visavis.results.at(-1).faces[0].apparent")
        assert said["gender"] in ("male", None)
        assert 0.5 <= said["p"] < 1
        assert said["low"] < said["age"] < said["high"]
        assert 15 <= said["low"] < said["high"] <= 60
        spent = page.evaluate("() => window.visavis.results.map(r => r.timing.attributes).filter(ms => ms > 0)")
        assert len(spent) <= 15  # only where a look improves the evidence


def test_a_late_answer_turns_no_other_switch_back(tmp_path, browser, network):
    with serving(tmp_path / "data") as url:
        page = browser.new_page(viewport=PHONE)
        start(page, url)
        panel(page)
        page.wait_for_function("() => document.querySelector('#reading-distance').checked")
        page.evaluate(
            """() => {
                const fetched = window.fetch;
                window.answered = 0;
                window.fetch = async (...asked) => {
                    const answer = await fetched(...asked);
                    if (asked[1]?.method !== "PUT") return answer;
                    await new Promise(done => setTimeout(done, 700));
                    window.answered++;
                    return answer;
                };
            }"""
        )
        allow(page, "gender")
        page.check("#reading-age")  # while gender waits for its answer
        page.wait_for_function("() => window.answered === 1", timeout=5_000)
        page.wait_for_timeout(100)
        assert page.is_checked("#reading-gender")
        assert page.is_checked("#reading-age")
        page.click("#ask-yes")
        page.wait_for_function("() => window.answered === 2", timeout=5_000)
        page.wait_for_timeout(100)
        assert page.is_checked("#reading-age")
        assert api(url, "/api/v1/reading") == {"distance": True, "gender": True, "age": True}


def test_who_is_not_sure_says_so(tmp_path, browser, network):
    network.sure = 0.03
    with serving(tmp_path / "data") as url:
        page = browser.new_page(viewport=PHONE)
        start(page, url)
        panel(page)
        allow(page, "gender")
        page.wait_for_function(READ, arg="gender hard to tell", timeout=15_000)
        assert not page.evaluate(READ, "male")


def test_from_afar_it_says_that_it_cannot_say(tmp_path, browser, network, monkeypatch):
    wide = 250.0  # the face has some 180 pixels: wide enough to be read at all, and not to be told
    monkeypatch.setattr("server.live.reading.load_attributes", lambda _provider: attribute_pack(network, wide))
    with serving(tmp_path / "data") as url:
        page = browser.new_page(viewport=DESKTOP)
        start(page, url)
        panel(page)
        allow(page, "gender")
        allow(page, "age")
        page.wait_for_function(READ, arg="too far to say", timeout=20_000)
        page.click("#panel-close")
        page.wait_for_timeout(400)
        shot(page, tmp_path, "far")


def test_a_room_is_its_own_and_a_guest_cannot_choose(tmp_path, browser, network):
    with serving(tmp_path / "data") as url:
        host, guest = browser.new_page(viewport=PHONE), browser.new_context(viewport=PHONE).new_page()
        start(host, f"{url}/?room=lab")
        start(guest, f"{url}/?room=lab&guest=1")
        panel(host)
        assert "room lab" in host.inner_text("#view")
        panel(guest)
        assert guest.is_disabled("#reading-gender")
        assert "for the host" in guest.inner_text("#reading-guest")
        in_reach(guest)
        allow(host, "age")
        guest.wait_for_function("() => document.querySelector('#reading-age').checked", timeout=5_000)
        guest.wait_for_function(READ, arg="looks 30–40", timeout=15_000)
        assert api(url, "/api/v1/reading?room=lab")["age"] is True
        assert api(url, "/api/v1/reading")["age"] is False


def test_networks_that_are_missing_are_missed_in_words(tmp_path, browser, monkeypatch):
    from models import PackDamaged

    def missing(_provider: str) -> AttributePack:
        raise PackDamaged("the networks for gender and age are not there; install Visavis again")

    monkeypatch.setattr("server.live.reading.load_attributes", missing)
    with serving(tmp_path / "data") as url:
        page = browser.new_page(viewport=PHONE)
        page.goto(url)
        panel(page)
        page.wait_for_function("() => !document.querySelector('#reading').disabled")
        allow(page, "age")
        page.wait_for_function("() => document.querySelector('#reading-status').textContent.includes('install')")
        assert not page.is_checked("#reading-age")
        assert page.is_disabled("#calibrate-open")
