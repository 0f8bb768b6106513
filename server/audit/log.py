"""Writes the audit log beside everything else: changes before they are answered, views within a second."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from aiohttp import web

from server.audit.actions import ACTIONS, AGAIN, CHANGE, COUNTED, checked
from server.audit.signing import SigningKey, signed_by
from server.people import People
from server.storage import audit as table
from server.storage.audit import SERVER, Broken, Noted, Place
from server.vault import VaultError

logger = logging.getLogger(__name__)

SOON = 0.5  # seconds until views are written
TIDY = 3600.0  # … between two looks for what is too old
WAITING = 20_000  # views that wait for a store that cannot be written; then they are lost, and it is said
REMEMBERED = 20_000  # views that would be the same
CHECKED = 60.0  # seconds a walk over the whole chain is believed
SUBJECTS: web.RequestKey[tuple[str, ...]] = web.RequestKey("what the audit log says it was about", tuple)
DETAIL = web.RequestKey("how the audit log says it came about", str)
DONE = web.RequestKey("what the audit log says was done, whatever is noted of its route", str)


def about(request: web.Request, *subjects: str, detail: str = "", action: str | None = None) -> None:
    """Say of a request which ids it was about, where the address does not; each gets a row, and where there are none
    nothing is noted. ``action``: what was done, where that is not the same for every request to its route."""
    request[SUBJECTS] = subjects
    request[DETAIL] = detail
    if action is not None:
        request[DONE] = action


@dataclass(frozen=True, slots=True)
class Chain:
    """What a walk over the whole log found: whether it holds, how many rows, and if not, where and why."""

    rows: int
    broken: Broken | None
    at: datetime


@dataclass(slots=True)
class _Again:
    since: float
    entry: Noted
    times: int = 0


class AuditLog:
    """Open with ``await AuditLog.open(…)``, end with :meth:`close`, after everything that notes and before the people.
    ``days``: how long rows are kept."""

    def __init__(self, people: People, key: SigningKey, days: int, now: Callable[[], float] = time.monotonic) -> None:
        self.days = days
        self.key = key
        self._people = people
        self._now = now
        self._pending: list[Noted] = []
        self._seen: dict[tuple[str, str, str, str], _Again] = {}
        self._come = asyncio.Event()
        self._failing = False
        self._chain: Chain | None = None
        self._walking = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, people: People, key: SigningKey, days: int) -> AuditLog:
        """Begin the log where there is none, and let go of what is too old."""
        log = cls(people, key, days)
        await log.record()
        await log._tidy()
        log._task = asyncio.create_task(log._work(), name="audit: write")
        return log

    async def close(self) -> None:
        """Write what waits; may be called twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            for again in self._seen.values():
                self._repeat(again)
            self._seen.clear()
            try:
                await self.settle()
            except (sa.exc.SQLAlchemyError, VaultError) as error:
                logger.error("the audit log could not be written at the end: %s", type(error).__name__)

    def note(
        self,
        actor: object,
        action: str,
        subject: str = "",
        *,
        room: str | None = None,
        count: int = 1,
        detail: str = "",
    ) -> None:
        """Note something soon and without waiting: a view, the same one once in ten minutes, or what the server itself
        did. Raises ``ValueError`` for what :mod:`server.audit.actions` does not list."""
        entry = checked(Noted(str(actor), action, subject, room or "", count, detail, _moment()))
        if ACTIONS[action] is not CHANGE:
            key, now = (entry.actor, action, subject, detail), self._now()
            again = self._seen.get(key)
            if again is not None and now - again.since < AGAIN:
                again.times += 1
                return
            if again is not None:
                self._repeat(again)
            self._seen[key] = _Again(now, entry)
        self._put(entry)

    async def record(self, *entries: Noted) -> None:
        """Write down what was done; it stands in the store when this returns. What was noted before stands before it.

        Raises ``sqlalchemy.exc.SQLAlchemyError`` where the store cannot be written.
        """
        mine = [replace(checked(entry), at=entry.at or _moment()) for entry in entries]
        waiting, self._pending = self._pending, []
        batch = [*waiting, *mine]
        key = self.key
        try:
            await self._people.run(lambda store: table.append(store.engine, key, batch))
        except sa.exc.SQLAlchemyError:
            self._pending = [*waiting, *self._pending]
            raise

    async def change(
        self,
        actor: object,
        action: str,
        subject: str = "",
        *,
        room: str | None = None,
        count: int = 1,
        detail: str = "",
    ) -> None:
        """The same of one thing."""
        await self.record(Noted(str(actor), action, subject, room or "", count, detail))

    def expired(self, what: str, count: int) -> None:
        """The server erased something because its time was over."""
        if count:
            self.note(SERVER, "retention.erased", count=count, detail=what)

    async def settle(self) -> None:
        """Write what was noted until now."""
        if self._pending:
            await self.record()

    async def chain(self, fresh: bool = False) -> Chain:
        """Walk over all of it; what was found within the last minute will do, unless it has to be ``fresh``."""
        await self.settle()
        async with self._walking:
            known = self._chain
            if fresh or known is None or (datetime.now(UTC) - known.at).total_seconds() > CHECKED:
                self._chain = known = await self._walk()
            return known

    async def _walk(self) -> Chain:
        place: Place | None = None
        public = self.key.public
        while True:
            reached, at = place, datetime.now(UTC)
            found = await self._people.run(
                lambda store, reached=reached: table.walk(store.engine, public, signed_by, reached)  # type: ignore[misc]
            )
            if isinstance(found, Place):
                place = found
                continue
            if found is None:
                rows = await self._people.run(lambda store: table.count(store.engine))
                return Chain(rows, None, at)
            return Chain(found.rows, found, at)

    def _put(self, entry: Noted) -> None:
        if len(self._pending) >= WAITING:
            if not self._failing:
                logger.error("the audit log cannot be written: what is looked at now is not noted")
            self._failing = True
            return
        self._pending.append(entry)
        self._come.set()

    def _repeat(self, again: _Again) -> None:
        if again.times and again.entry.action in COUNTED:
            self._put(replace(again.entry, count=again.times, at=_moment()))

    async def _work(self) -> None:
        due = self._now() + TIDY
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(60.0):
                    await self._come.wait()
            await asyncio.sleep(SOON)
            self._come.clear()
            self._forget_old()
            try:
                await self.settle()
                if self._now() >= due:
                    due = self._now() + TIDY
                    await self._tidy()
                self._failing = False
            except (sa.exc.SQLAlchemyError, VaultError) as error:
                if not self._failing:
                    logger.error("the audit log could not be written: %s; trying again", type(error).__name__)
                self._failing = True
                self._come.set()

    def _forget_old(self) -> None:
        now = self._now()
        for key, again in list(self._seen.items()):
            if now - again.since >= AGAIN or len(self._seen) > REMEMBERED:
                self._repeat(again)
                del self._seen[key]

    async def _tidy(self) -> None:
        before, key = datetime.now(UTC) - timedelta(days=self.days), self.key
        await self._people.run(lambda store: table.prune(store.engine, key, before))


def _moment() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
