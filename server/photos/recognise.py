"""All faces of a still picture, and who they are: the decision of a live session, on one look."""

from __future__ import annotations

import numpy as np

from pipeline.align import face_chip
from pipeline.detect import look_wide
from pipeline.distance import measure_distance
from pipeline.embed import embed_chips
from pipeline.enhance import mended
from pipeline.face_models import FaceModels
from pipeline.frame import Image
from pipeline.frame_pipeline import PipelineConfig
from pipeline.gallery import Gallery
from pipeline.quality import measure_quality
from pipeline.results import Face
from tracking import IdentityState, Opinion, TrackState, Verdict

FACES = 200  # of one photo, the largest; further ones of a crowd are not told
_LIMITS = PipelineConfig()
_IDENTITIES = {
    Verdict.KNOWN: IdentityState.KNOWN,
    Verdict.UNCERTAIN: IdentityState.UNCERTAIN,
    Verdict.UNKNOWN: IdentityState.UNKNOWN,
}


def recognise_photo(models: FaceModels, gallery: Gallery, image: Image) -> list[Face]:
    """The faces of an RGB picture (H, W, 3), largest first, numbered from 0. Blocks.

    Two views of each face are embedded, as it is and mirrored: enough to recognise, where enrolment takes ten.
    """
    height, width = image.shape[:2]
    found = look_wide(models.detector, image, _LIMITS.near_side, _LIMITS.far_side)
    order = np.argsort(-found.boxes[:, 2] * found.boxes[:, 3], kind="stable")[:FACES]
    spec = models.embedder.spec
    seen = []
    for box, score, points in zip(found.boxes[order], found.scores[order], found.landmarks[order], strict=True):
        try:
            chip = face_chip(image, points, spec.template, spec.size)
        except ValueError:  # eyes, nose and mouth in one point: no face that could be aligned
            continue
        seen.append((box, float(score), points, measure_quality(chip, points, float(box[2])), mended(chip)))
    embeddings = embed_chips(models.embedder, [chip for *_, (chip, _) in seen], mirror=spec.mirror)
    faces: list[Face] = []
    for (box, score, points, quality, (_, enhancement)), embedding in zip(seen, embeddings, strict=True):
        readable = quality.pose >= _LIMITS.min_pose and quality.overall >= _LIMITS.min_quality
        opinion = models.matcher.decide(embedding, gallery) if readable else None
        faces.append(
            Face(
                track=len(faces),
                box=box,
                landmarks=points,
                state=TrackState.CONFIRMED,
                identity=IdentityState.UNREADABLE if opinion is None else _IDENTITIES[opinion.verdict],
                opinion=opinion,
                name=_name(opinion, gallery),
                votes=int(readable),
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


def _name(opinion: Opinion | None, gallery: Gallery) -> str | None:
    person = None if opinion is None or opinion.person is None else gallery.person(opinion.person)
    return None if person is None else person.name
