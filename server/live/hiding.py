"""Hides faces without consent as long as a session is in consent mode: masked in what others get, and forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future, wait
from typing import Any

from pipeline.detect import Detector
from pipeline.frame_pipeline import FramePipeline
from pipeline.results import Face
from server.live.camera import LiveCamera
from server.live.consent_mode import ConsentMode
from server.received_frame import ReceivedFrame

Working = Callable[[], "Future[Any] | None"]
Spawn = Callable[[Coroutine[Any, Any, None], str], None]


class Hiding:
    """Of one session. Pictures are masked in ``executor``; ``spawn(work, name)`` does something beside the frames."""

    def __init__(
        self, consent: ConsentMode, camera: LiveCamera, pipeline: FramePipeline, executor: Executor, spawn: Spawn
    ) -> None:
        self._consent = consent
        self._camera = camera
        self._pipeline = pipeline
        self._executor = executor
        self._spawn = spawn
        self.take_up()

    def take_up(self) -> None:
        """The mode was chosen. When this returns, no picture of the camera's own is handed on where it is on."""
        self._camera.mask(self._consent.on)
        self._pipeline.keep_lost(self._consent.consented if self._consent.on else None)
        self._pipeline.check(frozenset())

    def show(
        self, received: ReceivedFrame, faces: tuple[Face, ...], clock: float, detector: Detector, told: bool
    ) -> None:
        """Make a picture for whoever watches, beside the recognition of those that come next. ``faces`` are where they
        are in this one; ``told``: results call it by its RTP timestamp."""
        if self._camera.wants_masked(clock):
            self._spawn(self._show(received, faces, clock, detector, told), "masked picture")

    async def _show(
        self, received: ReceivedFrame, faces: tuple[Face, ...], clock: float, detector: Detector, told: bool
    ) -> None:
        followed = self._consent.followed(faces)
        doubted = await self._camera.show_masked(received, followed, detector, clock, self._executor, told)
        self._pipeline.check(doubted if self._consent.on else frozenset())

    def let_go(self, turn: asyncio.Lock, working: Working, then: Callable[[], None]) -> None:
        """Nobody is seen for a while: keep nothing of whoever has not consented. It waits for its ``turn`` at the
        pipeline, and for what is ``working`` there; ``then`` is called at the end."""
        if self._consent.on:
            self._spawn(self._forget(turn, working, then), "let go of faces")

    async def _forget(self, turn: asyncio.Lock, working: Working, then: Callable[[], None]) -> None:
        def forget() -> None:
            if (work := working()) is not None:
                wait((work,))  # a frame of a connection that has ended
            self._pipeline.forget_unkept()

        async with turn:
            await asyncio.get_running_loop().run_in_executor(self._executor, forget)
            then()
