"""What one session knows of its camera's geometry, and how it gets to know it."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from pipeline.distance import Camera
from pipeline.frame_pipeline import FramePipeline
from pipeline.results import Face, FrameResult
from server.live.calibration import SECONDS, Standing, camera_of, number
from server.live.messages import BadMessage, Command

PATIENCE = 2 * SECONDS + 2  # for somebody to stand at a known distance, counted by the clock


class _Session(Protocol):
    def say(self, kind: str, **fields: Any) -> None: ...

    def fail(self, command: int | str | None, code: str, text: str, **fields: Any) -> None: ...

    def face(self, command: Command) -> Face | None: ...


class LiveGeometry:
    """Answers the command ``camera``."""

    def __init__(self, session: _Session, pipeline: FramePipeline) -> None:
        self._session = session
        self._pipeline = pipeline
        self._standing: Standing | None = None

    def find(self, command: Command) -> None:
        """Use what the page says, or begin to measure."""
        self.give_up("another measurement was asked for")  # the newest is the one that is wanted
        if command.body.get("from") != "distance":
            self._use(command.id, camera_of(command))
            return
        metres, track = number(command, "metres"), command.integer("track")
        if not 0.2 <= metres <= 20:
            raise BadMessage("metres must be from 0.2 to 20")
        if self._session.face(command) is not None:
            self._standing = standing = Standing(command.id, track, metres)
            # Without frames its time would never be over.
            asyncio.get_running_loop().call_later(PATIENCE, lambda: self.give_up("no pictures came", standing))

    def give_up(self, why: str, standing: Standing | None = None) -> None:
        """Say that a measurement under way, or this one if it still is, comes to nothing."""
        if self._standing is not None and standing in (None, self._standing):
            self._session.fail(self._standing.command, "no_camera", f"That could not be measured: {why}.")
            self._standing = None

    def forget(self) -> None:
        """The session is over."""
        self._standing = None

    def observe(self, result: FrameResult) -> None:
        """Gather how large somebody is who stands at a known distance."""
        standing = self._standing
        if standing is None:
            return
        for face in result.faces:
            if face.track == standing.track:
                standing.observe(face)
        if standing.done(result.time):
            self._standing = None
            try:
                self._use(standing.command, standing.camera((result.width, result.height)))
            except ValueError as error:
                self._session.fail(standing.command, "no_camera", f"That could not be measured: {error}.")

    def _use(self, command: int | str | None, camera: Camera) -> None:
        self._pipeline.use_camera(camera)
        self._session.say(
            "camera", id=command, focal=round(camera.focal, 5), spread=round(camera.spread, 5), known=camera.known
        )
