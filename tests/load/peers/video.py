"""Real video as encoded pictures: read once, encoded to VP8 at several rates and sizes, and kept in a cache folder.

A clip goes forwards and backwards through the beginning of its video, so that its loop has no cut. At every whole
second of it each of its encodings has a key frame: there one can change to another without a jump in time. Without a
video there are clips of four faces of a sample photo, each alone before a moving camera.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
import struct
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from numpy.typing import NDArray

from server.transport import payloads_of
from tests.load.peers.code import draw_code
from tests.pictures import camera_path, group_photo

LOOP = 10  # seconds
RATES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 30)
SIZES = ((640, 480), (480, 360), (320, 240))
BIT_RATE = 700_000  # at 640×480, 15 a second
STILLS = 5
SAMPLES = 4  # faces of the sample photo: those whom nothing speaks against
SAMPLE_RATE = 30
FACE_SCALE = 1.5
QUALITY = 80  # of JPEG pictures
JPEGS = "{}x{}@{}.jpegs"
STILL = "still{}.jpg"
VERSION = 1  # of what is in the cache
_LENGTH = struct.Struct("!I")


class Unreadable(ValueError):
    """A video that cannot be used; the text says why."""


def default_cache() -> Path:
    """Where encoded clips are kept."""
    return Path(tempfile.gettempdir()) / "visavis-load"


def rates_up_to(rate: int) -> tuple[int, ...]:
    """The rates a clip is encoded at, rising."""
    return (*(one for one in RATES if one < rate), rate)


class Clip:
    """A clip in the cache. ``rate`` is its highest."""

    def __init__(self, folder: Path, rate: int) -> None:
        self.folder = folder
        self.rate = rate
        self._payloads = functools.cache(self._read)

    def fitting(self, fps: float, width: int, height: int) -> tuple[int, tuple[int, int]]:
        """The encoding that is nearest below: at most so many a second, at most this large; the smallest there is
        where none is."""
        rate = max((one for one in rates_up_to(self.rate) if one <= fps + 1e-6), default=1)
        size = next((one for one in SIZES if one[0] <= width and one[1] <= height), SIZES[-1])
        return rate, size

    def payloads(self, rate: int, size: tuple[int, int]) -> list[list[bytes]]:
        """For each picture of the loop the payloads of its RTP packets."""
        return self._payloads(rate, size)

    def jpegs(self) -> list[bytes]:
        """The pictures of the loop at full size and rate, each as JPEG."""
        return read_pieces(self.folder / JPEGS.format(*SIZES[0], self.rate))

    def stills(self) -> list[Path]:
        """Photos to know its person by."""
        return sorted(self.folder.glob(STILL.format("*")))

    def _read(self, rate: int, size: tuple[int, int]) -> list[list[bytes]]:
        pieces = read_pieces(self.folder / f"{size[0]}x{size[1]}@{rate}.vp8")
        return [payloads_of("VP8", piece, number) for number, piece in enumerate(pieces)]


def video_clip(video: Path, rate: int, cache: Path | None = None, *, coded: bool = False) -> Clip:
    """The clip of a video, made unless it is in the cache. Raises :class:`Unreadable`."""
    try:
        key = hashlib.sha256(video.read_bytes()).hexdigest()
    except OSError as error:
        raise Unreadable(f"{video}: {error.strerror or error}") from error
    folder = (cache or default_cache()) / _folder(key[:16], rate, coded)
    if not folder.exists():
        _make(folder, _read_video(video), rate, coded)
    return Clip(folder, rate)


def sample_clip(number: int, rate: int, cache: Path | None = None, *, coded: bool = False) -> Clip:
    """The clip of one of four people of the sample photo."""
    folder = (cache or default_cache()) / _folder(f"sample{number}", rate, coded)
    if not folder.exists():
        _make(folder, _sample_pictures(number), rate, coded)
    return Clip(folder, rate)


def _folder(key: str, rate: int, coded: bool) -> str:
    return f"{key}-{rate}{'-coded' * coded}-{VERSION}"


def make_clips(videos: Sequence[Path], rate: int, cache: Path | None = None, *, coded: bool = False) -> list[Clip]:
    """A clip of each video, or those of the sample photo; ``coded``: with its number in each picture of the highest
    rate. Raises :class:`Unreadable`."""
    if videos:
        return [video_clip(video, rate, cache, coded=coded) for video in videos]
    return [sample_clip(number, rate, cache, coded=coded) for number in range(SAMPLES)]


def read_pieces(path: Path) -> list[bytes]:
    """What :func:`write_pieces` wrote."""
    data, at, pieces = path.read_bytes(), 0, []
    while at < len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        pieces.append(data[at + _LENGTH.size : at + _LENGTH.size + length])
        at += _LENGTH.size + length
    return pieces


def write_pieces(path: Path, pieces: Sequence[bytes]) -> None:
    """Each with its length before it."""
    path.write_bytes(b"".join(_LENGTH.pack(len(piece)) + piece for piece in pieces))


def loop_positions(duration: float, rate: int) -> list[float]:
    """Seconds of a video shown at each picture of the loop: forwards and backwards, as often as it takes."""
    half = LOOP / (2 * max(1, math.ceil(LOOP / (2 * duration))))
    return [half - abs(index / rate % (2 * half) - half) for index in range(LOOP * rate)]


Picture = NDArray[np.uint8]


def _make(folder: Path, pictures: tuple[list[Picture], float], rate: int, coded: bool) -> None:
    """Everything of a clip, beside its place and then there at once, as others may look for it meanwhile."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="making-") as beside:
        made = Path(beside) / folder.name
        made.mkdir()
        _write(made, pictures, rate, coded)
        with contextlib.suppress(OSError):  # somebody was quicker
            made.rename(folder)


def _write(folder: Path, pictures: tuple[list[Picture], float], rate: int, coded: bool) -> None:
    """Its encodings, its pictures as JPEG, and photos of its person."""
    images, per_second = pictures
    duration = len(images) / per_second

    def shown(rate: int) -> list[Picture]:
        loop = [images[min(len(images) - 1, round(at * per_second))] for at in loop_positions(duration, rate)]
        return [draw_code(picture, number) for number, picture in enumerate(loop)] if coded else loop

    for width, height in SIZES:
        for one in rates_up_to(rate):
            write_pieces(folder / f"{width}x{height}@{one}.vp8", _encode(shown(one), width, height, one))
    quality = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    jpegs = [cv2.imencode(".jpg", picture[..., ::-1], quality)[1].tobytes() for picture in shown(rate)]
    write_pieces(folder / JPEGS.format(*SIZES[0], rate), jpegs)
    for index in range(STILLS):
        still = images[index * (len(images) - 1) // (STILLS - 1)]
        cv2.imwrite(str(folder / STILL.format(index)), still[..., ::-1])


def _encode(pictures: Sequence[Picture], width: int, height: int, rate: int) -> list[bytes]:
    codec = av.CodecContext.create("libvpx", "w")
    assert isinstance(codec, VideoCodecContext)
    share = width * height / (SIZES[0][0] * SIZES[0][1])
    bits = round(BIT_RATE * share * (rate / 15) ** 0.75)
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.bit_rate, codec.time_base, codec.framerate = bits, Fraction(1, 90_000), Fraction(rate)
    codec.gop_size, codec.qmin, codec.qmax, codec.thread_count = rate, 2, 56, 1
    codec.options = {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0", "bufsize": str(bits)}
    pieces = []
    for index, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(width, height, "yuv420p")
        frame.pts, frame.time_base = index * 90_000 // rate, Fraction(1, 90_000)
        frame.pict_type = PictureType.I if index % rate == 0 else PictureType.NONE
        pieces.append(b"".join(bytes(packet) for packet in codec.encode(frame)))
    assert all(pieces), "the encoder left out a picture"
    return pieces


def _read_video(video: Path) -> tuple[list[Picture], float]:
    """The first pictures of a video, fitted into 640×480 with borders, RGB, and how many a second."""
    pictures: list[Picture] = []
    try:
        with av.open(str(video)) as source:
            if not source.streams.video:
                raise Unreadable(f"{video}: there is no video in it")
            per_second = float(source.streams.video[0].average_rate or 25)
            for frame in source.decode(video=0):
                pictures.append(_fitted(frame))
                if len(pictures) >= per_second * LOOP / 2:
                    break
    except av.FFmpegError as error:
        raise Unreadable(f"{video}: {error.strerror or error}") from error
    if len(pictures) < per_second:
        raise Unreadable(f"{video}: it has {len(pictures)} pictures, and a second of it is needed")
    return pictures, per_second


def _fitted(frame: av.VideoFrame) -> Picture:
    width, height = SIZES[0]
    scale = min(width / frame.width, height / frame.height)
    w, h = (min(side, 2 * round(length * scale / 2)) for side, length in ((width, frame.width), (height, frame.height)))
    canvas = np.full((height, width, 3), 60, np.uint8)
    left, top = (width - w) // 2, (height - h) // 2
    canvas[top : top + h, left : left + w] = frame.reformat(w, h, "rgb24").to_ndarray()
    return canvas


def _sample_pictures(number: int) -> tuple[list[Picture], float]:
    """One face of the sample photo and what is right around it, moving before what is left of the photo."""
    from tests.server.photos import portraits  # finds faces: only where the clip is not in the cache

    width, height = SIZES[0]
    around = cv2.GaussianBlur(cv2.resize(group_photo(), SIZES[0]), (0, 0), 25)
    face = cv2.resize(portraits()[number], None, fx=FACE_SCALE, fy=FACE_SCALE)
    mask = np.zeros(face.shape[:2], np.float32)
    mask[24:-24, 24:-24] = 1.0
    mask = cv2.GaussianBlur(mask, (0, 0), 10)[..., None]
    pictures = []
    for index in range(LOOP // 2 * SAMPLE_RATE):
        dx, dy, zoom = camera_path(index, LOOP * SAMPLE_RATE)
        left, top = (width - zoom * face.shape[1]) / 2 + dx, (height - zoom * face.shape[0]) / 2 + dy
        place = np.array([[zoom, 0, left], [0, zoom, top]])
        over = cv2.warpAffine(face, place, SIZES[0])
        share = cv2.warpAffine(mask, place, SIZES[0])[..., None]
        noise = np.random.default_rng(index).normal(0, 2, around.shape)
        pictures.append(np.clip(over * share + around * (1 - share) + noise, 0, 255).astype(np.uint8))
    return pictures, SAMPLE_RATE
