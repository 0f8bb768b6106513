"""How much a key may ask for in a minute, and saying so in headers (draft-ietf-httpapi-ratelimit-headers)."""

from __future__ import annotations

import time
from collections.abc import Callable

QUOTA, WINDOW = 3_000, 60.0  # requests of one key in so many seconds


class Rates:
    """Counts by key, in windows that begin with a key's first request."""

    def __init__(self, quota: int = QUOTA, window: float = WINDOW, now: Callable[[], float] = time.monotonic) -> None:
        self._quota, self._window, self._now = quota, window, now
        self._counts: dict[str, tuple[float, int]] = {}  # when the window began, and how many since

    def take(self, key: str) -> bool:
        """Count a request; whether it is within the quota."""
        began, count = self._counts.get(key, (self._now(), 0))
        if self._now() - began >= self._window:
            began, count = self._now(), 0
        self._counts[key] = (began, min(count + 1, self._quota + 1))
        return count < self._quota

    def headers(self, key: str) -> dict[str, str]:
        """What is left of it, for the answer."""
        began, count = self._counts.get(key, (self._now(), 0))
        left, seconds = max(0, self._quota - count), max(1, round(began + self._window - self._now() + 0.499))
        headers = {
            "RateLimit-Policy": f'"key";q={self._quota};w={round(self._window)}',
            "RateLimit": f'"key";r={left};t={seconds}',
        }
        return headers if left or count <= self._quota else {**headers, "Retry-After": str(seconds)}
