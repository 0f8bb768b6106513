"""``visavis evaluate``: how well faces are told apart, on files of one's own."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from pipeline.face_models import FaceModels
from pipeline.gallery import Gallery, Person
from pipeline.metrics import (
    cross_validated_accuracy,
    equal_error_rate,
    expected_calibration_error,
    identification_at,
    operating_point,
    threshold_at_far,
)
from pipeline.templates import fuse_template
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
    scores = np.array([faces.embeddings[r["first"]] @ faces.embeddings[r["second"]] for r in usable], np.float64)
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

    Roles are enrol, probe_known and probe_unknown.
    """
    rows = read_table(protocol, ("role", "person", "file"))
    roles = ("enrol", "probe_known", "probe_unknown")
    strange = next((row["role"] for row in rows if row["role"] not in roles), None)
    if strange is not None:
        raise click.ClickException(f"{protocol}: role must be one of {', '.join(roles)}, not {strange!r}")
    faces = embed_pictures(models, images, (row["file"] for row in rows), quiet=as_json)
    by_role = {role: [r for r in rows if r["role"] == role and r["file"] in faces.embeddings] for role in roles}
    missing = [role for role in roles if not by_role[role]]
    if missing:
        raise click.ClickException(f"{protocol}: no row of role {', '.join(missing)} with a face in its picture")
    gallery = _enrol(models, [(row["person"], faces.embeddings[row["file"]]) for row in by_role["enrol"]])
    people = [*gallery.people()]
    templates = np.stack([template for p in people if (template := gallery.template(p.id)) is not None])
    known = np.stack([faces.embeddings[row["file"]] for row in by_role["probe_known"]])
    unknown = np.stack([faces.embeddings[row["file"]] for row in by_role["probe_unknown"]])
    scores = known @ templates.T
    best = scores.argmax(1)
    right = np.array([people[j].name == r["person"] for j, r in zip(best, by_role["probe_known"], strict=True)])
    top, strangers = scores.max(1), (unknown @ templates.T).max(1)
    at_one = identification_at(top, right, strangers, threshold_at_far(strangers, 0.01))
    opinions = [models.matcher.decide(e, gallery) for e in known]
    stranger_opinions = [models.matcher.decide(e, gallery) for e in unknown]
    named = np.array([o.verdict == "known" for o in opinions])
    probability = np.array([o.probability for o in (*opinions, *stranger_opinions)])
    truth = np.concatenate([right, np.zeros(len(unknown), bool)])
    show(
        f"Open-set identification with pack {models.manifest.name}: {protocol.name}",
        [
            ("people enrolled", len(gallery)),
            ("known probes", len(known)),
            ("strangers", len(unknown)),
            ("pictures left out (no face)", len(faces.without_face)),
            ("rank-1 [%]", round(100 * float(right.mean()), 1)),
            ("TPIR at FPIR 1 % [%]", round(100 * at_one.tpir, 1)),
            ("threshold that gives it", round(at_one.threshold, 4)),
            ("default threshold for this many", round(models.matcher.threshold(len(gallery)), 4)),
            ("default: TPIR [%]", round(100 * float((named & right).mean()), 1)),
            ("default: FPIR [%]", round(100 * float(np.mean([o.verdict == "known" for o in stranger_opinions])), 2)),
            ("default: wrong names [%]", round(100 * float((named & ~right).mean()), 2)),
            ("calibration error of the probability", round(expected_calibration_error(probability, truth), 4)),
        ],
        as_json,
        without_face=faces.without_face,
    )


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


def _enrol(models: FaceModels, samples: list[tuple[str, np.ndarray[tuple[int], np.dtype[np.float32]]]]) -> Gallery:
    names = sorted({name for name, _ in samples})
    entries = [(Person(n, n), fuse_template([e for name, e in samples if name == n]), None) for n in names]
    return Gallery.build(entries, models.manifest.embedder.dimension, models.manifest.digest, 1)
