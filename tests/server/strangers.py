"""Strangers before a camera, and an inbox to note them in."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np

from pipeline.face_models import PhotoFace, read_photo
from pipeline.frame import Frame
from pipeline.frame_pipeline import FramePipeline
from pipeline.gallery import Gallery
from server.live.strangers import Noticed, Portrait, StrangerSighting, StrangerWatch
from server.people import People
from server.people.inbox import Inbox
from tests.packs import open_models
from tests.pictures import camera_frame, group_photo
from tests.server.test_storage import embedding

DIGEST = open_models().manifest.digest
RATE = 15


class Clock:
    """A wall clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = datetime(2030, 5, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)


@functools.cache
def faces() -> list[PhotoFace]:
    """The people of the photo, from left to right."""
    return sorted(read_photo(open_models(), group_photo()), key=lambda face: float(face.box[0]))


@functools.cache
def session(start: int, seconds: float = 4.5, light: int = 0) -> tuple[Noticed, ...]:
    """What a camera moving over the photo makes a session notice; another ``start`` is another movement."""
    pipeline, watch = FramePipeline(open_models(), lambda: _nobody()), StrangerWatch()
    told = []
    for index in range(int(seconds * RATE)):
        picture, _ = camera_frame(group_photo(), start + index)
        picture = np.clip(picture.astype(np.int16) + light, 0, 255).astype(np.uint8)
        frame = Frame.from_image(picture, index / RATE)
        if pipeline.advance(frame).keyframe and (noticed := watch.look(pipeline, frame, pipeline.look(frame))):
            told.append(noticed)
    return tuple(told)


def _nobody() -> Gallery:
    return Gallery.empty(128, DIGEST)


def noticed(seed: int, track: int = 1, near: int | None = None, visible: frozenset[int] = frozenset()) -> Noticed:
    """A made-up stranger; ``near`` somebody else's seed."""
    vector = embedding(seed)
    if near is not None:
        vector = 0.99 * embedding(near) + 0.05 * vector
        vector = (vector / np.linalg.norm(vector)).astype(np.float32)
    portrait = Portrait(b"picture", np.zeros((5, 2), np.float32), 0.7)
    return Noticed(DIGEST, (StrangerSighting(track, vector, 3, 0.7, portrait),), (), visible | {track})


@contextlib.asynccontextmanager
async def opened(
    path: Path, clock: Clock | None = None, days: int = 14, keep_crops: bool = False
) -> AsyncIterator[tuple[Inbox, People]]:
    people = await People.open(path, DIGEST, 128)
    inbox = await Inbox.open(
        people, open_models().matcher, DIGEST, days=days, keep_crops=keep_crops, clock=clock or Clock()
    )
    try:
        yield inbox, people
    finally:
        await inbox.close()
        await people.close()


@functools.cache
def stills(light: float, blur: int, scale: float) -> tuple[tuple[int, np.ndarray], ...]:
    """The six people in another picture of the same scene: (who, embedding)."""
    picture = cv2.GaussianBlur(group_photo(), (blur, blur), 0)
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    picture = np.clip(picture * light, 0, 255).astype(np.uint8)
    found = sorted(read_photo(open_models(), picture), key=lambda face: float(face.box[0]))
    return tuple((number, face.embedding) for number, face in enumerate(found))
