"""What one session needs, and what it gets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Need(StrEnum):
    """What a session is about at the moment."""

    NEW_FACE = "new_face"  # somebody is there of whom it is not said yet who they are, or is being enrolled
    ORDINARY = "ordinary"
    SETTLED = "settled"  # it is said of everybody who they are, or nobody is there


class Reason(StrEnum):
    """Why a session gets what it gets; the words of the protocol."""

    ALONE = "alone"  # as much as it can use
    SHARED = "shared"  # everybody gets less than they could use
    SETTLED = "settled"  # … and this one less than others, as nothing new is to be seen
    NEW_FACE = "new_face"  # … and this one more


@dataclass(frozen=True, slots=True)
class Demand:
    """What a session could use: at most ``rate`` pictures a second, and pixels of a picture's width in which everybody
    is still large enough to be recognised."""

    need: Need
    rate: float
    width: float = 0.0


@dataclass(frozen=True, slots=True)
class Share:
    """What it gets: pictures a second of at most ``width`` × ``height``, and seconds after which faces are looked for
    again at the latest."""

    fps: float
    width: int
    height: int
    keyframe_interval: float
    reason: Reason
    frugal: bool = False  # faces that are known are looked at less closely
