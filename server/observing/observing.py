"""Puts together what watches the server: made by :mod:`server.services`, asked by the routes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import sqlalchemy as sa

from server.media.decoder import Decoder, DecoderDown
from server.observing.drain import Drain
from server.observing.facts import Gatherer, InferenceState, Subject
from server.observing.readiness import Check, NotReady
from server.observing.traces import Sampler
from server.people import People
from server.settings import Settings

DRAINING = "The server is about to end and takes no new sessions."


@dataclass(frozen=True, slots=True)
class Observing:
    """What can be asked."""

    subject: Subject
    gatherer: Gatherer

    @property
    def drain(self) -> Drain:
        """Whether the server is about to end."""
        return self.subject.drain


@contextlib.asynccontextmanager
async def observing(subject: Subject) -> AsyncIterator[Observing]:
    """Watch while inside."""
    subject.waits.start()
    subject.drain.began = subject.readiness.forget
    try:
        yield Observing(subject, Gatherer(subject))
    finally:
        await subject.waits.close()
        await subject.readiness.close()
        if subject.frames.sampler is not None:
            await asyncio.to_thread(subject.frames.sampler.close)


def sampler_of(settings: Settings, node: str = "") -> Sampler | None:
    """What chooses the frames that are traced, if any are. Raises :class:`server.settings.StartError`."""
    if not settings.traces or not settings.traces_share:
        return None
    return Sampler(settings.traces, settings.traces_share, node)


def checks(
    people: People,
    decoder: Decoder,
    drain: Drain,
    inference: Callable[[], InferenceState | None] | None = None,
) -> dict[str, Check]:
    """What has to be well for sessions to be taken; ``inference``: where networks may run in processes of their own.
    The models are loaded before anybody can ask."""

    async def store() -> None:
        await people.run(lambda store: store.read(lambda connection: connection.execute(sa.select(1)).scalar_one()))

    async def pictures() -> None:
        try:
            await asyncio.to_thread(decoder.look_after)
        except DecoderDown as down:
            raise NotReady(str(down)) from down

    async def draining() -> None:
        if drain.on:
            raise NotReady(DRAINING)

    async def networks() -> None:
        state = None if inference is None else inference()
        if state is not None and not state.workers:
            raise NotReady("None of the processes that run the networks is alive.")

    pool = {} if inference is None else {"inference": networks}
    return {"store": store, "decoder": pictures, **pool, "accepting": draining}
