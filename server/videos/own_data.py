"""Where somebody is in videos, for whoever asks what is held of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.gallery import Gallery
from pipeline.matcher import Matcher
from server.people.own_data import Section
from server.people.own_exporters import fields
from server.people.people import People
from server.videos.appearances import Appearance, appearances
from server.videos.files import read_picture, read_tracks
from server.videos.sealing import VideoSeal
from server.videos.videos import NoSuchVideo, NotReady, Videos


def video_exporter(videos: Videos, people: People, matcher: Callable[[], Matcher]) -> Callable[[str], Any]:
    """The section about videos."""

    async def in_videos(id: str) -> Section:
        held: list[dict[str, Any]] = []
        files: dict[str, bytes] = {}
        for video in videos.all():
            try:
                folder, seal, gallery = videos.result(video.id), videos.seal(video.id), people.gallery
                found = await asyncio.to_thread(_of, folder, seal, gallery, matcher(), id)
            except (NotReady, NoSuchVideo, FileNotFoundError):
                continue
            for one in found:
                pictures = await asyncio.to_thread(_pictures, folder, seal, one)
                named = {f"videos/{video.id}/{name}": data for name, data in pictures.items()}
                files |= named
                spans = [list(span) for span in one.intervals]
                told = {"id": video.id, "file": video.file, "created": video.created, "intervals": spans}
                held.append({**told, "probability": one.probability, "pictures": list(named)})
        explained = fields("id", "created", "probability") | {
            "file": "The film's name where it came from; the film itself is not here, as others may be in it",
            "intervals": "From and to, in seconds of the film",
            "pictures": "Pictures of the face, in this archive",
        }
        return Section("videos", "Where they are in films that were sent here", explained, held, files)

    return in_videos


def _of(folder: Path, seal: VideoSeal, gallery: Gallery, matcher: Matcher, person: str) -> list[Appearance]:
    found = appearances(read_tracks(folder, seal), gallery, matcher)
    return [one for one in found if one.person is not None and one.person.id == person]


def _pictures(folder: Path, seal: VideoSeal, one: Appearance) -> dict[str, bytes]:
    names = [pick.file for track in one.tracks for pick in track.picks]
    found = {name: read_picture(folder, name, seal) for name in names}
    return {name: data for name, data in found.items() if data is not None}
