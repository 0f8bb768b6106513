"""The page asks nothing of anybody else and runs under a strict content policy; its own tests run in Node."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path for path in (ROOT / "static").rglob("*") if path.is_file())
TEXTS = [path for path in FILES if path.suffix != ".png"]
DOCUMENTS = sorted((ROOT / "static").glob("*.html"))
SCRIPTS = [path for path in FILES if path.suffix == ".js"]


def test_the_modules_do_what_their_tests_say():
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        pytest.skip("no Node is installed; on Debian: apt-get install nodejs")
    done = subprocess.run(
        [node, "--test", *map(str, sorted((ROOT / "tests" / "static").glob("*.test.mjs")))],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere(path):
    text = path.read_text("utf-8").replace("http://www.w3.org/", "").replace("http://localhost", "")
    assert re.findall(r"""https?://[^\s"'`]+""", text) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_text_never_becomes_markup(path):
    forbidden = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function")
    assert [word for word in forbidden if word in path.read_text("utf-8")] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_holds_no_script_or_style_of_its_own(path):
    page = path.read_text("utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=", page) == []


def test_every_file_named_in_the_page_is_there():
    for path in FILES:
        if path.suffix not in (".html", ".js", ".css", ".webmanifest"):
            continue
        text = path.read_text("utf-8")
        for name in re.findall(r"/static/([\w./-]*[\w-])", text):
            assert (ROOT / "static" / name).is_file(), f"{path.name}: {name}"
        for name in re.findall(r'from "\./([\w.-]+)"', text):
            assert (path.parent / name).is_file(), f"{path.name}: {name}"


@pytest.mark.parametrize(("document", "scripts"), [
    ("index.html", [path for path in SCRIPTS if path.parent.name != "room"]),
    ("room.html", [path for path in SCRIPTS if path.parent.name == "room"]),
])  # fmt: skip
def test_every_element_the_scripts_look_for_is_in_the_document(document, scripts):
    page = (ROOT / "static" / document).read_text("utf-8")
    ids = set(re.findall(r'\bid="([\w-]+)"', page))
    wanted = {name for path in scripts for name in re.findall(r'\$\("([\w-]+)"\)', path.read_text("utf-8"))}
    assert wanted
    assert wanted - ids == set()
