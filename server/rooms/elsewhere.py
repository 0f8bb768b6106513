"""Cameras of a room on other nodes, as those say: docs/nodes.md. No I/O and no clock."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from server.rooms.presence import View
from tracking import Embedding, IdentityState

WAIT = 0.5  # seconds to be told of a room that nobody looked at before


class Elsewhere(Protocol):
    """The other nodes, as rooms see them."""

    def counts(self) -> Mapping[str, int]:
        """How many cameras each room has there."""

    def numbers(self, room: str) -> Mapping[int, tuple[str, str]]:
        """The numbers of a room's cameras there, each with the time it came and its id."""

    def cameras(self, room: str) -> list[CameraElsewhere]:
        """Those of a room, as far as they were asked for."""

    async def look_at(self, rooms: Iterable[str]) -> None:
        """Be told of these rooms."""

    async def hear_of(self, room: str) -> None:
        """Wait until every node has told of a room, within :data:`WAIT`."""

    async def ask(self, what: Mapping[str, Any]) -> None:
        """Have every node do what :meth:`server.rooms.rooms.Rooms.asked` can; those that can be reached have done it
        when this returns."""


@dataclass(frozen=True, slots=True)
class CameraElsewhere:
    """A camera: what a wall shows of it, and who is before it, as its node sees them."""

    state: Mapping[str, Any]
    views: tuple[View, ...]

    @property
    def id(self) -> str:
        """Of its session, with its node's tag."""
        return str(self.state["id"])

    @property
    def since(self) -> str:
        """When it came, ISO 8601."""
        return str(self.state["since"])


def camera_said(state: Mapping[str, Any], views: Iterable[View]) -> dict[str, Any]:
    """A camera of this node, as other nodes are told of it: JSON."""
    return {"state": dict(state), "views": [_view(view) for view in views]}


def camera_heard(said: Mapping[str, Any]) -> CameraElsewhere:
    """What :func:`camera_said` made of one. Raises ``KeyError``, ``TypeError`` and ``ValueError`` for anything else."""
    number = str(said["state"]["id"])
    return CameraElsewhere(dict(said["state"]), tuple(_read(number, one) for one in said["views"]))


def _view(view: View) -> dict[str, Any]:
    template = None if view.template is None else base64.b64encode(view.template.astype("<f2").tobytes()).decode()
    probability = None if view.probability is None else round(float(view.probability), 4)
    return {
        "track": view.track, "identity": view.identity.value, "person": view.person, "name": view.name,
        "probability": probability, "template": template,
    }  # fmt: skip


def _read(camera: str, said: Mapping[str, Any]) -> View:
    return View(
        camera, int(said["track"]), IdentityState(said["identity"]), said["person"], said["name"], said["probability"],
        _template(said["template"]),
    )  # fmt: skip


def _template(text: str | None) -> Embedding | None:
    if text is None:
        return None
    numbers = np.frombuffer(base64.b64decode(text), dtype="<f2").astype(np.float32)
    length = float(np.linalg.norm(numbers))
    return numbers / length if length else None
