"""What there is to say of the server at one moment, gathered at most once a second whoever asks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from server.link import Link
from server.observing.drain import Drain
from server.observing.frames import Frames
from server.observing.processes import Processes, Usage, disk
from server.observing.readiness import Readiness
from server.observing.store_times import StoreTimes
from server.observing.waits import Waits
from server.storage.events import Backlog

FRESH = 1.0  # seconds
STORE = 2.0  # seconds in which the store has to answer
NO_ONE = datetime.min.replace(tzinfo=UTC)
logger = logging.getLogger(__name__)


class InferenceState(Protocol):
    """How the processes do that run the networks, where there are any."""

    @property
    def workers(self) -> int:
        """That are alive."""

    @property
    def busy(self) -> int:
        """Of them, that compute now."""

    @property
    def waiting(self) -> int:
        """Questions that wait for one."""

    @property
    def restarts(self) -> int:
        """Workers that were started anew."""

    @property
    def calls(self) -> int:
        """Questions that were answered."""

    @property
    def batched(self) -> int:
        """Of them, answered together with others."""


class Peers(Protocol):
    """The live sessions."""

    @property
    def peers(self) -> tuple[Link, ...]:
        """All links."""

    @property
    def waiting(self) -> int:
        """Sessions whose page may come back."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """Of one kind: how many wait and run, and seconds since the oldest that waits came."""

    waiting: int = 0
    running: int = 0
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class Pack:
    """The model pack in use."""

    name: str
    licence: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom to ask. Everything but ``webhooks`` answers at once."""

    folder: Path
    max_sessions: Callable[[], int]
    max_viewers: int
    frames: Frames
    waits: Waits
    store: StoreTimes
    readiness: Readiness
    drain: Drain
    peers: Peers
    viewers: Callable[[], int]
    people: Callable[[], int]
    pack: Callable[[], Pack]
    sightings: Callable[[], int]
    jobs: Callable[[], Mapping[str, Jobs]]
    webhooks: Callable[[], Awaitable[Backlog]]
    inference: Callable[[], InferenceState | None] = lambda: None
    load: Callable[[], Mapping[str, float]] = dict
    """What the sharing of the processors says of itself, by name of the figure."""
    processes: Processes = field(default_factory=Processes)
    began: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Facts:
    """One moment. ``sessions`` by the way their pictures come; ``unready``: what is not as it should be, in words, by
    check; ``webhooks`` is ``None`` where the store does not answer."""

    at: float
    sessions: Mapping[str, int]
    waiting: int
    viewers: int
    people: int
    pack: Pack
    sightings: int
    jobs: Mapping[str, Jobs]
    webhooks: Backlog | None
    usage: Usage
    disk_free: int
    disk_total: int
    unready: Mapping[str, str | None]
    inference: InferenceState | None
    load: Mapping[str, float]

    @property
    def webhook_age(self) -> float:
        """Seconds since the oldest event that no receiver has taken."""
        oldest = None if self.webhooks is None else self.webhooks.oldest
        return 0.0 if oldest is None else max(0.0, self.at - oldest.timestamp())


class Gatherer:
    """Gathers, once for all who ask within a second."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._lock = asyncio.Lock()
        self._found: tuple[float, Facts] | None = None

    async def facts(self) -> Facts:
        """How it is now."""
        async with self._lock:
            if self._found is None or time.monotonic() - self._found[0] > FRESH:
                facts = await self._gather()
                self._found = time.monotonic(), facts
            return self._found[1]

    async def _gather(self) -> Facts:
        asked = self.subject
        usage, (free, total), unready, webhooks = await asyncio.gather(
            asyncio.to_thread(asked.processes.usage),
            asyncio.to_thread(disk, asked.folder),
            asked.readiness.look(),
            self._webhooks(),
        )
        return Facts(
            at=time.time(),
            sessions=Counter(link.way for link in asked.peers.peers),
            waiting=asked.peers.waiting,
            viewers=asked.viewers(),
            people=asked.people(),
            pack=asked.pack(),
            sightings=asked.sightings(),
            jobs=asked.jobs(),
            webhooks=webhooks,
            usage=usage,
            disk_free=free,
            disk_total=total,
            unready=unready,
            inference=asked.inference(),
            load=asked.load(),
        )

    async def _webhooks(self) -> Backlog | None:
        """Readiness says that the store does not answer; the rest is told all the same."""
        try:
            async with asyncio.timeout(STORE):
                return await self.subject.webhooks()
        except (TimeoutError, OSError, sa.exc.SQLAlchemyError):
            return None
