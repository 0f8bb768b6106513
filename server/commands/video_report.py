"""What the tracker and the names did on a video, beside the truth where there is one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import click

from pipeline.face_models import FaceModels
from pipeline.frame_pipeline import FramePipeline
from pipeline.gallery import Gallery
from pipeline.results import Face
from server.commands.report import show, table
from server.commands.video_file import read_frames
from tracking import IdentityState

TRACK_FIELDS = ("track", "from", "to", "frames", "names", "named_after")
VISIT_GAP = 1.0  # seconds out of the truth that end a visit

Box = tuple[float, float, float, float]


@dataclass(slots=True)
class TrackReport:
    """One track number over the video; times in seconds."""

    first: float
    last: float = 0.0
    frames: int = 0
    named: dict[str, int] = field(default_factory=dict)
    name_at: float | None = None  # when a name was first said
    changes: int = 0
    _said: str | None = None

    def add(self, face: Face, time: float) -> None:
        """Take in one frame."""
        self.last, self.frames = time, self.frames + 1
        if face.identity is IdentityState.KNOWN and face.name:
            self.named[face.name] = self.named.get(face.name, 0) + 1
            if self.name_at is None:
                self.name_at = time
            self.changes += self._said is not None and self._said != face.name
            self._said = face.name


@dataclass(slots=True)
class Visit:
    """A person in the truth from one appearance to the next."""

    person: str
    first: float
    last: float
    tracks: dict[int, int] = field(default_factory=dict)
    name_after: float | None = None  # seconds from the first face found to the right name
    found: float | None = None


class Truth:
    """Boxes of people by frame. Boxes may be wider than the face: a face is whose box its centre lies in."""

    def __init__(self, rows: list[dict[str, str]], path: str = "truth") -> None:
        self.frames: dict[int, list[tuple[str, Box]]] = {}
        for number, row in enumerate(rows, 2):
            try:
                box = (float(row["x"]), float(row["y"]), float(row["w"]), float(row["h"]))
                self.frames.setdefault(int(row["frame"]), []).append((row["person"], box))
            except ValueError as error:
                raise click.ClickException(f"{path}, line {number}: {error}") from error
        self.visits: list[Visit] = []
        self.wrong = 0
        self.right = 0

    def judge(self, frame: int, time: float, faces: tuple[Face, ...]) -> None:
        """Compare one frame's faces with the truth."""
        present = self.frames.get(frame, [])
        for person, _ in present:
            self._visit(person, time)
        for face in faces:
            cx, cy = float(face.box[0] + face.box[2] / 2), float(face.box[1] + face.box[3] / 2)
            inside = [p for p, (x, y, w, h) in present if x <= cx <= x + w and y <= cy <= y + h]
            name = face.name if face.identity is IdentityState.KNOWN else None
            if name is not None and inside:
                self.right += name in inside
                self.wrong += name not in inside
            if len(inside) == 1:
                visit = self._visit(inside[0], time)
                visit.tracks[face.track] = visit.tracks.get(face.track, 0) + 1
                if visit.found is None:
                    visit.found = time
                if name == inside[0] and visit.name_after is None:
                    visit.name_after = time - visit.found

    def _visit(self, person: str, time: float) -> Visit:
        for visit in reversed(self.visits):
            if visit.person == person:
                if time - visit.last <= VISIT_GAP:
                    visit.last = max(visit.last, time)
                    return visit
                break
        self.visits.append(Visit(person, time, time))
        return self.visits[-1]


def evaluate_video(
    models: FaceModels, file: Path, gallery: Gallery, rows: list[dict[str, str]] | None, as_json: bool
) -> None:
    """Run the pipeline over a video and print what it did."""
    truth = None if rows is None else Truth(rows)
    pipeline = FramePipeline(models, lambda: gallery)
    tracks: dict[int, TrackReport] = {}
    frames = keyframes = 0
    for index, frame in enumerate(read_frames(file)):
        result = pipeline.process(frame)
        frames, keyframes = frames + 1, keyframes + result.keyframe
        for face in result.faces:
            tracks.setdefault(face.track, TrackReport(frame.time)).add(face, frame.time)
        if truth is not None:
            truth.judge(index, frame.time, result.faces)
    if not frames:
        raise click.ClickException(f"{file}: no frame could be read")
    named = [t for t in tracks.values() if t.name_at is not None]
    waits = sorted((t.name_at or 0.0) - t.first for t in named)
    summary = [
        ("frames", frames),
        ("people in the gallery", len(gallery)),
        ("detected on [% of frames]", round(100 * keyframes / frames, 1)),
        ("tracks", len(tracks)),
        ("tracks with a name", len(named)),
        ("changes of name on a track", sum(t.changes for t in tracks.values())),
        ("time to name, median [s]", round(waits[len(waits) // 2], 2) if waits else None),
        ("time to name, longest [s]", round(waits[-1], 2) if waits else None),
    ]
    if truth is not None:
        summary += _truth_rows(truth)
    listing = [
        (number, round(t.first, 2), round(t.last, 2), t.frames, _names(t), _wait(t)) for number, t in tracks.items()
    ]
    visits = _visit_rows(truth)
    header = ("track", "from [s]", "to [s]", "frames", "names (frames)", "named after [s]")
    details = {"track_list": [dict(zip(TRACK_FIELDS, row, strict=True)) for row in listing]}
    show(f"Video with pack {models.manifest.name}: {file.name}", summary, as_json, **details, visits=visits)
    if not as_json:
        click.echo()
    table(header, listing, "Tracks", private=(4,), as_json=as_json)
    if visits:
        if not as_json:
            click.echo()
        table(tuple(visits[0]), [tuple(v.values()) for v in visits], "Visits", private=(0,), as_json=as_json)


def _truth_rows(truth: Truth) -> list[tuple[str, float | int | None]]:
    followed = [v for v in truth.visits if v.tracks]
    waits = [v.name_after for v in followed if v.name_after is not None]
    return [
        ("visits in the truth", len(truth.visits)),
        ("visits followed by one track", sum(len(v.tracks) == 1 for v in followed)),
        ("switches of track within a visit", sum(len(v.tracks) - 1 for v in followed)),
        ("frames with a right name", truth.right),
        ("frames with a wrong name", truth.wrong),
        ("visits that got the right name", len(waits)),
        ("… after at most [s]", round(max(waits), 2) if waits else None),
    ]


def _visit_rows(truth: Truth | None) -> list[dict[str, str | float | None]]:
    if truth is None:
        return []
    return [
        {
            "visit of": v.person,
            "from [s]": round(v.first, 2),
            "to [s]": round(v.last, 2),
            "tracks (frames)": ", ".join(f"{number} ({count})" for number, count in v.tracks.items()) or "–",
            "named after [s]": None if v.name_after is None else round(v.name_after, 2),
        }
        for v in truth.visits
    ]


def _names(track: TrackReport) -> str:
    return ", ".join(f"{name} ({count})" for name, count in track.named.items()) or "–"


def _wait(track: TrackReport) -> float | None:
    return None if track.name_at is None else round(track.name_at - track.first, 2)
