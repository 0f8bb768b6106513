"""Changing the pack: every sample with a kept crop is embedded anew in the background, then all switch at once.

::

    none ──begin──▶ running ──▶ ready ──switch──▶ switched
                      │  │        │
                      │  └─cancel─┴──▶ cancelled        running ──▶ failed

Nothing of the old pack is lost on the way: its embeddings stay in use until the switch, which exchanges them in one
transaction, and are kept aside after it. A change begun goes on after a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import cv2
import numpy as np
import sqlalchemy as sa

from models import ModelError, PackManifest, available_packs
from pipeline.align import face_chip
from pipeline.embed import embed_chip
from pipeline.enhance import mended
from pipeline.face_models import FaceModels
from pipeline.matcher import Matcher
from server.people import People
from server.people.separation import separate
from server.storage import model_change as table
from server.storage.model_change import BothWays, CroppedSample, LeftBehind
from tracking import Embedding

logger = logging.getLogger(__name__)

State = Literal["none", "running", "ready", "switched", "failed", "cancelled"]
BATCH = 8  # samples
PAUSE = 1.0  # as long again as a batch took, so that sessions keep their processors
NICENESS = 10
T = TypeVar("T")


class ChangeRefused(ValueError):
    """What was asked for does not go now; the message says why."""


@dataclass(frozen=True, slots=True)
class Side:
    """How well one pack tells the people apart; see :class:`server.people.separation.Separation`."""

    d_prime: float | None
    rank1: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Old and new pack on the same samples."""

    samples: int
    people: int
    old: Side
    new: Side
    words: str


@dataclass(frozen=True, slots=True)
class Status:
    """Where a change stands. ``unreadable`` crops could not be embedded; ``negatives`` are the 'this is not NAME'
    that have no pictures and rest until the old pack is back."""

    state: State
    pack: str | None
    done: int
    total: int
    without_crop: tuple[LeftBehind, ...]
    unreadable: int
    negatives: int
    comparison: Comparison | None
    words: str


class ModelChange:
    """The one change that can be going on. Call :meth:`resume` after making it, and :meth:`close` at the end.

    ``load`` makes a pack's models ready (blocking; raises :class:`models.ModelError`). ``adopt`` is awaited just before
    the gallery is exchanged: every session is told there to change its models.
    """

    def __init__(
        self,
        people: People,
        models: FaceModels,
        load: Callable[[str], FaceModels],
        adopt: Callable[[FaceModels], Awaitable[None]],
        max_samples: int,
        models_dir: Path | None = None,
    ) -> None:
        self.models = models
        self._models_dir = models_dir  # where packs of one's own lie
        self._people = people
        self._load = load
        self._adopt = adopt
        self._max_samples = max_samples
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model change", initializer=_be_modest)
        self._state: State = "none"
        self._pack: str | None = None
        self._next: FaceModels | None = None
        self._error = ""
        self._unreadable: set[str] = set()
        self._comparison: Comparison | None = None
        self._task: asyncio.Task[None] | None = None
        self._switching = asyncio.Lock()
        self._chosen: str | None = None  # the pack that was switched to, as far as this server knows

    async def resume(self) -> None:
        """Put to use what was embedded with the running pack earlier, and go on with a change that a restart
        interrupted."""
        digest, dimension = self.models.manifest.digest, self.models.manifest.embedder.dimension
        self._chosen = await self._run(table.read_chosen)
        if await self._run(lambda engine: table.exchange(engine, digest)):
            await self._people.change_pack(digest, dimension)
        name = await self._run(table.read_next)
        if name is None:
            return
        if name == self.models.manifest.name or all(pack.name != name for pack in available_packs(self._models_dir)):
            await self._run(lambda engine: table.set_next(engine, None))
            return
        self._start(name)

    async def close(self) -> None:
        """Stop; the change goes on at the next start. May be called twice."""
        await self._end()
        self._thread.shutdown()

    async def begin(self, name: str, installed: Callable[[PackManifest], str | None]) -> None:
        """Begin changing to a pack. ``installed`` says what to do first where it is not there, or ``None``.

        Raises :class:`ChangeRefused`.
        """
        pack = next((pack for pack in available_packs(self._models_dir) if pack.name == name), None)
        if pack is None:
            known = ", ".join(pack.name for pack in available_packs(self._models_dir))
            raise ChangeRefused(f"there is no pack {name!r}; known are: {known}")
        if name == self.models.manifest.name:
            raise ChangeRefused(f"pack {name!r} is in use already")
        if self._state in ("running", "ready"):
            raise ChangeRefused(f"a change to pack {self._pack!r} is going on; cancel it first")
        if (missing := installed(pack)) is not None:
            raise ChangeRefused(missing)
        await self._run(lambda engine: table.set_next(engine, name))
        self._start(name)

    async def cancel(self) -> None:
        """Go on with the old pack; what was embedded is kept for another time.

        Raises :class:`ChangeRefused` if no change is going on.
        """
        async with self._switching:
            if self._state not in ("running", "ready"):
                raise ChangeRefused("no change of models is going on")
            await self._end()
            await self._run(lambda engine: table.set_next(engine, None))
            self._next, self._state = None, "cancelled"

    async def switch(self) -> None:
        """Use the new pack from now on, everywhere and at once. Raises :class:`ChangeRefused` unless ready."""
        async with self._switching:
            models = self._next
            if self._state != "ready" or models is None:
                raise ChangeRefused("the new models are not ready yet")
            manifest = models.manifest
            digest, name, dimension = manifest.digest, manifest.name, manifest.embedder.dimension
            await self._embed_waiting(models)  # who was enrolled meanwhile
            await self._adopt(models)
            await self._people.change_pack(digest, dimension, lambda store: table.exchange(store.engine, digest, name))
            self.models, self._next, self._state, self._chosen = models, None, "switched", name
            if await self._embed_waiting(models):  # who was enrolled just now
                await self._people.change_pack(digest, dimension, lambda store: table.exchange(store.engine, digest))

    async def written_elsewhere(self, tables: frozenset[str] | None) -> None:
        """Another node has switched to another pack: this one does too. Until its models are ready, nobody is named
        here."""
        if tables is not None and table.CHOICE.name not in tables:
            return
        async with self._switching:
            name = await self._run(table.read_chosen)
            if name == self._chosen:  # also where the settings name another: that one stays
                return
            self._chosen = name
            if name is None or name == self.models.manifest.name:
                return
            await self._end()
            ready = self._next is not None and self._next.manifest.name == name
            models = self._next if ready and self._next is not None else await self._in_thread(lambda: self._load(name))
            await self._adopt(models)
            await self._people.change_pack(models.manifest.digest, models.manifest.embedder.dimension)
            self.models, self._next, self._pack, self._state = models, None, name, "switched"

    async def status(self) -> Status:
        """Where it stands now."""
        models = self._next or self.models
        digest = models.manifest.digest
        done = total = negatives = 0
        left: list[LeftBehind] = []
        if self._next is not None or self._state == "switched":
            done, total = await self._run(lambda engine: table.progress(engine, digest))
            left = await self._run(lambda engine: table.left_behind(engine, digest))
            negatives = await self._run(lambda engine: table.negatives_left(engine, digest))
        return Status(
            state=self._state,
            pack=self._pack,
            done=done,
            total=total,
            without_crop=tuple(left),
            unreadable=len(self._unreadable),
            negatives=negatives,
            comparison=self._comparison,
            words=self._words(left),
        )

    # -- the work ------------------------------------------------------------------------------------------------

    def _start(self, name: str) -> None:
        self._state, self._pack, self._error = "running", name, ""
        self._comparison, self._next = None, None
        self._unreadable.clear()
        self._task = asyncio.create_task(self._work(name), name="model change")

    async def _end(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _work(self, name: str) -> None:
        try:
            models = self._next = await self._in_thread(lambda: self._load(name))
            await self._embed_waiting(models, rest=True)
            old, new = self.models.manifest.digest, models.manifest.digest
            both = await self._run(lambda engine: table.both_ways(engine, old, new))
            self._comparison = await self._in_thread(
                lambda: compare(both, self._max_samples, self.models.matcher, models.matcher)
            )
            self._state = "ready"
        except ModelError as error:
            await self._fail(str(error))
        except Exception as error:
            logger.error("changing the models failed: %s", type(error).__name__)
            await self._fail(f"something went wrong on the server ({type(error).__name__})")

    async def _fail(self, reason: str) -> None:
        self._state, self._error, self._next = "failed", reason, None
        with contextlib.suppress(sa.exc.SQLAlchemyError):
            await self._run(lambda engine: table.set_next(engine, None))

    async def _embed_waiting(self, models: FaceModels, rest: bool = False) -> int:
        """Embed whatever has a crop and no embedding of these models; returns how many there were."""
        digest, count = models.manifest.digest, 0
        while True:
            skip = tuple(self._unreadable)
            samples = await self._run(partial(table.waiting, digest=digest, limit=BATCH, without=skip))
            if not samples:
                return count
            began = time.perf_counter()
            found = await self._in_thread(partial(embed_again, models, samples))
            self._unreadable |= {s.id for s in samples} - {id for id, _ in found}
            await self._run(partial(table.keep, digest=digest, embeddings=found))
            count += len(found)
            if rest:
                await asyncio.sleep(PAUSE * (time.perf_counter() - began))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _run(self, work: Callable[[sa.Engine], T]) -> T:
        return await self._people.run(lambda store: work(store.engine))

    def _words(self, left: Sequence[LeftBehind]) -> str:
        match self._state:
            case "running" if self._next is None:
                return f"Pack {self._pack} is being loaded."
            case "running":
                return f"Pictures are being read again with pack {self._pack}. Recognition goes on meanwhile."
            case "ready" if left:
                return (
                    f"Pack {self._pack} is ready. Of some people pictures were not kept; with them it cannot be told "
                    "what the new models would see, and those pictures will not count."
                )
            case "ready":
                return f"Pack {self._pack} is ready to be switched to."
            case "switched":
                return f"Pack {self._pack} is in use, and will be after a restart."
            case "failed":
                return f"{self._error[:1].upper()}{self._error[1:]}."
            case "cancelled":
                return "Cancelled; everything is as it was."
            case _:
                return "No change of models is going on."


def embed_again(models: FaceModels, samples: Sequence[CroppedSample]) -> list[tuple[str, Embedding]]:
    """Embeddings of kept crops, by sample; crops that cannot be read are left out."""
    spec = models.embedder.spec
    found: list[tuple[str, Embedding]] = []
    for sample in samples:
        picture = cv2.imdecode(np.frombuffer(sample.jpeg, np.uint8), cv2.IMREAD_COLOR) if sample.jpeg else None
        if picture is None or not np.isfinite(sample.landmarks).all():
            continue
        with contextlib.suppress(ValueError):  # landmarks that coincide
            chip = face_chip(np.ascontiguousarray(picture[..., ::-1]), sample.landmarks, spec.template, spec.size)
            chip, _ = mended(chip)
            found.append((sample.id, embed_chip(models.embedder, chip, mirror=spec.mirror, shift=spec.shift)))
    return found


def compare(both: BothWays, max_samples: int, old_matcher: Matcher, new_matcher: Matcher) -> Comparison:
    """How well either pack tells the people apart, on the same samples."""
    people = len(set(both.owners.tolist()))
    if len(both.owners) == 0:
        nothing = Side(None, None)
        return Comparison(0, 0, nothing, nothing, "No picture was kept, so there is nothing to compare.")
    old = _side(both, both.old, max_samples, old_matcher)
    new = _side(both, both.new, max_samples, new_matcher)
    if old.d_prime is None or new.d_prime is None:
        words = "There are too few pictures to compare the two: two people with two pictures each are the least."
    else:
        better = (
            "better" if new.d_prime > 1.02 * old.d_prime else "worse" if new.d_prime < 0.98 * old.d_prime else "as well"
        )
        than = "as the old" if better == "as well" else "than the old"
        words = (
            f"On {len(both.owners):,} pictures of {people:,} people the new models tell people apart {better} {than}."
        )
    return Comparison(len(both.owners), people, old, new, words)


def _side(both: BothWays, vectors: Any, max_samples: int, matcher: Matcher) -> Side:
    found = separate(vectors, both.qualities, both.owners, max_samples, matcher.similarities)
    return Side(found.d_prime, found.rank1)


def _be_modest() -> None:
    """Let sessions go first: on Linux a thread's own priority can be lowered."""
    with contextlib.suppress(AttributeError, OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
