"""The policy of a camera that sends fewer pictures, or is to be looked at less often."""

from __future__ import annotations

from dataclasses import replace

from tracking.policy import TrackingPolicy

USUAL_RATE = 15.0  # pictures a second that the numbers of the policy are made for, or more
SPARE = 1.0  # looks that may be had for each that is due, so that what moves is looked at as well


def paced(policy: TrackingPolicy, fps: float, keyframe_interval: float, *, frugal: bool = False) -> TrackingPolicy:
    """``policy`` for so many pictures a second, with a look at the latest after so many seconds.

    The wide look becomes rarer in the same measure, and ``frugal`` by half again. Looks are earned by pictures: at few
    pictures a second each earns more of them. Between two rare looks a face lives on its movement for longer.
    """
    rarer = max(1.0, keyframe_interval / policy.keyframe_interval)
    earned = SPARE / (keyframe_interval * max(fps, 0.1)) if fps < USUAL_RATE else 0.0
    return replace(
        policy,
        keyframe_interval=keyframe_interval,
        empty_interval=policy.empty_interval * rarer,
        wide_look_interval=policy.wide_look_interval * rarer * (2 if frugal else 1),
        max_share=min(1.0, max(policy.max_share, earned)),
        coast=max(policy.coast, 1.5 * keyframe_interval),
        recover_within=max(policy.recover_within, 1.5 * keyframe_interval),
    )
