"""The evaluation somebody runs from the page: its files in a private folder, its process, and how far it is.

There is one at a time. What was sent is erased as soon as the process has ended, and at every start of the server in
case it was stopped in between; the report, which names nobody, stays in memory until it is let go.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from server.evaluation.job import ARCHIVE, OUTPUT
from server.media.decoding import FILE_BYTES
from server.nodes.tags import plain_id
from server.people.photos.archive import ARCHIVE_BYTES, BadArchive, PhotoArchive
from server.wording import sentence

logger = logging.getLogger(__name__)

FILES = 5_000  # of one evaluation
TOTAL_BYTES = 1024 * 1024 * 1024
IDLE = 30 * 60.0  # seconds after which one that nobody touches is let go
LINE_BYTES = 64 * 1024
HOME = Path(__file__).resolve().parents[2]  # where our packages lie

State = Literal["receiving", "running", "done", "failed"]


class NoSuchEvaluation(LookupError):
    """There is no evaluation of this id, or it has been let go."""


class EvaluationRefused(ValueError):
    """What was asked cannot be done now; the message says why."""


class TooMuch(ValueError):
    """More was sent than an evaluation takes; the message says what."""


@dataclass(slots=True)
class Evaluation:
    """One evaluation; ``words`` say why it failed."""

    id: str
    folder: Path
    all_distances: bool
    state: State = "receiving"
    paths: list[str] = field(default_factory=list)
    archive: bool = False
    size: int = 0  # bytes received
    done: int = 0
    total: int = 0
    words: str = ""
    output: dict[str, bytes] = field(default_factory=dict)
    alarm: asyncio.TimerHandle | None = None
    work: asyncio.Task[None] | None = None


class Evaluations:
    """Owns the only evaluation there may be. ``folder`` is its alone, and emptied; ``pack`` names the pack in use."""

    def __init__(self, folder: Path, pack: Callable[[], str], models_dir: Path, provider: str) -> None:
        self.tag = ""  # of this node, for its id
        self._folder = folder
        self._pack = pack
        self._models_dir = models_dir
        self._provider = provider
        self._current: Evaluation | None = None
        self._lock = asyncio.Lock()  # files come one after the other
        shutil.rmtree(folder, ignore_errors=True)

    @property
    def current(self) -> Evaluation | None:
        """The one there is."""
        return self._current

    async def close(self) -> None:
        """Stop it and forget it."""
        if self._current is not None:
            await self.discard(self._current.id)

    async def open(self, all_distances: bool) -> Evaluation:
        """A new one, which waits for files; one that is over makes room. Raises :class:`EvaluationRefused`."""
        if self._current is not None:
            if self._current.state in ("receiving", "running"):
                raise EvaluationRefused("An evaluation is going on already; wait for it or cancel it first.")
            await self.discard(self._current.id)
        id = plain_id(self.tag)
        evaluation = self._current = Evaluation(id, self._folder / id, all_distances)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        evaluation.folder.mkdir(mode=0o700)
        self._touch(evaluation)
        return evaluation

    def get(self, id: str) -> Evaluation:
        """By its id. Raises :class:`NoSuchEvaluation`."""
        if self._current is None or self._current.id != id:
            raise NoSuchEvaluation("There is no such evaluation, or it was left alone for too long.")
        return self._current

    async def receive(self, id: str, path: str, is_archive: bool, chunks: AsyncIterator[bytes]) -> Evaluation:
        """Take in one file. Its path is never one of this computer. Raises :class:`NoSuchEvaluation`,
        :class:`EvaluationRefused`, :class:`TooMuch` and, for a ZIP, :class:`BadArchive`."""
        async with self._lock:
            evaluation = self._receiving(id)
            if evaluation.archive or (is_archive and evaluation.paths):
                raise EvaluationRefused("An evaluation is of one ZIP, or of files.")
            if len(evaluation.paths) >= FILES:
                raise TooMuch(f"An evaluation takes {FILES:,} files.")
            self._rest(evaluation)
            target = evaluation.folder / (ARCHIVE if is_archive else str(len(evaluation.paths)))
            try:
                limit = ARCHIVE_BYTES if is_archive else FILE_BYTES
                size = await _write(target, chunks, limit, TOTAL_BYTES - evaluation.size)
                if is_archive:
                    await asyncio.to_thread(_check, target)
            except BaseException as error:
                target.unlink(missing_ok=True)
                if isinstance(error, FileNotFoundError):  # it was cancelled meanwhile
                    self._receiving(id)
                raise
            finally:
                self._touch(evaluation)
            self._receiving(id)  # it may have been cancelled meanwhile
            evaluation.size += size
            if is_archive:
                evaluation.archive = True
            else:
                evaluation.paths.append(path)
            return evaluation

    async def start(self, id: str) -> Evaluation:
        """Begin. Raises :class:`NoSuchEvaluation` and :class:`EvaluationRefused`."""
        async with self._lock:
            evaluation = self._receiving(id)
            if not evaluation.archive and not evaluation.paths:
                raise EvaluationRefused("There is nothing to evaluate yet.")
            evaluation.state = "running"
            self._rest(evaluation)
            evaluation.work = asyncio.create_task(self._run(evaluation), name="evaluation")
            return evaluation

    async def discard(self, id: str) -> None:
        """Stop it, erase what was sent and forget the report. Raises :class:`NoSuchEvaluation`."""
        evaluation = self.get(id)
        self._current = None
        self._rest(evaluation)
        if evaluation.work is not None:
            evaluation.work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await evaluation.work
        await asyncio.to_thread(shutil.rmtree, evaluation.folder, ignore_errors=True)

    async def _run(self, evaluation: Evaluation) -> None:
        task = {
            "folder": str(evaluation.folder),
            "paths": evaluation.paths,
            "pack": self._pack(),
            "models_dir": str(self._models_dir),
            "provider": self._provider,
            "all_distances": evaluation.all_distances,
        }
        words = ""
        try:
            words = await self._follow(evaluation, (json.dumps(task) + "\n").encode())
        except OSError as error:
            words = f"The evaluation cannot be run: {error.strerror}."
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, evaluation.folder, ignore_errors=True))
        # It is over only now that nothing of what was sent is left.
        evaluation.state, evaluation.words = ("failed" if words else "done"), words
        self._touch(evaluation)

    async def _follow(self, evaluation: Evaluation, task: bytes) -> str:
        """Let the process do it, and read its report; returns what went wrong, or nothing."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # never a folder `server` that happens to lie where this was started
            "-m",
            "server.evaluation.job",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(HOME), os.environ.get("PYTHONPATH")]))},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=LINE_BYTES,
            # Elsewhere it lowers its own priority.
            creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0),
        )
        assert process.stdin is not None
        assert process.stdout is not None
        said = "The evaluation ended unexpectedly."
        try:
            with contextlib.suppress(ConnectionError):  # it ended before it read
                process.stdin.write(task)
                await process.stdin.drain()
            async for line in process.stdout:
                words = json.loads(line)
                evaluation.done, evaluation.total = (words.get(k, getattr(evaluation, k)) for k in ("done", "total"))
                if "refused" in words:
                    said = sentence(words["refused"])
                elif "finished" in words:
                    evaluation.output, said = await asyncio.to_thread(_read, evaluation.folder), ""
                elif "failed" in words:
                    logger.error("an evaluation failed: %s", words["failed"])
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        return said

    def _receiving(self, id: str) -> Evaluation:
        evaluation = self.get(id)
        if evaluation.state != "receiving":
            raise EvaluationRefused("This evaluation has begun: it takes no more files.")
        return evaluation

    def _rest(self, evaluation: Evaluation) -> None:
        """No alarm while something is being done."""
        if evaluation.alarm is not None:
            evaluation.alarm.cancel()
            evaluation.alarm = None

    def _touch(self, evaluation: Evaluation) -> None:
        self._rest(evaluation)
        if self._current is evaluation:
            evaluation.alarm = asyncio.get_running_loop().call_later(IDLE, self._expire, evaluation)

    def _expire(self, evaluation: Evaluation) -> None:
        # Nothing runs while the alarm is set: what is left is a folder and a report.
        if self._current is evaluation:
            self._current = None
            shutil.rmtree(evaluation.folder, ignore_errors=True)


async def _write(target: Path, chunks: AsyncIterator[bytes], limit: int, room: int) -> int:
    size = 0
    with await asyncio.to_thread(target.open, "xb") as file:
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise TooMuch(f"The file has more than {limit // 2**20} MB.")
            if size > room:
                raise TooMuch(f"An evaluation takes {TOTAL_BYTES // 2**30} GB.")
            await asyncio.to_thread(file.write, chunk)
    return size


def _check(archive: Path) -> None:
    with archive.open("rb") as file:
        if len(PhotoArchive(file, FILES).paths) > FILES:
            raise BadArchive(f"The ZIP holds more than {FILES:,} files.")


def _read(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in OUTPUT}
