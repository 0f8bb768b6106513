"""Calls that wait for a worker, and whose they are."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from pipeline.embed import MAX_BATCH
from server.inference import wire

BAR = 1.0  # seconds; doubled with each crash
LONGEST_BAR = 60.0
FORGIVEN = 120.0  # seconds without a crash


class Client:
    """Whoever calls, as a session. One whose pictures crash workers is held off for a while, longer each time, and gets
    no second try meanwhile, so that others find workers alive. Changed under the lock of :class:`Calls`."""

    def __init__(self) -> None:
        self.strikes = 0
        self.barred_until = 0.0

    def crashed(self, now: float) -> None:
        """A call of its ended the worker, and would have been the last try."""
        self.strikes = self.strikes + 1 if now < self.barred_until + FORGIVEN else 1
        self.barred_until = now + min(BAR * 2 ** (self.strikes - 1), LONGEST_BAR)

    def suspect(self, now: float) -> bool:
        """Whether its calls crashed workers not long ago."""
        return self.strikes > 0 and now < self.barred_until + FORGIVEN


@dataclass(eq=False)
class Call:
    """A request and who waits for its answer."""

    request: wire.Request
    client: Client
    answer: Future[wire.Array] = field(default_factory=Future)
    tries: int = 0
    alone: bool = False  # it may be the reason why a batch failed
    given_up: bool = False  # nobody waits any more


class Calls:
    """The queue of a crew. Who comes first is served first; chips to be embedded that wait go together, whosever they
    are."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.closed = False
        self._waiting: deque[Call] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, call: Call) -> bool:
        """Let it wait its turn; ``False`` once this is closed."""
        with self.changed:
            if not self.closed:
                self._waiting.append(call)
                self.changed.notify()
            return not self.closed

    def put_back(self, calls: list[Call]) -> list[Call]:
        """Let calls that were not answered go first; returns those that cannot."""
        with self.changed:
            if self.closed:
                return calls
            self._waiting.extendleft(reversed(calls))
            self.changed.notify_all()
            return []

    def take(self, seconds: float) -> list[Call]:
        """The next call, or several whose chips go together; none if none came in so many seconds, or once this is
        closed."""
        with self.changed:
            self.changed.wait_for(lambda: self.closed or len(self._waiting) > 0, seconds)
            while self._waiting and not self.closed:
                first = self._waiting.popleft()
                if not first.given_up:
                    return [first, *self._companions(first)]
            return []

    def close(self) -> list[Call]:
        """Take no more; returns the calls that waited."""
        with self.changed:
            self.closed = True
            left = list(self._waiting)
            self._waiting.clear()
            self.changed.notify_all()
            return left

    def _companions(self, first: Call) -> list[Call]:
        """Further calls for the same batch; none to or of those that may be the reason of a crash."""
        now = time.monotonic()
        if not _sociable(first, now):
            return []
        room = MAX_BATCH - len(first.request.pictures)
        chosen: list[Call] = []
        for call in self._waiting:
            if _sociable(call, now) and len(call.request.pictures) <= room:
                chosen.append(call)
                room -= len(call.request.pictures)
        for call in chosen:
            self._waiting.remove(call)
        return chosen


def _sociable(call: Call, now: float) -> bool:
    return call.request.kind == wire.EMBED and not (call.alone or call.given_up or call.client.suspect(now))


def together(calls: list[Call]) -> wire.Request:
    """One request for all of them."""
    if len(calls) == 1:
        return calls[0].request
    return wire.Request(wire.EMBED, [chip for call in calls for chip in call.request.pictures])
