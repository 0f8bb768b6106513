"""What a session says, for listeners other than its own page."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from server.live.messages import message

Listener = Callable[[str, str], None]  # told the type of a message and the message
TOLD = (
    "hello",
    "notice",
    "people",
    "reading",
    "named",
    "recognising",
    "consent_mode",
    "bye",
)  # answers to commands are for who gave them
WAITING = 32  # messages beside results that a reader may be behind


class Broadcast:
    """One session's listeners. Nobody may block in one."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self.ended = False

    def __len__(self) -> int:
        return len(self._listeners)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Hear everything from now on, until the returned function is called or ``bye`` was said."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def tell(self, kind: str, text: str) -> None:
        """Tell everybody."""
        for listener in tuple(self._listeners):
            listener(kind, text)

    def end(self, reason: str) -> None:
        """The session is over."""
        self.ended = True
        self.tell("bye", message("bye", reason=reason))
        self._listeners.clear()


class Reader:
    """One listener's share of what is said: the newest result only, and every other message within a bound. A reader
    that is slow misses results, and nothing grows."""

    def __init__(self, broadcast: Broadcast) -> None:
        self.skipped = 0  # results that newer ones took the place of
        self._result: str | None = None
        self._others: deque[tuple[str, str]] = deque(maxlen=WAITING)
        self._news = asyncio.Event()
        self.close = broadcast.subscribe(self._hear)

    def _hear(self, kind: str, text: str) -> None:
        if kind == "result":
            self.skipped += self._result is not None
            self._result = text
        elif kind in TOLD:
            if kind == "consent_mode":
                self._result = None  # it says of people what may not be said any more
            self._others.append((kind, text))
        else:
            return
        self._news.set()

    async def next(self) -> tuple[str, str]:
        """What there is to read: messages before the newest result."""
        while not self._others and self._result is None:
            self._news.clear()
            await self._news.wait()
        if self._others:
            return self._others.popleft()
        assert self._result is not None
        text, self._result = self._result, None
        return "result", text
