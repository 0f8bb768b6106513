"""Brings events to webhooks: signed, in order, again and again with longer and longer pauses, at least once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from uuid import uuid4

import aiohttp
import sqlalchemy as sa

from server import __version__
from server.people import People
from server.sightings.answer import event_body
from server.sightings.signature import signature
from server.storage import PeopleStore
from server.storage import events as table
from server.storage.events import Backlog, Delivery, Event, NewEvent, Webhook

logger = logging.getLogger(__name__)

PAUSES = tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 1800, 7200, 21600, 43200, 86400))  # between tries
TURN = 1.0  # seconds until a node that does not deliver looks whether it is to
TIMEOUT = 10.0  # seconds for an answer
BATCH = 100
GONE = 410  # the receiver wants no more (Standard Webhooks): given up at once

Clock = Callable[[], datetime]


class Deliveries:
    """One task; open with ``await Deliveries.open(people)``, end with :meth:`close`. What waits, waits in the store."""

    def __init__(self, people: People, clock: Clock, pauses: Sequence[timedelta]) -> None:
        self._people = people
        self._clock = clock
        self._pauses = pauses
        self._wake = asyncio.Event()
        self.mine: Callable[[], bool] = lambda: True
        """Whether this node delivers now: where there are several, one does."""
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT),
            headers={"User-Agent": f"Visavis/{__version__}"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        people: People,
        clock: Clock = lambda: datetime.now(UTC),
        pauses: Sequence[timedelta] = PAUSES,
    ) -> Deliveries:
        """Begin with what was left from the last time."""
        deliveries = cls(people, clock, pauses)
        deliveries._task = asyncio.create_task(deliveries._work(), name="webhooks: deliver")
        return deliveries

    async def close(self) -> None:
        """Stop; what was not delivered stays noted."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._http.close()

    def wake(self) -> None:
        """There is something new to deliver."""
        self._wake.set()

    async def backlog(self) -> Backlog:
        """What waits for receivers."""
        return await self._people.run(lambda store: table.backlog(store.engine))

    async def written_elsewhere(self, tables: frozenset[str] | None) -> None:
        """Another node noted something: it may have to be delivered."""
        if tables is None or table.EVENT.name in tables:
            self.wake()

    async def test(self, webhook: Webhook) -> str:
        """Send an event of type ``test``, once; empty if it arrived, or why it did not."""
        now = self._clock()
        said = NewEvent(uuid4().hex, "named", "0" * 32, None, None, "test", now, now, None)
        body = event_body(Event(0, None, said)) | {"type": "test", "number": None}
        _, words = await self._post(webhook, said.id, body)
        return words

    # -- the task ----------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        failing = False
        while True:
            self._wake.clear()
            if not self.mine():
                await asyncio.sleep(TURN)
                continue
            pause = 60.0
            try:
                now = self._clock()
                ready, later = await self._people.run(partial(_due, now))
                hooks = groupby(sorted(ready, key=lambda d: (d.webhook.id, d.event.number)), lambda d: d.webhook.id)
                await asyncio.gather(*(self._deliver(list(group)) for _, group in hooks))
                if ready:
                    continue
                if later is not None:
                    pause = min(pause, max(0.05, (later - now).total_seconds()))
                failing = False
            except sa.exc.SQLAlchemyError as error:
                if not failing:
                    logger.error("webhooks wait: the store cannot be used: %s", type(error).__name__)
                failing = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def _deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Of one webhook, in order; what comes after one that did not arrive waits."""
        for delivery in deliveries:
            status, words = await self._post(delivery.webhook, delivery.event.said.id, event_body(delivery.event))
            now = self._clock()
            if not words:
                await self._people.run(partial(_delivered, delivery, now))
                continue
            tries = delivery.attempts
            again = None if status == GONE or tries >= len(self._pauses) else now + self._pauses[tries]
            await self._people.run(partial(_failed, delivery, now, again, words))
            return

    async def _post(self, webhook: Webhook, id: str, body: dict[str, object]) -> tuple[int, str]:
        """Status (0: none came) and, unless it arrived, why not."""
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        timestamp = int(self._clock().timestamp())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(webhook.secret, id, timestamp, data),
        }
        try:
            async with self._http.post(webhook.url, data=data, headers=headers, allow_redirects=False) as response:
                status = response.status  # what it says besides is never read
        except TimeoutError:
            return 0, f"No answer within {TIMEOUT:g} seconds."
        except aiohttp.ClientConnectorCertificateError:
            return 0, "The receiver's certificate is not trusted."
        except aiohttp.ClientConnectorError:
            return 0, "The receiver could not be reached."
        except (aiohttp.ClientError, ValueError) as error:
            return 0, f"It could not be sent ({type(error).__name__})."
        return status, "" if 200 <= status < 300 else f"The receiver answered {status}."


def _due(now: datetime, store: PeopleStore) -> tuple[list[Delivery], datetime | None]:
    return table.due(store.engine, now, BATCH)


def _delivered(delivery: Delivery, now: datetime, store: PeopleStore) -> None:
    table.delivered(store.engine, delivery, now)


def _failed(delivery: Delivery, now: datetime, again: datetime | None, words: str, store: PeopleStore) -> None:
    table.failed(store.engine, delivery, now, again, words)
