"""``visavis bench cores``: networks in threads against networks in worker processes, side by side."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, get_args

import click
import cv2
import numpy as np

from models import ModelError, ProviderSetting, default_cache_dir, load_pack
from models.insightface_zoo import sample_photo
from pipeline.face_models import FaceModels, read_photo
from pipeline.gallery import Gallery, Person
from pipeline.metrics import percentile
from server.commands.pictures import load_picture
from server.commands.racing import Picture, Runner, Times, race
from server.commands.report import table
from server.commands.video_file import read_frames
from server.inference.crew import InferenceDown
from server.inference.pool import InferencePool, WorkerOptions

PICTURES = 120  # of a video; they stay in memory
WARM_UP = 1.0  # seconds before the first round, for each kind
MEGABYTE = 1 << 20


@click.command("cores")
@click.option("--video", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="What cameras see.")
@click.option("--sessions", type=click.IntRange(1, 256), default=4, show_default=True, help="Cameras.")
@click.option("--workers", type=click.IntRange(1, 256), help="Threads, or processes.  [default: one a processor]")
@click.option("--rate", type=click.FloatRange(1, 120), help="Frames a second of each camera.  [default: as it goes]")
@click.option("--rounds", type=click.IntRange(1, 100), default=5, show_default=True, help="Of each kind, in turns.")
@click.option("--seconds", type=click.FloatRange(0.2, 600), default=3.0, show_default=True, help="Of a round.")
@click.option("--pack", default="open", show_default=True, help="Model pack; see `visavis models list`.")
@click.option("--models-dir", type=click.Path(path_type=Path), help="Folder of the packs.")
@click.option("--provider", type=click.Choice(get_args(ProviderSetting)), default="auto", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bench_cores(
    video: Path | None, sessions: int, workers: int | None, rate: float | None, rounds: int, seconds: float,
    pack: str, models_dir: Path | None, provider: ProviderSetting, as_json: bool,
) -> None:  # fmt: skip
    """Cameras that all see the same, with networks in threads and in worker processes, in turns."""
    cv2.setNumThreads(1)
    size, folder = workers or os.cpu_count() or 1, models_dir or default_cache_dir()
    try:
        models = FaceModels.from_pack(load_pack(pack, folder, provider, lambda line: click.echo(line, err=True)))
    except ModelError as error:
        raise click.ClickException(str(error)) from error
    models.warm_up(640, 480)
    pictures, media_rate = _video(video) if video else (_photo(sample_photo()), 30.0)
    gallery = _gallery(models, pictures)
    try:
        inference = InferencePool(models, WorkerOptions(size, folder, provider))
    except InferenceDown as down:
        raise click.ClickException(str(down)) from down
    with contextlib.closing(inference) as pool, _executors(size, max(size, sessions)) as (few, many):
        paced = rate or media_rate

        def cameras(networks: Callable[[], FaceModels]) -> list[Runner]:
            return [Runner(networks(), gallery, pictures, paced, 7 * number) for number in range(sessions)]

        kinds = {
            "threads": _Kind(cameras(lambda: models), few, None),
            "threads, one a camera": _Kind(cameras(lambda: models), many, None),
            "processes": _Kind(cameras(lambda: pool.models(models)), many, pool),
        }
        for kind in kinds.values():
            race(kind.runners, kind.executor, WARM_UP, rate is not None)
        for _ in range(rounds):
            for kind in kinds.values():
                kind.run(seconds, rate is not None)
        found = {name: kind.figures() for name, kind in kinds.items()}
    said = {"sessions": sessions, "workers": size, "rate": rate, "rounds": rounds, "seconds": seconds,
            "pictures": len(pictures), "people": len(gallery), "pack": models.manifest.name}  # fmt: skip
    if as_json:
        click.echo(json.dumps({**said, **found}, indent=1))
        return
    click.echo(f"{sessions} cameras, {size} threads or processes, {rounds} rounds of {seconds:g} s each; medians")
    rows = [[label, *(found[name][label] for name in found)] for label in found["threads"]]
    table(("", *found), rows)


@dataclass
class _Kind:
    """One way to compute, with what its rounds came to."""

    runners: list[Runner]
    executor: ThreadPoolExecutor
    pool: InferencePool | None
    rounds: list[dict[str, float | None]] = field(default_factory=list)

    def run(self, seconds: float, paced: bool) -> None:
        """Another round."""
        before, state = self._spent(), None if self.pool is None else self.pool.state()
        times = race(self.runners, self.executor, seconds, paced)
        spent = self._spent() - before
        row = _figures(times, seconds, spent)
        row["memory of the workers [MB]"] = 0.0 if self.pool is None else round(self._memory(self.pool))
        batches: float | None = None
        if self.pool is not None and state is not None:
            now = self.pool.state()
            runs = now.embed_runs - state.embed_runs
            batches = round((now.embed_faces - state.embed_faces) / runs, 2) if runs else None
        row["faces embedded at once, mean"] = batches
        self.rounds.append(row)

    def figures(self) -> dict[str, float | None]:
        """Medians over the rounds."""
        medians: dict[str, float | None] = {}
        for label in self.rounds[0]:
            values = [value for row in self.rounds if (value := row[label]) is not None]
            medians[label] = round(float(median(values)), 2) if values else None
        return medians

    def _spent(self) -> float:
        """Seconds of processor so far, workers included."""
        own = _process()
        spent = sum(own.cpu_times()[:2])
        for pid in [] if self.pool is None else self.pool.pids:
            spent += sum(_process(pid).cpu_times()[:2])
        return float(spent)

    def _memory(self, pool: InferencePool) -> float:
        """Megabytes that workers have to themselves; what they share counts for none."""
        return float(sum(_process(pid).memory_full_info().uss for pid in pool.pids)) / MEGABYTE


def _figures(times: Times, seconds: float, spent: float) -> dict[str, float | None]:
    return {
        "frames a second": times.frames / seconds,
        "CPU a frame [ms]": 1e3 * spent / max(times.frames, 1),
        "faces with a name [%]": 100 * times.named / max(times.faces, 1),
        "advance with faces in view, p50 [ms]": _at(times.advance, 50),
        "advance with faces in view, p95 [ms]": _at(times.advance, 95),
        "look, p50 [ms]": _at(times.look, 50),
        "look, p95 [ms]": _at(times.look, 95),
        "looks lost": float(times.lost),
        "lag of the loop, p50 [ms]": _at(times.lag, 50),
        "lag of the loop, p95 [ms]": _at(times.lag, 95),
    }


def _at(values: list[float], q: float) -> float | None:
    return percentile(values, q) if values else None


@contextlib.contextmanager
def _executors(few: int, many: int) -> Iterator[tuple[ThreadPoolExecutor, ThreadPoolExecutor]]:
    with ThreadPoolExecutor(few) as one, ThreadPoolExecutor(many) as other:
        yield one, other


def _process(pid: int | None = None) -> Any:
    try:
        import psutil
    except ImportError as error:
        raise click.ClickException("psutil is missing: pip install 'visavis[bench]'") from error
    return psutil.Process(pid)


def _video(path: Path) -> tuple[list[Picture], float]:
    frames = list(itertools.islice(read_frames(path), PICTURES))
    if len(frames) < 3:
        raise click.ClickException(f"{path}: fewer than three frames could be read")
    rate = (len(frames) - 1) / max(frames[-1].time - frames[0].time, 1e-3)
    return [Picture(frame.gray, frame.image) for frame in frames], rate


def _photo(path: Path) -> list[Picture]:
    """A camera of 640×480 that moves over a photo for two seconds."""
    photo = load_picture(path)
    pictures = []
    for step in range(60):
        turn = 2 * np.pi * step / 60
        scale = 0.82 * (1 + 0.08 * np.sin(turn)) * 480 / photo.shape[0]
        centre = np.array([photo.shape[1] / 2 + 60 * np.sin(turn), photo.shape[0] / 2 + 25 * np.sin(2 * turn)])
        shift = np.array([320, 240]) - scale * centre
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        image = cv2.warpAffine(photo, matrix, (640, 480), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        pictures.append(Picture(np.asarray(gray, np.uint8), np.asarray(image, np.uint8)))
    return pictures


def _gallery(models: FaceModels, pictures: list[Picture]) -> Gallery:
    """Everybody whose face is in the first picture with one."""
    spec, digest = models.embedder.spec, models.manifest.digest
    for picture in pictures[:: max(1, len(pictures) // 8)]:
        if faces := read_photo(models, picture.image):
            people = [(Person(f"p{n}", f"Person {n}"), face.embedding, None) for n, face in enumerate(faces, 1)]
            return Gallery.build(people, spec.dimension, digest, version=1)
    raise click.ClickException("no face was found in these pictures")
