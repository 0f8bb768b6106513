"""A real server, a real Chromium, and a camera of real faces."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from server.commands.live_browser import camera_browser, find_chromium, running_server
from tests.packs import models_folder, open_models
from tests.pictures import group_photo


@dataclass(frozen=True)
class Camera:
    """A file that Chromium plays as a camera, 640×480, in a loop."""

    path: Path
    face: tuple[float, float, float, float]  # where the detector sees the face in it, 0–1


def portrait(width: int = 640, height: int = 480, shift: float = 0.0) -> np.ndarray:
    """One person of the group photo, large, as before a laptop; ``shift`` moves the view in pixels."""
    found = open_models().detector.detect(group_photo(), 640)
    best = int(np.argmax([box[2] for box in found.boxes]))
    x, y, w, h = found.boxes[best]
    scale = 0.28 * width / w
    matrix = np.array(
        [[scale, 0, width / 2 - scale * (x + w / 2) + shift], [0, scale, 0.45 * height - scale * (y + h / 2)]]
    )
    # A mask keeps the neighbours out: this camera is about one face.
    view = cv2.warpAffine(group_photo(), matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=(90, 95, 100))
    mask = np.zeros((height, width), np.float32)
    centre = (int(width / 2 + shift), int(0.5 * height))
    cv2.ellipse(mask, centre, (int(0.24 * width), int(0.5 * height)), 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 9)[..., None]
    return (view * mask + np.array((90, 95, 100)) * (1 - mask)).astype(np.uint8)


def write_camera(path: Path, pictures: Iterator[np.ndarray]) -> None:
    """JPEG after JPEG, as Chromium wants it."""
    with path.open("wb") as file:
        for picture in pictures:
            done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
            assert done
            file.write(data.tobytes())


def moving_portrait(count: int) -> Iterator[np.ndarray]:
    """A face that sways a little, with the noise of a camera."""
    for index in range(count):
        picture = portrait(shift=12 * np.sin(2 * np.pi * index / 90))
        noise = np.random.default_rng(index % 8).normal(0, 2, picture.shape)
        yield np.clip(picture + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path, or a skip that says why."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium is installed; on Debian: apt-get install chromium")
    return path


@pytest.fixture(scope="session")
def one_face(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Camera:
    """Somebody before the camera, nearly still."""
    path = tmp_path_factory.mktemp("camera") / "one.mjpeg"
    write_camera(path, moving_portrait(90))
    found = open_models().detector.detect(portrait(), 640)
    assert len(found) == 1
    x, y, w, h = found.boxes[0] / (640, 480, 640, 480)
    return Camera(path, (float(x), float(y), float(w), float(h)))


@pytest.fixture(scope="session")
def six_faces(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Camera:
    """The six people of the photo under a camera that moves a little."""
    path = tmp_path_factory.mktemp("camera") / "six.mjpeg"

    def pictures() -> Iterator[np.ndarray]:
        for index in range(90):
            shift = 8 * np.sin(2 * np.pi * index / 90)
            matrix = np.array([[0.5, 0, shift], [0, 0.5, 18]])
            view = cv2.warpAffine(
                group_photo(), matrix, (640, 480), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
            )
            noise = np.random.default_rng(index % 8).normal(0, 2, view.shape)
            yield np.clip(view + noise, 0, 255).astype(np.uint8)

    write_camera(path, pictures())
    return Camera(path, (0, 0, 0, 0))


@pytest.fixture(scope="session")
def comes_and_goes(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Camera:
    """Six seconds of somebody, four of an empty chair, again and again."""
    path = tmp_path_factory.mktemp("camera") / "visits.mjpeg"
    empty = np.full((480, 640, 3), (90, 95, 100), np.uint8)

    def pictures() -> Iterator[np.ndarray]:
        yield from moving_portrait(180)
        for index in range(120):
            noise = np.random.default_rng(index % 8).normal(0, 2, empty.shape)
            yield np.clip(empty + noise, 0, 255).astype(np.uint8)

    write_camera(path, pictures())
    return Camera(path, (0, 0, 0, 0))


@contextlib.contextmanager
def live(data: Path, camera: Path) -> Iterator[tuple[Any, Any]]:
    """A server on ``data`` and a browser with that camera."""
    with running_server(data, "--models-dir", str(models_folder())) as server, camera_browser(camera) as browser:
        yield server, browser


@pytest.fixture(scope="module")
def browser(one_face: Camera) -> Iterator[Any]:
    """Before which one person sits, for all tests of a file; files that need none, or another, have their own."""
    with camera_browser(one_face.path) as browser:
        yield browser


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory, one_face: Camera) -> Iterator[tuple[Any, Any]]:
    with live(tmp_path_factory.mktemp("house") / "data", one_face.path) as both:
        yield both


@pytest.fixture
def house(open_house: tuple[Any, Any]) -> Iterator[tuple[Any, Any]]:
    """A server and a browser before which one person sits, for all tests of a file: each finds nobody known, and no
    session."""
    server, browser = open_house
    yield open_house
    for context in browser.contexts:
        for page in context.pages:
            page.goto("about:blank")
        context.close()
    for person in ask(server, "/people")["people"]:
        urllib.request.urlopen(urllib.request.Request(f"{server.url}/api/v1/people/{person['id']}", method="DELETE"))
    end = time.monotonic() + 20
    while json.load(urllib.request.urlopen(server.url + "/healthz"))["sessions"]:
        assert time.monotonic() < end, "a session was left"
        time.sleep(0.05)


def ask(server: Any, path: str) -> Any:
    """What the API answers."""
    return json.load(urllib.request.urlopen(f"{server.url}/api/v1{path}", timeout=5))


def start(page: Any, url: str) -> None:
    """Open the page and start the camera; wait for the first result."""
    page.goto(url)
    page.click("#start")
    page.wait_for_function("() => window.visavis.firstResultAt !== null", timeout=20_000)
