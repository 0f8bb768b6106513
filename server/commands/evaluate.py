"""``visavis evaluate``: how well faces are told apart, on files of one's own."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from pipeline.face_models import FaceModels
from pipeline.metrics import (
    cross_validated_accuracy,
    equal_error_rate,
    expected_calibration_error,
    operating_point,
)
from server.commands.evaluate_openset import compare_rules
from server.commands.models_option import models_options
from server.commands.pictures import embed_pictures, gallery_from_folder, read_table
from server.commands.report import show
from server.commands.video_report import evaluate_video

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def evaluate() -> None:
    """Measure accuracy on pictures and videos of your own."""


@evaluate.command()
@click.argument("table", type=FILE, metavar="PAIRS.csv")
@click.option("--images", type=FOLDER, required=True, help="Folder the file names are relative to.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@models_options
def pairs(models: FaceModels, table: Path, images: Path, as_json: bool) -> None:
    """Verification: PAIRS.csv has the columns first,second,same (1 or 0)."""
    rows = read_table(table, ("first", "second", "same"))
    wrong = next((row["same"] for row in rows if row["same"] not in ("0", "1")), None)
    if wrong is not None:
        raise click.ClickException(f"{table}: same must be 0 or 1, not {wrong!r}")
    faces = embed_pictures(models, images, (row[side] for row in rows for side in ("first", "second")), quiet=as_json)
    usable = [row for row in rows if row["first"] in faces.embeddings and row["second"] in faces.embeddings]
    same = np.array([row["same"] == "1" for row in usable], bool)
    if not same.any() or same.all():
        raise click.ClickException(f"{table}: pairs of both kinds, with faces in both pictures, are needed")
    compared = [
        models.matcher.similarities(faces.embeddings[r["first"]][None], faces.embeddings[r["second"]][None])
        for r in usable
    ]
    scores = np.array(compared, np.float64)[:, 0, 0]
    accuracy, deviation = cross_validated_accuracy(scores, same, min(10, int(same.sum()), int((~same).sum())))
    genuine, impostor = scores[same], scores[~same]
    ratio = models.matcher.log_likelihood_ratio(scores)
    probability = 1 / (1 + np.exp(-ratio))
    default = models.matcher.threshold(1)
    points = [operating_point(genuine, impostor, far) for far in (1e-2, 1e-3)]
    show(
        f"Verification with pack {models.manifest.name}: {table.name}",
        [
            ("pairs", len(usable)),
            ("pairs left out (no face)", len(rows) - len(usable)),
            ("accuracy, 10 folds [%]", round(100 * accuracy, 2)),
            ("standard deviation [%]", round(100 * deviation, 2)),
            ("equal error rate [%]", round(100 * equal_error_rate(genuine, impostor), 2)),
            *((f"TAR at FAR {p.far:g} [%]", round(100 * p.tar, 1)) for p in points),
            ("default threshold (one person)", round(default, 4)),
            ("FAR there [%]", round(100 * float((impostor >= default).mean()), 2)),
            ("FRR there [%]", round(100 * float((genuine < default).mean()), 2)),
            ("calibration error of the probability", round(expected_calibration_error(probability, same), 4)),
        ],
        as_json,
        without_face=faces.without_face,
    )


@evaluate.command()
@click.argument("protocol", type=FILE, metavar="PROTOCOL.csv")
@click.option("--images", type=FOLDER, required=True, help="Folder the file names are relative to.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@models_options
def openset(models: FaceModels, protocol: Path, images: Path, as_json: bool) -> None:
    """Identification with strangers: PROTOCOL.csv has the columns role,person,file.

    Roles are enrol, probe_known and probe_unknown. Prints the rule in use beside plainer ones.
    """
    rows = read_table(protocol, ("role", "person", "file"))
    roles = ("enrol", "probe_known", "probe_unknown")
    strange = next((row["role"] for row in rows if row["role"] not in roles), None)
    if strange is not None:
        raise click.ClickException(f"{protocol}: role must be one of {', '.join(roles)}, not {strange!r}")
    compare_rules(models, rows, images, protocol.name, as_json)


@evaluate.command()
@click.argument("file", type=FILE)
@click.option("--gallery", type=FOLDER, required=True, help="NAME.jpg or NAME/*.jpg of the people to recognise.")
@click.option("--truth", type=FILE, help="CSV with frame,person,x,y,w,h; frames count from 0, pixels.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@models_options
def video(models: FaceModels, file: Path, gallery: Path, truth: Path | None, as_json: bool) -> None:
    """Tracks, names, switches and time to name on a video."""
    rows = None if truth is None else read_table(truth, ("frame", "person", "x", "y", "w", "h"))
    evaluate_video(models, file, gallery_from_folder(models, gallery, quiet=as_json), rows, as_json)
