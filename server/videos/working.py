"""The process that works one video off, as its parent sees it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from server.videos import limits

logger = logging.getLogger(__name__)

LINE_BYTES = 64 * 1024
HOME = Path(__file__).resolve().parents[2]  # where our packages lie
# Never a folder `server` that happens to lie where this was started.
COMMAND = (sys.executable, "-P", "-m", "server.videos.job")


class WorkerFailed(ValueError):
    """There is no result; the message says why, as a sentence."""


class Following(Protocol):
    """Who hears how far it is."""

    done: float
    total: float | None


@dataclass(frozen=True, slots=True)
class Task:
    """A video and the empty folder its result goes to."""

    video: Path
    folder: Path


@dataclass(frozen=True, slots=True)
class Worker:
    """Starts a process for a video and follows it. ``pack`` gives the name of the pack in use; ``give_way``: where
    everything is busy with something else, it waits."""

    pack: Callable[[], str]
    models_dir: Path
    provider: str
    give_way: bool = True

    async def run(self, task: Task, progress: Following) -> dict[str, Any]:
        """Let a process do it; returns what is known of the video then. Cancelled, it ends the process.

        Raises :class:`WorkerFailed`.
        """
        words = {
            "video": str(task.video),
            "folder": str(task.folder),
            "pack": self.pack(),
            "models_dir": str(self.models_dir),
            "provider": self.provider,
            "give_way": self.give_way,
        }
        try:
            process = await _start()
        except OSError as error:
            raise WorkerFailed(f"Videos cannot be read here: {error.strerror}.") from error
        assert process.stdin is not None
        try:
            with contextlib.suppress(ConnectionError):  # it ended before it read
                process.stdin.write((json.dumps(words) + "\n").encode())
                await process.stdin.drain()
            return await _follow(process, progress)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def environment() -> dict[str, str]:
    """What the process is started with: it finds our packages wherever they lie."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(HOME), os.environ.get("PYTHONPATH")]))}


async def _start() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *COMMAND,
        env=environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=LINE_BYTES,
        # Elsewhere it lowers its own priority.
        creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0),
    )


async def _follow(process: asyncio.subprocess.Process, progress: Following) -> dict[str, Any]:
    assert process.stdout is not None
    container = ""
    while True:
        try:
            async with asyncio.timeout(limits.SILENCE):
                line = await process.stdout.readline()
        except TimeoutError:
            raise WorkerFailed("Reading this video came to a standstill.") from None
        if not line:
            break
        words = json.loads(line)
        if "info" in words:
            progress.total, container = words["info"]["seconds"], words["info"]["container"]
        elif "done" in words:
            progress.done = words["done"]
        elif "refused" in words:
            raise WorkerFailed(_sentence(words["refused"]))
        elif "finished" in words:
            return {**words["finished"], "digest": words["digest"], "container": container}
        elif "failed" in words:
            logger.error("a video could not be read: %s", words["failed"])
            raise WorkerFailed("Something went wrong while this video was read.")
    raise WorkerFailed("Reading this video was ended: it took too long, or more memory than there is.")


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")
