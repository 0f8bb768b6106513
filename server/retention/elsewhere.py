"""What is held outside the tables: in folders, and in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from server.evaluation.running import Evaluations
from server.groups.albums import Albums
from server.people.photos.imports import Imports
from server.retention.held import Counting, Held, in_files
from server.settings import Settings
from server.videos.videos import Videos


def elsewhere(
    settings: Settings,
    imports: Imports,
    albums: Albums,
    videos: Videos,
    evaluations: Evaluations,
    sessions: Callable[[], int],
) -> Mapping[str, Counting]:
    """How each is counted."""

    async def films() -> Held:
        kept = videos.all()
        oldest = min((video.created for video in kept), default=None)
        return Held(len(kept), sum(video.bytes for video in kept), oldest)

    async def results() -> Held:
        done = [video for video in videos.all() if video.state == "done"]
        paths = [settings.data_dir / "videos" / video.id / "result" for video in done]
        found = await asyncio.to_thread(in_files, paths)
        return Held(len(done), found.bytes, min((video.created for video in done), default=None))

    async def drafts() -> Held:
        return Held(imports.held + albums.held)

    async def live() -> Held:
        return Held(sessions())

    async def measured() -> Held:
        current = evaluations.current
        return Held(0, 0) if current is None else Held(len(current.paths), current.size)

    return {
        "films": films,
        "video_results": results,
        "drafts": drafts,
        "live": live,
        "evaluation": measured,
    }
