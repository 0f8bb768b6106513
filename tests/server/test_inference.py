"""Networks in workers: they say what they would say here, and whatever happens to one, everybody gets an answer."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import load_attributes
from pipeline.align import face_chip
from pipeline.attributes import EnsembleReader, GenderAgeReader
from pipeline.detect import keener
from pipeline.face_models import FaceModels
from pipeline.lost_look import LookLost
from server.inference import wire
from server.inference.calls import Client
from server.inference.crew import InferenceDown
from server.inference.pool import InferencePool, WorkerOptions
from server.inference.remote import RemoteDetector, RemoteEmbedder, remote_reader
from tests.packs import models_folder, open_models
from tests.pictures import Image, camera_frame, group_photo
from tests.pipeline.test_attributes import GenderAge

# A worker whose networks do what the first pixel of a picture asks for.
_UNWELL = """
import os, sys, time
from server.inference import worker, wire
class Unwell(worker.Networks):
    def answer(self, kind, pictures, max_side, least):
        wishes = [int(picture[0, 0, 0]) for picture in pictures]
        if 201 in wishes: os.abort()
        if 202 in wishes: time.sleep(60)
        if 203 in wishes: raise RuntimeError('no')
        if 204 in wishes: os.write(4, b'?' * 100); time.sleep(60)
        if 205 in wishes: time.sleep(0.5)
        return super().answer(kind, pictures, max_side, least)
worker.main(Unwell)
"""
UNWELL = (sys.executable, "-P", "-c", _UNWELL)
CRASH, HANG, REFUSE, LIE, SLOW = 201, 202, 203, 204, 205


def make(size: int = 1, *, unwell: bool = False, deadline: float = 5.0) -> InferencePool:
    options = WorkerOptions(size, models_folder(), "cpu", deadline=deadline)
    if unwell:
        options = WorkerOptions(size, models_folder(), "cpu", command=UNWELL, deadline=deadline)
    return InferencePool(open_models(), options)


@pytest.fixture(scope="module")
def pool() -> Iterator[InferencePool]:
    with contextlib.closing(make(2)) as pool:
        yield pool


@pytest.fixture
def remote(pool: InferencePool) -> FaceModels:
    return pool.models(open_models())


def asking(wish: int) -> Image:
    """A real picture with a wish in its first pixel."""
    picture = group_photo()[:480, :640].copy()
    picture[0, 0, 0] = wish
    return picture


def chips() -> list[Image]:
    found = open_models().detector.detect(group_photo(), 640)
    spec = open_models().embedder.spec
    return [face_chip(group_photo(), points, spec.template, spec.size) for points in found.landmarks]


def until(what: object, seconds: float = 10.0) -> None:
    assert callable(what)
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


# -- the same answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [320, 640])
@pytest.mark.parametrize("step", [0, 25])
def test_faces_are_found_where_they_would_be_here(remote: FaceModels, side: int, step: int) -> None:
    picture, _ = camera_frame(group_photo(), step)
    here, there = open_models().detector.detect(picture, side), remote.detector.detect(picture, side)
    assert len(here) == len(there) >= 5
    for one, other in ((here.boxes, there.boxes), (here.scores, there.scores), (here.landmarks, there.landmarks)):
        assert one.shape == other.shape
        assert np.allclose(one, other, atol=1e-3)


def test_a_picture_that_is_no_block_of_memory_is_read_as_well(remote: FaceModels) -> None:
    view = group_photo()[::2, ::-2]
    here = open_models().detector.detect(np.ascontiguousarray(view), 640)
    assert np.allclose(here.boxes, remote.detector.detect(view, 640).boxes, atol=1e-3)


def test_no_face_is_no_face(remote: FaceModels) -> None:
    found = remote.detector.detect(np.zeros((480, 640, 3), np.uint8), 320)
    assert (found.boxes.shape, found.scores.shape, found.landmarks.shape) == ((0, 4), (0,), (0, 5, 2))


def test_what_masks_may_ask_for_more(remote: FaceModels) -> None:
    picture, _ = camera_frame(group_photo(), 0)
    here = keener(open_models().detector, 0.05).detect(picture, 160)
    there = keener(remote.detector, 0.05).detect(picture, 160)
    assert len(here) == len(there) > len(remote.detector.detect(picture, 160))


def test_embeddings_are_the_same(remote: FaceModels) -> None:
    here = open_models().embedder.embed(chips())
    assert np.allclose(here, remote.embedder.embed(chips()), atol=1e-5)
    many = [chip for _ in range(7) for chip in chips()]  # more than go together
    assert np.allclose(np.tile(here, (7, 1)), remote.embedder.embed(many), atol=1e-5)
    assert remote.embedder.embed([]).shape == (0, open_models().manifest.embedder.dimension)


def test_gender_and_age_are_the_same(pool: InferencePool) -> None:
    local = EnsembleReader(load_attributes("cpu"))
    there = pool.reader(local)
    found = open_models().detector.detect(group_photo(), 640)
    for box, points in zip(found.boxes[:3], found.landmarks[:3], strict=True):
        one, other = (reader.read(group_photo(), points, float(box[2])) for reader in (local, there))
        assert one.log_odds == pytest.approx(other.log_odds, abs=1e-3)
        assert np.allclose(one.ages, other.ages, atol=1e-4)
    assert (there.name, there.sure, there.embedder) == (local.name, local.sure, local.embedder)


def test_a_packs_own_network_for_gender_and_age_is_fed_the_same() -> None:
    local = GenderAgeReader(GenderAge((-1.0, 2.0, 0.37)), "buffalo_l")
    asked: list[wire.Request] = []

    def ask(request: wire.Request) -> wire.Array:
        asked.append(request)
        gender, ages = local.raw(request.pictures[0])
        return np.array([[gender, *ages]], np.float32)

    there = remote_reader(ask, local)
    found = open_models().detector.detect(group_photo(), 640)
    one, other = (r.read(group_photo(), found.landmarks[0], float(found.boxes[0, 2])) for r in (local, there))
    assert (one.log_odds, one.weight) == (other.log_odds, other.weight)
    assert np.array_equal(one.ages, other.ages)
    assert [(request.kind, request.pictures[0].shape) for request in asked] == [(wire.READ_OWN, (96, 96, 3))]


def test_a_pack_without_such_a_network_says_so(pool: InferencePool) -> None:
    there = pool.reader(GenderAgeReader(GenderAge((0.0, 0.0, 0.0)), "buffalo_l"))
    found = open_models().detector.detect(group_photo(), 640)
    with pytest.raises(LookLost, match=r"refused this picture \(ValueError\)"):
        there.read(group_photo(), found.landmarks[0], float(found.boxes[0, 2]))


# -- what is no picture ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "picture",
    [np.zeros((480, 640), np.uint8), np.zeros((480, 640, 4), np.uint8), np.zeros((480, 640, 3), np.float32),
     np.zeros((0, 640, 3), np.uint8), np.broadcast_to(np.uint8(0), (8193, 16, 3))],
)  # fmt: skip
def test_what_is_no_picture_never_reaches_a_worker(pool: InferencePool, remote: FaceModels, picture: Image) -> None:
    before = pool.state()
    with pytest.raises(ValueError, match="picture"):
        remote.detector.detect(picture, 320)
    with pytest.raises(ValueError):
        remote.embedder.embed([picture])
    assert pool.state() == before


@pytest.mark.parametrize("side", [0, -1, 10_000])
def test_a_size_no_detector_works_at_is_refused(remote: FaceModels, side: int) -> None:
    with pytest.raises(ValueError, match="1–8192"):
        remote.detector.detect(group_photo(), side)


def test_a_chip_of_another_size_is_refused(remote: FaceModels) -> None:
    with pytest.raises(ValueError, match="150×150 pixels here, not 640×480"):
        remote.embedder.embed([chips()[0], group_photo()[:480, :640]])


def test_the_largest_picture_is_taken_and_its_memory_given_back(remote: FaceModels, pool: InferencePool) -> None:
    large = np.zeros((8192, 8192, 3), np.uint8)
    large[:886, :1280] = group_photo()
    remote.detector.detect(large, 640)
    if sys.platform == "linux":
        shared = [
            int(line.split()[1])
            for pid in pool.pids
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("RssShmem")
        ]
        assert max(shared) < 20_000  # kB


@pytest.mark.parametrize("line", [b"", b"{}", b"[1]", b"\xff", b'{"pack": 1}'])
def test_a_worker_is_told_what_it_is_told(line: bytes) -> None:
    with pytest.raises(ValueError):
        wire.Work.read(line)


# -- crashes -----------------------------------------------------------------------------------------------------------


def test_killed_workers_are_replaced_and_everybody_gets_an_answer() -> None:
    picture, _ = camera_frame(group_photo(), 0)
    expected = len(open_models().detector.detect(picture, 640))
    faces, embeddings = chips(), open_models().embedder.embed(chips())
    with contextlib.closing(make(2)) as pool, ThreadPoolExecutor(6) as threads:
        going = threading.Event()

        def session(_number: int) -> list[int]:
            models, counts = pool.models(open_models()), []
            while not going.is_set() or len(counts) < 10:
                counts.append(len(models.detector.detect(picture, 640)))
                assert np.allclose(models.embedder.embed(faces), embeddings, atol=1e-5)
            return counts

        sessions = [threads.submit(session, number) for number in range(6)]
        for _ in range(2):
            time.sleep(0.3)
            before = pool.state().restarts
            os.kill(pool.pids[0], signal.SIGKILL)
            until(lambda before=before: pool.state().restarts > before)
        going.set()
        assert all(set(work.result(30)) == {expected} for work in sessions)
        until(lambda: pool.state().workers == 2)
        assert pool.state().restarts == 2


def test_all_at_once() -> None:
    with contextlib.closing(make(2)) as pool:
        for pid in pool.pids:
            os.kill(pid, signal.SIGKILL)
        models = pool.models(open_models())

        def answered() -> bool:
            try:
                return len(models.detector.detect(group_photo(), 640)) == 6
            except LookLost:  # both tries met a worker of which it was not known yet that it is dead
                return False

        until(answered)
        until(lambda: pool.state().workers == 2)


def test_whose_pictures_crash_workers_is_held_off_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.inference.calls.BAR", 30.0)  # longer than any machine takes for the next lines
    client = Client()
    with contextlib.closing(make(2, unwell=True)) as pool:
        with monkeypatch.context() as ours:
            ours.setattr("server.inference.pool.Client", lambda: client)
            harmful = pool.models(open_models())
        other, detector = pool.models(open_models()), harmful.detector
        with pytest.raises(LookLost, match="crashed at this picture"):
            detector.detect(asking(CRASH), 320)
        assert len(other.detector.detect(asking(0), 320)) >= 1
        with pytest.raises(LookLost, match="left alone for a moment"):
            detector.detect(asking(0), 320)
        until(lambda: pool.state().workers == 2)
        assert pool.state().restarts == 2  # it was tried twice
        client.barred_until = time.monotonic()  # it is over
        with pytest.raises(LookLost, match="crashed"):
            harmful.embedder.embed([asking(CRASH)[:150, :150]])
        until(lambda: pool.state().restarts == 3)  # and once, as it is known by now
        assert client.barred_until > time.monotonic() + 30  # for longer now
        client.barred_until = time.monotonic()
        assert len(detector.detect(asking(0), 320)) >= 1


def test_one_face_of_a_batch_that_crashes_takes_no_other_with_it() -> None:
    with contextlib.closing(make(1, unwell=True)) as pool, ThreadPoolExecutor(4) as threads:
        models = [pool.models(open_models()) for _ in range(4)]
        slow = threads.submit(models[0].detector.detect, asking(SLOW), 320)
        until(lambda: pool.state().busy == 1)
        bad = asking(CRASH)[:150, :150]
        wanted = [threads.submit(one.embedder.embed, [chips()[index]]) for index, one in enumerate(models[1:3])]
        harmful = threads.submit(models[3].embedder.embed, [bad])
        until(lambda: pool.state().waiting == 3)
        assert len(slow.result(10)) >= 1
        for index, work in enumerate(wanted):
            assert np.allclose(work.result(20)[0], open_models().embedder.embed([chips()[index]])[0], atol=1e-5)
        with pytest.raises(LookLost):
            harmful.result(20)
        assert models[1].embedder.embed([chips()[0]]).shape == (1, 128)  # nobody else is held off


@pytest.mark.parametrize("wish", [HANG, LIE])
def test_one_that_hangs_is_ended_and_others_go_on(wish: int) -> None:
    with contextlib.closing(make(2, unwell=True, deadline=1.0)) as pool, ThreadPoolExecutor(1) as thread:
        stuck = thread.submit(pool.models(open_models()).detector.detect, asking(wish), 320)
        until(lambda: pool.state().busy == 1)
        began = time.monotonic()
        assert len(pool.models(open_models()).detector.detect(asking(0), 320)) >= 1
        assert time.monotonic() - began < 0.9
        with pytest.raises(LookLost):
            stuck.result(15)
        until(lambda: pool.state().workers == 2)


def test_a_network_that_refuses_ends_nothing() -> None:
    with contextlib.closing(make(1, unwell=True)) as pool:
        models = pool.models(open_models())
        with pytest.raises(LookLost, match=r"refused this picture \(RuntimeError\)"):
            models.detector.detect(asking(REFUSE), 320)
        assert len(models.detector.detect(asking(0), 320)) >= 1
        assert pool.state().restarts == 0


# -- together ----------------------------------------------------------------------------------------------------------


def test_faces_of_different_sessions_that_wait_are_embedded_together() -> None:
    with contextlib.closing(make(1, unwell=True)) as pool, ThreadPoolExecutor(6) as threads:
        slow = threads.submit(pool.models(open_models()).detector.detect, asking(SLOW), 320)
        until(lambda: pool.state().busy == 1)
        faces, expected = chips(), open_models().embedder.embed(chips())
        wanted = [threads.submit(pool.models(open_models()).embedder.embed, [face]) for face in faces[:4]]
        until(lambda: pool.state().waiting == 4)
        for index, work in enumerate(wanted):
            assert np.allclose(work.result(10)[0], expected[index], atol=1e-5)
        slow.result(10)
        state = pool.state()
        assert (state.calls, state.batched, state.waiting, state.busy) == (5, 4, 0, 0)
        assert state.ms > 0


# -- beginning and end -------------------------------------------------------------------------------------------------


def memory_held() -> set[str]:
    """Shared memory that has a name, of whoever but PostgreSQL, and ours that has none."""
    named = {path.name for path in Path("/dev/shm").glob("*") if not path.name.startswith("PostgreSQL.")}
    mapped = Path("/proc/self/maps")
    held = mapped.read_text().splitlines() if mapped.is_file() else []
    return named | {line.split()[0] for line in held if "memfd:pictures" in line}


def test_who_waits_at_the_end_is_told_and_nothing_is_left() -> None:
    before = memory_held()
    pool = make(1, unwell=True)
    pids = pool.pids
    with ThreadPoolExecutor(3) as threads:
        work = [threads.submit(pool.models(open_models()).detector.detect, asking(HANG), 320) for _ in range(3)]
        until(lambda: pool.state().busy == 1 and pool.state().waiting == 2)
        assert sys.platform != "linux" or memory_held() > before
        began = time.monotonic()
        pool.close()
        pool.close()
        assert time.monotonic() - began < 3
        for one in work:
            with pytest.raises(LookLost):
                one.result(5)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert memory_held() == before
    with pytest.raises(InferenceDown, match="ended"):
        pool.change(open_models())
    assert pool.state().workers == 0


def test_workers_end_with_their_parent() -> None:
    code = (
        "import os, sys; from tests.server.test_inference import make\n"
        "pool = make(2); print(*pool.pids, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        (sys.executable, "-c", code), capture_output=True, check=False, env={**os.environ, "PYTHONPATH": "."}
    )
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2
    until(lambda: not any(alive(pid) for pid in pids))


def alive(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    return False


def test_a_pack_that_cannot_be_loaded_is_said_and_not_worked_around(tmp_path: Path) -> None:
    (tmp_path / "open").write_text("not a folder")
    with pytest.raises(InferenceDown, match=r"cannot begin: .*open"):
        InferencePool(open_models(), WorkerOptions(2, tmp_path, "cpu"))


def test_another_pack_than_the_servers_is_not_taken(pool: InferencePool) -> None:
    manifest = open_models().manifest
    embedder = replace(manifest.embedder, template=manifest.embedder.template + 1)
    other = replace(open_models(), manifest=replace(manifest, embedder=embedder))
    before = pool.pids
    with pytest.raises(InferenceDown, match="start it again"):
        pool.change(other)
    assert pool.pids == before


@pytest.mark.parametrize("code", ["raise ImportError('no library')", "print('hello', flush=True)", "pass"])
def test_a_program_that_ends_at_once_is_no_worker(code: str) -> None:
    with pytest.raises(InferenceDown, match="ends as soon as it is started"):
        InferencePool(open_models(), WorkerOptions(2, models_folder(), "cpu", command=(sys.executable, "-c", code)))


def test_a_program_that_is_not_there_says_so() -> None:
    with pytest.raises(InferenceDown, match="cannot be started: No such file"):
        InferencePool(open_models(), WorkerOptions(1, models_folder(), "cpu", command=("/nowhere/python",)))


def test_no_secret_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISAVIS_MASTER_KEY", "correct-horse")
    with contextlib.closing(make()) as pool, contextlib.suppress(FileNotFoundError):  # only Linux shows it
        assert b"correct-horse" not in Path(f"/proc/{pool.pids[0]}/environ").read_bytes()


def test_without_shared_memory_pictures_come_through_the_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    with contextlib.closing(make()) as pool:
        models = pool.models(open_models())
        assert len(models.detector.detect(group_photo(), 640)) == 6
        assert np.allclose(models.embedder.embed(chips()), open_models().embedder.embed(chips()), atol=1e-5)


def test_it_is_what_sessions_ask_for(remote: FaceModels) -> None:
    assert isinstance(remote.detector, RemoteDetector)
    assert isinstance(remote.embedder, RemoteEmbedder)
    assert remote.matcher is open_models().matcher
