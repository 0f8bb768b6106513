"""The content policy can be as strict as it is because nothing in ``static/`` needs more: each file is read for what
the policy forbids, so that it is found here and not by somebody's browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from server.security import API_POLICY, HEADERS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "static").rglob("*.html"), ROOT / "server" / "trust_page.html"])
SCRIPTS = sorted((ROOT / "static").rglob("*.js"))
STYLES = sorted([*(ROOT / "static").rglob("*.css"), *(ROOT / "server").rglob("*.css")])
ADDRESSES = ("src", "href", "action", "formaction", "data", "poster", "xlink:href", "manifest")
FORBIDDEN = {  # a pattern, and files where what it finds has a reason
    r"\b(innerHTML|outerHTML|insertAdjacentHTML|setHTMLUnsafe|srcdoc)\b": (),
    r"\bdocument\s*\.\s*write(ln)?\b": (),
    r"\b(eval|Function|execScript|importScripts)\s*\(": (),
    r"\bnew\s+(Function|Worker|SharedWorker)\b": (),
    r"\b(DOMParser|createContextualFragment|parseHTMLUnsafe)\b": (),
    r"""\b(setTimeout|setInterval)\s*\(\s*["'`]""": (),
    r"""javascript\s*:""": (),
    r"""setAttribute\(\s*["'`](style|on\w+|srcdoc)""": (),
    r"""createElement\(\s*["'`](script|object|embed|base)""": (),
    r"""\belement\(\s*["'`](script|object|embed|base|style)""": (),
    r"\bcssText\b": (),
    r"\.postMessage\([^)]*[\"'`]\*": (),
    r"\bimport\(": (),
    r"\bcreate(HTML|Script)\b": (),
    r"\bcreateScriptURL\b": ("install.js",),
    r"https?://(?!www\.w3\.org/|localhost)": (),
    r"""["'`(=]\s*//[a-z0-9]""": (),
    r"\bwss?://(?!\$\{location)": (),
}


class Reader(HTMLParser):
    """What a page holds that the policy would not let be."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags += 1
        held = dict(attrs)
        if tag in ("style", "object", "embed", "base", "iframe", "frame", "applet"):
            self.found.append(f"<{tag}>")
        if tag == "script" and (not held.get("src") or held.get("type") not in ("module", None)):
            self.found.append("<script> without a file")
        for name, value in attrs:
            if name.startswith("on") or name in ("style", "srcdoc", "ping"):
                self.found.append(f"{tag} {name}")
            if name in ADDRESSES and re.match(r"\s*([a-z][a-z0-9+.-]*:|//)", value or "", re.I) and value != "data:,":
                self.found.append(f"{tag} {name}={value}")
        if tag == "meta" and "http-equiv" in held:
            self.found.append(f"meta {held['http-equiv']}")


def found_in(page: str) -> list[str]:
    reader = Reader()
    reader.feed(page)
    assert reader.tags
    return reader.found


def wrong_in(name: str, script: str) -> list[str]:
    return [pattern for pattern, fine in FORBIDDEN.items() if name not in fine and re.search(pattern, script)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_holds_nothing_of_its_own_that_runs_or_styles(path: Path) -> None:
    assert found_in(path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: "/".join(path.parts[-2:]))
def test_a_script_makes_no_script_and_no_markup_of_text(path: Path) -> None:
    assert wrong_in(path.name, path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", STYLES, ids=lambda path: "/".join(path.parts[-2:]))
def test_a_style_asks_for_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    assert re.findall(r"@import|expression\(|url\(\s*[\"']?(?:[a-z]+:)?//|https?://", text, re.I) == []


@pytest.mark.parametrize(
    "page",
    [
        "<p onclick='x()'>",
        "<p style='color:red'>",
        "<style>p{}</style>",
        "<script>x()</script>",
        "<a href='JavaScript:x()'>",
        "<img src='https://elsewhere.example/x.png'>",
        "<img src='//elsewhere.example/x.png'>",
        "<iframe srcdoc='x'></iframe>",
        "<base href='/x'>",
        "<meta http-equiv='refresh' content='0'>",
    ],
)
def test_what_is_wrong_in_a_page_is_found(page: str) -> None:
    assert found_in(page)


@pytest.mark.parametrize(
    "script",
    [
        "box.innerHTML = name",
        "box.insertAdjacentHTML('beforeend', name)",
        "document.write(name)",
        "eval(name)",
        "new Function(name)",
        "setTimeout('x()', 5)",
        "link.href = 'javascript:x()'",
        "box.setAttribute('style', 'color: red')",
        "element('script', { src })",
        "fetch('https://elsewhere.example/')",
        "import('//elsewhere.example/x.js')",
        "new WebSocket('wss://elsewhere.example')",
        "navigator.serviceWorker.register(p.createScriptURL(name))",
    ],
)
def test_what_is_wrong_in_a_script_is_found(script: str) -> None:
    assert wrong_in("some.js", script)


def test_the_policy_says_no_to_everything_that_is_not_named() -> None:
    policies = [dict(part.split(" ", 1) for part in said.split("; ")) for said in (
        HEADERS["Content-Security-Policy"], API_POLICY)]  # fmt: skip
    for policy in policies:
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        for value in policy.values():
            assert not re.search(r"unsafe-|\*|https?:", value)
    pages, answers = policies
    assert pages["object-src"] == "'none'"
    assert pages["script-src"] == pages["style-src"] == pages["connect-src"] == "'self'"
    assert pages["require-trusted-types-for"] == "'script'"
    assert "script-src" not in answers
