"""The videos page in a real browser: dropped, followed, looked into, named, exported, deleted."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from server.app import Services, create_app
from server.commands.bench_videos import repeat
from server.people import People
from server.people.routes import setup_people
from server.settings import Settings
from server.videos.routes import VideoRoutes, setup_videos
from server.videos.videos import Videos
from server.videos.working import Worker
from tests.browser.accessibility import in_reach, serious, shows_pictures
from tests.browser.people_standin import SIZES, browsing
from tests.packs import models_folder, open_models
from tests.server.forgetters import forgetting_for
from tests.server.video_files import meeting
from tests.serving import in_thread, on_free_port

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
VIEWS = {**SIZES, "phone": (360, 740)}
DROP = """([name, text]) => {
  const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type: 'video/mp4' }));
  const how = { bubbles: true, cancelable: true, dataTransfer: data };
  for (const kind of ['dragenter', 'dragover', 'drop'])
    document.querySelector('.zone').dispatchEvent(new DragEvent(kind, how));
}"""


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    with browsing(chromium) as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    meeting(folder)
    repeat(folder / "meeting.mp4", folder / "long.mkv", 240)
    return folder


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The application with people and videos, served for real by a thread of its own."""
    models = open_models()

    @contextlib.asynccontextmanager
    async def serving() -> AsyncIterator[int]:
        async with contextlib.AsyncExitStack() as stack:
            digest, dimension = models.manifest.digest, models.embedder.spec.dimension
            people = await People.open(tmp_path / "people.sqlite3", digest, dimension)
            stack.push_async_callback(people.close)
            forgetting = await stack.enter_async_context(forgetting_for(people, tmp_path))
            worker = Worker(lambda: "open", models_folder(), "cpu", give_way=False)
            videos = await Videos.open(tmp_path / "videos", worker, lambda: digest, 30, people.vault)
            stack.push_async_callback(videos.close)

            async def end(_reason: str) -> None:
                pass

            parts = (
                lambda app: setup_people(app, people, lambda: models, 16, forgetting),
                lambda app: setup_videos(app, VideoRoutes(videos, people, lambda: models, True, 30)),
            )
            services = Services(lambda: {"name": "open", "licence": "MIT"}, lambda: 0, lambda: 0, end, parts=parts)
            settings = Settings(data_dir=tmp_path, models_dir=models_folder(), consent="ask", local_owner=True)
            yield await stack.enter_async_context(on_free_port(create_app(settings, services)))

    with in_thread(serving(), "videos") as port:
        yield f"http://127.0.0.1:{port}/videos"


def opened(browser: Any, url: str, size: str = "desktop", scheme: str = "light") -> Any:
    width, height = VIEWS[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(40_000)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda line: "Content Security" in line.text and page.problems.append(line.text))
    page.goto(url)
    page.wait_for_selector(".zone")
    return page


def shot(page: Any, name: str) -> None:
    """Where somebody wants to look at the page: a picture of it."""
    if target := os.environ.get("TEST_PICTURES"):
        page.screenshot(path=f"{target}/{name}.png", full_page=True)


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("desktop", "light")])
def test_a_video_becomes_people_and_times(browser: Any, url: str, folder: Path, size: str, scheme: str) -> None:
    page = opened(browser, url, size, scheme)
    in_reach(page)
    page.evaluate(DROP, ["Summer party.mp4", base64.b64encode((folder / "meeting.mp4").read_bytes()).decode()])
    page.wait_for_selector(".card.video >> text=Summer party.mp4")
    page.wait_for_selector(".card.video a.name")
    in_reach(page)
    shot(page, f"videos-list-{size}")
    page.click(".card.video a.name")
    page.wait_for_selector(".someone")
    assert page.locator(".someone").count() == 2
    shows_pictures(page, ".look img")
    page.wait_for_function("() => document.querySelector('video').readyState >= 2")

    # The timeline leads into the player, and boxes lie over the faces.
    first = page.locator(".someone").first
    first.locator("summary >> text=When").click()
    first.locator(".times button").nth(1).click()
    page.wait_for_function("() => document.querySelector('video').currentTime > 4")
    page.wait_for_selector(".mark >> text=Unknown 1")
    box, video = page.locator(".mark").bounding_box(), page.locator("video").bounding_box()
    assert (box["x"] + box["width"] / 2 - video["x"]) / video["width"] == pytest.approx(0.25, abs=0.06)
    first.locator(".lane").click(position={"x": 5, "y": 20})
    page.wait_for_function("() => document.querySelector('video').currentTime < 1")
    first.locator(".look").last.click()
    page.wait_for_function("() => document.querySelector('video').currentTime > 0.5")
    in_reach(page)

    page.locator(".someone form input").first.fill("Zoë <i>")
    page.locator(".someone form button").first.click()
    page.wait_for_selector(".someone h3 >> text=Zoë <i>")
    page.wait_for_selector(".mark.known >> text=Zoë <i>")
    page.uncheck("label.check input")
    assert not page.is_visible(".boxes")
    page.check("label.check input")
    in_reach(page)
    shot(page, f"videos-one-{size}")

    # The subtitles are read by the browser's own player.
    cues = page.evaluate(
        """async () => {
          const track = document.querySelector('video').textTracks[0];
          track.mode = 'showing';
          for (let n = 0; n < 100 && !track.cues?.length; n++) await new Promise(done => setTimeout(done, 50));
          return [...track.cues].map(cue => [cue.startTime, cue.endTime, cue.getCueAsHTML().textContent]);
        }"""
    )
    assert [text for _, _, text in cues] == ["Zoë <i>", "Unknown 1", "Zoë <i>"]
    assert cues[1][:2] == pytest.approx([1.5, 4], abs=0.5)
    for words, kind in (("CSV", "csv"), ("WebVTT", "vtt"), ("JSON", "json")):
        with page.expect_download() as download:
            page.click(f"a.button >> text={words}")
        assert download.value.suggested_filename == f"Summer party.{kind}"

    page.click("button >> text=Delete this video")
    in_reach(page)
    page.click("dialog button >> text=Keep")
    page.click("button >> text=Delete this video")
    page.click("dialog button.primary")
    page.wait_for_selector(".zone")
    page.wait_for_function("() => document.querySelectorAll('.card.video').length === 0")
    assert page.problems == []
    page.context.close()


def test_progress_and_cancelling(browser: Any, url: str, folder: Path) -> None:
    page = opened(browser, url)
    page.set_input_files("input[type=file]", [folder / "long.mkv", folder / "meeting.mp4"])
    page.wait_for_selector(".card.video progress")
    page.wait_for_selector(".standing >> text=Waits for its turn")
    page.wait_for_function("() => (document.querySelector('.card.video progress')?.value ?? 0) > 0.01")
    page.wait_for_selector(".standing >> text=/of \\d:\\d\\d/")
    assert serious(page) == []
    page.click("button[aria-label='Cancel long.mkv']")
    page.wait_for_selector(".toast >> text=is cancelled")
    page.wait_for_selector("a.name >> text=meeting.mp4")
    assert page.locator(".card.video").count() == 1
    page.reload()
    page.wait_for_selector("a.name >> text=meeting.mp4")
    assert page.problems == []
    page.context.close()


def test_what_cannot_be_read_is_said(browser: Any, url: str) -> None:
    page = opened(browser, url)
    page.set_input_files("input[type=file]", {"name": "notes.mp4", "mimeType": "video/mp4", "buffer": b"Dear diary"})
    page.wait_for_selector(".card.video.notice >> text=no video that can be read")
    in_reach(page)
    page.set_input_files("input[type=file]", {"name": "empty.mp4", "mimeType": "video/mp4", "buffer": b""})
    page.wait_for_selector("[role=alert] >> text=empty.mp4: The file is empty.")
    page.route("**/api/v1/videos?*", lambda route: route.abort("connectionrefused"))
    page.reload()
    page.wait_for_selector("[role=alert] >> text=The server cannot be reached.")
    page.unroute("**/api/v1/videos?*")
    page.click("button >> text=Try again")
    page.click("button >> text=Delete")
    page.click("dialog button.primary")
    page.wait_for_function("() => document.querySelectorAll('.card.video').length === 0")
    page.goto(f"{url}#{'0' * 32}")
    page.wait_for_selector("[role=alert] >> text=There is no such video")
    assert page.problems == []
    page.context.close()
