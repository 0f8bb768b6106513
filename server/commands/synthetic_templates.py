"""Made-up templates, as many as a measurement needs: nobody's faces, but shaped like a pack's embeddings.

Embeddings of the open pack share a direction: two people's have a cosine of .833 ± .035, a probe and its own template
.952 ± .016. So a made-up template is a common mean plus a spread that fades from axis to axis, and a probe keeps a part
of its person's spread and replaces the rest. Uniform templates are the opposite, without any structure that an
approximate search could use: no recogniser gives such, they show the worst there can be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Kind = Literal["faces", "uniform"]

SHARED = 0.833  # of the squared length lies along the common mean: the mean cosine of two people
FADING = 0.75  # variance falls with axis number to this power: as few axes count as give the cosines their ± .035
KEPT, KEPT_SPREAD = 0.71, 0.08  # of its person's own spread in a probe


@dataclass(frozen=True, slots=True)
class SyntheticTemplates:
    """``templates`` (N, dimension), ``probes`` (P, dimension) of the people ``shown`` (P,), and ``strangers``
    (P, dimension), whom no template belongs to; all of unit length."""

    templates: Matrix
    probes: Matrix
    shown: NDArray[np.int64]
    strangers: Matrix


def synthetic_templates(
    people: int, probes: int, seed: int, kind: Kind = "faces", dimension: int = 128
) -> SyntheticTemplates:
    """The same for the same arguments."""
    random = np.random.default_rng(seed)
    shared = SHARED if kind == "faces" else 0.0
    variance = np.arange(1, dimension + 1) ** -(FADING if kind == "faces" else 0.0)
    scale = np.sqrt((1 - shared) * variance / variance.sum()).astype(np.float32)
    mean = np.full(dimension, np.sqrt(shared / dimension), np.float32)

    def spread(count: int) -> Matrix:
        own = random.standard_normal((count, dimension), np.float32)
        own *= scale
        return own

    own = spread(people)
    shown = random.integers(0, people, probes)
    kept = random.normal(KEPT, KEPT_SPREAD, (probes, 1)).clip(0, 1).astype(np.float32)
    other = random.standard_normal((probes, dimension), np.float32) * np.sqrt(
        (1 - shared) / dimension, dtype=np.float32
    )
    seen = kept * own[shown] + np.sqrt(1 - kept**2) * other
    return SyntheticTemplates(_unit(own, mean), _unit(seen, mean), shown, _unit(spread(probes), mean))


def _unit(spread: Matrix, mean: Matrix) -> Matrix:
    spread += mean
    spread /= np.sqrt(np.einsum("ij,ij->i", spread, spread))[:, None]
    return spread
