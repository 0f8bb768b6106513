"""How a person's samples become the one template they are recognised by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracking import Embedding


def fuse_template(samples: Sequence[Embedding], weights: Sequence[float] | None = None) -> Embedding:
    """A person's template: the weighted mean of their samples, of unit length."""
    mean = np.average(np.stack(samples), axis=0, weights=weights)
    return (mean / np.linalg.norm(mean)).astype(np.float32)
