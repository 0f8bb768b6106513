"""Bytes from strangers to a picture, without letting them fill the memory.

Size and pixels are checked before anything is decoded: the header of the formats below says how many pixels follow, and
a picture of a few kilobytes may claim billions.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from pipeline.frame import Image

FILE_BYTES = 25 * 1024 * 1024
PIXELS = 60_000_000
SIDE = 4096  # pixels: a longer side is shrunk to this; the detector sees far less of it
LEAST_SIDE = 16  # pixels: below there is no face to be seen
SCANS = 100  # of a progressive JPEG; each costs a walk over all pixels, and cameras write about ten
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})


class Unreadable(Exception):
    """No picture comes of these bytes; the message says why, as a sentence for whoever sent them."""

    def __init__(self, verdict: Literal["not_a_picture", "too_large"], words: str) -> None:
        super().__init__(words)
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture says of itself; pixels, before it is turned upright."""

    kind: Literal["JPEG", "PNG", "WebP", "BMP"]
    width: int
    height: int


def decode(data: bytes) -> Image:
    """An upright RGB picture (H, W, 3), its longer side at most ``SIDE``. Raises :class:`Unreadable`."""
    if len(data) > FILE_BYTES:
        raise Unreadable("too_large", f"The file has more than {FILE_BYTES // 2**20} MB.")
    header = read_header(data)
    if header.width * header.height > PIXELS:
        raise Unreadable("too_large", f"The picture has more than {PIXELS // 1_000_000} million pixels.")
    if min(header.width, header.height) < LEAST_SIDE:
        raise Unreadable("not_a_picture", f"The picture has only {header.width}×{header.height} pixels.")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:
        image = None
    if image is None:
        raise Unreadable("not_a_picture", f"The {header.kind} file is damaged.")
    longer = max(image.shape[:2])
    if longer > SIDE:
        height, width = (max(1, round(side * SIDE / longer)) for side in image.shape[:2])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(image, np.uint8)


def read_header(data: bytes) -> Header:
    """What the first bytes say. Raises :class:`Unreadable` for other formats and for files that are cut short."""
    if not data:
        raise Unreadable("not_a_picture", "The file is empty.")
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data)
        if data.startswith(b"BM"):
            return _bmp(data)
    except (struct.error, IndexError):
        raise _cut_short() from None
    if data[4:8] == b"ftyp":
        raise Unreadable("not_a_picture", "HEIC and AVIF pictures cannot be read; save the photo as JPEG.")
    raise Unreadable("not_a_picture", "This is no JPEG, PNG, WebP or BMP picture.")


def _jpeg(data: bytes) -> Header:
    """Walk the segments up to the picture itself (ITU-T T.81, annex B)."""
    size: tuple[int, int] | None = None
    at = 2
    while True:
        while data[at] == 0xFF and data[at + 1] == 0xFF:  # fill bytes
            at += 1
        if data[at] != 0xFF:
            raise Unreadable("not_a_picture", "The JPEG file is damaged.")
        marker = data[at + 1]
        (length,) = struct.unpack_from(">H", data, at + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = (width, height)
        if marker == 0xDA:
            break
        at += 2 + length
    if size is None or not all(size):
        raise Unreadable("not_a_picture", "The JPEG file is damaged.")
    # Neither marker can stand in the compressed pixels, where 0xFF is followed by a zero.
    if data.find(b"\xff\xd9", at) < 0:
        raise _cut_short()
    if data.count(b"\xff\xda", at) > SCANS:
        raise Unreadable("not_a_picture", "The JPEG file consists of more scans than any camera writes.")
    return Header("JPEG", *size)


def _png(data: bytes) -> Header:
    width, height = struct.unpack_from(">II", data, 16)
    if data[12:16] != b"IHDR" or not width or not height:
        raise Unreadable("not_a_picture", "The PNG file is damaged.")
    if data.find(b"IEND", 24) < 0:
        raise _cut_short()
    return Header("PNG", width, height)


def _webp(data: bytes) -> Header:
    (length,) = struct.unpack_from("<I", data, 4)
    if length + 8 > len(data):
        raise _cut_short()
    chunk = data[12:16]
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Header("WebP", width & 0x3FFF, height & 0x3FFF)
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return Header("WebP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if chunk == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return Header("WebP", width, height)
    raise Unreadable("not_a_picture", "The WebP file is damaged.")


def _bmp(data: bytes) -> Header:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    if width <= 0 or height == 0:
        raise Unreadable("not_a_picture", "The BMP file is damaged.")
    return Header("BMP", width, abs(height))


def _cut_short() -> Unreadable:
    return Unreadable("not_a_picture", "The file is cut short.")
