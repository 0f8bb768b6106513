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
from server.videos.sealing import VideoSeal
from server.wording import sentence

logger = logging.getLogger(__name__)

LINE_BYTES = 64 * 1024
LOOK_EVERY = 0.25  # seconds between two looks whether anybody is live
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
    """A video, the empty folder its result goes to, and what both are sealed with."""

    video: Path
    folder: Path
    seal: VideoSeal


@dataclass(frozen=True, slots=True)
class Worker:
    """Starts a process for a video and follows it. ``pack`` gives the name of the pack in use; ``give_way``: where
    everything is busy with something else, it waits; ``live``: whether somebody is before a camera, who is spared."""

    pack: Callable[[], str]
    models_dir: Path
    provider: str
    give_way: bool = True
    live: Callable[[], bool] = lambda: False

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
            "seal": task.seal.words(),
        }
        try:
            process = await _start()
        except OSError as error:
            raise WorkerFailed(f"Videos cannot be read here: {error.strerror}.") from error
        assert process.stdin is not None
        telling = asyncio.create_task(self._tell(process.stdin, json.dumps(words)), name="videos: tell")
        try:
            return await _follow(process, progress)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _tell(self, words: asyncio.StreamWriter, task: str) -> None:
        """The task, then whether anybody is live, until this is cancelled."""
        said = False
        with contextlib.suppress(ConnectionError):  # it has ended
            words.write((task + "\n").encode())
            await words.drain()
            while True:
                if said != (now := self.live()):
                    said = now
                    words.write(b"live\n" if now else b"alone\n")
                    await words.drain()
                await asyncio.sleep(LOOK_EVERY)


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
            raise WorkerFailed(sentence(words["refused"]))
        elif "finished" in words:
            return {**words["finished"], "digest": words["digest"], "container": container}
        elif "failed" in words:
            logger.error("a video could not be read: %s", words["failed"])
            raise WorkerFailed("Something went wrong while this video was read.")
    raise WorkerFailed("Reading this video was ended: it took too long, or more memory than there is.")
