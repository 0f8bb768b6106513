"""Small videos of people in the group photo, made as they are needed."""

from __future__ import annotations

import functools
import io
from pathlib import Path

import av
import cv2
import numpy as np

from tests.packs import open_models
from tests.pictures import Image, group_photo

WIDTH, HEIGHT, RATE = 640, 360, 24
Visit = tuple[int, float, float]  # which of the people, from and to a second


@functools.cache
def faces() -> tuple[tuple[float, float, float, float], ...]:
    """The boxes of the photo's six people, from left to right."""
    found = open_models().detector.detect(group_photo(), 640).boxes
    return tuple(tuple(float(v) for v in box) for box in sorted(found, key=lambda box: box[0]))  # type: ignore[misc]


@functools.cache
def portrait(person: int, side: int = 240) -> Image:
    """Somebody's head and surroundings, with soft edges into grey, so that the neighbours stay out."""
    x, y, w, h = faces()[person]
    scale = 0.42 * side / w
    matrix = np.array([[scale, 0, side / 2 - scale * (x + w / 2)], [0, scale, side / 2 - scale * (y + h / 2)]])
    view = cv2.warpAffine(group_photo(), matrix, (side, side), flags=cv2.INTER_CUBIC, borderValue=(96, 96, 96))
    mask = np.zeros((side, side), np.float32)
    cv2.ellipse(mask, (side // 2, side // 2), (int(0.3 * side), int(0.4 * side)), 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 5)[..., None]
    return np.asarray(view * mask + 96 * (1 - mask), np.uint8)


def picture(visits: list[Visit], time: float) -> Image:
    """One frame: whoever is there sways a little at a place of their own."""
    frame = np.full((HEIGHT, WIDTH, 3), 96, np.uint8)
    for person, begin, end in visits:
        if begin <= time < end:
            head = portrait(person)
            left = 40 + 320 * (person % 2) + round(12 * np.sin(2 * time))
            frame[60 : 60 + head.shape[0], left : left + head.shape[1]] = head
    noise = np.random.default_rng(int(time * RATE) % 8).normal(0, 2, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


def write_video(path: Path, visits: list[Visit], seconds: float, form: str = "mp4", codec: str = "libx264") -> Path:
    """A video of people who come and go."""
    with av.open(str(path), "w", format=form) as out:
        stream = out.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        if codec == "libx264":
            stream.options = {"preset": "veryfast", "crf": "20"}
        for index in range(round(seconds * RATE)):
            frame = av.VideoFrame.from_ndarray(picture(visits, index / RATE), "rgb24")
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@functools.cache
def meeting(folder: Path) -> bytes:
    """The usual test video: 0 is there from 0 to 3 s and from 4.5 to 6 s, 1 from 1.5 to 4 s."""
    return write_video(folder / "meeting.mp4", [(0, 0, 3), (1, 1.5, 4), (0, 4.5, 6)], 6).read_bytes()


def lying_on_its_side(mp4: bytes) -> bytes:
    """The same MP4, whose header says that it is to be turned a quarter: its track's matrix (ISO/IEC 14496-12)."""
    upright = b"".join(n.to_bytes(4, "big") for n in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000))
    turned = b"".join(n.to_bytes(4, "big") for n in (0, 0x10000, 0, 0xFFFF0000, 0, 0, 0, 0, 0x40000000))
    at = mp4.index(upright, mp4.index(b"tkhd"))
    return mp4[:at] + turned + mp4[at + len(upright) :]


def sound_only() -> bytes:
    """A file with a sound and no picture."""
    data = io.BytesIO()
    with av.open(data, "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=16_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 16_000
        for index in range(8):
            frame.pts = 1024 * index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return data.getvalue()
