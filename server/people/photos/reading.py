"""The faces of a photo, as long as an import needs them: numbers, not the photo."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from pipeline.crop import cut_crop
from pipeline.face_models import FaceModels, PhotoFace, prominence, read_photo
from pipeline.quality import Quality
from server.media.decoding import Decode, Unreadable
from server.storage import NewSample
from tracking import Embedding

FACES = 20  # of one photo: the largest; the rest of a crowd is nobody's portrait
MAIN = 2.0  # times as prominent as any other: then there is no doubt whose portrait it is


@dataclass(frozen=True, slots=True)
class Face:
    """One face; ``box`` is x, y, width, height as parts (0–1) of the photo, ``size`` its width in pixels."""

    box: tuple[float, float, float, float]
    size: float
    embedding: Embedding
    quality: Quality
    crop: bytes | None = None
    crop_landmarks: NDArray[np.float32] | None = None

    @property
    def held(self) -> int:
        """About how many bytes it takes."""
        return self.embedding.nbytes + len(self.crop or b"") + 500

    def sample(self, content: str) -> NewSample:
        """What is kept of it; ``content`` is the SHA-256 of the photo."""
        return NewSample(
            self.embedding,
            self.quality.overall,
            "photo",
            yaw=self.quality.yaw,
            pitch=self.quality.pitch,
            size=self.size,
            crop=self.crop,
            crop_landmarks=self.crop_landmarks,
            content=content,
        )


@dataclass(frozen=True, slots=True)
class Photo:
    """What was found in some bytes: faces, largest first, or the ``problem`` that stood in the way. ``main`` is the
    index of the face the photo is of, ``None`` where that is not clear."""

    content: str
    width: int = 0
    height: int = 0
    faces: tuple[Face, ...] = ()
    main: int | None = None
    problem: Unreadable | None = None


def content_of(data: bytes) -> str:
    """What a photo is recognised by: SHA-256 of its bytes, in hex."""
    return sha256(data).hexdigest()


def read(models: FaceModels, data: bytes, crops: bool, decode: Decode) -> Photo:
    """Decode a photo and read its faces; with ``crops`` the small pictures that may be kept too. Blocks for a good
    part of a second."""
    content = content_of(data)
    try:
        image = decode(data)
    except Unreadable as problem:
        return Photo(content, problem=problem)
    height, width = image.shape[:2]
    try:
        found = read_photo(models, image)[:FACES]
    except ValueError:  # eyes, nose and mouth in one point: no face that could be aligned
        found = []
    faces = tuple(_face(image, face, crops) for face in found)
    return Photo(content, width, height, faces, _main(found, width, height))


def _face(image: NDArray[np.uint8], face: PhotoFace, crops: bool) -> Face:
    height, width = image.shape[:2]
    x, y, w, h = (float(value) for value in face.box)
    box = (x / width, y / height, w / width, h / height)
    if not crops:
        return Face(box, w, face.embedding, face.quality)
    crop = cut_crop(image, face.landmarks)
    return Face(box, w, face.embedding, face.quality, crop.jpeg, crop.landmarks)


def _main(faces: list[PhotoFace], width: int, height: int) -> int | None:
    ranks = [prominence(face, width, height) for face in faces]
    best = int(np.argmax(ranks)) if ranks else None
    return best if all(i == best or ranks[best or 0] >= MAIN * rank for i, rank in enumerate(ranks)) else None
