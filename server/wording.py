"""How figures are said to a person."""

from __future__ import annotations

MOST = 0.99


def stated(probability: float) -> float:
    """A probability as it is said: nothing that is read off pictures is certain."""
    return min(probability, MOST)
