"""What the route of photos takes and answers, for the document."""

from __future__ import annotations

from server.api.operations import Media, Operation, Schema
from server.api.schemas import BOX, COUNT, ID, IN_ROOM, NUMBER, SHARE, TEXT, listed, maybe, one_of, record
from server.media.decoding import FILE_BYTES
from tracking import IdentityState

BASE = "/api/v1/photos"
_POINT: Schema = {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2}
_DISTANCE = record(None, None, m=NUMBER, low=NUMBER, high=NUMBER, band=one_of("near", "middle", "far"))
_QUALITY: Schema = {"type": "object", "additionalProperties": NUMBER, "required": ["overall"]}
_RUNNER_UP = record(None, None, person=ID, name=TEXT, similarity=NUMBER)
FACE = record(
    "PhotoFace",
    box={**BOX, "description": "x, y, width, height; the sides of the photo are 1"},
    landmarks=listed(_POINT),
    identity=one_of(*IdentityState),
    person=maybe(ID),
    name=maybe(TEXT),
    probability=maybe(SHARE),
    similarity=maybe(NUMBER),
    margin=maybe(NUMBER),
    threshold={**maybe(NUMBER), "description": "The similarity a name needs"},
    runner_up=maybe(_RUNNER_UP),
    words={**TEXT, "description": "Why this name, or none, in a sentence"},
    detection=SHARE,
    pixels={**NUMBER, "description": "Across the face"},
    enhancement=maybe(one_of("none", "contrast", "denoise")),
    quality=maybe(_QUALITY),
    distance={**maybe(_DISTANCE), "description": "Metres, as if a usual camera had taken the whole photo"},
)
PHOTO = record("Photo", width=COUNT, height=COUNT, faces=listed(FACE))

OPERATIONS = {
    f"POST {BASE}": Operation(
        "Recognise everybody in a photo",
        "photos",
        "recognise",
        {200: PHOTO},
        errors=(408, 413, 415, 503),
        query={"room": IN_ROOM},
        body=Media(
            (
                "image/jpeg",
                "image/png",
                "image/webp",
                "image/heic",
                "image/avif",
                "image/bmp",
                "application/octet-stream",
            ),
            "The photo",
            FILE_BYTES,
        ),
        words="Nothing is kept of it. The largest 200 faces are told, the largest first.",
    ),
}
