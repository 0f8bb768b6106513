"""What the other designs share with this server: the same models, the same pipeline, the same people."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from aiohttp import web

from pipeline.face_models import FaceModels, main_face, read_photo
from pipeline.frame import Frame
from pipeline.frame_pipeline import FramePipeline
from pipeline.gallery import Entry, Gallery, Person
from pipeline.results import FrameResult
from pipeline.templates import fuse_template
from server.live.messages import face_fields
from server.pixels import luma, rgb
from tests.load.peers.video import STILL, Clip
from tests.packs import open_models


class Recogniser:
    """Makes a pipeline for each session; their work is done in the same threads, one for each processor."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        cv2.setNumThreads(1)
        self._models: FaceModels = open_models()
        self._gallery = _gallery(self._models, clips)
        self.executor = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="recognise")

    def pipeline(self) -> FramePipeline:
        """Of one session."""
        return FramePipeline(self._models, lambda: self._gallery)


def recognise(pipeline: FramePipeline, picture: av.VideoFrame, time: float) -> FrameResult:
    """Everything of one frame, the look included; blocking."""
    return pipeline.process(Frame(luma(picture), time, lambda: rgb(picture)))


def as_json(number: int, result: FrameResult) -> dict[str, Any]:
    """What this server would say of it, as far as a picture is drawn from that."""
    faces = [face_fields(face, result.width, result.height) for face in result.faces]
    return {"number": number, "keyframe": result.keyframe, "faces": faces}


def _gallery(models: FaceModels, clips: Sequence[Clip]) -> Gallery:
    """Everybody of the clips, from the photos beside them."""
    entries: list[Entry] = []
    for number, clip in enumerate(clips):
        samples, weights = [], []
        for still in clip.stills():
            image = np.ascontiguousarray(np.asarray(cv2.imread(str(still)), np.uint8)[..., ::-1])
            face = main_face(read_photo(models, image), image.shape[1], image.shape[0])
            if face is not None:
                samples.append(face.embedding)
                weights.append(face.quality.overall)
        if samples:
            person = Person(f"{number}", f"Person {number + 1}")
            entries.append((person, fuse_template(samples, weights), None))
    return Gallery.build(entries, models.manifest.embedder.dimension, models.manifest.digest)


def clip_folders(arguments: Sequence[str]) -> list[Path]:
    """Those among the arguments a server of ours is started with; the others mean nothing to another design."""
    return [Path(one) for one in arguments if (Path(one) / STILL.format(0)).exists()]


def serve(app: web.Application) -> None:
    """Serve on a free port of this computer, say where, and end by a signal."""

    async def run() -> None:
        over = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, over.set)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(f"http://localhost:{runner.addresses[0][1]}/", flush=True)
        await over.wait()
        await runner.cleanup()

    asyncio.run(run())
