"""What is said of one frame and of the faces in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.attributes import Apparent
from pipeline.crop import Crop
from pipeline.distance import Distance
from pipeline.enhance import Enhancement
from pipeline.quality import Quality
from tracking import Embedding, IdentityState, Opinion, TrackState
from tracking.liveness import ChallengeState

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Face:
    """What is said of one face in one frame. ``box`` (4,) and ``landmarks`` (5, 2) in pixels; ``age`` in seconds
    since it was last seen."""

    track: int
    box: Array
    landmarks: Array
    state: TrackState
    identity: IdentityState
    opinion: Opinion | None
    name: str | None
    votes: int
    quality: Quality | None
    age: float
    embedded: int = 0  # how many of its frames were embedded
    template: Embedding | None = None  # its fused evidence, unit length: what it was decided on
    score: float = 0.0  # of its newest detection, 0–1
    enhancement: Enhancement | None = None  # of the picture it was last recognised by
    distance: Distance | None = None
    apparent: Apparent | None = None  # where it is asked for and there was a look
    looks: int = 0  # … and how many there were


@dataclass(frozen=True, slots=True)
class Observation:
    """A watched face of a keyframe, aligned and measured: what enrolment takes samples from.

    ``track`` is the number that was given to :meth:`FramePipeline.watch`, also if the track has gone on under an
    older number since.
    """

    track: int
    quality: Quality
    embedding: Embedding
    others: int  # further faces in the frame
    time: float
    width: float = 0.0  # of the face, in pixels
    crowded: bool = False  # another face is so near and so large that the two might be confused
    agreement: float | None = None  # cosine to what the track showed before; None if it is new
    crop: Crop | None = None


@dataclass(frozen=True, slots=True)
class FrameResult:
    """The answer for one frame; ``timing`` in milliseconds by stage."""

    width: int
    height: int
    time: float
    keyframe: bool
    faces: tuple[Face, ...]
    timing: dict[str, float]
    embedded: int
    observations: tuple[Observation, ...] = ()
    challenges: tuple[tuple[int, ChallengeState], ...] = ()  # by track, as for observations
