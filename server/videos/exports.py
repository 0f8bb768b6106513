"""What was found in a video, for other programs: a table, JSON, and subtitles that name who is in the picture."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from server.videos.appearances import Appearance
from server.videos.videos import Video
from server.wording import harmless, stated

FIELDS = ("person", "from", "to", "seconds", "from_time", "to_time", "probability")
SHORTEST = 0.5  # seconds a subtitle is shown


def name_of(one: Appearance) -> str:
    """What somebody is called."""
    return f"Unknown {one.stranger}" if one.person is None else one.person.name


def as_csv(people: Sequence[Appearance]) -> str:
    """A row for every interval, by time; seconds, and the same as hours, minutes and seconds."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(FIELDS)
    for begin, end, one in _by_time(people):
        sure = "" if one.person is None or one.probability is None else f"{stated(one.probability):.3f}"
        times = (f"{begin:.3f}", f"{end:.3f}", f"{end - begin:.3f}", clock(begin), clock(end))
        table.writerow((harmless(name_of(one)), *times, sure))
    return out.getvalue()


def as_vtt(people: Sequence[Appearance]) -> str:
    """WebVTT: a cue for every interval, spoken by whoever is seen."""
    cues = ["WEBVTT"]
    for begin, end, one in _by_time(people):
        name = _escaped(name_of(one))
        cues.append(f"{clock(begin)} --> {clock(max(end, begin + SHORTEST))}\n<v {name}>{name}</v>")
    return "\n\n".join(cues) + "\n"


def as_json(video: Video, people: Sequence[Appearance]) -> str:
    """The whole result but the boxes."""
    return json.dumps({"file": video.file, **result_body(video, people)}, ensure_ascii=False, indent=1)


def result_body(video: Video, people: Sequence[Appearance]) -> dict[str, Any]:
    """The result as the interface gives it; times in seconds, pictures by their names."""
    return {
        "video": video.id,
        "width": video.width,
        "height": video.height,
        "seconds": video.seconds,
        "people": [_person(one) for one in people],
    }


def clock(seconds: float) -> str:
    """HH:MM:SS.mmm, as WebVTT wants it."""
    thousandths = max(0, round(seconds * 1000))
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


def _by_time(people: Sequence[Appearance]) -> list[tuple[float, float, Appearance]]:
    rows = [(begin, end, one) for one in people for begin, end in one.intervals]
    return sorted(rows, key=lambda row: (row[0], row[1], row[2].number))


def _person(one: Appearance) -> dict[str, Any]:
    return {
        "number": one.number,
        "person": None if one.person is None else {"id": one.person.id, "name": one.person.name},
        "perhaps": None if one.perhaps is None else {"id": one.perhaps.id, "name": one.perhaps.name},
        "probability": None if one.probability is None else round(stated(one.probability), 4),
        "label": name_of(one),
        "seconds": round(one.seconds, 3),
        "intervals": [[begin, end] for begin, end in one.intervals],
        "tracks": [track.number for track in one.tracks],
        "best": None if one.best is None else {"picture": one.best.file, "frame": one.frame, "time": one.best.time},
        "sheet": [{"picture": p.file, "time": p.time, "quality": p.quality} for p in one.sheet],
    }


def _escaped(text: str) -> str:
    """Names are text and nothing else; a line break would end the cue."""
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").split())
