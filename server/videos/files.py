"""What a worker leaves beside a video, sealed: tracks as JSON, boxes as records, pictures as JPEG."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from server.videos.sealing import VideoSeal
from tracking import Embedding

TRACKS = "tracks"
BOXES = "boxes"
PICTURES = "pictures"
BOX = np.dtype([("track", "<u4"), ("time", "<f4"), ("box", "<f4", (4,))])  # x, y, width, height, 0–1
BUFFERED = 512  # records
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Pick:
    """One good look at a face, kept as a small picture: ``landmarks`` are ten numbers in its pixels."""

    file: str
    time: float
    quality: float
    yaw: float
    pitch: float
    size: float  # the face's width in pixels of the video
    landmarks: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """A face followed through a video; ``template`` is what it was recognised by, ``None`` where it was never seen
    well enough. ``picks`` are the best first, ``frame`` the whole picture of the best."""

    number: int
    intervals: tuple[Interval, ...]
    votes: int
    template: Embedding | None
    picks: tuple[Pick, ...]
    frame: str | None

    @property
    def seconds(self) -> float:
        """How long it was seen."""
        return sum(end - begin for begin, end in self.intervals)


class ResultWriter:
    """Writes a result as it comes into an empty folder, so that none of it is held. Use it as a context."""

    def __init__(self, folder: Path, seal: VideoSeal) -> None:
        (folder / PICTURES).mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        self._seal = seal
        self._tracks = _Records(folder, TRACKS, seal)
        self._boxes = _Records(folder, BOXES, seal)
        self._buffer: list[tuple[int, float, tuple[float, ...]]] = []

    def __enter__(self) -> ResultWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._tracks.close()
        self._boxes.close()

    def box(self, track: int, time: float, box: NDArray[np.float32]) -> None:
        """Where a face is at a time; ``box`` (4,) in 0–1."""
        self._buffer.append((track, time, tuple(float(part) for part in box)))
        if len(self._buffer) >= BUFFERED:
            self._flush()

    def picture(self, name: str, jpeg: bytes) -> str:
        """Keep a picture; returns its name."""
        (self._folder / PICTURES / name).write_bytes(self._seal.seal(jpeg, PICTURES, name))
        return name

    def track(self, record: TrackRecord) -> None:
        """A track that is over."""
        self._tracks.add(written(record))

    def _flush(self) -> None:
        if self._buffer:
            self._boxes.add(np.array(self._buffer, BOX).tobytes())
        self._buffer = []


def written(record: TrackRecord) -> bytes:
    """A track as a record of its file."""
    return json.dumps(_body(record)).encode()


class _Records:
    """Sealed records one after the other, each with its length in front and bound to its place."""

    def __init__(self, folder: Path, name: str, seal: VideoSeal) -> None:
        self._file: IO[bytes] = (folder / name).open("wb")
        self._name, self._seal, self._count = name, seal, 0

    def add(self, data: bytes) -> None:
        blob = self._seal.seal(data, self._name, str(self._count))
        self._file.write(len(blob).to_bytes(4, "big") + blob)
        self._count += 1

    def close(self) -> None:
        self._file.close()


def read_records(folder: Path, name: str, seal: VideoSeal) -> Iterator[bytes]:
    """The records of a file as they lie there. Raises ``OSError`` and :class:`server.vault.SealError`."""
    with (folder / name).open("rb") as file:
        count = 0
        while length := file.read(4):
            yield seal.open(file.read(int.from_bytes(length, "big")), name, str(count))
            count += 1


def rewrite(folder: Path, name: str, seal: VideoSeal, records: Iterable[bytes]) -> None:
    """Put other records in the place of a file's, all or none."""
    fresh = folder / f".{name}.fresh"
    with fresh.open("wb") as file:
        for count, data in enumerate(records):
            blob = seal.seal(data, name, str(count))
            file.write(len(blob).to_bytes(4, "big") + blob)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / name)


def read_picture(folder: Path, name: str, seal: VideoSeal) -> bytes | None:
    """A picture of a result, if there is one. Raises ``OSError`` and :class:`server.vault.SealError`."""
    path = folder / PICTURES / name
    return seal.open(path.read_bytes(), PICTURES, name) if path.is_file() else None


def read_tracks(folder: Path, seal: VideoSeal) -> list[TrackRecord]:
    """All tracks of a result, in the order they began. Raises ``OSError``, ``ValueError`` and
    :class:`server.vault.SealError`."""
    records = [_record(json.loads(line)) for line in read_records(folder, TRACKS, seal)]
    return sorted(records, key=lambda record: (record.intervals[0][0], record.number))


def read_boxes(
    folder: Path, begin: float, end: float, margin: float, seal: VideoSeal
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Of every track the records within a time, and ``margin`` seconds around it, that a box at any moment of it can
    be worked out. Raises ``OSError`` and :class:`server.vault.SealError`."""
    boxes = np.frombuffer(b"".join(read_records(folder, BOXES, seal)), BOX)
    boxes = boxes[(boxes["time"] >= begin - margin) & (boxes["time"] <= end + margin)]
    for number in np.unique(boxes["track"]):
        own = boxes[boxes["track"] == number]
        yield int(number), own[np.argsort(own["time"], kind="stable")]


def _body(record: TrackRecord) -> dict[str, Any]:
    body = asdict(record)
    template = record.template
    body["template"] = None if template is None else base64.b64encode(template.astype("<f4").tobytes()).decode()
    return body


def _record(body: dict[str, Any]) -> TrackRecord:
    template = body["template"]
    return TrackRecord(
        body["number"],
        tuple((begin, end) for begin, end in body["intervals"]),
        body["votes"],
        None if template is None else np.frombuffer(base64.b64decode(template), "<f4").astype(np.float32),
        tuple(Pick(**{**pick, "landmarks": tuple(pick["landmarks"])}) for pick in body["picks"]),
        body["frame"],
    )
