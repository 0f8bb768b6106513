"""The policy of a camera that is looked at less."""

from __future__ import annotations

import numpy as np
import pytest

from tracking import DEFAULT_POLICY
from tracking.keyframes import KeyframePolicy, Look
from tracking.pacing import paced


def looks(fps: float, interval: float, seconds: float = 60.0) -> list[float]:
    """When a camera in which nothing happens is looked at, with a look due after ``interval`` seconds."""
    policy = KeyframePolicy(paced(DEFAULT_POLICY, fps, interval))
    gray = np.full((240, 320), 90, np.uint8)
    times = [frame / fps for frame in range(round(seconds * fps))]
    decide = lambda now: policy.decide(gray, [], now, evidence_wanted=True, small_faces=False)  # noqa: E731
    return [now for now in times if decide(now) is not Look.NONE]


def test_as_it_was_nothing_changes() -> None:
    assert paced(DEFAULT_POLICY, 30.0, DEFAULT_POLICY.keyframe_interval) == DEFAULT_POLICY


@pytest.mark.parametrize(("fps", "interval"), [(2.4, 0.9), (5.0, 0.6), (15.0, 1.2)])
def test_a_look_comes_when_it_is_due_however_few_the_pictures(fps: float, interval: float) -> None:
    times = np.diff(looks(fps, interval)[5:])  # the first are paid from what there is at the start
    assert np.median(times) <= interval + 1 / fps


def test_wide_looks_become_rarer_with_the_others() -> None:
    assert paced(DEFAULT_POLICY, 10.0, 1.2).wide_look_interval == 2 * DEFAULT_POLICY.wide_look_interval
    assert paced(DEFAULT_POLICY, 10.0, 1.2).coast >= 1.2, "or a face that sits still would be lost between two looks"
