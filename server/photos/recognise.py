"""All faces of a still picture, and who they are: the decision of a live session, on one look."""

from __future__ import annotations

from concurrent.futures import Executor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pipeline.align import face_chip
from pipeline.beside import both
from pipeline.detect import look_wide
from pipeline.distance import measure_distance
from pipeline.enhance import mended
from pipeline.face_models import FaceModels
from pipeline.frame import Image
from pipeline.frame_pipeline import PipelineConfig
from pipeline.gallery import Gallery
from pipeline.quality import Quality, measure_quality
from pipeline.results import Face
from tracking import IdentityState, Opinion, TrackState, Verdict

# Of the way from the threshold to the same picture. On 98,000 pairs of LFW's pictures the mirrored view moved 99.9 in
# 100 similarities by less than 0.018, where the threshold was 0.949 and this is 0.02, and turned no decision beyond.
DOUBT = 0.4
FACES = 200  # of one photo, the largest; further ones of a crowd are not told
_LIMITS = PipelineConfig()
_IDENTITIES = {
    Verdict.KNOWN: IdentityState.KNOWN,
    Verdict.UNCERTAIN: IdentityState.UNCERTAIN,
    Verdict.UNKNOWN: IdentityState.UNKNOWN,
}


def recognise_photo(models: FaceModels, gallery: Gallery, image: Image, beside: Executor | None = None) -> list[Face]:
    """The faces of an RGB picture (H, W, 3), largest first, numbered from 0. Blocks.

    A face is embedded as it is; where that leaves a doubt about the name, its mirror image as well.
    A thread of ``beside`` takes half of the work, if it has one to spare.
    """
    height, width = image.shape[:2]
    found = look_wide(models.detector, image, _LIMITS.near_side, _LIMITS.far_side, beside)
    order = np.argsort(-found.boxes[:, 2] * found.boxes[:, 3], kind="stable")[:FACES]
    spec = models.embedder.spec
    seen = []
    for box, score, points in zip(found.boxes[order], found.scores[order], found.landmarks[order], strict=True):
        try:
            chip = face_chip(image, points, spec.template, spec.size)
        except ValueError:  # eyes, nose and mouth in one point: no face that could be aligned
            continue
        seen.append((box, float(score), points, measure_quality(chip, points, float(box[2])), mended(chip)))
    chips, readable = [chip for *_, (chip, _) in seen], [_readable(quality) for *_, quality, _ in seen]
    embeddings, opinions = _decided(models, gallery, chips, readable, beside)
    faces: list[Face] = []
    for (box, score, points, quality, (_, enhancement)), embedding, opinion in zip(
        seen, embeddings, opinions, strict=True
    ):
        faces.append(
            Face(
                track=len(faces),
                box=box,
                landmarks=points,
                state=TrackState.CONFIRMED,
                identity=IdentityState.UNREADABLE if opinion is None else _IDENTITIES[opinion.verdict],
                opinion=opinion,
                name=_name(opinion, gallery),
                votes=int(opinion is not None),
                quality=quality,
                age=0.0,
                embedded=1,
                template=embedding,
                score=score,
                enhancement=enhancement,
                distance=measure_distance(points, box, (width, height)),
            )
        )
    return faces


def _decided(
    models: FaceModels, gallery: Gallery, chips: list[Image], readable: list[bool], beside: Executor | None
) -> tuple[NDArray[np.float32], list[Opinion | None]]:
    """Of each chip its embedding (N, dimension), and of those that are readable whose face it is."""
    embeddings = _embedded(models, chips, beside)
    opinions = [
        models.matcher.decide(embedding, gallery) if may else None
        for embedding, may in zip(embeddings, readable, strict=True)
    ]
    doubtful = [i for i, opinion in enumerate(opinions) if opinion is not None and _doubtful(opinion)]
    if doubtful and models.embedder.spec.mirror:
        mirrored = _embedded(models, [np.ascontiguousarray(chips[i][:, ::-1]) for i in doubtful], beside)
        sums = embeddings[doubtful] + mirrored
        embeddings[doubtful] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
        for i in doubtful:
            opinions[i] = models.matcher.decide(embeddings[i], gallery)
    return embeddings, opinions


def _embedded(models: FaceModels, chips: list[Image], beside: Executor | None) -> NDArray[np.float32]:
    embed, half = models.embedder.embed, len(chips) // 2
    return np.concatenate(both(beside, partial(embed, chips[:half]), partial(embed, chips[half:])))


def _doubtful(opinion: Opinion) -> bool:
    """Whether a mirrored view could change the name: it moves similarities, by less than this."""
    if opinion.person is None:
        return False
    room = DOUBT * (1 - opinion.threshold)
    near_another = opinion.margin is not None and opinion.margin < room and opinion.verdict is not Verdict.UNKNOWN
    return abs(opinion.similarity - opinion.threshold) < room or near_another


def _readable(quality: Quality) -> bool:
    return quality.pose >= _LIMITS.min_pose and quality.overall >= _LIMITS.min_quality


def _name(opinion: Opinion | None, gallery: Gallery) -> str | None:
    person = None if opinion is None or opinion.person is None else gallery.person(opinion.person)
    return None if person is None else person.name
