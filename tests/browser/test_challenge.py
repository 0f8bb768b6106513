"""The sheet that asks for movements: what is said, where the arrow points, and what a photo before a camera gets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.browser.accessibility import serious
from tests.browser.conftest import live, start
from tests.browser.test_enrol import DESKTOP, EAVESDROP, PHONE, fits, in_sight, open_sheet, people

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
ADVICE = "words => document.querySelector('#guide-advice').textContent === words"
SHOTS = os.environ.get("VISAVIS_SHOTS")


def shoot(page, name):
    """A picture to look at, where somebody wants one."""
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))


def tell(page, **fields):
    page.evaluate(
        "fields => channel.tell({ type: 'challenge', track: channel.sent.at(-1).track, number: 1, of: 3,"
        " seconds_left: 5.2, hint: null, ...fields })",
        fields,
    )


def arrow_tip(page):
    """Where the arrow's head is across the ring, 0 to 1."""
    return page.evaluate(
        """() => { const ring = document.querySelector('.ring').getBoundingClientRect();
        const head = document.querySelectorAll('#guide-arrow path')[1].getBoundingClientRect();
        return (head.left + head.width / 2 - ring.left) / ring.width; }"""
    )


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), (DESKTOP, "light")])
def test_movements_are_asked_for_in_large_words(tmp_path, one_face, size, scheme):
    with live(tmp_path / "data", one_face.path) as (server, browser):
        page = browser.new_page(viewport=size, color_scheme=scheme)
        page.add_init_script(EAVESDROP)
        start(page, server.url)
        open_sheet(page)
        assert not page.is_checked("#who-challenge")
        assert "no proof" in page.inner_text("#who-naming")
        page.fill("#who-name", "Ada")
        page.check("#who-challenge")
        assert serious(page) == []
        shoot(page, f"sheet-{scheme}")
        page.click("#who-save")
        sent = page.evaluate("() => channel.sent.at(-1)")
        assert (sent["type"], sent["challenge"], sent["mode"]) == ("enrol", True, "guided")

        tell(page, step="rest", hint="look straight")
        page.wait_for_function(ADVICE, arg="Look straight at the camera")
        assert page.is_hidden("#guide-arrow")
        for step, words in (("left", "Turn your head to your left"), ("right", "Turn your head to your right")):
            tell(page, step=step)
            page.wait_for_function(ADVICE, arg=words, timeout=1000)
            assert page.inner_text("#guide-said") == words  # at once: there are only seconds
            tip = arrow_tip(page)  # the page shows this camera as a mirror: one's own left is on the left
            assert tip < 0.5 if step == "left" else tip > 0.5
            assert "Movement 1 of 3" in page.inner_text("#guide-progress")
            for part in ("#guide-face", "#guide-advice", "#guide-progress", "#who-cancel"):
                assert in_sight(page, part), part
            assert fits(page)
            shoot(page, f"{step}-{scheme}")
        assert serious(page) == []
        tell(page, step="right", hint="further")
        page.wait_for_function(ADVICE, arg="A little further")
        tell(page, step="nearer", number=2)
        page.wait_for_function(ADVICE, arg="Come nearer")
        shoot(page, f"nearer-{scheme}")

        page.evaluate(
            "() => channel.tell({ type: 'error', code: 'challenge_failed', reason: 'late', tries_left: 2,"
            " message: 'The movement did not come in time.' })"
        )
        assert page.inner_text("#who-status") == "The movement did not come in time. 2 tries are left."
        assert page.inner_text("#who-save") == "Try again"
        assert page.evaluate("() => document.activeElement.id") == "who-save"
        assert page.input_value("#who-name") == "Ada"
        assert serious(page) == []
        shoot(page, f"failed-{scheme}")
        page.click("#who-save")
        assert page.evaluate("() => channel.sent.at(-1).challenge")
        tell(page, step="done", number=3)
        page.wait_for_function(ADVICE, arg="That was it. Look straight at the camera")
        assert page.is_hidden("#guide-arrow")


def test_a_picture_that_hardly_moves_is_not_learnt(tmp_path, one_face, monkeypatch):
    """A real server that requires it, and a camera that does nothing it is asked to."""
    monkeypatch.setenv("VISAVIS_LIVENESS", "require")
    with live(tmp_path / "data", one_face.path) as (server, browser):
        page = browser.new_page(viewport=PHONE, reduced_motion="reduce")
        start(page, server.url)
        open_sheet(page)
        assert page.is_checked("#who-challenge")
        assert page.is_disabled("#who-challenge")
        page.fill("#who-name", "Ada")
        page.click("#who-save")
        page.wait_for_selector("#guide:not([data-asks=no]):not([data-asks=rest])", timeout=30_000)
        assert page.evaluate("() => document.getAnimations().length") == 0
        page.wait_for_function(
            "() => /tries are left/.test(document.querySelector('#who-status').textContent)", timeout=30_000
        )
        assert people(server) == []
