"""What the pipeline remembers of a track beside its evidence."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.enhance import Enhancement
from pipeline.quality import Quality
from tracking import Embedding


@dataclass(slots=True)
class TrackMemory:
    """How well it was seen, what it was decided on, when the next try is due, and embeddings that do not fit it with
    their quality."""

    quality: Quality | None = None
    enhancement: Enhancement | None = None
    embedded: int = 0
    template: Embedding | None = None
    next_try: float = -1e9
    strikes: list[tuple[Embedding, float]] = field(default_factory=list)
