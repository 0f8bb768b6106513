"""Frames of a video file, as the pipeline wants them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import click

from pipeline.frame import Frame
from server.pixels import luma, rgb


def read_frames(path: Path) -> Iterator[Frame]:
    """Decode a video in order, one thread; times are the file's own. Raises ``click.ClickException`` naming the
    file."""
    for frame, time in read_pictures(path):
        yield Frame(luma(frame), time, lambda frame=frame: rgb(frame))  # type: ignore[misc]


def read_pictures(path: Path) -> Iterator[tuple[av.VideoFrame, float]]:
    """The same as decoded, each with its time in seconds."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise click.ClickException(f"{path}: there is no video in it")
            stream = container.streams.video[0]
            stream.thread_count = 1
            rate = float(stream.average_rate or 25)
            for index, frame in enumerate(container.decode(stream)):
                time = index / rate if frame.time is None else float(frame.time)
                yield frame, time
    except av.FFmpegError as error:
        raise click.ClickException(f"{path}: {error.strerror or error}") from error
