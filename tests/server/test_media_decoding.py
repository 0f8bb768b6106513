from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from server.media.decoding import FILE_BYTES, SIDE, Unreadable, decode, read_header
from tests.pictures import group_photo, photo_path

SMALL = np.ascontiguousarray(cv2.resize(group_photo(), (160, 110), interpolation=cv2.INTER_AREA))


def encoded(suffix: str, image: np.ndarray = SMALL, *options: int) -> bytes:
    done, data = cv2.imencode(suffix, image[..., ::-1], options)
    assert done
    return data.tobytes()


def png(width: int, height: int) -> bytes:
    """A PNG that claims any size and holds next to nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG with an EXIF segment that says how the camera was held."""
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def heic(image: np.ndarray = SMALL, orientation: int | None = None, **claims: int) -> bytes:
    """A photo as phones take it; ``claims`` are what it says of its extent, if not the truth."""
    made = pillow_heif.from_bytes("RGB", (image.shape[1], image.shape[0]), image.tobytes())
    exif = None if orientation is None else Image.Exif()
    if exif is not None:
        exif[0x0112] = orientation
    out = io.BytesIO()
    made.save(out, quality=90, exif=None if exif is None else exif.tobytes())
    data = out.getvalue()
    if claims:
        at = data.index(b"ispe") + 8
        data = data[:at] + struct.pack(">II", claims["width"], claims["height"]) + data[at + 8 :]
    return data


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (encoded(".jpg"), "JPEG"),
        (encoded(".jpg", SMALL, cv2.IMWRITE_JPEG_PROGRESSIVE, 1), "JPEG"),
        (encoded(".png"), "PNG"),
        (encoded(".bmp"), "BMP"),
        (encoded(".webp", SMALL, cv2.IMWRITE_WEBP_QUALITY, 90), "WebP"),
        (encoded(".webp", SMALL, cv2.IMWRITE_WEBP_QUALITY, 101), "WebP"),
        (heic(), "HEIC"),
        (encoded(".avif", SMALL, cv2.IMWRITE_AVIF_QUALITY, 95), "AVIF"),
    ],
)
def test_the_header_says_what_decoding_gives(data: bytes, kind: str) -> None:
    header = read_header(data)
    assert (header.kind, header.width, header.height) == (kind, 160, 110)
    image = decode(data)
    assert image.shape == (110, 160, 3)
    assert float(np.abs(image.astype(float) - SMALL).mean()) < 8  # the same colours, RGB


@pytest.mark.parametrize(("orientation", "shape"), [(1, (110, 160)), (3, (110, 160)), (6, (160, 110)), (8, (160, 110))])
def test_a_photo_is_turned_as_its_camera_was_held(orientation: int, shape: tuple[int, int]) -> None:
    image = decode(with_orientation(encoded(".jpg"), orientation))
    assert image.shape[:2] == shape
    turns = {1: 0, 3: 2, 6: 3, 8: 1}[orientation]
    assert float(np.abs(image.astype(float) - np.rot90(SMALL, turns)).mean()) < 8


def test_a_heic_photo_is_turned_once() -> None:
    """Its boxes say how; that its EXIF says so again must not turn it a second time."""
    image = decode(heic(np.ascontiguousarray(SMALL), orientation=6))
    assert image.shape[:2] in ((110, 160), (160, 110))
    turned = np.rot90(SMALL, 3) if image.shape[0] == 160 else SMALL
    assert float(np.abs(image.astype(float) - turned).mean()) < 8


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_an_avif_photo_is_turned_by_its_boxes(orientation: int, turns: int) -> None:
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(SMALL).save(out, "AVIF", quality=90, exif=exif)
    data = out.getvalue()
    assert (b"irot" in data) == (turns > 0)
    image = decode(data)
    assert image.shape == np.rot90(SMALL, turns).shape
    assert float(np.abs(image.astype(float) - np.rot90(SMALL, turns)).mean()) < 8


def test_bytes_among_the_pixels_are_not_taken_for_an_extent() -> None:
    """Nor what stands behind the last box."""
    claim = struct.pack(">I4sIII", 20, b"ispe", 0, 60_000, 60_000)
    data = heic()
    for junk in (claim, struct.pack(">I4s", 8 + len(claim), b"free") + claim, b"\xff" * 40 + claim):
        header = read_header(data + junk)
        assert (header.width, header.height) == (160, 110)
        assert decode(data + junk).shape == (110, 160, 3)


def test_a_large_photo_is_shrunk() -> None:
    wide = np.zeros((300, SIDE + 1000, 3), np.uint8)
    assert max(decode(encoded(".png", wide)).shape) == SIDE


@pytest.mark.parametrize(
    ("data", "verdict", "words"),
    [
        (b"", "not_a_picture", "empty"),
        (b"Dear diary,\n" * 40, "not_a_picture", "no JPEG"),
        (b"GIF89a" + bytes(100), "not_a_picture", "no JPEG"),
        (b"\0\0\0\x18ftypheic" + bytes(100), "not_a_picture", "HEIC file is damaged"),
        (b"\0\0\0\x18ftypisom" + bytes(100), "not_a_picture", "video"),
        (heic(width=60_000, height=60_000), "too_large", "million pixels"),
        (heic()[:3000], "not_a_picture", "HEIC file is damaged"),
        (b"\xff\xd8\xff", "not_a_picture", "cut short"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF" + b"x" * 400, "not_a_picture", "damaged"),
        (b"BM", "not_a_picture", "cut short"),
        (b"RIFF\xff\xff\xff\x7fWEBPVP8 ", "not_a_picture", "cut short"),
        (png(60_000, 60_000), "too_large", "million pixels"),
        (png(2**31 - 1, 1), "too_large", "million pixels"),
        (png(200, 200), "not_a_picture", "damaged"),
        (png(0, 5), "not_a_picture", "damaged"),
        (encoded(".png", SMALL[:8, :8]), "not_a_picture", "8×8"),
        (b"BM" + bytes(16) + struct.pack("<ii", -5, 5) + bytes(40), "not_a_picture", "damaged"),
        (bytes(FILE_BYTES + 1), "too_large", "MB"),
        (encoded(".jpg") + b"\xff\xda" * 200, "not_a_picture", "scans"),
    ],
)
def test_what_is_no_picture_says_so(data: bytes, verdict: str, words: str) -> None:
    with pytest.raises(Unreadable, match=words) as refused:
        decode(data)
    assert refused.value.verdict == verdict


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
@pytest.mark.parametrize("part", [0.01, 0.3, 0.9])
def test_a_file_that_is_cut_short_is_refused(suffix: str, part: float) -> None:
    data = encoded(suffix)
    with pytest.raises(Unreadable):
        decode(data[: int(len(data) * part)])


def test_a_truncated_photo_with_a_thumbnail_inside_is_refused() -> None:
    """The thumbnail's end must not be taken for the photo's."""
    photo, thumbnail = photo_path().read_bytes(), encoded(".jpg")
    body = b"Exif\0\0" + thumbnail
    whole = photo[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + photo[2:]
    assert decode(whole).shape == (886, 1280, 3)
    with pytest.raises(Unreadable, match="cut short"):
        decode(whole[: len(whole) // 2])


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([encoded(".jpg"), encoded(".png"), encoded(".webp"), encoded(".bmp"), heic(), encoded(".avif")]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
    st.floats(0, 1),
)
def test_damage_gives_a_picture_or_a_reason(data: bytes, changes: list[tuple[float, int]], keep: float) -> None:
    damaged = bytearray(data)
    for where, value in changes:
        damaged[int(where * min(len(damaged) - 1, 60))] = value
    if keep < 0.3:
        del damaged[int(keep * len(damaged)) :]
    try:
        image = decode(bytes(damaged))
    except Unreadable:
        return
    assert image.ndim == 3
    assert max(image.shape) <= SIDE
