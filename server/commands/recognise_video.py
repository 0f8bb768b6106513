"""The video part of ``visavis recognise``: the same as the server does with a dropped video, in this process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import click

from pipeline.face_models import FaceModels
from pipeline.gallery import Gallery
from server.videos.appearances import Appearance, appearances
from server.videos.exports import as_csv, as_json, as_vtt, clock, name_of, result_body
from server.videos.files import read_picture, read_tracks
from server.videos.job import follow_video
from server.videos.limits import VideoRefused
from server.videos.reading import OPTIONS, VideoInfo
from server.videos.sealing import VideoSeal
from server.videos.videos import Video
from server.wording import stated


@dataclass(frozen=True, slots=True)
class RecognisedVideo:
    """What was found in a video."""

    video: Video
    people: tuple[Appearance, ...]

    def body(self) -> dict[str, Any]:
        """As ``GET /api/v1/videos/{id}/result`` answers, with the file's name."""
        return {"file": self.video.file, **result_body(self.video, self.people)}

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Who, from, to, how surely: for a table in the terminal, by time."""
        found = [(begin, end, one) for one in self.people for begin, end in one.intervals]
        return [
            (name_of(one), clock(begin), clock(end), _sure(one))
            for begin, end, one in sorted(found, key=lambda row: (row[0], row[1], row[2].number))
        ]


def is_video(path: Path) -> bool:
    """Whether a file holds moving pictures, whatever it is called."""
    try:
        with av.open(str(path), options=OPTIONS) as container:
            return bool(container.streams.video)
    except (av.error.FFmpegError, OSError, ValueError):
        return False


def recognise_video(
    models: FaceModels,
    gallery: Gallery,
    path: Path,
    progress: Callable[[float, float | None], None],
    output: Path | None = None,
) -> RecognisedVideo:
    """Find everybody in a video and name them by ``gallery``. ``progress`` hears seconds done and in all (``None``
    where the file does not say).

    With ``output``, a folder, the table (CSV), JSON, subtitles (WebVTT) and the best pictures are written there, named
    after the video. Raises ``click.ClickException`` naming the file.
    """
    total: float | None = None

    def opened(info: VideoInfo) -> None:
        nonlocal total
        total = info.seconds
        progress(0.0, total)

    with tempfile.TemporaryDirectory(prefix="visavis-") as scratch:
        folder, seal = Path(scratch), VideoSeal.passing()
        try:
            found = follow_video(models, path, folder, opened, lambda done: progress(done, total), seal=seal)
        except VideoRefused as error:
            raise click.ClickException(f"{path}: {error}") from error
        video = Video("", path.name, path.stat().st_size, datetime.now(UTC).isoformat(), "done", **found)
        people = tuple(appearances(read_tracks(folder, seal), gallery, models.matcher))
        if output is not None:
            _write(video, people, lambda name: read_picture(folder, name, seal), output)
    return RecognisedVideo(video, people)


def _write(video: Video, people: tuple[Appearance, ...], picture: Callable[[str], bytes | None], output: Path) -> None:
    stem = Path(video.file).stem
    try:
        output.mkdir(parents=True, exist_ok=True)
        for kind, text in (("csv", as_csv(people)), ("json", as_json(video, people)), ("vtt", as_vtt(people))):
            (output / f"{stem}.{kind}").write_text(text, "utf-8", newline="")
        kept = output / f"{stem}-pictures"
        kept.mkdir(exist_ok=True)
        for one in people:
            for name in {one.frame, *(pick.file for pick in one.sheet)} - {None}:
                (kept / str(name)).write_bytes(picture(str(name)) or b"")
    except OSError as error:
        raise click.ClickException(f"{output}: {error.strerror}") from error


def _sure(one: Appearance) -> str:
    return "" if one.person is None or one.probability is None else f"{100 * stated(one.probability):.0f} %"
