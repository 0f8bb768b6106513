"""``visavis evaluate``: how well faces are told apart and read, on files of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.face_models import FaceModels
from server.commands.evaluate_attributes import attributes
from server.commands.evaluate_consent_mode import consent_mode
from server.commands.evaluate_distance import distance
from server.commands.evaluate_enhancement import enhancement
from server.commands.evaluate_liveness import liveness
from server.commands.evaluate_openset import compare_rules
from server.commands.evaluate_options import (
    FILE,
    FOLDER,
    distance_options,
    from_folder,
    images_option,
    labels,
    output_options,
    progress_bar,
    refusals,
)
from server.commands.evaluate_quality import quality
from server.commands.models_option import models_options
from server.commands.pictures import gallery_from_folder, read_table
from server.commands.report import deliver, reported
from server.commands.video_report import evaluate_video
from server.evaluation.clusters import evaluate_clusters
from server.evaluation.conditions import Condition
from server.evaluation.folder import ENROL, evaluate_folder
from server.evaluation.photos import by_person, load_photos
from server.evaluation.verification import Pair, evaluate_pairs
from server.people.photos.archive import BadArchive
from server.people.photos.folder import open_photos

RATE = click.FloatRange(0, 1, min_open=True, max_open=True)
FMR = click.option("--fmr", type=RATE, default=0.001, show_default=True, help="Pick the threshold for this rate.")
FPIR = click.option("--fpir", type=RATE, default=0.01, show_default=True, help="Pick the threshold for this rate.")


@click.group()
def evaluate() -> None:
    """Measure accuracy on pictures and videos of your own."""


@click.command()
@click.argument("table", type=FILE, metavar="PAIRS.csv")
@images_option
@FMR
@distance_options
@output_options
@models_options
@refusals
def pairs(
    models: FaceModels, table: Path, images: Path, fmr: float, wanted: list[Condition], seed: int, as_json: bool
) -> None:
    """Verification: PAIRS.csv has the columns first,second,same (1 or 0), and perhaps group."""
    rows = labels(table, "pairs")
    listed = [Pair(row["first"], row["second"], row["same"] == "1", row["group"]) for row in rows]
    with progress_bar(as_json) as progress:
        found = evaluate_pairs(models, listed, from_folder(images), wanted, fmr, seed, progress, table.name)
    deliver(found, as_json)


@click.command()
@click.argument("protocol", type=FILE, metavar="PROTOCOL.csv")
@images_option
@FPIR
@distance_options
@output_options
@models_options
@refusals
def openset(
    models: FaceModels, protocol: Path, images: Path, fpir: float, wanted: list[Condition], seed: int, as_json: bool
) -> None:
    """Identification with strangers: PROTOCOL.csv has the columns role,person,file, and perhaps group.

    Roles are enrol, probe_known and probe_unknown. Prints the rule in use beside plainer ones.
    """
    rows = labels(protocol, "openset")
    with progress_bar(as_json) as progress:
        found = compare_rules(models, rows, from_folder(images), wanted, fpir, seed, progress, protocol.name)
    deliver(found, as_json)


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path), metavar="DIR")
@click.option("--enrol", type=click.IntRange(min=1), default=ENROL, show_default=True, help="Pictures of each person.")
@FMR
@FPIR
@distance_options
@output_options
@models_options
@refusals
def folder(
    models: FaceModels,
    source: Path,
    enrol: int,
    fmr: float,
    fpir: float,
    wanted: list[Condition],
    seed: int,
    as_json: bool,
) -> None:
    """Verification and identification on PERSON/*.jpg, a folder or a ZIP: pairs and protocol are drawn from it."""
    try:
        with open_photos(source) as photos, progress_bar(as_json) as progress:
            found = evaluate_folder(
                models,
                by_person(photos),
                load_photos(photos),
                wanted,
                fmr=fmr,
                fpir=fpir,
                seed=seed,
                progress=progress,
                subject=source.name,
                enrol=enrol,
            )
    except BadArchive as error:
        raise click.ClickException(f"{source}: {error}") from error
    deliver(found, as_json)


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path), metavar="DIR")
@distance_options
@output_options
@models_options
@refusals
def clusters(models: FaceModels, source: Path, wanted: list[Condition], seed: int, as_json: bool) -> None:
    """Grouping faces without names on PERSON/*.jpg, a folder or a ZIP."""
    try:
        with open_photos(source) as photos:
            people, load = by_person(photos), load_photos(photos)
            for condition in wanted:
                with progress_bar(as_json) as progress:
                    found = evaluate_clusters(models, people, load, condition, seed, progress, source.name)
                deliver(found, as_json)
    except BadArchive as error:
        raise click.ClickException(f"{source}: {error}") from error


@click.command()
@click.argument("file", type=FILE)
@click.option("--gallery", type=FOLDER, required=True, help="NAME.jpg or NAME/*.jpg of the people to recognise.")
@click.option("--truth", type=FILE, help="CSV with frame,person,x,y,w,h; frames count from 0, pixels.")
@output_options
@models_options
def video(models: FaceModels, file: Path, gallery: Path, truth: Path | None, as_json: bool) -> None:
    """Tracks, names, switches and time to name on a video."""
    rows = None if truth is None else read_table(truth, ("frame", "person", "x", "y", "w", "h"))
    evaluate_video(models, file, gallery_from_folder(models, gallery, quiet=as_json), rows, as_json)


_COMMANDS = (
    attributes, clusters, consent_mode, distance, enhancement, folder, liveness, openset, pairs, quality, video,
)  # fmt: skip
for command in _COMMANDS:
    evaluate.add_command(reported(command))
