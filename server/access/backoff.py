"""Wrong guesses wait longer each time: by address, and by the account they are about."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FREE = 5  # wrong guesses in a row that are not slowed down
FIRST, LONGEST = 1.0, 900.0  # seconds to wait after the fifth; twice as long after each further one, up to this
FORGOTTEN = 3600.0  # seconds after the last wrong guess
ENTRIES = 4096  # remembered at most; whoever guessed longest ago is forgotten first


@dataclass(frozen=True, slots=True)
class _Wrong:
    times: int
    at: float

    @property
    def until(self) -> float:
        """When the next guess may be made."""
        if self.times < FREE:
            return self.at
        return self.at + min(LONGEST, FIRST * 2.0 ** min(self.times - FREE, 30))


class Backoff:
    """A guess is counted before it is looked at, so that many at once count too, and taken back if it was right."""

    def __init__(self, now: Callable[[], float] = time.monotonic, entries: int = ENTRIES) -> None:
        self._now, self._entries = now, entries
        self._wrong: OrderedDict[str, _Wrong] = OrderedDict()  # whoever guessed last is last

    def wait(self, *keys: str) -> int:
        """Whole seconds until a guess may be made that counts for all of these; 0: now."""
        now = self._now()
        until = max((wrong.until for key in keys if (wrong := self._of(key)) is not None), default=now)
        return max(0, math.ceil(until - now))

    def count(self, *keys: str) -> None:
        """Note a guess."""
        for key in keys:
            before = self._of(key)
            self._wrong[key] = _Wrong(1 if before is None else before.times + 1, self._now())
            self._wrong.move_to_end(key)
        while len(self._wrong) > self._entries:
            self._wrong.popitem(last=False)

    def clear(self, *keys: str) -> None:
        """The last one was right."""
        for key in keys:
            self._wrong.pop(key, None)

    def _of(self, key: str) -> _Wrong | None:
        wrong = self._wrong.get(key)
        return wrong if wrong is not None and self._now() - wrong.at < FORGOTTEN else None
