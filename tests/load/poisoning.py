"""Whether a stranger who stands before the camera changes what is kept of anybody.

    python -m tests.load.poisoning [--minutes 5] [--json]

Two people of a real photo are enrolled; then a third stands before the camera of a live session for some minutes of
media time, sent through it faster than real time, with real models. Afterwards every row of the database and every
template of the gallery must be the same, byte for byte.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from pipeline.face_models import PhotoFace, main_face, read_photo
from pipeline.frame_pipeline import PipelineConfig
from pipeline.gallery import Gallery
from server.link import Visit
from server.live.session import LiveSession
from server.people import People
from server.received_frame import ReceivedFrame
from server.storage import NewSample
from tests.packs import open_models
from tests.pictures import Image, group_photo
from tracking import DEFAULT_POLICY

RATE = 10  # frames a second of media time
ENROLLED = (0, 2)  # of the photo's people, from left to right
STRANGER = 3
FACE = 130  # pixels across


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. ``identities`` counts frames by the protocol's word for what was said of the stranger."""

    minutes: float
    frames: int
    embedded: int
    identities: dict[str, int]
    rows: int
    rows_same: bool
    templates: int
    templates_same: bool

    @property
    def clean(self) -> bool:
        """Whether nothing has changed, after the stranger was really seen."""
        return self.rows_same and self.templates_same and self.embedded > 0


class SilentPeer:
    """A peer without a network, whose page asks for nothing."""

    id = "stranger"
    visit = Visit()
    relays = True

    def __init__(self) -> None:
        self.results: list[dict[str, Any]] = []

    def send_result(self, text: str) -> bool:
        """Note a result."""
        self.results.append(json.loads(text))
        return True

    def send_command(self, text: str) -> bool:
        """Nobody listens."""
        return True

    def stats(self) -> dict[str, Any]:
        """None are kept."""
        return {}

    async def close(self, reason: str) -> None:
        """Nothing to close."""


def portraits(face: PhotoFace, count: int = 40) -> list[Image]:
    """A camera before one person of the photo, never quite still; light and sharpness change."""
    x, y, w, h = (float(v) for v in face.box)
    left, top = max(0, int(x - 0.4 * w)), max(0, int(y - 0.6 * h))
    photo = group_photo()[top : int(y + 1.5 * h), left : int(x + 1.4 * w)]
    middle = np.array([x - left + w / 2, y - top + h / 2])
    pictures = []
    for step in range(count):
        t = 2 * np.pi * step / count
        turn, scale = 0.08 * np.sin(2 * t), FACE / w * (1 + 0.2 * np.sin(t))
        rotation = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        shift = np.array([320 + 40 * np.sin(t), 240 + 25 * np.cos(t)]) - rotation @ middle
        matrix = np.hstack([rotation, shift[:, None]])
        picture = cv2.warpAffine(photo, matrix, (640, 480), borderMode=cv2.BORDER_REPLICATE)
        picture = cv2.GaussianBlur(picture, (0, 0), 0.3 + 0.7 * np.sin(t) ** 2)
        pictures.append(np.clip(picture * (1 + 0.25 * np.sin(3 * t)), 0, 255).astype(np.uint8))
    return pictures


async def poison(minutes: float, folder: Path) -> Report:
    """Let the stranger stand there; ``folder`` takes the database."""
    models = open_models()
    faces = sorted(read_photo(models, group_photo()), key=lambda face: float(face.box[0]))
    path = folder / "people.sqlite3"
    people = await People.open(path, models.manifest.digest, models.manifest.embedder.dimension)
    for index in ENROLLED:
        await people.add_person(f"Person {index}", _samples(faces[index]))
    rows, templates = digest_rows(path), digest_templates(people.gallery)
    peer, executor = SilentPeer(), ThreadPoolExecutor(1)
    session = LiveSession(peer, models, people, executor, PipelineConfig(), DEFAULT_POLICY)  # type: ignore[arg-type]
    pictures = portraits(faces[STRANGER])
    embedded, words = 0, dict[str, int]()
    for number in range(round(minutes * 60 * RATE)):
        frame = av.VideoFrame.from_ndarray(pictures[number % len(pictures)], "rgb24")
        await session.on_frame(ReceivedFrame(frame, number / RATE, None, None, None, 0.0, 0.0, 0))
        for face in peer.results[-1]["faces"]:
            words[face["identity"]] = words.get(face["identity"], 0) + 1
        embedded = max([embedded, *(face.embedded for face in session._faces)])
    await session.on_closed("bye")
    executor.shutdown()
    after_rows, after_templates = digest_rows(path), digest_templates(people.gallery)
    reopened = await _reopened(people, path)
    return Report(
        minutes,
        len(peer.results),
        embedded,
        words,
        len(rows),
        rows == after_rows,
        len(templates),
        templates == after_templates == reopened,
    )


def _samples(face: PhotoFace) -> list[NewSample]:
    found = [main_face(read_photo(open_models(), picture), 640, 480) for picture in portraits(face)[::8]]
    return [NewSample(f.embedding, f.quality.overall, "live") for f in found if f is not None]


async def _reopened(people: People, path: Path) -> dict[str, str]:
    """The templates as the next start of the server would have them."""
    models = open_models()
    await people.close()
    again = await People.open(path, models.manifest.digest, models.manifest.embedder.dimension)
    templates = digest_templates(again.gallery)
    await again.close()
    return templates


def digest_rows(path: Path) -> set[str]:
    """A digest of every row of every table."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        rows = {
            hashlib.sha256(repr((table, row)).encode()).hexdigest()
            for table in tables
            for row in database.execute(f'select * from "{table}"')
        }
    database.close()
    return rows


def digest_templates(gallery: Gallery) -> dict[str, str]:
    """A digest of everybody's template, by id."""
    found = {}
    for person in gallery.people():
        template = gallery.template(person.id)
        assert template is not None
        found[person.id] = hashlib.sha256(template.tobytes()).hexdigest()
    return found


def table(report: Report) -> str:
    """The report in words."""
    called = ", ".join(f"{word} in {count}" for word, count in sorted(report.identities.items()))
    lines = [
        ("a stranger before the camera", f"{report.minutes:g} min of media time, {report.frames} frames"),
        ("times the face was embedded", str(report.embedded)),
        ("frames by what was said of it", called),
        ("rows in the database", f"{report.rows}, {'all the same' if report.rows_same else 'CHANGED'}"),
        ("templates", f"{report.templates}, {'byte for byte the same' if report.templates_same else 'CHANGED'}"),
    ]
    return "\n".join(f"{name:<30}  {value}" for name, value in lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if anything has changed."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.poisoning", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="visavis-") as folder:
        report = asyncio.run(poison(given.minutes, Path(folder)))
    print(json.dumps(asdict(report), indent=2) if given.json else table(report))
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(main())
