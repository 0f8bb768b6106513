"""What a worker is told and what it says, as both sides read it.

The parent writes a line of JSON (:class:`Work`). The worker says ``R`` and the digest of its pack when it is ready. A
request is :data:`REQUEST`; its pictures lie in the memory that both share, or follow where there is none. An answer is
:data:`ANSWER`: ``A``, rows and columns, and so many little-endian floats; or ``X``, a length and words: the call failed
and the worker goes on.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import ProviderSetting
from pipeline.detect import Detections

Array = NDArray[np.float32]

REQUEST = struct.Struct(">cIIIIf")  # kind, pictures, height, width; for DETECT longer side and least score, else 0
ANSWER = struct.Struct(">cII")
DETECT, EMBED, READ_OWN, READ_SHIPPED = b"D", b"E", b"O", b"S"
READY, ANSWERED, FAILED = b"R", b"A", b"X"
FLOATS = np.dtype("<f4")
DETECTION = 15  # floats of a face: box, score, landmarks
MOST_FLOATS = 1 << 22  # of an answer; more is nonsense
MOST_WORDS = 2000  # bytes


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker computes with. ``digest`` is the pack's, as the parent knows it; sizes are those it warms up for,
    in pixels."""

    pack: str
    digest: str
    models_dir: Path
    provider: ProviderSetting
    near_side: int = 320
    far_side: int = 640

    def line(self) -> bytes:
        """As it is told."""
        return json.dumps({**asdict(self), "models_dir": str(self.models_dir)}).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Work:
        """What :meth:`line` wrote. Raises ``ValueError`` for anything else."""
        told = json.loads(line)
        if not isinstance(told, dict) or set(told) != {field.name for field in fields(cls)}:
            raise ValueError("this is not what a worker is told")
        return cls(**{**told, "models_dir": Path(told["models_dir"])})


@dataclass(frozen=True, slots=True)
class Request:
    """One call. ``pictures`` are RGB and all of one size (H, W, 3)."""

    kind: bytes
    pictures: Sequence[NDArray[np.uint8]]
    max_side: int = 0
    least: float = float("nan")  # NaN: the pack's own

    def head(self) -> bytes:
        """As it is told."""
        height, width = self.pictures[0].shape[:2]
        return REQUEST.pack(self.kind, len(self.pictures), height, width, self.max_side, self.least)


def rows_of(found: Detections) -> Array:
    """Faces as rows (N, 15)."""
    landmarks = found.landmarks.reshape(len(found), 10)
    return np.concatenate([found.boxes, found.scores[:, None], landmarks], 1).astype(np.float32)


def faces_of(rows: Array) -> Detections:
    """What :func:`rows_of` was given."""
    return Detections(rows[:, :4].copy(), rows[:, 4].copy(), rows[:, 5:].reshape(-1, 5, 2).copy())
