"""The evaluation page in a real browser, from a folder to figures; what goes wrong, in words."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from server.app import Services, create_app
from server.evaluation.running import Evaluations
from server.evaluation_routes import setup_evaluation
from server.settings import Settings
from tests.browser.accessibility import in_reach, serious
from tests.browser.people_standin import SIZES, browsing
from tests.packs import models_folder
from tests.server.evaluation.people_folder import write_people
from tests.server.photos import varied
from tests.serving import in_thread, on_free_port

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    with browsing(chromium) as browser:
        yield browser


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The application with its evaluations, served for real by a thread of its own."""
    folder = tmp_path_factory.mktemp("server")

    @contextlib.asynccontextmanager
    async def serving() -> AsyncIterator[int]:
        evaluations = Evaluations(folder / "evaluation", lambda: "open", models_folder(), "cpu")

        async def end(_reason: str) -> None:
            await evaluations.close()

        pack = {"name": "open", "licence": "MIT and CC0-1.0"}
        services = Services(
            lambda: pack, lambda: 0, lambda: 0, end, parts=(lambda app: setup_evaluation(app, evaluations),)
        )
        settings = Settings(data_dir=folder, models_dir=models_folder(), local_owner=True)
        async with on_free_port(create_app(settings, services)) as port:
            yield port

    with in_thread(serving(), "evaluations") as port:
        yield f"http://127.0.0.1:{port}/evaluate"


@pytest.fixture
def page(browser: Any, url: str) -> Iterator[Any]:
    context = browser.new_context(viewport=dict(zip(("width", "height"), SIZES["desktop"], strict=True)))
    page = opened(context, url)
    yield page
    forget(page)
    context.close()
    assert page.problems == []


def opened(context: Any, url: str) -> Any:
    page = context.new_page()
    page.set_default_timeout(40_000)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda line: "Content Security" in line.text and page.problems.append(line.text))
    page.goto(url)
    page.wait_for_selector(".zone")
    return page


def forget(page: Any) -> None:
    """Nothing is left on the server for the next test."""
    page.evaluate(
        """async () => {
          const { evaluation } = await (await fetch('/api/v1/evaluations')).json();
          if (evaluation) await fetch(`/api/v1/evaluations/${evaluation.id}`, { method: 'DELETE' });
        }"""
    )


def packed(files: dict[str, bytes]) -> dict[str, Any]:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return {"name": "all.zip", "mimeType": "application/zip", "buffer": data.getvalue()}


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("desktop", "light")])
def test_a_folder_becomes_figures(browser: Any, url: str, tmp_path: Path, size: str, scheme: str) -> None:
    write_people(tmp_path / "holiday", people=4)
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = opened(context, url)
    in_reach(page)
    page.click("summary >> text=With a table")
    in_reach(page)
    page.set_input_files("input[webkitdirectory]", tmp_path / "holiday")
    page.wait_for_selector("text=12 pictures of 4 people.")
    in_reach(page)
    page.click("button >> text=Measure")
    page.wait_for_selector("h2 >> text=Reading the faces")
    assert serious(page) == []
    page.wait_for_selector("iframe.report")
    frame = page.frame_locator("iframe.report")
    frame.locator("h1").wait_for()
    assert "Verification and identification with pack open" in frame.locator("h1").inner_text()
    assert frame.locator("svg[role=img]").count() == 4
    # The report shows whole: the page scrolls, not the frame.
    page.wait_for_function(
        """() => { const frame = document.querySelector('iframe.report');
        const inside = frame.contentDocument.documentElement;
        return inside.scrollHeight > 600 && frame.clientHeight >= inside.scrollHeight - 1
          && inside.scrollWidth <= inside.clientWidth; }"""
    )
    in_reach(page)
    report = context.new_page()
    report.goto(page.evaluate("document.querySelector('iframe.report').src"))
    in_reach(report)
    report.close()
    for words, name in (("HTML", "html"), ("JSON", "json"), ("ZIP", "zip")):
        with page.expect_download() as download:
            page.click(f"a >> text={words}")
        assert download.value.suggested_filename == f"visavis-report.{name}"
    page.reload()  # it is still there
    page.wait_for_selector("iframe.report")
    page.click("button >> text=Measure something else")
    page.wait_for_selector(".zone")
    page.reload()
    page.wait_for_selector(".zone")
    assert page.problems == []
    context.close()


def test_what_cannot_be_measured_is_said_where_it_was_chosen(page: Any, tmp_path: Path) -> None:
    write_people(tmp_path / "one", people=1)
    page.set_input_files("input[webkitdirectory]", tmp_path / "one")
    page.wait_for_selector("text=Pictures of at least two people are needed")
    page.set_input_files("input[accept]", packed({"a.csv": b"file,gender\n1.jpg,f", "1.jpg": varied(0, 0)}))
    page.click("button >> text=Measure")
    page.wait_for_selector("[role=alert] >> text=Line 2: gender must be male or female, not 'f'.")
    in_reach(page)
    page.set_input_files("input[accept]", {"name": "a.zip", "mimeType": "application/zip", "buffer": b"no zip"})
    page.click("button >> text=Measure")
    page.wait_for_selector("[role=alert] >> text=The ZIP is damaged or cut short.")


def test_cancelling_brings_back_the_beginning(page: Any, tmp_path: Path) -> None:
    write_people(tmp_path / "many", people=6)
    page.set_input_files("input[webkitdirectory]", tmp_path / "many")
    page.check("label.check input")
    page.click("button >> text=Measure")
    page.wait_for_selector("h2 >> text=Reading the faces")
    page.click("button >> text=Cancel")
    page.wait_for_selector(".zone")
    assert page.evaluate("async () => (await (await fetch('/api/v1/evaluations')).json()).evaluation") is None


def test_another_windows_evaluation_is_not_disturbed_unless_asked(page: Any, browser: Any, url: str) -> None:
    page.evaluate("fetch('/api/v1/evaluations', { method: 'POST' })")
    page.wait_for_function(
        "async () => (await (await fetch('/api/v1/evaluations')).json()).evaluation?.state === 'receiving'"
    )
    page.reload()
    page.wait_for_selector("text=are being sent already")
    in_reach(page)
    page.click("button >> text=Look again")
    page.wait_for_selector("text=are being sent already")
    page.click("button >> text=Stop that one")
    page.wait_for_selector(".zone")


def test_a_server_that_is_gone_is_said(page: Any) -> None:
    page.route("**/api/v1/evaluations", lambda route: route.abort("connectionrefused"))
    page.reload()
    page.wait_for_selector("[role=alert] >> text=The server cannot be reached.")
    page.unroute("**/api/v1/evaluations")
    page.click("button >> text=Try again")
    page.wait_for_selector(".zone")
