"""What axe-core finds on a page: the rules of WCAG 2.2 that a machine can check.

axe-core comes with the package ``axe-playwright-python`` of the ``test`` extra; nothing is fetched while tests run.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
RUN = """async tags => {
  const found = await axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] });
  return found.violations.map(v => ({ id: v.id, impact: v.impact, help: v.help,
    nodes: v.nodes.map(n => `${n.target.join(' ')}: ${n.failureSummary}`) }));
}"""


@functools.cache
def axe() -> str:
    """The text of axe-core."""
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


def serious(page: Any) -> list[str]:
    """The serious and critical violations on the page as it stands now, one line each; empty is what is wanted.

    ``page`` is one of Playwright. Animations are waited for: a card that is still fading in has no contrast yet. The
    page's content policy stays in force: axe comes in by the debugger's door.
    """
    page.wait_for_function(
        "() => document.getAnimations().every(a => a.playState !== 'running' || a.effect.getTiming().iterations > 1)"
    )
    page.evaluate(axe())
    return [
        f"{violation['id']} ({violation['impact']}): {violation['help']}\n  " + "\n  ".join(violation["nodes"])
        for violation in page.evaluate(RUN, list(RULES))
        if violation["impact"] in ("serious", "critical")
    ]


def in_reach(page: Any) -> None:
    """Assert that the page as it stands now is usable by everybody: no violation, and nothing wider than the screen."""
    found = serious(page)
    assert found == [], found
    assert page.evaluate(
        """() => [document.documentElement, ...document.querySelectorAll('dialog[open]')]
        .every(e => e.scrollWidth <= e.clientWidth)"""
    )


def shows_pictures(page: Any, selector: str) -> None:
    """Wait until every image there has come; each is scrolled to, since they load when they are nearly in sight."""
    page.wait_for_selector(selector)
    for image in page.locator(selector).all():
        image.scroll_into_view_if_needed()
    page.evaluate("scrollTo(0, 0)")  # scrolled, the tabs cover what lies beneath them
    page.wait_for_function(
        """selector => [...document.querySelectorAll(selector)]
        .every(image => image.complete && image.naturalWidth > 0)""",
        arg=selector,
    )
