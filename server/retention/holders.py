"""Every place that may hold somebody beside the tables of people, in the order they are looked through."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pipeline.face_models import FaceModels
from server.groups.albums import Albums
from server.people.forgetting import Holders
from server.people.gone import Holder
from server.people.holders import DraftHolder, InboxHolder, LiveHolder, LiveSessions, Told, UnnamedSightings
from server.people.inbox import Inbox
from server.people.people import People
from server.people.photos.imports import Imports
from server.sightings.recorder import Recorder
from server.videos.letting_go import VideoHolder
from server.videos.videos import Videos


def make_holders(
    people: People,
    models: Callable[[], FaceModels],
    inbox: Inbox | None,
    recorder: Recorder,
    imports: Imports,
    albums: Albums,
    videos: Videos,
    video_days: int,
    sessions: Callable[[], Iterable[LiveSessions]],
) -> Holders:
    """Of a whole server."""
    kept: list[Holder] = [] if inbox is None else [InboxHolder(inbox)]
    kept += [UnnamedSightings(people, recorder, models), VideoHolder(videos, video_days), Told(people)]
    return Holders(kept, (LiveHolder(sessions, recorder, inbox), DraftHolder(imports, albums)))
