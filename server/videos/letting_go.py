"""What videos hold of somebody who is forgotten: tracks with their numbers, boxes and pictures go; the film itself
stays unless it is to go too."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from server.people.gone import Found, Gone, Remains, remains
from server.vault import SealError
from server.videos.appearances import appearances
from server.videos.files import (
    BOX,
    BOXES,
    PICTURES,
    TRACKS,
    TrackRecord,
    read_records,
    read_tracks,
    rewrite,
    written,
)
from server.videos.sealing import VideoSeal
from server.videos.videos import NoSuchVideo, NotReady, Video, Videos


class VideoHolder:
    """Looks through the results of all videos. ``days``: how long videos are kept, 0: until somebody deletes them."""

    def __init__(self, videos: Videos, days: int) -> None:
        self._videos = videos
        self._days = days

    async def find(self, gone: Gone) -> Found:
        """Tracks and pictures of theirs, films they are in, and films that nobody has looked through yet."""
        theirs: dict[str, tuple[set[int], set[str]]] = {}
        left: list[Remains] = []
        for video in self._videos.all():
            try:
                folder, seal = self._videos.result(video.id), self._videos.seal(video.id)
                found = await asyncio.to_thread(_theirs, folder, seal, gone)
            except (NotReady, NoSuchVideo, FileNotFoundError):
                if video.state in ("waiting", "running"):
                    left.append(remains("film that is not looked through yet", f"video {video.id}", self._until(video)))
                continue
            except (
                OSError,
                ValueError,
                KeyError,
                TypeError,
                SealError,
            ):  # damaged: nothing of it can be shown to anybody either
                words = "film whose result is damaged, and what was found in it"
                left.append(remains(words, f"video {video.id}", self._until(video)))
                continue
            if found[0]:
                theirs[video.id] = found
                if not gone.films:
                    left.append(remains("film", f"video {video.id}", self._until(video)))

        async def erase() -> Mapping[str, int]:
            for id, (tracks, pictures) in theirs.items():
                try:
                    if gone.films:
                        await self._videos.erase(id)
                    else:
                        await asyncio.to_thread(
                            erase_tracks, self._videos.result(id), self._videos.seal(id), tracks, pictures
                        )
                except (NotReady, NoSuchVideo, FileNotFoundError):
                    continue  # deleted, or begun anew, meanwhile
            return {}

        return Found(
            {
                "video tracks": sum(len(tracks) for tracks, _ in theirs.values()),
                "video pictures": sum(len(pictures) for _, pictures in theirs.values()),
                "films": len(theirs) if gone.films else 0,
            },
            erase,
            left,
        )

    def _until(self, video: Video) -> str:
        if not self._days:
            return "until it is deleted"
        return (datetime.fromisoformat(video.created) + timedelta(days=self._days)).isoformat()


def _theirs(folder: Path, seal: VideoSeal, gone: Gone) -> tuple[set[int], set[str]]:
    """The numbers of somebody's tracks in a result, and the names of pictures that show them. Blocks."""
    records = read_tracks(folder, seal)
    named = appearances(records, gone.gallery, gone.matcher)
    tracks = {t.number for one in named if one.person is not None and one.person.id == gone.person for t in one.tracks}
    tracks |= {r.number for r in records if r.template is not None and gone.alike(r.template)}
    pictures: set[str] = set()
    for record in records:
        if record.number in tracks:
            pictures |= {pick.file for pick in record.picks}
        if record.frame is not None and (record.number in tracks or _beside(record, records, tracks)):
            pictures.add(record.frame)
    return tracks, pictures


def _beside(record: TrackRecord, records: Collection[TrackRecord], tracks: Collection[int]) -> bool:
    """Whether somebody of these tracks is in the whole picture that is kept of another's best look."""
    time = record.picks[0].time if record.picks else None
    spans = [span for other in records if other.number in tracks for span in other.intervals]
    return time is not None and any(begin <= time <= end for begin, end in spans)


def erase_tracks(folder: Path, seal: VideoSeal, tracks: Collection[int], pictures: Collection[str]) -> None:
    """Take tracks and pictures out of a result. The pictures go first and the tracks last: interrupted, it is found
    again by them. Blocks."""
    for name in pictures:
        (folder / PICTURES / name).unlink(missing_ok=True)
    boxes = [np.frombuffer(data, BOX) for data in read_records(folder, BOXES, seal)]
    kept = [some[~np.isin(some["track"], list(tracks))] for some in boxes]
    rewrite(folder, BOXES, seal, [some.tobytes() for some in kept if len(some)])
    rewrite(folder, TRACKS, seal, [written(record) for record in _without(folder, seal, tracks, pictures)])


def _without(folder: Path, seal: VideoSeal, tracks: Collection[int], pictures: Collection[str]) -> list[TrackRecord]:
    kept = [record for record in read_tracks(folder, seal) if record.number not in tracks]
    return [r if r.frame not in pictures else _frameless(r) for r in kept]


def _frameless(record: TrackRecord) -> TrackRecord:
    return TrackRecord(record.number, record.intervals, record.votes, record.template, record.picks, None)
