"""A video file as frames for the pipeline: upright, at a steady pace, and none of those decoded for nothing."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from pipeline.frame import Frame, Image
from server.pixels import luma, rgb
from server.vault.sealed_file import SealedReader
from server.videos.limits import SECONDS, VideoRefused, check

RATE = 10.0  # frames looked at in a second; a face moves little in between
DROPPABLE_FROM = 24.0  # frames a second from which those that no other frame builds on are not even decoded
BAD_FRAMES = 100  # in a row that cannot be decoded before the rest is given up
# Containers that hold a video themselves. A playlist would name other files, also files of this computer.
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,ogg,asf,gif,ivf,h264,hevc,av1,obu,"
    "m4v,mjpeg,mxf,nut,rm,wtv,dv,swf,vob,roq,yuv4mpegpipe,apng"
)
OPTIONS = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
TOO_MUCH_MEMORY = "This video needs more memory than one video may take."
NOT_A_VIDEO = "This is no video that can be read, or the file is damaged."


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a file says of its video; sides in pixels as it is seen, ``seconds`` where it says how long it is."""

    width: int
    height: int
    seconds: float | None
    rate: float  # frames a second
    container: str


class VideoFile:
    """An open video. Make one with :func:`open_video`."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._container = container
        self._stream = stream
        self._begin = (container.start_time or 0) / av.time_base
        rate = float(stream.average_rate or stream.guessed_rate or 25)
        self._rate = rate if math.isfinite(rate) and rate > 0 else 25.0
        seconds = None if container.duration is None else max(0.0, container.duration / av.time_base)
        context = stream.codec_context
        self.info = VideoInfo(context.width, context.height, seconds, self._rate, container.format.name)

    def frames(self, rate: float = RATE) -> Iterator[Frame]:
        """Frames in order, at most about ``rate`` a second, each upright and at its time in the player.

        Raises :class:`VideoRefused` for pictures or times beyond the limits, and where nothing can be decoded.
        """
        step, due, got = 1 / rate, -math.inf, 0
        slack = 0.5 / self._rate  # the nearest frame to a moment is the one for it
        for index, picture in enumerate(self._decoded()):
            time = index / self._rate if picture.time is None else float(picture.time) - self._begin
            if time < due - slack:
                continue
            if time > SECONDS:
                raise VideoRefused(f"The video is longer than {SECONDS / 3600:g} hours; cut it first.")
            check(picture.width, picture.height, None, 0)
            # From the moment it was due, so that the pace is kept; after a gap, from now.
            due = max(due + step, time + step / 2) if got else time + step
            got += 1
            yield _upright(picture, max(time, 0.0))
        if not got:
            raise VideoRefused(NOT_A_VIDEO)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """Every frame that can be decoded; a damaged one is passed over."""
        if self._rate >= DROPPABLE_FROM:
            self._stream.codec_context.skip_frame = "NONREF"
        packets, bad = self._container.demux(self._stream), 0
        while bad <= BAD_FRAMES:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                pictures = packet.decode()
            except MemoryError:
                raise
            except av.error.FFmpegError:
                bad += 1
                continue
            bad = 0
            yield from pictures


@contextlib.contextmanager
def open_video(source: Path | SealedReader) -> Iterator[VideoFile]:
    """Open a file, or what is read as one, and hold what it says of itself against the limits.

    Raises :class:`VideoRefused`.
    """
    try:
        with av.open(str(source) if isinstance(source, Path) else source, options=OPTIONS) as container:
            pictures = [s for s in container.streams.video if not _is_cover(s)]
            if not pictures:
                raise VideoRefused("There is no video in this file.")
            stream = next((s for s in pictures if s.codec_context is not None), None)
            if stream is None:
                raise VideoRefused("The video in this file is of a kind that cannot be read here.")
            stream.thread_count = 1  # one processor is left to live sessions, be there two
            stream.thread_type = "AUTO"
            video = VideoFile(container, stream)
            info = video.info
            check(info.width, info.height, info.seconds, len(container.streams))
            yield video
    except MemoryError as error:
        raise VideoRefused(TOO_MUCH_MEMORY) from error
    except (av.error.FFmpegError, UnicodeError) as error:
        raise VideoRefused(NOT_A_VIDEO) from error


def _is_cover(stream: Any) -> bool:
    """A song's cover is a video stream as well, of one picture."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _upright(picture: av.VideoFrame, time: float) -> Frame:
    """A phone that was held upright writes pictures that lie on their side, and says so."""
    turns = round(picture.rotation / 90) % 4
    if not turns:
        return Frame(luma(picture), time, lambda: rgb(picture))
    return Frame(_turned(luma(picture), turns), time, lambda: _turned(rgb(picture), turns))


def _turned(image: Image, turns: int) -> Image:
    return np.ascontiguousarray(np.rot90(image, turns))
