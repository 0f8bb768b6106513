"""The models of one pack, ready to use; shared by all sessions, as ONNX Runtime sessions may be called from many
threads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import Pack, PackManifest
from pipeline import frugal
from pipeline.align import face_chip
from pipeline.attributes import AttributeReader, GenderAgeReader
from pipeline.detect import CenterFaceDetector, Detector, ScrfdDetector, look_wide, steady_landmarks
from pipeline.embed import ArcFaceEmbedder, DlibEmbedder, Embedder, FaceNetEmbedder, embed_chip
from pipeline.enhance import mended
from pipeline.frame import Image
from pipeline.matcher import Matcher
from pipeline.quality import Quality, measure_quality
from tracking import Embedding


@dataclass(frozen=True, slots=True)
class FaceModels:
    """A pack's detector, embedder and matcher."""

    manifest: PackManifest
    detector: Detector
    embedder: Embedder
    matcher: Matcher
    attributes: AttributeReader | None = None  # the pack's own; without, the shipped networks read

    @classmethod
    def from_pack(cls, pack: Pack) -> FaceModels:
        """Wrap what :func:`models.load_pack` returned."""
        manifest = pack.manifest
        detector: Detector
        embedder: Embedder
        match manifest.detector.kind:
            case "centerface":
                detector = CenterFaceDetector(pack.detector, manifest.detector)
            case "scrfd":
                detector = ScrfdDetector(pack.detector, manifest.detector)
        match manifest.embedder.kind:
            case "dlib":
                embedder = DlibEmbedder(pack.embedder, manifest.embedder)
            case "arcface":
                embedder = ArcFaceEmbedder(pack.embedder, manifest.embedder)
            case "facenet":
                embedder = FaceNetEmbedder(pack.embedder, manifest.embedder)
        own = None if pack.attributes is None else GenderAgeReader(pack.attributes, manifest.name)
        return cls(manifest, detector, embedder, Matcher(manifest.matching), own)

    def warm_up(self, width: int, height: int, near_side: int = 320, far_side: int = 640) -> None:
        """Run everything once on an empty picture: the first run of a network at a new size takes many times as long
        as the next."""
        empty = np.zeros((height, width, 3), np.uint8)
        look_wide(self.detector, empty, near_side, far_side)
        for side in (near_side, frugal.SIDE):
            self.detector.detect(empty, side)
        chip = np.zeros((self.embedder.spec.size, self.embedder.spec.size, 3), np.uint8)
        for count in (1, 2, 4):
            self.embedder.embed([chip] * count)


@dataclass(frozen=True, slots=True)
class PhotoFace:
    """One face of a still picture; ``landmarks`` (5, 2) in its pixels."""

    box: np.ndarray[tuple[int], np.dtype[np.float32]]
    score: float
    embedding: Embedding
    quality: Quality
    landmarks: NDArray[np.float32]


def read_photo(models: FaceModels, image: Image, near_side: int = 320, far_side: int = 640) -> list[PhotoFace]:
    """All faces of an RGB picture (H, W, 3) with their steadiest embeddings, largest first; nobody waits for a
    photo, so it gets both looks."""
    found = steady_landmarks(models.detector, image, look_wide(models.detector, image, near_side, far_side), far_side)
    spec = models.embedder.spec
    faces = []
    for box, score, points in zip(found.boxes, found.scores, found.landmarks, strict=True):
        chip = face_chip(image, points, spec.template, spec.size)
        embedding = embed_chip(models.embedder, mended(chip)[0], mirror=spec.mirror, shift=spec.shift)
        faces.append(PhotoFace(box, float(score), embedding, measure_quality(chip, points, float(box[2])), points))
    return sorted(faces, key=lambda face: -float(face.box[2] * face.box[3]))


def prominence(face: PhotoFace, width: int, height: int) -> float:
    """How much a picture of these sides is about this face: large and near the centre; in pixels."""
    x, y, w, h = face.box
    off = np.hypot((x + w / 2) / width - 0.5, (y + h / 2) / height - 0.5)
    return float(np.sqrt(w * h) * (1 - off))


def main_face(faces: list[PhotoFace], width: int, height: int) -> PhotoFace | None:
    """The face a portrait is of, the most prominent. ``faces`` as from :func:`read_photo`."""
    return max(faces, key=lambda face: prominence(face, width, height), default=None)
