"""Counts and times of one session; no names."""

from __future__ import annotations

from collections import deque

from pipeline.metrics import percentile

RECENT = 300  # frames that times speak of


class Tally:
    """Of its results so far."""

    def __init__(self) -> None:
        self._results = self._keyframes = 0
        self._totals: deque[float] = deque(maxlen=RECENT)

    def note(self, keyframe: bool, total: float) -> None:
        """A result went out after so many milliseconds of work."""
        self._results += 1
        self._keyframes += keyframe
        self._totals.append(total)

    def told(self) -> dict[str, float | int | None]:
        """Counts, and medians in milliseconds."""
        totals = list(self._totals)
        return {
            "results": self._results,
            "keyframes": self._keyframes,
            "total_p50_ms": round(percentile(totals, 50), 2) if totals else None,
            "total_p95_ms": round(percentile(totals, 95), 2) if totals else None,
        }
