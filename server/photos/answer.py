"""What is said of a photo, as JSON and as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from typing import Any

from pipeline.gallery import Gallery
from pipeline.results import Face
from server.live.messages import all_quality_fields, distance_fields, face_fields
from server.live.why import runner_up, words
from server.wording import harmless, stated
from tracking import IdentityState

COLUMNS = ("file", "face", "x", "y", "width", "height", "identity", "name", "probability", "quality", "metres")
_SAID = ("box", "landmarks", "identity", "person", "name", "probability", "similarity", "margin")


HIDDEN = "Nothing is said of this face: no consent of theirs is known here."


def photo_body(
    faces: Sequence[Face], width: int, height: int, gallery: Gallery, hidden: Collection[int] = ()
) -> dict[str, Any]:
    """Sides in pixels, and each face with the fields of a live result and why it bears its name; of the ``hidden``, by
    their numbers, nothing is to be said."""
    return {
        "width": width,
        "height": height,
        "faces": [_face(face, width, height, gallery, face.track in hidden) for face in faces],
    }


def _face(face: Face, width: int, height: int, gallery: Gallery, hidden: bool) -> dict[str, Any]:
    live = face_fields(face, width, height)
    opinion = face.opinion
    return {
        **{field: live[field] for field in _SAID},
        "threshold": round(opinion.threshold, 4) if opinion is not None else None,
        "runner_up": runner_up(opinion, gallery) if live["person"] else None,
        "words": HIDDEN if hidden else words(face, gallery),
        "detection": round(face.score, 3),
        "pixels": round(float(face.box[2]), 1),
        "enhancement": face.enhancement,
        "quality": None if face.quality is None else all_quality_fields(face.quality),
        "distance": None if face.distance is None else distance_fields(face.distance),
    }


def photo_rows(file: str, body: dict[str, Any]) -> list[tuple[Any, ...]]:
    """A row of :data:`COLUMNS` for each face of a :func:`photo_body`; boxes in pixels."""
    rows = []
    for number, face in enumerate(body["faces"]):
        x, y, width, height = (round(part * side, 1) for part, side in zip(face["box"], _sides(body), strict=True))
        named = face["identity"] in (IdentityState.KNOWN, IdentityState.UNCERTAIN)
        probability = round(stated(face["probability"]), 3) if named and face["probability"] is not None else ""
        distance = "" if face["distance"] is None else face["distance"]["m"]
        quality = "" if face["quality"] is None else face["quality"]["overall"]
        name = face["name"] if named else ""
        rows.append((file, number, x, y, width, height, face["identity"], name, probability, quality, distance))
    return rows


def as_csv(rows: Sequence[tuple[Any, ...]]) -> str:
    """Rows of :data:`COLUMNS` as a table; a cell that a spreadsheet would take for a formula is made plain text."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows([[harmless(cell) if isinstance(cell, str) else cell for cell in row] for row in rows])
    return out.getvalue()


def _sides(body: dict[str, Any]) -> tuple[int, int, int, int]:
    return body["width"], body["height"], body["width"], body["height"]
