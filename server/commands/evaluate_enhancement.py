"""``visavis evaluate enhancement``: what mending dark and grainy pictures is worth."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from models import ModelError
from pipeline.align import face_chip
from pipeline.attributes import AttributeReader, EnsembleReader, load_attribute_reader
from pipeline.embed import embed_chip
from pipeline.enhance import WORTH, Enhancement, choose_enhancement, enhance
from pipeline.face_models import FaceModels
from pipeline.frame import Image
from pipeline.metrics import equal_error_rate, operating_point
from server.commands.evaluate_options import (
    FILE,
    drawn_pairs,
    from_folder,
    images_option,
    labels,
    limit_option,
    output_options,
    progress_bar,
    refusals,
)
from server.commands.models_option import models_options
from server.commands.report import deliver
from server.evaluation.conditions import Condition, chance, find_face
from server.evaluation.report import Cell, Column, Report, Table, number, text
from tracking import Embedding

FAR = 0.01


@dataclass(frozen=True, slots=True)
class Darkness:
    """``exposure`` is the share of the light that is left; ``grain`` the sensor's noise at full light, both 0–1."""

    name: str
    exposure: float = 1.0
    grain: float = 0.0

    def apply(self, image: Image, random: np.random.Generator) -> Image:
        """An RGB picture (H, W, 3) as if taken in less light: in linear light, with photon and read-out noise."""
        if self.exposure == 1.0:
            return image
        light = (image / 255.0) ** 2.2 * self.exposure
        light = light + random.normal(0, self.grain, image.shape) * np.sqrt(np.maximum(light, 1e-4))
        light = light + random.normal(0, self.grain / 6, image.shape)
        return np.asarray((np.clip(light, 0, 1) ** (1 / 2.2) * 255).round(), np.uint8)


LEVELS = (
    Darkness("good light"),
    Darkness("a tenth", 0.10, 0.01),
    Darkness("a thirtieth, grain", 0.03, 0.02),
    Darkness("a sixtieth, grain", 0.015, 0.02),
)


@dataclass(slots=True)
class _Seen:
    """What came of one level: embeddings as they are and mended, what was chosen, and whether gender was right."""

    plain: dict[str, Embedding] = field(default_factory=dict)
    mended: dict[str, Embedding] = field(default_factory=dict)  # as the product does: what is worth it
    whole: dict[str, Embedding] = field(default_factory=dict)  # … and with all that the histogram asks for
    chosen: list[Enhancement] = field(default_factory=list)
    gender: list[tuple[bool, bool]] = field(default_factory=list)
    lost: int = 0


@click.command()
@click.argument("table", type=FILE, metavar="PAIRS.csv")
@images_option
@click.option("--labels", "genders", type=FILE, help="CSV with file,gender: measure gender, too.")
@limit_option
@output_options
@models_options
@refusals
def enhancement(
    models: FaceModels, table: Path, images: Path, genders: Path | None, limit: int | None, seed: int, as_json: bool
) -> None:
    """Recognition on PAIRS.csv (first,second,same), and gender, in ever less light: as it is, and mended where the
    picture is found to need it."""
    rows, names = drawn_pairs(table, limit, seed)
    truth = {row["file"]: row["gender"] == "male" for row in (labels(genders, "attributes") if genders else [])}
    reader = _reader() if truth else None
    load = from_folder(images)
    seen = [_Seen() for _ in LEVELS]
    with progress_bar(as_json) as progress:
        for at, name in enumerate(names):
            progress(at, len(names))
            picture = load(name)
            for level, found in zip(LEVELS, seen, strict=True):
                image = level.apply(picture, chance(name + level.name, Condition(), seed))
                _look(models, reader, name, image, truth.get(name), found)
        progress(len(names), len(names))
    deliver(_report(models, rows, seen, table.name), as_json)


def _reader() -> EnsembleReader | None:
    try:
        reader: AttributeReader = load_attribute_reader(None)
    except ModelError as error:
        raise click.ClickException(str(error)) from error
    return reader if isinstance(reader, EnsembleReader) else None


def _look(
    models: FaceModels, reader: EnsembleReader | None, name: str, image: Image, male: bool | None, found: _Seen
) -> None:
    face = find_face(models.detector, image)
    if face is None:
        found.lost += 1
        return
    spec = models.embedder.spec
    chip = face_chip(image, face.landmarks, spec.template, spec.size)
    kind = choose_enhancement(chip)
    found.chosen.append(kind)
    found.plain[name] = embed_chip(models.embedder, chip, mirror=spec.mirror)
    asked = found.plain[name]
    if kind != "none":
        asked = embed_chip(models.embedder, enhance(chip, kind), mirror=spec.mirror)
    found.whole[name] = asked
    found.mended[name] = asked if kind in WORTH else found.plain[name]
    if reader is not None and male is not None:
        crop = face_chip(image, face.landmarks, reader.spec.template, reader.spec.size)
        found.gender.append(((reader.raw(crop)[0] > 0) == male, (reader.raw(enhance(crop, kind))[0] > 0) == male))


def _report(models: FaceModels, rows: list[dict[str, str]], seen: list[_Seen], subject: str) -> Report:
    lines: list[tuple[Cell, ...]] = []
    touched_good = 0.0
    for level, found in zip(LEVELS, seen, strict=True):
        usable = [row for row in rows if row["first"] in found.plain and row["second"] in found.plain]
        same = np.array([row["same"] == "1" for row in usable], bool)
        rates = [_rates(models, usable, same, kept) for kept in (found.plain, found.mended, found.whole)]
        touched = sum(kind in WORTH for kind in found.chosen) / max(len(found.chosen), 1)
        touched_good = touched if level is LEVELS[0] else touched_good
        right = np.array(found.gender, np.float64).mean(0) if found.gender else np.full(2, np.nan)
        eers, tars = zip(*rates, strict=True)
        lines.append((level.name, len(usable), found.lost, touched, *eers, *tars, *map(float, right)))
    stretched = "… and contrast stretched"
    columns = (
        text("light", "light left"),
        number("pairs", "pairs"),
        number("lost", "faces lost"),
        Column("mended", "mended"),
        Column("eer", "EER as it is", digits=2),
        Column("eer_mended", "EER mended", digits=2),
        Column("eer_contrast", stretched, digits=2),
        Column("tar", f"TAR at FAR {FAR:g} as it is"),
        Column("tar_mended", "TAR mended"),
        Column("tar_contrast", stretched),
        Column("gender", "gender as it is"),
        Column("gender_mended", "gender, mended and stretched"),
    )
    figures = (("pairs", len(rows)), ("good pictures touched [%]", round(100 * touched_good, 2)))
    parts = (Table("light", "In ever less light", columns, tuple(lines)),)
    return Report(f"Enhancement with pack {models.manifest.name}", figures, parts, subject=subject)


def _rates(
    models: FaceModels, rows: list[dict[str, str]], same: NDArray[np.bool_], kept: dict[str, Embedding]
) -> tuple[float, float]:
    """Equal error rate and true accept rate at :data:`FAR`; not numbers without pairs of both kinds."""
    if not same.any() or same.all():
        return float("nan"), float("nan")
    scores = np.array([models.matcher.similarity(kept[row["first"]], kept[row["second"]]) for row in rows])
    return equal_error_rate(scores[same], scores[~same]), operating_point(scores[same], scores[~same], FAR).tar
