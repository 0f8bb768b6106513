"""Where somebody may be held beside the tables of people: before the cameras, among strangers, in drafts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import numpy as np

from pipeline.crop import LAYOUT, SIDE
from pipeline.face_models import FaceModels
from server.groups.albums import Albums
from server.live.strangers import CROP_SIDE
from server.people.gone import Found, Gone, remains
from server.people.inbox import Inbox
from server.people.model_change import embed_again
from server.people.people import People
from server.people.photos.imports import Imports
from server.sightings.recorder import Recorder
from server.storage import events as hooks
from server.storage import sightings as seen
from server.storage.model_change import CroppedSample
from server.storage.sightings import SeenRow, Wanted
from tracking import Embedding

BATCH = 200  # pictures of sightings read at once


class InboxHolder:
    """Entries of the inbox that look like them."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def find(self, gone: Gone) -> Found:
        """Count them."""
        await self._inbox.settle()

        async def erase() -> Mapping[str, int]:
            await self._inbox.let_go(gone.alike)
            return {}

        return Found({"strangers": len(self._inbox.resembling(gone.alike))}, erase)


class UnnamedSightings:
    """Sightings from before they had a name, or as somebody unknown: found by the picture that was kept. Without one
    nothing tells whose they are."""

    def __init__(self, people: People, recorder: Recorder, models: Callable[[], FaceModels]) -> None:
        self._people = people
        self._recorder = recorder
        self._models = models
        self._compared: tuple[Gone, dict[str, bool]] | None = None  # of the forgetting that goes on

    async def find(self, gone: Gone) -> Found:
        """Read every picture of somebody unknown anew and compare it; asked again about the same, only new ones."""
        found: list[str] = []
        rows: list[SeenRow] = []
        if gone.template is not None:
            await self._recorder.settle()
            after: tuple[float, str] | None = None
            while batch := await self._people.run(
                lambda store, after=after: seen.find(store.engine, Wanted(who="unknown"), BATCH, after)  # type: ignore[misc]
            ):
                after = seen.place(batch[-1])
                rows += batch
                found += await self._alike(gone, [row.id for row in batch if row.crop])

        async def erase() -> Mapping[str, int]:
            for id in found:
                await self._recorder.erase(id)
            self._compared = None
            return {}

        bare = any(not row.crop for row in rows)
        words = "sightings of people unknown, of which no picture tells whose they are"
        until = f"until they are {self._recorder.days} days old"
        left = [remains(words, "the page Sightings", until)] if bare else []
        return Found({"unnamed sightings": len(found)}, erase, left)

    async def _alike(self, gone: Gone, ids: list[str]) -> list[str]:
        if self._compared is None or self._compared[0] is not gone:
            self._compared = (gone, {})
        known = self._compared[1]
        fresh = [id for id in ids if id not in known]
        crops = await self._people.run(lambda store: [(id, seen.get_crop(store.engine, id)) for id in fresh])
        layout = (LAYOUT * (CROP_SIDE / SIDE)).astype(np.float32)  # as server/live/strangers.py cuts them
        samples = [CroppedSample(id, crop, layout) for id, crop in crops if crop is not None]
        read = await asyncio.to_thread(embed_again, self._models(), samples)
        known |= {id: False for id, _ in crops} | {id: gone.alike(embedding) for id, embedding in read}
        return [id for id in ids if known.get(id)]


class Told:
    """What other programs were told of them: nothing calls that back."""

    def __init__(self, people: People) -> None:
        self._people = people

    async def find(self, gone: Gone) -> Found:
        """Which receivers there are."""
        receivers = await self._people.run(lambda store: hooks.webhooks(store.engine))
        told = [hook for hook in receivers if hook.delivered]
        left = [remains("events", f"webhook {hook.id}", "as its receiver has it") for hook in told]
        return Found({}, _nothing, left)


class LiveSessions(Protocol):
    """As much of a session as forgetting takes."""

    id: str

    async def let_go(self, person: str, alike: Callable[[Embedding], bool]) -> tuple[list[int], int]:
        """Forget somebody."""


class LiveHolder:
    """Open sessions, sightings that go on, and the inbox, which may have taken them for a stranger a moment ago."""

    def __init__(self, sessions: Callable[[], Iterable[LiveSessions]], recorder: Recorder, inbox: Inbox | None) -> None:
        self._sessions = sessions
        self._recorder = recorder
        self._inbox = inbox

    async def find(self, gone: Gone) -> Found:
        """It is counted as it goes."""

        async def erase() -> Mapping[str, int]:
            tracks: list[tuple[str, int]] = []
            own = 0
            for session in list(self._sessions()):
                found, dropped = await session.let_go(gone.person, gone.alike)
                tracks += [(session.id, track) for track in found]
                own += dropped
            strange = await self._recorder.let_go(gone.person, gone.alike)
            entries = 0 if self._inbox is None else await self._inbox.let_go(gone.alike, tracks)
            counts = {"live tracks": len(tracks), "known to one visit": own}
            return {**counts, "unnamed sightings": strange, "strangers": entries}

        return Found({}, erase)


class DraftHolder:
    """Photos and faces of theirs in imports and albums that are not saved."""

    def __init__(self, imports: Imports, albums: Albums) -> None:
        self._imports = imports
        self._albums = albums

    async def find(self, gone: Gone) -> Found:
        """It is counted as it goes."""

        async def erase() -> Mapping[str, int]:
            return {
                "faces in imports": await self._imports.let_go(gone.person, gone.name, gone.alike),
                "faces in albums": await self._albums.let_go(gone.alike),
            }

        return Found({}, erase)


async def _nothing() -> Mapping[str, int]:
    return {}
