"""The tracking policy: every number that decides how faces are followed, in one place.

A face's life::

    detection ──▶ tentative ──(seen again, or a clear face)──▶ confirmed
                     │                                            │  ▲
                     └─(missed once)─▶ dropped      not seen ─────┘  │ position, or its face
                                                        ▼            │
                                                       lost ─────────┘──(forget_after)──▶ forgotten

Between keyframes a track moves by optical flow. At a keyframe detections meet tracks by position; what is left meets
the
lost tracks by face and takes back their number, name and evidence. Times are seconds of media time, lengths are in
widths of the
face unless they say otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrackingPolicy:
    """See the field comments; all have defaults that suit a webcam."""

    # When to detect (tracking/keyframes.py)
    keyframe_interval: float = 0.6  # at the latest after this long, with every track sure of itself
    empty_interval: float = 0.4  # the same while nobody is tracked
    evidence_interval: float = 0.18  # while a track still needs evidence for its name
    doubt_interval: float = 0.1  # between two looks that doubt or motion asks for
    max_share: float = 0.11  # looks earned per frame …
    burst: float = 4.0  # … and saved up to this many while the scene is calm
    start_budget: float = 1.6  # … beginning with this
    far_cost: float = 1.3  # what a look for small faces takes from the budget
    wide_look_interval: float = 3.0  # look for small and for frame-filling faces this often
    first_wide_look: float = 0.4  # … and this long after the first frame
    motion_area: float = 0.012  # moving part of the frame outside the tracks that asks for a look
    cut_difference: float = 26.0  # mean grey-level change of a shrunken frame that is a new scene

    # How a track moves (tracking/flow.py)
    flow_face_size: int = 60  # faces are shrunk to this width for optical flow, in pixels
    flow_grid: int = 6  # points along each side of the grid
    flow_error: float = 0.8  # forward-backward error still called good, in pixels of the shrunken face
    flow_enough: float = 0.3  # share of good points below which flow has failed
    flow_sure: float = 0.55  # share below which the prediction is doubtful
    appearance_sure: float = 0.5  # correlation with the detected patch below which it is doubtful

    # Who is who at a keyframe (tracking/association.py)
    position_gate: float = 0.2  # least affinity for a match by position
    suspect_affinity: float = 0.4  # a match weaker than this wants the face checked before its name is said again
    confirm_score: float = 0.6  # a detection this sure confirms at once
    tentative_misses: int = 1
    coast: float = 0.9  # a confirmed track may live on flow alone for this long
    recover_within: float = 1.0  # a face where a track was lost this recently is taken for the same, and checked
    least_visible: float = 0.3  # a face with less than this share of its width or height in the frame has left
    forget_after: float = 45.0  # a lost track can come back this long


DEFAULT_POLICY = TrackingPolicy()
