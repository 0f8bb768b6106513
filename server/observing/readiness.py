"""Whether the server can take sessions: each part is asked at most once a second, whoever wants to know."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from server.storage.faults import fault

FRESH = 1.0  # seconds in which nothing is asked again
PATIENCE = 2.0  # seconds in which a part has to answer
logger = logging.getLogger(__name__)

Check = Callable[[], Awaitable[None]]


class NotReady(Exception):
    """A part cannot be used; the message says why, as a sentence without anything secret."""


class Readiness:
    """``checks`` by name: each returns if all is well, or raises. One that hangs is not asked again until it has
    answered."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = dict(checks)
        self._asked: dict[str, asyncio.Task[None]] = {}
        self._lock = asyncio.Lock()
        self._looked: float | None = None
        self._found: dict[str, str | None] = {}

    def add(self, name: str, check: Check) -> None:
        """Ask this as well."""
        self._checks[name] = check
        self._looked = None

    def forget(self) -> None:
        """Ask again, whoever asks next: something has changed."""
        self._looked = None

    async def look(self) -> Mapping[str, str | None]:
        """By check, ``None`` or what is wrong, as a sentence."""
        async with self._lock:
            if self._looked is None or time.monotonic() - self._looked > FRESH:
                self._found = await self._ask()
                self._looked = time.monotonic()
            return self._found

    async def close(self) -> None:
        """Wait for nothing any more."""
        tasks = tuple(self._asked.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self) -> dict[str, str | None]:
        for name, check in self._checks.items():
            if name not in self._asked:
                self._asked[name] = asyncio.create_task(_run(check), name=f"observing: {name}")
        done, _ = await asyncio.wait(self._asked.values(), timeout=PATIENCE) if self._asked else (set(), set())
        found: dict[str, str | None] = {}
        for name in self._checks:
            task = self._asked[name]
            if task in done:
                del self._asked[name]
                found[name] = _words(name, task.exception())
            else:
                found[name] = f"It has not answered for {PATIENCE:g} seconds."
        return found


async def _run(check: Check) -> None:
    await check()


def _words(name: str, error: BaseException | None) -> str | None:
    if error is None:
        return None
    if isinstance(error, NotReady):
        return str(error)
    if (found := fault(error)) is not None:
        return found.words
    logger.error("whether %s is ready cannot be told: %s", name, type(error).__name__)
    return "It fails; the log says of what kind the error is."
