"""What a track knows about whose face it is: its best few embeddings, fused."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Embedding = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EvidencePolicy:
    """When a track is worth another embedding."""

    enough: int = 5  # embeddings kept
    first: int = 3  # gathered as fast as keyframes come
    spacing: float = 0.14  # seconds between two, so that they are not the same picture twice
    relaxed_spacing: float = 0.5  # from `first` to `enough`
    check_interval: float = 2.5  # with enough: one more this often, to notice another face on the track
    better_by: float = 0.08  # with enough: at once if the quality beats the worst kept one by this


DEFAULT_EVIDENCE = EvidencePolicy()


@dataclass(slots=True)
class Evidence:
    """The best embeddings of one track, weighted by quality."""

    policy: EvidencePolicy = DEFAULT_EVIDENCE
    votes: int = 0  # embeddings ever taken in
    last_time: float = -1e9
    _vectors: list[Embedding] = field(default_factory=list)
    _weights: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._vectors)

    def wanted(self, now: float, quality: float | None = None) -> bool:
        """Whether an embedding at time ``now`` (of that quality, if known) would improve the evidence."""
        waited = now - self.last_time
        if len(self) < self.policy.first:
            return waited >= self.policy.spacing
        if len(self) < self.policy.enough:
            return waited >= self.policy.relaxed_spacing
        if quality is not None and quality > min(self._weights) + self.policy.better_by:
            return waited >= self.policy.relaxed_spacing
        return waited >= self.policy.check_interval

    def add(self, embedding: Embedding, quality: float, now: float) -> None:
        """Take in a unit-length embedding; with enough of them the worst gives way to a better one."""
        self.votes += 1
        self.last_time = now
        weight = max(quality, 0.02)
        if len(self) < self.policy.enough:
            self._vectors.append(embedding)
            self._weights.append(weight)
            return
        worst = int(np.argmin(self._weights))
        if weight >= self._weights[worst]:
            self._vectors[worst], self._weights[worst] = embedding, weight
        else:
            # A kept embedding ages, so that a face that changed (glasses off) is learnt in the end.
            self._weights[worst] *= 0.97

    def absorb(self, other: Evidence) -> None:
        """Take over what another track of the same face knew."""
        for vector, weight in zip(other._vectors, other._weights, strict=True):
            self.add(vector, weight, max(self.last_time, other.last_time))

    def template(self) -> Embedding | None:
        """The quality-weighted mean, of unit length; ``None`` without evidence."""
        if not self._vectors:
            return None
        mean = np.average(np.stack(self._vectors), axis=0, weights=self._weights)
        return (mean / np.linalg.norm(mean)).astype(np.float32)
