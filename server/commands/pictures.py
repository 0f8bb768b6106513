"""Labelled pictures on disk, read and embedded for the evaluations."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np

from pipeline.face_models import FaceModels, main_face, read_photo
from pipeline.frame import Image
from pipeline.gallery import Entry, Gallery, Person
from pipeline.templates import fuse_template
from server.evaluation.labels import EvaluationError, read_rows
from tracking import Embedding

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
MAX_PIXELS = 60_000_000


@dataclass(frozen=True, slots=True)
class EmbeddedPictures:
    """Embeddings by file name, and the files in which no face was found."""

    embeddings: dict[str, Embedding]
    without_face: tuple[str, ...]


def load_picture(path: Path) -> Image:
    """Read a picture as RGB (H, W, 3), turned as its EXIF says. Raises ``click.ClickException`` naming the file."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror or error}") from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if image is None:
        raise click.ClickException(f"{path}: not a picture that can be read")
    if image.shape[0] * image.shape[1] > MAX_PIXELS:
        raise click.ClickException(f"{path}: more than {MAX_PIXELS // 1_000_000} million pixels")
    return np.ascontiguousarray(image[..., ::-1], np.uint8)


def embed_pictures(models: FaceModels, folder: Path, names: Iterable[str], quiet: bool = False) -> EmbeddedPictures:
    """Embed the main face of each picture, with a progress bar on standard error."""
    embeddings: dict[str, Embedding] = {}
    without: list[str] = []
    unique = sorted(set(names))

    with click.progressbar(unique, label="Reading faces", file=sys.stderr, hidden=quiet) as bar:
        for name in bar:
            image = load_picture(folder / name)
            face = main_face(read_photo(models, image), image.shape[1], image.shape[0])
            if face is None:
                without.append(name)
            else:
                embeddings[name] = face.embedding
    return EmbeddedPictures(embeddings, tuple(without))


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV with at least these columns. Raises ``click.ClickException`` naming file and line."""
    try:
        return read_rows(path.read_text("utf-8-sig").splitlines(), columns)
    except (OSError, UnicodeDecodeError, EvaluationError) as error:
        raise click.ClickException(f"{path}: {error}") from error


def gallery_from_folder(models: FaceModels, folder: Path, quiet: bool = False) -> Gallery:
    """People from ``name.jpg`` or ``name/*.jpg``. Raises ``click.ClickException`` if nobody can be enrolled."""
    files: dict[str, list[str]] = {}
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            pictures = [f"{entry.name}/{p.name}" for p in sorted(entry.iterdir()) if p.suffix.lower() in SUFFIXES]
            if pictures:
                files[entry.name] = pictures
        elif entry.suffix.lower() in SUFFIXES:
            files.setdefault(entry.stem, []).append(entry.name)
    embedded = embed_pictures(models, folder, (f for group in files.values() for f in group), quiet)
    for name in embedded.without_face:
        click.echo(f"no face in {name}: not enrolled", err=True)
    entries: list[Entry] = []
    for name, group in files.items():
        samples = [embedded.embeddings[f] for f in group if f in embedded.embeddings]
        if samples:
            entries.append((Person(name, name), fuse_template(samples), None))
    if not entries:
        raise click.ClickException(f"{folder}: no picture with a face; expected NAME.jpg or NAME/*.jpg")
    return Gallery.build(entries, models.embedder.spec.dimension, models.manifest.digest, version=1)
