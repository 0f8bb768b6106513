"""How much anybody may ask for: a bucket for each, that fills at an even rate."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

ENTRIES = 4096  # buckets at most; the one not used for longest goes first, and is full when it comes again


class Buckets:
    """``burst`` requests at once, and ``rate`` a second after that."""

    def __init__(
        self, rate: float, burst: int, now: Callable[[], float] = time.monotonic, entries: int = ENTRIES
    ) -> None:
        self._rate, self._burst, self._now, self._entries = rate, burst, now, entries
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests left, and when that was so

    def take(self, key: str) -> int:
        """Take one; whole seconds to wait where there is none left, otherwise 0."""
        now = self._now()
        left, at = self._left.get(key, (float(self._burst), now))
        left = min(float(self._burst), left + (now - at) * self._rate)
        enough = left >= 1.0
        self._left[key] = (left - 1.0 if enough else left, now)
        self._left.move_to_end(key)
        if len(self._left) > self._entries:
            self._left.popitem(last=False)
        return 0 if enough else max(1, math.ceil((1.0 - left) / self._rate))
