"""When to detect, and how thoroughly."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from tracking.flow import Gray
from tracking.policy import DEFAULT_POLICY, TrackingPolicy
from tracking.tracker import Track, TrackState

THUMB = 80  # pixels: width of the shrunken frame in which motion is looked for
MOVED = 20  # grey levels


class Look(Enum):
    """How to look at a frame."""

    NONE = 0
    NEAR = 1  # one pass at the usual scale
    FAR = 2  # one pass at the scale of small faces, which costs four times as much
    WIDE = 3  # small faces, and faces that fill the frame


class KeyframePolicy:
    """Decides for each frame whether to detect on it; the numbers are in tracking/policy.py.

    A budget keeps detection rare in the long run: each frame earns ``max_share`` of a look, up to ``burst`` of them,
    so that a scene
    that never holds still costs no more than that.
    """

    def __init__(self, policy: TrackingPolicy = DEFAULT_POLICY) -> None:
        self.policy = policy
        self._budget = policy.start_budget
        self._looked = -1e9
        self._looked_wide: float | None = None
        self._thumb: NDArray[np.int16] | None = None
        self.cut = False  # this frame began a new scene

    def decide(
        self, gray: Gray, tracks: Sequence[Track], now: float, *, evidence_wanted: bool, small_faces: bool
    ) -> Look:
        """Decide for one frame (H, W). ``tracks`` are the visible ones, moved to it; ``now`` is media time in seconds.

        ``small_faces``: some of them would be missed by the usual look.
        """
        policy = self.policy
        self._budget = min(policy.burst, self._budget + policy.max_share)
        changed, self.cut = self._motion(gray, tracks)
        if self._looked_wide is None:
            # The first answer should be quick: the dear look comes soon after.
            self._looked_wide = now - policy.wide_look_interval + policy.first_wide_look
        waited = now - self._looked
        wide_due = now - self._looked_wide >= policy.wide_look_interval
        if self.cut:
            # The newest scene is worth going into debt for.
            return self._look(Look.WIDE, now)
        if self._budget < 1:
            return Look.NONE
        doubtful = any(t.doubtful or t.state is TrackState.TENTATIVE for t in tracks)
        interval = policy.keyframe_interval if tracks else policy.empty_interval
        if evidence_wanted:
            interval = min(interval, policy.evidence_interval)
        if doubtful or changed > policy.motion_area:
            interval = min(interval, policy.doubt_interval if doubtful else 2.5 * policy.doubt_interval)
        if waited < interval:
            return Look.NONE
        if wide_due:
            return self._look(Look.WIDE, now)
        return self._look(Look.FAR if small_faces else Look.NEAR, now)

    def afford(self) -> None:
        """Let the next frame be looked at whatever the budget says, where a look is due."""
        self._budget = max(self._budget, 1 - self.policy.max_share)

    def _look(self, look: Look, now: float) -> Look:
        self._budget -= 1 if look is Look.NEAR else self.policy.far_cost
        self._looked = now
        if look is Look.WIDE:
            self._looked_wide = now
        return look

    def _motion(self, gray: Gray, tracks: Sequence[Track]) -> tuple[float, bool]:
        """The share of the frame that moved outside the tracks, and whether the whole scene changed."""
        height, width = gray.shape
        size = (THUMB, max(8, round(THUMB * height / width)))
        thumb = cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.int16)
        before, self._thumb = self._thumb, thumb
        if before is None or before.shape != thumb.shape:
            return 0.0, before is not None
        difference = np.abs(thumb - before)
        cut = self._is_cut(before, thumb, difference)
        scale = size[0] / width
        for track in tracks:
            x, y, w, h = track.box * scale
            difference[
                max(0, int(y - 0.5 * h)) : max(0, int(y + 1.7 * h)),
                max(0, int(x - 0.5 * w)) : max(0, int(x + 1.5 * w)),
            ] = 0
        return float((difference > MOVED).mean()), cut

    def _is_cut(self, before: NDArray[np.int16], after: NDArray[np.int16], difference: NDArray[np.int16]) -> bool:
        """A new scene differs nearly everywhere; a lamp switched on differs too, but keeps the picture's structure."""
        if float(difference.mean()) < self.policy.cut_difference:
            return False
        a, b = before - before.mean(), after - after.mean()
        norm = float(np.linalg.norm(a) * np.linalg.norm(b))
        return norm < 1e-3 or float((a * b).sum()) / norm < 0.6
