"""Of a camera's decoded pictures, those that may be shown in consent mode: masked, then encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import av
import numpy as np

from pipeline.detect import Detector
from pipeline.masking import SIDE, Array, Followed, Masker, Masking, cover
from server.pixels import ONE_THREAD
from server.relay.encoder import PictureEncoder
from server.transport import CLOCK_RATE

LEAST_SIDE = 16  # pixels of a picture


@dataclass(frozen=True, slots=True)
class Made:
    """Encoded pictures, each with whether it begins anew, and the tracks whose faces should be looked at again."""

    pictures: list[tuple[bytes, bool]]
    doubted: frozenset[int]


class MaskedPictures:
    """Makes them for one camera; blocking, one thread at a time."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self._masker = Masker(detector)
        self._encoder = PictureEncoder()

    def make(self, frame: av.VideoFrame, faces: Sequence[Followed], clock: float, key: bool) -> Made:
        """The picture as it may be shown; ``clock``: its media time in seconds, rising. ``frame`` stays as it is.
        Raises ``av.FFmpegError`` and ``ValueError``."""
        masked, masking = self.mask(frame, faces, clock)
        return Made(self._encoder.encode(masked, round(clock * CLOCK_RATE), key), masking.doubted)

    def mask(self, frame: av.VideoFrame, faces: Sequence[Followed], clock: float) -> tuple[av.VideoFrame, Masking]:
        """The picture with everybody covered who may not be shown, and who that is."""
        if min(frame.width, frame.height) < LEAST_SIDE:
            raise ValueError(f"a picture of {frame.width}×{frame.height} is too small to look for faces in")
        shrink = min(1.0, SIDE / max(frame.width, frame.height))
        width, height = max(1, round(frame.width * shrink)), max(1, round(frame.height * shrink))
        small = frame.reformat(width=width, height=height, format="rgb24", threads=ONE_THREAD).to_ndarray()
        scale = frame.width / width, frame.height / height
        masking = self._masker.look(np.asarray(small, np.uint8), scale, faces, clock)
        return covered(frame, masking.boxes), masking


def covered(frame: av.VideoFrame, boxes: Array) -> av.VideoFrame:
    """A copy of a picture in which the heads of these faces, boxes (N, 4) in its pixels, are covered; of odd sides it
    loses the last row or column."""
    width, height = frame.width // 2 * 2, frame.height // 2 * 2
    even = (width, height) == (frame.width, frame.height)
    if frame.format.name == "yuv420p" and even:
        planes = frame.to_ndarray()
    else:
        planes = frame.reformat(width=width, height=height, format="yuv420p", threads=ONE_THREAD).to_ndarray()
    luma, chroma = width * height, width * height // 4
    planes = np.asarray(planes, np.uint8)
    flat = planes.reshape(-1)
    cover(
        (
            flat[:luma].reshape(height, width),
            flat[luma : luma + chroma].reshape(height // 2, width // 2),
            flat[luma + chroma :].reshape(height // 2, width // 2),
        ),
        boxes,
    )
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")
