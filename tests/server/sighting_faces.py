"""Faces as a session shows them, without a camera."""

from __future__ import annotations

import numpy as np

from pipeline.results import Face
from tracking import Embedding, IdentityState, Opinion, TrackState, Verdict


def known(track: int, person: str, probability: float = 0.9) -> Face:
    """Somebody who is recognised."""
    opinion = Opinion(Verdict.KNOWN, person, probability, 0.6, None)
    return _face(track, IdentityState.KNOWN, opinion, "somebody", None)


def unknown(track: int, template: Embedding | None = None, votes: int = 4) -> Face:
    """A stranger."""
    return _face(track, IdentityState.UNKNOWN, None, None, template, votes)


def pending(track: int) -> Face:
    """Nobody yet."""
    return _face(track, IdentityState.PENDING, None, None, None, 1)


def _face(
    track: int,
    state: IdentityState,
    opinion: Opinion | None,
    name: str | None,
    template: Embedding | None,
    votes: int = 4,
) -> Face:
    box, points = np.array([0, 0, 80, 80], np.float32), np.zeros((5, 2), np.float32)
    return Face(
        track, box, points, TrackState.CONFIRMED, state, opinion, name, votes, None, age=0.0, template=template
    )  # fmt: skip
