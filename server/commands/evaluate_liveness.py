"""``visavis evaluate liveness``: whom the challenge of enrolment lets pass."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import dropwhile
from pathlib import Path
from typing import Any

import click
import numpy as np

from pipeline.face_models import FaceModels
from pipeline.frame import Frame
from server.commands.evaluate_options import FILE, FOLDER, output_options, progress_bar
from server.commands.models_option import models_options
from server.commands.pictures import SUFFIXES, load_picture
from server.commands.report import show, table
from server.commands.video_file import read_frames
from server.evaluation.liveness import Acting, any_order, film, find_face, obeying, run_try, try_on_stage, turns_of
from server.evaluation.liveness_stage import Shape
from tracking.liveness import Challenge, ChallengeState

HEAD, SHEET = 26.0, 40.0  # degrees a head turns, and a photo that wants to seem to
SPREAD = 3.0  # seconds between the places of a film that tries begin at
REASONS = ("early", "wrong", "flat", "unclear", "broken", "late", "restless")
HEADER = ("before the camera", "tries", "passed", "passed [%]", *REASONS)
NOTE = (
    "The heads are photos drawn over a head's shape whose nose is the one the test looks for: they show that it works, "
    "not how often real people pass. Masks, films shown on demand and films of the right order are not stopped."
)


@click.command()
@click.argument("videos", nargs=-1, type=FILE, metavar="[VIDEO …]")
@click.option("--images", type=FOLDER, help="Folder of portraits for photos held up; subfolders are searched, too.")
@click.option("--tries", type=click.IntRange(1), default=20, show_default=True, help="Of each kind, each with another.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@output_options
@models_options
def liveness(
    models: FaceModels, videos: tuple[Path, ...], images: Path | None, tries: int, seed: int, as_json: bool
) -> None:
    """Turns of real heads in VIDEOs against the parallax test; and tries of the whole challenge by the VIDEOs as they
    are, and by photos of --images that are held, bent and drawn over a head before a rendered camera."""
    if not videos and images is None:
        raise click.UsageError("give videos of people, or --images with portraits, or both")
    rows: list[list[Any]] = []
    if images is not None:
        rows += _photos(models, images, tries, seed, as_json)
    turns = [turn for path in videos for turn in turns_of(models, read_frames(path))]
    verdicts = Counter(turn.verdict for turn in turns)
    shares = [turn.share.value for turn in turns if turn.share is not None]
    if videos:
        rows.append(_row("films of people, as they are", _films(models, videos, tries, seed, as_json)))
    show(
        "Challenge of enrolment",
        [
            ("turns of real heads", len(turns)),
            ("taken for a head", verdicts["head"]),
            ("not clear", verdicts["unclear"]),
            ("taken for a sheet", verdicts["sheet"]),
            ("median share of the expected parallax", _median(shares)),
        ],
        as_json,
        tries=[dict(zip(HEADER, row, strict=True)) for row in rows],
        note=NOTE,
    )
    table(HEADER, rows, "Tries of the whole challenge", as_json=as_json)
    if not as_json:
        click.echo("\n" + NOTE)


def _median(values: list[float]) -> float | None:
    return round(float(np.median(values)), 2) if values else None


def _row(what: str, states: list[ChallengeState]) -> list[Any]:
    reasons = Counter(state.failure for state in states)
    passed = sum(state.passed for state in states)
    share = round(100 * passed / len(states), 1) if states else None
    return [what, len(states), passed, share, *(reasons[reason] for reason in REASONS)]  # type: ignore[index]


def _photos(models: FaceModels, images: Path, tries: int, seed: int, quiet: bool) -> list[list[Any]]:
    files = sorted(path for path in images.rglob("*") if path.suffix.lower() in SUFFIXES)
    chance = np.random.default_rng(seed)
    portraits = []
    for index in chance.permutation(len(files)):
        photo = load_picture(files[index])
        marks = find_face(models, photo)
        if marks is not None:
            portraits.append((photo, marks))
        if len(portraits) == tries:
            break
    if not portraits:
        raise click.ClickException(f"{images}: there is no picture of a face that looks ahead")
    kinds: list[tuple[str, Shape, Callable[[int], Acting]]] = [
        ("head that does what is asked", "head", lambda _: obeying(HEAD)),
        ("flat photo that is turned and brought nearer", "flat", lambda _: obeying(SHEET)),
        ("bent photo that is turned and brought nearer", "bent", lambda _: obeying(SHEET)),
        ("film of a head, any order", "head", lambda number: film(any_order(number), HEAD)),
    ]
    states: dict[str, list[ChallengeState]] = {}
    with progress_bar(quiet) as progress:
        for done, (what, shape, acting) in enumerate(kinds):
            for number, (photo, marks) in enumerate(portraits):
                own = seed + 1000 * done + number
                states.setdefault(what, []).append(try_on_stage(models, photo, marks, shape, acting(own), own))
                progress(done * len(portraits) + number + 1, len(kinds) * len(portraits))
    return [_row(what, states[what]) for what, _, _ in kinds]


def _films(models: FaceModels, videos: tuple[Path, ...], tries: int, seed: int, quiet: bool) -> list[ChallengeState]:
    """Every film from its beginning and then from later places, until there are enough tries or films have ended."""
    states: list[ChallengeState] = []
    places = [(path, SPREAD * start) for start in range(tries) for path in videos]
    with progress_bar(quiet) as progress:
        for number, (path, start) in enumerate(places):
            if len(states) == tries:
                break
            state = run_try(models, _from(path, start), Challenge(random.Random(seed + number)))
            if state is not None:
                states.append(state)
            progress(len(states), tries)
    return states


def _from(path: Path, start: float) -> Iterator[Frame]:
    return dropwhile(lambda frame: frame.time < start, read_frames(path))
