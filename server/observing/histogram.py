"""Counts of durations by size."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from prometheus_client.core import HistogramMetricFamily

# Seconds: parts of a frame's way, and what may wait for a disk.
FINE = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.033, 0.066, 0.133, 0.25, 0.5, 1.0, 2.0)
COARSE = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0)


class Histogram:
    """Of durations in seconds. Used by one thread."""

    __slots__ = ("bounds", "count", "counts", "sum")

    def __init__(self, bounds: Sequence[float] = FINE) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.count = 0
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.count += 1
        self.sum += seconds

    def show(self, family: HistogramMetricFamily, labels: Sequence[str] = ()) -> None:
        """Add what was counted so far to a family of Prometheus."""
        buckets, reached = [], 0
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            reached += count
            buckets.append(("+Inf" if bound == float("inf") else str(bound), float(reached)))
        family.add_metric(list(labels), buckets, self.sum)
