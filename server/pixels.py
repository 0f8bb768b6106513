"""Decoded frames as plain arrays."""

from __future__ import annotations

import av
import numpy as np

from pipeline.frame import Image

ONE_THREAD = 1  # a conversion: libswscale would start one per processor for every picture, 0.35 ms instead of 0.12


def luma(frame: av.VideoFrame) -> Image:
    """The grey picture (H, W) of a decoded frame: its Y plane without a copy where it has one."""
    if frame.format.name in ("yuv420p", "yuvj420p", "nv12", "gray"):
        plane = frame.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        return np.asarray(rows[:, : plane.width])
    return np.asarray(frame.to_ndarray(format="gray", threads=ONE_THREAD), np.uint8)


def rgb(frame: av.VideoFrame) -> Image:
    """The colour picture (H, W, 3) of a decoded frame."""
    return np.asarray(frame.to_ndarray(format="rgb24", threads=ONE_THREAD), np.uint8)
