"""A video's process, as its parent speaks to it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from server.videos.sealing import VideoSeal
from server.videos.videos import Progress
from server.videos.working import Task, Worker, WorkerFailed

LISTENER = """
import json, sys
json.loads(sys.stdin.readline())
heard = [sys.stdin.readline().strip() for _ in range(2)]
print(json.dumps({"refused": "heard " + ", ".join(heard)}), flush=True)
"""


async def test_the_process_hears_when_somebody_is_live(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("server.videos.working.COMMAND", (sys.executable, "-c", LISTENER))
    live = False
    worker = Worker(lambda: "open", tmp_path, "cpu", live=lambda: live)
    run = asyncio.create_task(worker.run(Task(tmp_path / "film", tmp_path, VideoSeal.passing()), Progress()))
    await asyncio.sleep(0.6)
    assert not run.done()  # nothing is said while nothing has changed
    live = True
    await asyncio.sleep(0.6)
    assert not run.done()
    live = False
    with pytest.raises(WorkerFailed, match=r"Heard live, alone\."):
        await asyncio.wait_for(run, 5)


async def test_a_process_that_ends_at_once_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("server.videos.working.COMMAND", (sys.executable, "-c", "pass"))
    with pytest.raises(WorkerFailed, match="was ended"):
        await Worker(lambda: "open", tmp_path, "cpu").run(
            Task(tmp_path / "film", tmp_path, VideoSeal.passing()), Progress()
        )
