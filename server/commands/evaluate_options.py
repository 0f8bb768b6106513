"""What the evaluations share on the command line: options, progress, pictures from a folder."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click
import numpy as np

from pipeline.distance import BANDS
from pipeline.frame import Image
from server.commands.pictures import load_picture
from server.evaluation.conditions import Condition, Load, Progress, conditions
from server.evaluation.labels import EvaluationError, Kind, Row, read_labels

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
STEPS = 1000  # of a progress bar

P = ParamSpec("P")
T = TypeVar("T")


def images_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--images``."""
    return click.option("--images", type=FOLDER, required=True, help="Folder the file names are relative to.")(command)


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--json`` as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


def distance_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--distance``, ``--all-distances`` and ``--seed``; the command gets ``wanted``, a list of conditions, and
    ``seed``."""

    @click.option("--distance", type=click.Choice(list(BANDS)), help="Make pictures as if taken from this far.")
    @click.option("--all-distances", is_flag=True, help="As they are, and from near, middle and far.")
    @click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of everything drawn.")
    @functools.wraps(command)
    def wrapped(distance: Any, all_distances: bool, seed: int, **rest: Any) -> Any:
        if distance is not None and all_distances:
            raise click.UsageError("--distance and --all-distances exclude each other")
        blurs: Sequence[float] = rest.pop("blur", ())
        wanted: list[Condition] = conditions(distance, all_distances, blurs, rest.pop("tight", False))
        return command(wanted=wanted, seed=seed, **rest)

    return wrapped


def refusals(command: Callable[P, T]) -> Callable[P, T]:
    """Say in one line what cannot be evaluated."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except EvaluationError as error:
            raise click.ClickException(str(error)) from error

    return wrapped


def labels(path: Path, kind: Kind) -> list[Row]:
    """The rows of a table. Raises ``click.ClickException`` naming file and line."""
    try:
        return read_labels(kind, path.read_text("utf-8-sig").splitlines())
    except (OSError, UnicodeDecodeError, EvaluationError) as error:
        raise click.ClickException(f"{path}: {error}") from error


def limit_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--limit`` and ``--seed``, for :func:`drawn_pairs`."""
    command = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)(command)
    return click.option("--limit", type=click.IntRange(20), help="Only so many pairs, drawn.")(command)


def drawn_pairs(path: Path, limit: int | None, seed: int) -> tuple[list[Row], list[str]]:
    """The pairs of a table, at most ``limit`` of them, in their order, and the names of their pictures."""
    rows = labels(path, "pairs")
    if limit is not None and limit < len(rows):
        rows = [rows[i] for i in sorted(np.random.default_rng(seed).permutation(len(rows))[:limit])]
    return rows, sorted({row[side] for row in rows for side in ("first", "second")})


def from_folder(folder: Path) -> Load:
    """Pictures by their names; one that cannot be read ends the command, naming the file."""

    def load(name: str) -> Image:
        return load_picture(folder / name)

    return load


@contextlib.contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress]:
    """A progress bar on standard error."""
    with click.progressbar(length=STEPS, label="Reading faces", file=sys.stderr, hidden=quiet) as bar:

        def tell(done: int, total: int) -> None:
            bar.update(round(STEPS * done / max(total, 1)) - bar.pos)

        yield tell
