"""Live sessions whose networks run in workers: what happens to a worker costs them a look, and no track and no name."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from models import load_pack
from pipeline.face_models import FaceModels
from pipeline.frame import Frame
from pipeline.frame_pipeline import FramePipeline, PipelineConfig
from pipeline.gallery import Gallery
from pipeline.lost_look import LookLost
from server.app import SERVICES
from server.inference.opening import AT_ONCE, MOST_THREADS, LiveModels, looking_threads, warm_up
from server.inference.pool import InferencePool, WorkerOptions
from server.live.camera import LiveCamera
from server.live.session import LiveSession
from server.peers import PeerRegistry, at_most
from server.people import People
from server.received_frame import ReceivedFrame
from server.settings import Settings, StartError
from server.transport import install, uninstall
from tests.models.test_own_pack import write_pack
from tests.packs import models_folder, open_models
from tests.pictures import camera_frame, group_photo
from tests.server.loopback import LOOPBACK
from tests.server.test_live_session import House, names, samples, track
from tests.server.whole import serving_all
from tracking import DEFAULT_POLICY


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[tuple[House, InferencePool]]:
    install(LOOPBACK)
    models = open_models()
    people = await People.open(tmp_path / "p.sqlite3", models.manifest.digest, models.manifest.embedder.dimension)
    settings = Settings(models_dir=models_folder(), provider="cpu", inference="processes", workers=2)
    live = await LiveModels.open(settings, models)
    executor = ThreadPoolExecutor(MOST_THREADS, looking_threads(settings))

    def session(peer: Any) -> LiveSession:
        return LiveSession(peer, live.of(models), people, executor, PipelineConfig(), DEFAULT_POLICY)

    opened = House(people, PeerRegistry(LOOPBACK, session, at_most(4)))
    assert live.pool is not None
    yield opened, live.pool
    for page in opened.pages:
        await page.close()
    await opened.peers.close_all("shutdown")
    executor.shutdown()
    await live.close()
    await people.close()
    uninstall()


@pytest.mark.alone
async def test_sessions_keep_tracks_and_names_when_workers_are_killed(house: tuple[House, InferencePool]) -> None:
    home, pool = house
    await home.people.add_person("Ada", samples(0))
    await home.people.add_person("Cleo", samples(3))
    pages = [await home.visit(0), await home.visit(3)]
    for page, name in zip(pages, ("Ada", "Cleo"), strict=True):
        await page.until(lambda page=page, name=name: name in names(page), 8, "the name")
    tracks = [track(page) for page in pages]
    seen = [len(page.results) for page in pages]
    for _ in range(2):  # all that there are, twice
        before = pool.state()
        for pid in pool.pids:
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.2)
        await pages[0].until(
            lambda before=before: pool.state().workers == 2 and pool.state().calls > before.calls + 4, 20, "new workers"
        )
    for page, name, number, count in zip(pages, ("Ada", "Cleo"), tracks, seen, strict=True):
        await page.until(lambda page=page, count=count: len(page.results) > count + 20, 5, "more results")
        said = page.results[count:]
        assert {result["seq"] for result in said} == set(range(said[0]["seq"], said[0]["seq"] + len(said)))
        assert all(name in [face["name"] for face in result["faces"]] for result in said)
        assert number in {face["track"] for face in said[-1]["faces"]}
    assert pool.state().restarts == 4


async def test_with_no_worker_at_all_faces_are_followed(house: tuple[House, InferencePool]) -> None:
    home, pool = house
    await home.people.add_person("Ada", samples(0))
    page = await home.visit(0)
    await page.until(lambda: "Ada" in names(page), 8, "the name")
    pool.close()
    seen = len(page.results)
    await page.until(lambda: len(page.results) > seen + 10, 5, "results")
    assert all("Ada" in [face["name"] for face in result["faces"]] for result in page.results[seen : seen + 10])
    assert len(home.peers.handlers) == 1


class Silent:
    """A detector of workers that do not answer."""

    def detect(self, image: Any, max_side: int) -> Any:
        raise LookLost("no worker answered")


async def test_who_watches_gets_no_picture_that_nobody_could_look_at() -> None:
    camera = LiveCamera()
    executor = ThreadPoolExecutor(1)
    frame = av.VideoFrame.from_ndarray(group_photo()[:480, :640], "rgb24")
    received = ReceivedFrame(frame, 0.0, 1, None, None, 0.0, 0.0, 0)
    told: list[Any] = []
    camera.feed.publish = lambda *said, **_more: told.append(said)  # type: ignore[method-assign]
    assert await camera.show_masked(received, (), Silent(), 0.0, executor, False) == frozenset()
    assert told == []
    executor.shutdown()


async def test_a_look_that_is_lost_takes_nothing_with_it() -> None:
    models = open_models()
    gallery = Gallery.empty(models.embedder.spec.dimension, models.manifest.digest)
    pipeline = FramePipeline(models, lambda: gallery)
    lost = 0
    for index in range(60):
        pipeline.models = models
        if 20 <= index < 40:
            pipeline.models = FaceModels(models.manifest, Silent(), models.embedder, models.matcher)
        frame = Frame.from_image(camera_frame(group_photo(), index)[0], index / 30)
        result = pipeline.advance(frame)
        try:
            result = pipeline.look(frame) if result.keyframe else result
        except LookLost:
            lost += 1
        if index == 19:
            before = {face.track for face in result.faces}
    assert lost >= 1
    assert {face.track for face in result.faces} == before
    assert len(before) >= 5


# -- another pack ------------------------------------------------------------------------------------------------------


async def test_another_pack_gets_workers_of_its_own_and_the_old_ones_end(tmp_path: Path) -> None:
    shutil.copytree(models_folder() / "open", tmp_path / "open")
    write_pack(tmp_path)
    other = FaceModels.from_pack(load_pack("mine", tmp_path, "cpu", lambda _line: None))
    with contextlib.closing(InferencePool(open_models(), WorkerOptions(1, tmp_path, "cpu"))) as pool:
        before, old = pool.models(open_models()), pool.pids
        pool.change(other)
        pool.change(other)  # a switch that was tried again
        assert len(pool.pids) == 2
        after = pool.models(other)
        chip = np.ascontiguousarray(group_photo()[:32, :32])
        assert np.allclose(after.embedder.embed([chip]), other.embedder.embed([chip]), atol=1e-5)
        assert len(before.detector.detect(group_photo(), 640)) == 6  # a session that has not changed yet
        pool.settle()
        assert set(pool.pids).isdisjoint(old)
        assert pool.state().workers == 1
        with pytest.raises(LookLost, match="ended"):
            before.detector.detect(group_photo(), 640)
        assert len(after.detector.detect(group_photo(), 640)) == 6


def test_sessions_and_workers_change_together(tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(models_folder() / "open", models / "open")
    write_pack(models)
    with serving_all(tmp_path / "data", models_dir=models, inference="processes", workers=1) as whole:
        pool = whole.app[SERVICES].inference
        assert pool is not None
        old = pool.pids
        assert whole.ask("POST", "/model-change", {"pack": "mine"}).status == 202
        end = time.monotonic() + 20
        while whole.ask("GET", "/model-change").json["state"] != "ready":
            assert time.monotonic() < end
            time.sleep(0.1)
        assert pool.pids == old
        kept = (models / "mine" / "net.onnx").read_bytes()
        (models / "mine" / "net.onnx").write_bytes(b"another")  # since it was loaded
        refused = whole.ask("POST", "/model-change/switch")
        assert refused.status == 409
        assert "A worker for the networks cannot begin: pack 'mine'" in refused.json["detail"]
        assert whole.ask("GET", "/packs").json["current"] == "open"
        assert pool.pids == old
        (models / "mine" / "net.onnx").write_bytes(kept)
        assert whole.ask("POST", "/model-change/switch").json["state"] == "switched"
        assert whole.ask("GET", "/packs").json["current"] == "mine"
        assert len(pool.pids) == 1
        assert pool.pids != old


# -- the whole server --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("inference", "workers"), [("processes", 2), ("threads", 0)])
def test_the_server_computes_where_its_settings_say(tmp_path: Path, inference: str, workers: int) -> None:
    with serving_all(tmp_path, inference=inference, workers=2) as whole:
        pool = whole.app[SERVICES].inference
        assert (0 if pool is None else pool.state().workers) == workers
        assert whole.ask("GET", "/healthz", root="").status == 200
        pids = [] if pool is None else pool.pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_server_without_workers_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "server.inference.opening.WorkerOptions",
        lambda *given: WorkerOptions(*given, command=(sys.executable, "-c", "raise SystemExit(3)")),
    )
    with pytest.raises(StartError, match=r'exit status 3.*inference = "threads"'):
        await LiveModels.open(Settings(models_dir=models_folder(), inference="processes", workers=1), open_models())


@pytest.mark.parametrize(
    ("inference", "workers", "most"),
    [("threads", 1, 1), ("threads", 3, 3), ("threads", 64, AT_ONCE), ("processes", 3, 1)],
)
def test_networks_are_warmed_up_to_as_many_looks_at_once_as_there_will_be(
    inference: str, workers: int, most: int
) -> None:
    """What a look beside others takes of memory, a server takes at its start."""
    models, lock, at_once, seen = open_models(), threading.Lock(), 0, []

    class Counting:
        def detect(self, image: Any, max_side: int) -> Any:
            nonlocal at_once
            with lock:
                at_once += 1
                seen.append(at_once)
            try:
                time.sleep(0.05)
                return models.detector.detect(image, max_side)
            finally:
                with lock:
                    at_once -= 1

    counted = FaceModels(models.manifest, Counting(), models.embedder, models.matcher)
    warm_up(counted, Settings(inference=inference, workers=workers))
    assert max(seen) == most


def test_no_session_waits_for_a_thread_because_another_waits_for_a_worker() -> None:
    assert looking_threads(Settings(workers=2, max_sessions=9)) == 9
    assert looking_threads(Settings(workers=2)) == MOST_THREADS
