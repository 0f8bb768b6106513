"""One JPEG of a live picture to a decoded frame, after its size was read."""

from __future__ import annotations

import struct

import av

MAX_BYTES = 512 * 1024
MAX_PIXELS = 1920 * 1088
_SIZED = frozenset((0xC0, 0xC1, 0xC2))  # baseline, extended, progressive; the rest nobody's canvas writes
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))  # markers without a length


class BadPicture(ValueError):
    """Not a JPEG that can be taken; the text says why."""


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height in a JPEG's frame header (ITU-T T.81, B.2.2), without decoding. Raises :class:`BadPicture`."""
    if data[:2] != b"\xff\xd8":
        raise BadPicture("a picture must be a JPEG")
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF or marker in _BARE:  # fill bytes
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _SIZED:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        (length,) = struct.unpack_from(">H", data, at + 2)
        if length < 2 or marker in (0xD9, 0xDA):
            break
        at += 2 + length
    raise BadPicture("a picture must be a whole JPEG")


class JpegDecoder:
    """Decodes one session's pictures, one at a time; blocking. Their brightness is there without a conversion."""

    def __init__(self) -> None:
        self._codec = av.CodecContext.create("mjpeg", "r")
        self._codec.thread_count = 1

    def decode(self, data: bytes) -> av.VideoFrame:
        """A picture. Raises :class:`BadPicture`."""
        width, height = size_of(data)
        if not (width >= 16 and height >= 16 and width * height <= MAX_PIXELS):
            raise BadPicture(f"a picture of {width}×{height} is too large or too small")
        try:
            frames = self._codec.decode(av.Packet(data))
        except (av.FFmpegError, ValueError) as error:
            raise BadPicture("a picture cannot be decoded") from error
        frame = next((frame for frame in frames if isinstance(frame, av.VideoFrame)), None)
        if frame is None or (frame.width, frame.height) != (width, height):
            raise BadPicture("a picture cannot be decoded")
        return frame
