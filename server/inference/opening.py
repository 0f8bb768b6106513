"""What a server's sessions compute with, as its settings say."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pipeline.attributes import AttributeReader
from pipeline.face_models import FaceModels
from server.app import VIDEO
from server.inference.crew import InferenceDown
from server.inference.pool import InferencePool, WorkerOptions
from server.settings import Settings, StartError


class LiveModels:
    """Gives sessions the networks of a pack: in workers of ``pool``, or those of this process where there is none."""

    def __init__(self, pool: InferencePool | None) -> None:
        self.pool = pool

    @classmethod
    async def open(cls, settings: Settings, models: FaceModels) -> LiveModels:
        """With workers ready, where they are asked for. Raises :class:`server.settings.StartError`."""
        if settings.inference == "threads":
            return cls(None)
        options = WorkerOptions(
            settings.workers, settings.models_dir, settings.provider, settings.detect_size, settings.far_detect_size
        )
        try:
            return cls(await asyncio.to_thread(InferencePool, models, options))
        except InferenceDown as down:
            raise StartError(f'{down} With `inference = "threads"` the server does without.') from down

    def of(self, local: FaceModels) -> FaceModels:
        """For one session. Its tracks stay in this process."""
        return local if self.pool is None else self.pool.models(local)

    def reader(self, local: AttributeReader) -> AttributeReader:
        """The shipped networks for gender and age, for all sessions."""
        return local if self.pool is None else self.pool.reader(local)

    async def change(self, newer: FaceModels) -> None:
        """Be ready for another pack. Raises :class:`server.inference.crew.InferenceDown`."""
        if self.pool is not None:
            await asyncio.to_thread(self.pool.change, newer)

    def settle(self) -> None:
        """The packs before are used no more."""
        if self.pool is not None:
            self.pool.settle()

    async def close(self) -> None:
        """End the workers."""
        if self.pool is not None:
            await asyncio.to_thread(self.pool.close)


MOST_THREADS = 64  # they are made as they are needed
AT_ONCE = 4  # runs of a network to which it is warmed up at most


def warm_up(models: FaceModels, settings: Settings) -> None:
    """Run the networks once, and then as many at once as sessions will. ONNX Runtime takes memory for each run that
    ever goes beside others (a look: 40 MB) and keeps it: a server has it from its start, not from some later hour."""
    models.warm_up(VIDEO["width"], VIDEO["height"], settings.detect_size, settings.far_detect_size)
    at_once = min(AT_ONCE, recognising_threads(settings)) if settings.inference == "threads" else 1
    if at_once == 1:
        return
    empty = np.zeros((VIDEO["height"], VIDEO["width"], 3), np.uint8)
    together = threading.Barrier(at_once)

    def look() -> None:
        together.wait()
        models.detector.detect(empty, settings.far_detect_size)

    with ThreadPoolExecutor(at_once, "warm up") as threads:
        for looking in [threads.submit(look) for _ in range(at_once)]:
            looking.result()


def recognising_threads(settings: Settings) -> int:
    """Threads that follow faces, and run the networks where there are no workers."""
    chosen = settings.workers if settings.inference == "threads" else 0
    return chosen or os.cpu_count() or 1


def looking_threads(settings: Settings) -> int:
    """Threads that wait for workers: enough that no session waits because another does."""
    return max(settings.workers or os.cpu_count() or 1, settings.max_sessions or MOST_THREADS)
