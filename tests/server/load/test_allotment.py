"""What a session says it could use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.results import Face
from server.load.allotment import LARGE, Allotment
from server.load.pace import Pace
from tracking import DEFAULT_POLICY, IdentityState, TrackState

LEAST = 36  # pixels


class Pipeline:
    min_face = LEAST


class Sender:
    pace = Pace()

    def frame_counts(self) -> tuple[int, int]:
        return 0, 0


def face(width: float, identity: IdentityState = IdentityState.PENDING) -> Face:
    box, landmarks = np.array([10, 10, width, width], np.float32), np.zeros((5, 2), np.float32)
    return Face(1, box, landmarks, TrackState.CONFIRMED, identity, None, None, 0, None, 0.0)


def needed(faces: list[Face], picture: int) -> float:
    pipeline: Any = Pipeline()
    allotment = Allotment(pipeline, DEFAULT_POLICY, Sender, lambda *_, **__: None)
    allotment.answered(0.01, picture)
    return allotment.demand(faces, False, 0.0).width


@pytest.mark.parametrize(("faces", "picture", "width"), [
    ([], 640, 0),
    ([90], 640, LARGE * 320 * 36 / 45),
    ([45], 320, LARGE * 320 * 36 / 45),  # the same face in a picture half as large
    ([300, 60], 640, LARGE * 384),  # the smaller one counts
    ([36], 640, LARGE * 640),  # just large enough, in the whole picture alone
    ([35], 640, 0),  # too small in any: nothing can be done for it
    ([35, 90], 640, LARGE * 256),
])  # fmt: skip
def test_the_narrowest_face_that_can_be_recognised_says_how_wide_a_picture_must_be(
    faces: list[float], picture: int, width: float
) -> None:
    assert needed([face(width) for width in faces], picture) == pytest.approx(width)


@pytest.mark.parametrize("decided", [IdentityState.KNOWN, IdentityState.UNKNOWN])
def test_of_whom_it_is_said_who_they_are_needs_no_larger_picture(decided: IdentityState) -> None:
    assert needed([face(45, decided)], 640) == 0
    assert needed([face(45, decided), face(90, IdentityState.UNREADABLE)], 640) == pytest.approx(LARGE * 256)
