"""``visavis evaluate consent-mode``: what viewers still see of whoever has not consented, and what hiding costs."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import click
import cv2
import numpy as np

from pipeline.face_models import FaceModels
from pipeline.gallery import Gallery
from pipeline.metrics import percentile
from server.commands.evaluate_options import FILE, FOLDER, output_options
from server.commands.models_option import models_options
from server.commands.pictures import gallery_from_folder, load_picture, read_table
from server.commands.report import deliver
from server.commands.video_file import read_pictures
from server.evaluation.masked import (
    BARE,
    CLEAR,
    HIDDEN,
    LARGE,
    Found,
    Pictures,
    Visit,
    Whose,
    enrol,
    judge,
    play,
    true_faces,
)
from server.evaluation.report import Cell, Column, Report, Table, number, text

SECONDS = 20  # of the camera that pans over the sample photo
RATE = 30
SIZE = (640, 480)


@click.command("consent-mode")
@click.argument("videos", type=FILE, nargs=-1, metavar="[VIDEO]...")
@click.option("--gallery", type=FOLDER, help="NAME.jpg or NAME/*.jpg of the people who are enrolled.")
@click.option("--consented", multiple=True, metavar="NAME", help="Who of them has consented; else every second one.")
@click.option("--truth", type=FILE, help="CSV with frame,person,x,y,w,h of the one video; frames count from 0, pixels.")
@output_options
@models_options
def consent_mode(
    models: FaceModels,
    videos: tuple[Path, ...],
    gallery: Path | None,
    consented: tuple[str, ...],
    truth: Path | None,
    as_json: bool,
) -> None:
    """Play VIDEOs as cameras in consent mode: who is masked, how soon, who is shown, what it costs.

    Without a gallery, people of the video itself are enrolled: of three, one with a consent, one without, one not at
    all. Without a video, a camera pans over a group photo that comes with the package insightface.
    """
    if truth is not None and len(videos) != 1:
        raise click.UsageError("--truth is about one video: give one")
    if consented and gallery is None:
        raise click.UsageError("--consented names people of a gallery: give --gallery")
    known = None if gallery is None else gallery_from_folder(models, gallery, quiet=as_json)
    agreed = _agreed(known, consented)
    whose = None if truth is None else _whose(truth)
    sources: list[tuple[str, Pictures]] = [(file.name, functools.partial(read_pictures, file)) for file in videos]
    sources = sources or [("a group photo", _panned)]
    found = [(name, _measure(models, pictures, known, agreed, whose)) for name, pictures in sources]
    deliver(_report(models, found), as_json)


def _measure(
    models: FaceModels, pictures: Pictures, known: Gallery | None, agreed: frozenset[str], whose: Whose | None
) -> Found:
    visits = true_faces(models, pictures, whose)
    gallery, consented = (known, agreed) if known is not None else enrol(models, visits)
    judge(models, visits, gallery, consented)
    return play(models, pictures, visits, gallery, consented)


def _agreed(known: Gallery | None, names: Sequence[str]) -> frozenset[str]:
    if known is None:
        return frozenset()
    people = sorted(person.id for person in known.people())
    for name in names:
        if name not in people:
            raise click.UsageError(f"--consented {name}: nobody of that name is in the gallery")
    return frozenset(names or people[::2])


def _whose(path: Path) -> Whose:
    whose: Whose = {}
    for line, row in enumerate(read_table(path, ("frame", "person", "x", "y", "w", "h")), 2):
        try:
            box = (float(row["x"]), float(row["y"]), float(row["w"]), float(row["h"]))
            whose.setdefault(int(row["frame"]), []).append((row["person"], box))
        except ValueError as error:
            raise click.ClickException(f"{path}, line {line}: {error}") from error
    return whose


def _panned() -> Iterator[tuple[av.VideoFrame, float]]:
    """A camera that pans over a photo of six people, so that they come and go."""
    spec = importlib.util.find_spec("insightface")
    if spec is None or not spec.submodule_search_locations:
        raise click.ClickException("the package insightface, with its sample photo, is not here: give a video")
    photo = load_picture(Path(spec.submodule_search_locations[0]) / "data" / "images" / "t1.jpg")
    height, width = photo.shape[:2]
    for index in range(SECONDS * RATE):
        t = 2 * np.pi * index / (10 * RATE)
        scale = SIZE[1] / height * (1.35 + 0.25 * np.sin(0.7 * t))
        middle = width / 2 + 0.42 * width * np.sin(t), height / 2 + 0.08 * height * np.sin(2 * t)
        shift = np.array(SIZE) / 2 - scale * np.array(middle)
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        picture = cv2.warpAffine(photo, matrix, SIZE, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_CONSTANT)
        frame = av.VideoFrame.from_ndarray(np.asarray(picture, np.uint8), "rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = index, Fraction(1, RATE)
        yield frame, index / RATE


COLUMNS = (
    text("video", "video"),
    number("shown", "pictures"),
    number("consented", "consented"),
    number("hidden_faces", "faces without consent"),
    Column("leaks", f"… less than {HIDDEN:.0%} covered", digits=2),
    Column("bare", f"… less than {BARE:.0%}", digits=2),
    Column("large_leaks", f"… of those from {LARGE:.2%} of the width on, less than {HIDDEN:.0%}", digits=2),
    number("visits", "visits without consent"),
    number("late", "… not masked in their first picture"),
    number("wait", "… longest until masked [s]", 2),
    Column("clear", "faces with consent shown", digits=1),
    number("clear_wait", "… shown after, median [s]", 2),
    number("untold", "faces of unclear owner"),
    number("attacked", "faces attacked"),
    number("detected", "… still detected"),
    number("recognised", "… recognised"),
    number("exposed", "… of these not masked"),
    Column("under", "masks like whom they cover, place given away", digits=2),
    Column("control", "… like anybody else, which is chance", digits=2),
    number("mask_ms", "masking [ms CPU]", 1),
    number("encode_ms", "encoding [ms CPU]", 1),
    number("added_p50", "added to the way, median [ms]", 1),
    number("added_p95", "… 95th percentile [ms]", 1),
)


def _row(name: str, found: Found) -> tuple[Cell, ...]:
    strangers = [visit for visit in found.visits if visit.consented is False]
    faces = [face for visit in strangers for face in visit.faces]
    friends = [visit for visit in found.visits if visit.consented]
    shown = [face for visit in friends for face in visit.faces]
    waits = [_until(visit, lambda covered: covered >= HIDDEN) for visit in strangers]
    clear = [_until(visit, lambda covered: covered <= CLEAR) for visit in friends]
    untold = sum(len(visit.faces) for visit in found.visits if visit.consented is None)
    return (
        name,
        found.shown,
        found.consented,
        len(faces),
        _share(face.covered < HIDDEN for face in faces),
        _share(face.covered < BARE for face in faces),
        _share(face.covered < HIDDEN for face in faces if face.large),
        len(strangers),
        sum(wait != 0 for wait in waits),
        max((wait for wait in waits if wait is not None), default=None),
        _share(face.covered <= CLEAR for face in shown),
        percentile([wait for wait in clear if wait is not None], 50) if any(w is not None for w in clear) else None,
        untold,
        found.attacked,
        found.detected,
        found.recognised,
        found.exposed,
        _share(found.under),
        _share(found.control),
        float(np.mean(found.mask_ms)) if found.mask_ms else None,
        float(np.mean(found.encode_ms)) if found.encode_ms else None,
        percentile(found.added_ms, 50) if found.added_ms else None,
        percentile(found.added_ms, 95) if found.added_ms else None,
    )


def _until(visit: Visit, reached: Callable[[float], bool]) -> float | None:
    """Seconds from a visit's first picture to the first of which this holds; ``None``: never."""
    return next((face.time - visit.faces[0].time for face in visit.faces if reached(face.covered)), None)


def _share(is_so: Iterable[bool]) -> float | None:
    said = list(is_so)
    return sum(said) / len(said) if said else None


def _percent(is_so: Sequence[bool]) -> float | None:
    share = _share(is_so)
    return None if share is None else round(100 * share, 2)


def _report(models: FaceModels, found: Sequence[tuple[str, Found]]) -> Report:
    if not any(one.shown for _, one in found):
        raise click.ClickException("no frame could be read")
    rows = tuple(_row(name, one) for name, one in found)
    keys = [column.key for column in COLUMNS]
    faces = sum(int(row[keys.index("hidden_faces")] or 0) for row in rows)
    leaks = sum(
        face.covered < HIDDEN for _, one in found for v in one.visits if v.consented is False for face in v.faces
    )
    large = [
        face.covered < HIDDEN
        for _, one in found
        for visit in one.visits
        if visit.consented is False
        for face in visit.faces
        if face.large
    ]
    figures: tuple[tuple[str, Cell], ...] = (
        ("pictures shown", sum(one.shown for _, one in found)),
        ("faces without consent", faces),
        (f"… less than {HIDDEN:.0%} covered [%]", round(100 * leaks / max(faces, 1), 2)),
        ("… the same of faces from 3.75 % of the width on [%]", _percent(large)),
        ("… recognised in what was sent", sum(one.recognised for _, one in found)),
        ("… of these not masked", sum(one.exposed for _, one in found)),
        ("masks like whom they cover, place given away [%]", _percent([x for _, one in found for x in one.under])),
        ("… like anybody else, which is chance [%]", _percent([x for _, one in found for x in one.control])),
        ("masking a picture, mean [ms CPU]", round(float(np.mean([ms for _, one in found for ms in one.mask_ms])), 1)),
    )
    # One row a measure: there are more of them than fit beside each other.
    columns = (text("measure", "measure"), *(text(f"video{i}", name) for i, (name, _) in enumerate(found)))
    turned = tuple(
        (f"{column.title} [%]" if column.kind == "percent" else column.title, *(column.shown(row[i]) for row in rows))
        for i, column in enumerate(COLUMNS)
        if i
    )
    return Report(
        f"Consent mode with pack {models.manifest.name}", figures, (Table("videos", "Video by video", columns, turned),)
    )
