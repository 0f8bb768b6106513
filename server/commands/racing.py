"""N sessions as they compute live, driven by a loop as the server's is, and what each step of theirs takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from pipeline.face_models import FaceModels
from pipeline.frame import Frame, Image
from pipeline.frame_pipeline import FramePipeline
from pipeline.gallery import Gallery
from pipeline.lost_look import LookLost
from pipeline.results import FrameResult

TICK = 0.005  # seconds, by which the loop's lag is measured


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame decoded before: grey (H, W) and RGB (H, W, 3)."""

    gray: Image
    image: Image


@dataclass(slots=True)
class Times:
    """What happened in a round: ``frames`` done, ``faces`` in them, those with a name, looks that were ``lost``, and
    in milliseconds what each ``advance`` took with faces in view, each ``look``, and by how much the loop was late."""

    frames: int = 0
    faces: int = 0
    named: int = 0
    lost: int = 0
    advance: list[float] = field(default_factory=list)
    look: list[float] = field(default_factory=list)
    lag: list[float] = field(default_factory=list)


class Runner:
    """One camera before the same ``pictures``, forward and backward for ever, ``rate`` a second of media time. It
    begins at the picture ``start``, so that not all sessions look at once."""

    def __init__(
        self, models: FaceModels, gallery: Gallery, pictures: Sequence[Picture], rate: float, start: int
    ) -> None:
        self._pipeline = FramePipeline(models, lambda: gallery)
        self._way = [*pictures, *pictures[-2:0:-1]]
        self._rate, self._at, self._begun = rate, start, start

    async def run(self, executor: Executor, until: float, paced: bool, times: Times) -> None:
        """Go on until this ``perf_counter`` reading: as fast as it goes, or ``paced`` as a camera, which drops
        pictures nobody had time for."""
        loop = asyncio.get_running_loop()
        began, first = time.perf_counter(), self._at
        while time.perf_counter() < until:
            if paced:
                due = began + (self._at - first) / self._rate
                if (wait := due - time.perf_counter()) > 0:
                    await asyncio.sleep(wait)
                else:
                    self._at += int(-wait * self._rate)
            picture = self._way[self._at % len(self._way)]
            frame = Frame(picture.gray, (self._at - self._begun) / self._rate, lambda picture=picture: picture.image)  # type: ignore[misc]
            self._at += 1
            start = time.perf_counter()
            result = await loop.run_in_executor(executor, self._pipeline.advance, frame)
            if result.faces:
                times.advance.append((time.perf_counter() - start) * 1e3)
            if result.keyframe:
                result = await self._look(executor, frame, result, times)
            times.frames += 1
            times.faces += len(result.faces)
            times.named += sum(face.name is not None for face in result.faces)

    async def _look(self, executor: Executor, frame: Frame, moved: FrameResult, times: Times) -> FrameResult:
        start = time.perf_counter()
        try:
            result = await asyncio.get_running_loop().run_in_executor(executor, self._pipeline.look, frame)
        except LookLost:
            times.lost += 1
            return moved
        times.look.append((time.perf_counter() - start) * 1e3)
        return result


def race(runners: Sequence[Runner], executor: Executor, seconds: float, paced: bool) -> Times:
    """Let all of them go on for so long."""
    return asyncio.run(_race(runners, executor, seconds, paced))


async def _race(runners: Sequence[Runner], executor: Executor, seconds: float, paced: bool) -> Times:
    times = Times()
    until = time.perf_counter() + seconds
    lagging = asyncio.create_task(_lag(lambda: time.perf_counter() < until, times.lag))
    await asyncio.gather(*(runner.run(executor, until, paced, times) for runner in runners))
    await lagging
    return times


async def _lag(going: Callable[[], bool], into: list[float]) -> None:
    while going():
        due = time.perf_counter() + TICK
        await asyncio.sleep(TICK)
        into.append((time.perf_counter() - due) * 1e3)
