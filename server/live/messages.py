"""The JSON messages of the data channels: docs/protocol.md in code."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from pipeline.distance import Distance
from pipeline.quality import Quality
from pipeline.results import Face, FrameResult
from server.storage.room_reading import RoomReading
from server.wording import stated
from tracking import IdentityState

VERSION = 1
MAX_MESSAGE = 16 * 1024
Word = TypeVar("Word", bound=str)
DEFAULT_READING = RoomReading()
NAMED = (IdentityState.KNOWN, IdentityState.UNCERTAIN)


class BadMessage(ValueError):
    """Not a message of this protocol; the text says why and may be shown."""


@dataclass(frozen=True, slots=True)
class Command:
    """A parsed message from the page."""

    type: str
    id: int | str | None
    body: dict[str, Any]

    def integer(self, field: str) -> int:
        """A whole number among the fields. Raises :class:`BadMessage`."""
        value = self.body.get(field)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
            raise BadMessage(f"{field} must be a whole number of 0 or more")
        return value

    def choice(self, field: str, values: tuple[Word, ...]) -> Word | None:
        """One of these words, or ``None`` where the field is absent. Raises :class:`BadMessage`."""
        value = self.body.get(field)
        if value is None:
            return None
        for word in values:
            if value == word:
                return word
        raise BadMessage(f"{field} must be one of {', '.join(values)}")

    def number(self, field: str) -> float | None:
        """A number among the fields, or ``None`` where there is none that can be sent back."""
        value = self.body.get(field)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) > 1e15:
            return None
        return float(value)

    def text(self, field: str) -> str:
        """Text among the fields. Raises :class:`BadMessage`."""
        value = self.body.get(field)
        if not isinstance(value, str) or not value:
            raise BadMessage(f"{field} must be text")
        return value


def parse_command(raw: str | bytes) -> Command:
    """Parse one message of the commands channel. Raises :class:`BadMessage`."""
    if not isinstance(raw, str):
        raise BadMessage("a message must be text")
    if len(raw) > MAX_MESSAGE or len(raw.encode("utf-8", "surrogatepass")) > MAX_MESSAGE:
        raise BadMessage(f"a message may have {MAX_MESSAGE} bytes")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadMessage("a message must be JSON") from error
    if not isinstance(body, dict):
        raise BadMessage("a message must be an object")
    if body.get("v") != VERSION or isinstance(body.get("v"), bool):
        raise BadMessage(f"v must be {VERSION}")
    kind, number = body.get("type"), body.get("id")
    if any(isinstance(text, str) and not _is_unicode(text) for text in (kind, number)):
        raise BadMessage("type and id must be Unicode text")
    if not isinstance(kind, str) or not kind:
        raise BadMessage("type must be text")
    if isinstance(number, str):
        number = number[:64]
    elif number is not None and (isinstance(number, bool) or not isinstance(number, int) or abs(number) >= 2**53):
        raise BadMessage("id must be a whole number or text")
    return Command(kind, number, body)


def _is_unicode(text: str) -> bool:
    """JSON can spell half a surrogate pair, which could not be sent back."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def message(kind: str, **fields: Any) -> str:
    """A message to the page."""
    return json.dumps(
        {"v": VERSION, "type": kind, **fields}, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def error_message(command: int | str | None, code: str, text: str, **fields: Any) -> str:
    """An ``error`` message."""
    return message("error", id=command, code=code, message=text, **fields)


def result_message(
    seq: int,
    result: FrameResult,
    *,
    rtp: int | None,
    capture: float | None,
    skipped: int,
    timing: dict[str, float | None],
    reading: RoomReading = DEFAULT_READING,
) -> str:
    """A ``result`` message; ``reading`` says what is shown of faces beside their names."""
    return message(
        "result",
        seq=seq,
        rtp=rtp,
        capture=None if capture is None else round(capture, 4),
        width=result.width,
        height=result.height,
        keyframe=result.keyframe,
        skipped=skipped,
        timing=timing,
        faces=[face_fields(face, result.width, result.height, reading) for face in result.faces],
    )


def face_fields(face: Face, width: int, height: int, reading: RoomReading = DEFAULT_READING) -> dict[str, Any]:
    x, y, w, h = (float(v) for v in face.box)
    named = face.identity in NAMED and face.opinion is not None
    opinion = face.opinion if named else None
    quality = face.quality
    return {
        "track": face.track,
        "box": [_unit(x, width), _unit(y, height), _unit(w, width), _unit(h, height)],
        "landmarks": [[_unit(float(px), width), _unit(float(py), height)] for px, py in face.landmarks],
        "state": face.state.value,
        "identity": face.identity.value,
        "person": opinion.person if opinion else None,
        "name": face.name if opinion else None,
        "probability": round(opinion.probability, 4) if opinion else None,
        "similarity": round(opinion.similarity, 4) if opinion else None,
        "margin": round(opinion.margin, 4) if opinion and opinion.margin is not None else None,
        "votes": face.votes,
        "quality": None if quality is None else quality_fields(quality),
        "age": round(face.age, 3),
        **read_fields(face, reading),
    }


def read_fields(face: Face, reading: RoomReading) -> dict[str, Any]:
    """What is shown of a face beside its name: only what the room asks for, and only where there is something."""
    fields: dict[str, Any] = {}
    if reading.distance and face.distance is not None:
        fields["distance"] = distance_fields(face.distance)
    said = face.apparent
    if reading.attributes and said is not None:
        shown: dict[str, Any] = {"looks": face.looks, "reason": said.reason}
        if reading.gender:
            shown |= {"gender": said.gender, "p": round(stated(said.gender_probability), 3)}
        if reading.age:
            low, high = (None, None) if said.age is None else (round(said.age_low), round(said.age_high))
            shown |= {"age": None if said.age is None else round(said.age), "low": low, "high": high}
        fields["apparent"] = shown
    return fields


def distance_fields(distance: Distance) -> dict[str, Any]:
    """Metres, and the interval that holds nine of ten."""
    return {
        "m": round(distance.metres, 2),
        "low": round(distance.low, 2),
        "high": round(distance.high, 2),
        "band": distance.band,
    }


def quality_fields(quality: Quality) -> dict[str, float]:
    """Overall quality and its parts, 0–1."""
    return {
        "overall": round(quality.overall, 3),
        "sharpness": round(quality.sharpness, 3),
        "light": round(quality.light, 3),
        "pose": round(quality.pose, 3),
        "size": round(quality.size, 3),
    }


def all_quality_fields(quality: Quality) -> dict[str, float]:
    """Quality with all that was measured; units are those of :class:`pipeline.quality.Quality`."""
    told = {name: round(value, 3) for name, value in asdict(quality).items()}
    return {"overall": round(quality.overall, 3), **told}


def _unit(value: float, side: int) -> float:
    return round(value / side, 5) if math.isfinite(value) else 0.0
