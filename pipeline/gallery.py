"""The people a session can recognise: an immutable snapshot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody enrolled."""

    id: str
    name: str


@dataclass(frozen=True, eq=False, slots=True)
class Gallery:
    """An immutable snapshot: ``templates`` (N, dimension), unit length, row i is ``people[i]``.

    ``digest`` names the pack whose embeddings these are; ``version`` grows with every change.
    """

    people: tuple[Person, ...]
    templates: NDArray[np.float32]
    digest: str
    version: int = 0

    def __post_init__(self) -> None:
        if self.templates.ndim != 2 or len(self.templates) != len(self.people):
            raise ValueError(f"templates must be ({len(self.people)}, dimension), not {self.templates.shape}")

    def __len__(self) -> int:
        return len(self.people)

    @staticmethod
    def empty(dimension: int, digest: str) -> Gallery:
        """Nobody."""
        return Gallery((), np.zeros((0, dimension), np.float32), digest)
