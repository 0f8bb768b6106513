"""Bytes from strangers to a picture, without letting them fill the memory.

Size and pixels are checked before anything is decoded: the header of the formats below says how many pixels follow, and
a picture of a few kilobytes may claim billions.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import pi_heif
from PIL import AvifImagePlugin, ImageOps

from pipeline.frame import Image

FILE_BYTES = 25 * 1024 * 1024
PIXELS = 60_000_000
SIDE = 4096  # pixels: a longer side is shrunk to this; the detector sees far less of it
PICTURE = SIDE * SIDE * 3  # bytes of the largest that is handed on
LEAST_SIDE = 16  # pixels: below there is no face to be seen
BOXES = 10_000  # of a HEIF file that are looked at; a photo in tiles has some hundred
SCANS = 100  # of a progressive JPEG; each costs a walk over all pixels, and cameras write about ten
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".heic", ".heif", ".avif"})
# Brands of ISO/IEC 23008-12 (HEIF): coded as HEVC, and as AV1.
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")
_AVIF = (b"avif", b"avis")
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # each takes memory, and there is no more than a photo needs

Verdict = Literal["not_a_picture", "too_large"]
Decode = Callable[[bytes], Image]  # as decode() below, wherever it is done


class Unreadable(Exception):
    """No picture comes of these bytes; the message says why, as a sentence for whoever sent them."""

    def __init__(self, verdict: Verdict, words: str) -> None:
        super().__init__(words)
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture says of itself; pixels, before it is turned upright."""

    kind: Literal["JPEG", "PNG", "WebP", "BMP", "HEIC", "AVIF"]
    width: int
    height: int


def check(data: bytes) -> Header:
    """What a file says of itself, if it may be decoded. Raises :class:`Unreadable`."""
    if len(data) > FILE_BYTES:
        raise Unreadable("too_large", f"The file has more than {FILE_BYTES // 2**20} MB.")
    header = read_header(data)
    if header.width * header.height > PIXELS:
        raise Unreadable("too_large", f"The picture has more than {PIXELS // 1_000_000} million pixels.")
    if min(header.width, header.height) < LEAST_SIDE:
        raise Unreadable("not_a_picture", f"The picture has only {header.width}×{header.height} pixels.")
    return header


def decode(data: bytes) -> Image:
    """An upright RGB picture (H, W, 3), its longer side at most ``SIDE``. Raises :class:`Unreadable`.

    Here and now: what strangers send goes through :class:`server.media.decoder.Decoder` instead.
    """
    header = check(data)
    image = _DECODE.get(header.kind, _pixels)(data)
    if image is None or image.shape[0] * image.shape[1] > PIXELS:
        raise Unreadable("not_a_picture", f"The {header.kind} file is damaged.")
    longer = max(image.shape[:2])
    if longer > SIDE:
        height, width = (max(1, round(side * SIDE / longer)) for side in image.shape[:2])
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return image


def _pixels(data: bytes) -> Image | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)  # type: ignore[return-value]
    except cv2.error:
        return None


def _heic(data: bytes) -> Image | None:
    """libheif turns it upright by itself, and goes by the boxes rather than by EXIF, as the standard wants."""
    try:
        picture = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
        array = np.asarray(picture)
    except (ValueError, RuntimeError, EOFError, OSError, SyntaxError, IndexError, KeyError):
        return None
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    return np.ascontiguousarray(array[..., :3]) if array.dtype == np.uint8 and array.shape[2] >= 3 else None


def _avif(data: bytes) -> Image | None:
    """Pillow tells how it is to be turned, by its boxes; OpenCV would leave it as it lies."""
    if not AvifImagePlugin.SUPPORTED:
        raise Unreadable("not_a_picture", "AVIF pictures cannot be read on this server: its Pillow came without them.")
    try:
        with AvifImagePlugin.AvifImageFile(io.BytesIO(data)) as picture:
            return np.array(ImageOps.exif_transpose(picture).convert("RGB"))
    except (ValueError, RuntimeError, EOFError, OSError, SyntaxError, IndexError, KeyError, struct.error):
        return None


_DECODE = {"HEIC": _heic, "AVIF": _avif}


def read_header(data: bytes) -> Header:
    """What the first bytes say. Raises :class:`Unreadable` for other formats and for files that are cut short."""
    if not data:
        raise Unreadable("not_a_picture", "The file is empty.")
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png(data)
        if data[4:8] == b"ftyp":
            return _heif(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data)
        if data.startswith(b"BM"):
            return _bmp(data)
    except (struct.error, IndexError):
        raise _cut_short() from None
    raise Unreadable("not_a_picture", "This is no JPEG, PNG, WebP, HEIC, AVIF or BMP picture.")


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


def _heif(data: bytes) -> Header:
    """The largest extent that any of its pictures claims: they may be tiles of a larger one (ISO/IEC 23008-12)."""
    (length,) = struct.unpack_from(">I", data, 0)
    brands = {data[at : at + 4] for at in (8, *range(16, min(length, 256), 4))}
    kind: Literal["HEIC", "AVIF"] | None = "AVIF" if brands & set(_AVIF) else "HEIC" if brands & set(_HEIC) else None
    if kind is None:
        raise Unreadable("not_a_picture", "This is a video, or a kind of picture that cannot be read.")
    spans = [(0, len(data))]
    for name, skip in ((b"meta", 4), (b"iprp", 0), (b"ipco", 0), (b"ispe", 4)):  # skip: version and flags
        spans = [(begin + skip, end) for span in spans for found, begin, end in _boxes(data, *span) if found == name]
    extents: list[tuple[int, int]] = [struct.unpack_from(">II", data, begin) for begin, _ in spans]
    if not extents:
        raise Unreadable("not_a_picture", f"The {kind} file is damaged.")
    width, height = max(extents, key=lambda extent: extent[0] * extent[1])
    return Header(kind, width, height)


def _boxes(data: bytes, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of what is in each box (ISO/IEC 14496-12, 4.2)."""
    for _ in range(BOXES):
        if begin + 8 > end:
            return
        length, name = struct.unpack_from(">I4s", data, begin)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, begin + 8)
            head = 16
        elif length == 0:  # to the end
            length = end - begin
        if length < head or begin + length > end:  # not a box: some cameras write more behind the last
            return
        yield name, begin + head, begin + length
        begin += length


def _cut_short() -> Unreadable:
    return Unreadable("not_a_picture", "The file is cut short.")
