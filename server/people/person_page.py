"""What the page about one person shows of their samples: how well each fits, and whom else it resembles."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.gallery import Gallery
from pipeline.matcher import Matcher
from pipeline.templates import LEAST_WEIGHT, choose_samples
from server.people.consent import consent_fields
from server.storage import PersonDetail, PersonRow, SampleRow
from tracking import Embedding


def person_fields(row: PersonRow, max_samples: int, now: datetime) -> dict[str, Any]:
    """Somebody as listed."""
    return {
        "id": row.id,
        "name": row.name,
        "room": row.room,
        "samples": row.samples,
        "used": min(row.samples, max_samples),
        "negatives": row.negatives,
        "created": row.created.isoformat(),
        "cover": row.cover,
        "consent": consent_fields(row.consent, now),
    }


def person_page(
    detail: PersonDetail, gallery: Gallery, matcher: Matcher, max_samples: int, now: datetime
) -> dict[str, Any]:
    """Somebody with samples and marks. Compares every sample, so not on the event loop."""
    comparable = [sample for sample in detail.samples if sample.digest == gallery.digest]
    fits = dict(zip((sample.id for sample in comparable), _fits(comparable, matcher), strict=True))
    used: set[str] = set()
    if comparable:
        vectors = np.stack([sample.embedding for sample in comparable])
        qualities = np.array([sample.quality for sample in comparable])
        used = {comparable[i].id for i in choose_samples(vectors, qualities, max_samples)}
    return {
        **person_fields(detail.row, max_samples, now),
        "samples": [
            {
                "id": sample.id,
                "quality": round(sample.quality, 3),
                "source": sample.source,
                "challenge": sample.challenge,
                "created": sample.created.isoformat(),
                "used": sample.id in used,
                "comparable": sample.id in fits,  # computed by the pack in use
                "yaw": sample.yaw,
                "pitch": sample.pitch,
                "size": sample.size,
                "crop": sample.crop,
                "fits": fits.get(sample.id),
                "nearest": _nearest(sample, gallery, matcher) if sample.id in fits else None,
            }
            for sample in detail.samples
        ],
        "negatives": [{"id": mark.id, "created": mark.created.isoformat()} for mark in detail.negatives],
    }


def _fits(samples: Sequence[SampleRow], matcher: Matcher) -> list[float | None]:
    """How much each sample resembles the fusion of the person's others; ``None`` for an only one."""
    if len(samples) < 2:
        return [None] * len(samples)
    vectors = np.stack([sample.embedding for sample in samples])
    weights = np.maximum([sample.quality for sample in samples], LEAST_WEIGHT)[:, None]
    others: NDArray[np.float32] = ((weights * vectors).sum(0) - weights * vectors).astype(np.float32)
    others /= np.maximum(np.linalg.norm(others, axis=1, keepdims=True), 1e-12)
    return [round(matcher.similarity(rest, own), 4) for rest, own in zip(others, vectors, strict=True)]


def _nearest(sample: SampleRow, gallery: Gallery, matcher: Matcher) -> dict[str, Any] | None:
    """Who else a sample resembles most."""
    if len(gallery) == 0:
        return None
    for person in gallery.search(sample.embedding, 2).people:
        template: Embedding | None = gallery.template(person.id)
        if person.id != sample.person and template is not None:
            similarity = round(matcher.similarity(sample.embedding, template), 4)
            return {"person": person.id, "name": person.name, "similarity": similarity}
    return None
