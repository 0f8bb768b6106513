"""``visavis evaluate attributes``: apparent gender and age, by distance, against labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from models import ModelError, default_cache_dir, load_pack
from pipeline.attributes import AttributeReader, load_attribute_reader
from pipeline.face_models import FaceModels
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
from server.commands.models_option import models_options
from server.commands.report import deliver
from server.evaluation.attributes import labelled_faces, read_attributes
from server.evaluation.attributes_report import attributes_report
from server.evaluation.cc0 import Cc0Reader
from server.evaluation.conditions import Condition

READERS = ("ensemble", "pack", "cc0")


@click.command()
@click.argument("table", type=FILE, metavar="LABELS.csv")
@images_option
@click.option(
    "--reader",
    "wished",
    type=click.Choice(READERS),
    multiple=True,
    default=("ensemble",),
    show_default=True,
    help="Which networks read; several are shown side by side.",
)
@click.option("--cc0-models", type=FOLDER, help="Folder with gender-v1.onnx and age-v1.onnx, for --reader cc0.")
@click.option("--limit", type=click.IntRange(min=1), help="So many of the files, drawn.")
@click.option("--blur", type=click.FloatRange(0, 20), multiple=True, help="Blur by so many pixels; several times too.")
@click.option("--tight", is_flag=True, help="Cut the face out first, to see what its surroundings are worth.")
@distance_options
@output_options
@models_options
@refusals
def attributes(
    models: FaceModels,
    table: Path,
    images: Path,
    wished: Sequence[str],
    cc0_models: Path | None,
    limit: int | None,
    wanted: list[Condition],
    seed: int,
    as_json: bool,
) -> None:
    """Gender and age: LABELS.csv has the columns file,gender (male or female), and perhaps age (years) and group."""
    faces = labelled_faces(labels(table, "attributes"), limit, seed)
    readers = [_reader(wish, cc0_models) for wish in dict.fromkeys(wished)]
    with progress_bar(as_json) as progress:
        measured = read_attributes(models, readers, faces, from_folder(images), wanted, seed, progress)
    deliver(attributes_report(measured, table.name), as_json)


def _reader(wish: str, cc0_models: Path | None) -> AttributeReader:
    given = click.get_current_context().params  # pack, folder and provider as in every command that measures
    provider = given["provider"]
    try:
        if wish == "cc0":
            if cc0_models is None:
                raise click.UsageError("--reader cc0 needs --cc0-models DIR")
            return Cc0Reader(cc0_models, provider)
        if wish == "ensemble":
            return load_attribute_reader(None, provider)
        pack = load_pack(given["pack"], given["models_dir"] or default_cache_dir(), provider, lambda line: None)
        if pack.attributes is None:
            raise click.ClickException(f"pack {pack.manifest.name} reads neither gender nor age; use --reader ensemble")
        return load_attribute_reader(pack, provider)
    except ModelError as error:
        raise click.ClickException(str(error)) from error
