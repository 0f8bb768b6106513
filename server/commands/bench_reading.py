"""``visavis bench reading``: what reading a face costs, stage by stage."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

from models import ModelError
from pipeline.align import face_chip
from pipeline.attributes import load_attribute_reader
from pipeline.distance import measure_distance
from pipeline.enhance import choose_enhancement, mended
from pipeline.face_models import FaceModels, read_photo
from pipeline.quality import measure_quality
from server.commands.models_option import models_options
from server.commands.pictures import load_picture
from server.commands.report import table

ROUNDS = 60


@click.command("reading")
@click.argument("photo", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@models_options
def bench_reading(models: FaceModels, photo: Path) -> None:
    """Milliseconds per face of PHOTO for distance, quality, enhancement, gender and age, on one thread."""
    image = load_picture(photo)
    faces = read_photo(models, image)
    if not faces:
        raise click.ClickException(f"{photo}: no face was found")
    try:
        reader = load_attribute_reader(None)
    except ModelError as error:
        raise click.ClickException(str(error)) from error
    spec, size = models.embedder.spec, (image.shape[1], image.shape[0])
    chips = [face_chip(image, face.landmarks, spec.template, spec.size) for face in faces]
    understood = reader.embedder == models.manifest.digest
    known = [face.embedding if understood else None for face in faces]
    all_faces = range(len(faces))
    stages: list[tuple[str, Callable[[int], object]]] = [
        ("align", lambda i: face_chip(image, faces[i].landmarks, spec.template, spec.size)),
        ("distance", lambda i: measure_distance(faces[i].landmarks, faces[i].box, size)),
        ("quality", lambda i: measure_quality(chips[i], faces[i].landmarks, float(faces[i].box[2]))),
        ("choose enhancement", lambda i: choose_enhancement(chips[i])),
        ("choose and mend", lambda i: mended(chips[i])),
        ("gender and age", lambda i: reader.read(image, faces[i].landmarks, float(faces[i].box[2]), known[i])),
        ("for comparison: embed", lambda i: models.embedder.embed([chips[i]])),
    ]
    rows = [[name, *_times(work, all_faces)] for name, work in stages]
    table(("stage", "median ms", "p95 ms"), rows)


def _times(work: Callable[[int], object], faces: range) -> tuple[float, float]:
    times = []
    for _ in range(ROUNDS):
        for i in faces:
            start = time.perf_counter()
            work(i)
            times.append((time.perf_counter() - start) * 1e3)
    return round(float(np.median(times)), 3), round(float(np.percentile(times, 95)), 3)
