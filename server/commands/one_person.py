"""What the command line does about one person with the parts of a server: forget them, or collect all that is held."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.face_models import FaceModels
from server.audit import AuditLog, SigningKey
from server.people import People, PeopleOptions
from server.people.forgetting import Forgetting, Holders
from server.people.gone import Found, Gone, Holder, remains
from server.people.holders import InboxHolder, Told, UnnamedSightings
from server.people.inbox import Inbox
from server.people.own_data import OwnData
from server.people.own_exporters import exporters
from server.settings import configure
from server.sightings.recorder import Recorder
from server.storage import NoSuchPerson
from server.videos.letting_go import VideoHolder
from server.videos.own_data import video_exporter
from server.videos.videos import Videos
from server.videos.working import Worker

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Parts:
    people: People
    key: SigningKey
    audit: AuditLog
    recorder: Recorder
    inbox: Inbox
    videos: Videos
    video_days: int


async def forget_person(
    models: FaceModels, folder: Path, name: str, room: str | None, films: bool, by: str
) -> dict[str, Any]:
    """Erase somebody and return the receipt. Raises :class:`server.storage.NoSuchPerson`."""
    async with _opened(models, folder) as parts:
        kept: list[Holder] = [
            InboxHolder(parts.inbox),
            UnnamedSightings(parts.people, parts.recorder, lambda: models),
            VideoHolder(parts.videos, parts.video_days),
            Told(parts.people),
        ]
        kept.append(_Elsewhere())
        forgetting = Forgetting(parts.people, lambda: models.matcher, parts.key, parts.audit, Holders(kept))
        await forgetting.resume()
        return await forgetting.forget(await _found(parts.people, name, room), by, films=films)


async def everything_about(models: FaceModels, folder: Path, name: str, room: str | None, by: str) -> bytes:
    """The ZIP of everything held of somebody. Raises :class:`server.storage.NoSuchPerson`."""
    async with _opened(models, folder) as parts:
        person = await _found(parts.people, name, room)
        videos = video_exporter(parts.videos, parts.people, lambda: models.matcher)
        archive = await OwnData(parts.people, [*exporters(parts.people, parts.audit), videos]).archive(person)
        await parts.audit.change(by, "person.exported", person)
        return archive


class _Elsewhere:
    """A server that runs on the same data has heard nothing of this but that its people have changed."""

    async def find(self, _gone: Gone) -> Found:
        """What it may hold."""
        left = remains("a running server's memory", "a server that runs on this data", "until it is started again")

        async def nothing() -> Mapping[str, int]:
            return {}

        return Found({}, nothing, [left])


async def _found(people: People, name: str, room: str | None) -> str:
    if _ID.fullmatch(name):
        return name
    person = await people.find(name, room)
    if person is None:
        raise NoSuchPerson("nobody of this name is enrolled; `visavis people list` shows who is")
    return person.id


@contextlib.asynccontextmanager
async def _opened(models: FaceModels, folder: Path) -> AsyncIterator[_Parts]:
    settings, manifest = configure({}, os.environ).settings, models.manifest
    options = PeopleOptions.of(settings)
    async with contextlib.AsyncExitStack() as stack:
        people = await People.open(folder / "people.sqlite3", manifest.digest, manifest.embedder.dimension, options)
        stack.push_async_callback(people.close)
        key = await people.run(SigningKey.of)
        audit = await AuditLog.open(people, key, settings.audit_days)
        stack.push_async_callback(audit.close)
        recorder = await Recorder.open(
            people, lambda: models.matcher, enabled=False, days=settings.sightings_days, expired=audit.expired
        )
        stack.push_async_callback(recorder.close)
        inbox = await Inbox.open(
            people, models.matcher, manifest.digest, days=settings.inbox_days, expired=audit.expired
        )
        stack.push_async_callback(inbox.close)
        # Nothing is worked off here: what is there is only looked through.
        worker = Worker(lambda: manifest.name, settings.models_dir, settings.provider)
        videos = await Videos.open(folder / "videos", worker, lambda: manifest.digest, 0, people.vault, working=False)
        stack.push_async_callback(videos.close)
        yield _Parts(people, key, audit, recorder, inbox, videos, settings.video_days)
