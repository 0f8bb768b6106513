"""All workers of a server: a crew for the pack in use and, while sessions change to another pack, one for each."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from models import ProviderSetting
from pipeline.attributes import AttributeReader
from pipeline.face_models import FaceModels
from pipeline.lost_look import LookLost
from server.inference import wire
from server.inference.calls import Client
from server.inference.crew import DEADLINE, Crew, InferenceDown, Tally
from server.inference.process import COMMAND
from server.inference.remote import remote_models, remote_reader


@dataclass(frozen=True, slots=True)
class InferenceState:
    """How the workers are: those that are ready, those that compute, calls that wait; and since the start workers that
    were replaced, calls answered, and those of them answered together with another's. ``ms``: what a call takes,
    waiting included, as a running mean. ``embed_faces`` were embedded in ``embed_runs``."""

    workers: int
    busy: int
    waiting: int
    restarts: int
    calls: int
    batched: int
    ms: float = 0.0
    embed_runs: int = 0
    embed_faces: int = 0


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How workers are started: how many (0: one for each processor), where packs lie, what they compute on, and
    the sizes in pixels at which they look first."""

    size: int
    models_dir: Path
    provider: ProviderSetting
    near_side: int = 320
    far_side: int = 640
    command: Sequence[str] = COMMAND
    deadline: float = DEADLINE  # seconds for one call


class InferencePool:
    """Workers for ``models``, ready when this returns. Blocks. Raises :class:`InferenceDown` where one does not start.
    End with :meth:`close`."""

    def __init__(self, models: FaceModels, options: WorkerOptions) -> None:
        self._options = options
        self._tally = Tally()
        self._lock = threading.Lock()
        self._crews: list[Crew] = []  # the newest last
        self._closed = False
        self.change(models)

    def change(self, models: FaceModels) -> None:
        """Start workers for another pack, beside those there are. Blocks. Raises :class:`InferenceDown`; all is as
        before then."""
        with self._lock:
            if self._closed:
                raise InferenceDown("The workers have ended.")
            if self._crews and self._crews[-1].work.digest == models.manifest.digest:
                return
            options, pack = self._options, models.manifest
            sides = options.near_side, options.far_side
            work = wire.Work(pack.name, pack.digest, options.models_dir, options.provider, *sides)
            size = options.size or os.cpu_count() or 1
            self._crews = [*self._crews, Crew(work, size, self._tally, options.command, options.deadline)]

    def settle(self) -> None:
        """End the workers of packs before the newest: nobody uses them any more. Blocks for a moment."""
        with self._lock:
            old, self._crews = self._crews[:-1], self._crews[-1:]
        for crew in old:
            crew.close()

    def models(self, local: FaceModels) -> FaceModels:
        """The same pack with networks in workers, for one client: if its pictures crash workers, it is held off and
        nobody else. Raises :class:`InferenceDown` for a pack that no worker has."""
        return remote_models(partial(self._crew(local.manifest.digest).call, client=Client()), local)

    def reader(self, local: AttributeReader) -> AttributeReader:
        """A reader of gender and age that comes with no pack, with networks in workers."""
        return remote_reader(partial(self._newest_call, client=Client()), local)

    @property
    def pids(self) -> list[int]:
        """The processes that are there now."""
        return [pid for crew in self._crews for pid in crew.pids]

    def state(self) -> InferenceState:
        """How it is now."""
        counts = [crew.counts() for crew in self._crews]
        ready, busy, waiting = (sum(count) for count in zip(*counts, strict=True)) if counts else (0, 0, 0)
        tally = self._tally
        return InferenceState(
            ready, busy, waiting, tally.restarts, tally.calls, tally.batched, round(tally.milliseconds, 2),
            tally.embed_runs, tally.embed_faces,
        )  # fmt: skip

    def close(self) -> None:
        """End all workers; may be called twice. Who waits gets :class:`pipeline.lost_look.LookLost`."""
        with self._lock:
            self._closed = True
            crews, self._crews = self._crews, []
        for crew in crews:
            crew.close()

    def _crew(self, digest: str) -> Crew:
        for crew in reversed(self._crews):
            if crew.work.digest == digest:
                return crew
        raise InferenceDown("There are no workers for this pack.")

    def _newest_call(self, request: wire.Request, client: Client) -> wire.Array:
        crews = self._crews
        if not crews:
            raise LookLost("the workers have ended")
        return crews[-1].call(request, client)
