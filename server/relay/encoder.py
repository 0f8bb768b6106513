"""Decoded pictures to VP8, once for all who watch: for cameras whose own pictures no browser's video element takes."""

from __future__ import annotations

from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from server.pixels import ONE_THREAD

CODEC = "VP8"
BIT_RATE = 1_500_000  # at 640×480; more pixels get more
MOST = 4_000_000
PIXELS = 640 * 480
KEY_EVERY = 300  # pictures
TIME_BASE = Fraction(1, 90_000)


class PictureEncoder:
    """A stream of pictures; blocking, one thread at a time."""

    def __init__(self) -> None:
        self._codec: VideoCodecContext | None = None

    def encode(self, frame: av.VideoFrame, time: int, key: bool) -> list[tuple[bytes, bool]]:
        """The picture, encoded, and whether it begins anew; nothing where the encoder left it out. ``time`` in 1/90000
        s never runs backwards, and stays on the frame. Raises ``av.FFmpegError``."""
        picture = frame if frame.format.name == "yuv420p" else frame.reformat(format="yuv420p", threads=ONE_THREAD)
        codec = self._codec
        if codec is None or (codec.width, codec.height) != (picture.width, picture.height):
            codec = self._codec = _opened(picture.width, picture.height)
        picture.pts, picture.time_base = time, TIME_BASE
        picture.pict_type = PictureType.I if key else PictureType.NONE
        return [(bytes(packet), packet.is_keyframe) for packet in codec.encode(picture)]


def _opened(width: int, height: int) -> VideoCodecContext:
    """Constant bit rate and no picture held back: what live video takes."""
    rate = min(MOST, max(300_000, BIT_RATE * width * height // PIXELS))
    codec = av.CodecContext.create("libvpx", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.bit_rate = rate
    codec.time_base = TIME_BASE
    codec.gop_size = KEY_EVERY
    codec.qmin, codec.qmax = 2, 56
    codec.thread_count = 1
    codec.options = {
        "deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0", "static-thresh": "1", "bufsize": str(rate),
        "minrate": str(rate), "maxrate": str(rate), "undershoot-pct": "100", "overshoot-pct": "15",
    }  # fmt: skip
    return codec
