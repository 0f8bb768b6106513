"""``visavis evaluate quality``: whether the quality score says which pictures will not be recognised."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from pipeline.distance import BANDS
from pipeline.face_models import FaceModels
from pipeline.metrics import bootstrap_interval, equal_error_rate, operating_point
from server.commands.evaluate_options import (
    FILE,
    drawn_pairs,
    from_folder,
    images_option,
    limit_option,
    output_options,
    progress_bar,
    refusals,
)
from server.commands.models_option import models_options
from server.commands.report import deliver
from server.evaluation.conditions import Condition, Face, chance, read_faces, staged
from server.evaluation.report import Column, Report, Table, number

DISCARDED = (0.0, 0.05, 0.10, 0.20, 0.30)  # shares of pairs
DRAWS = 40  # of pairs dropped at random
FMR = 0.01


@dataclass(frozen=True, slots=True)
class _Scored:
    """Pairs: how alike (N,), whether of one person (N,), and the worse of the two qualities (N,)."""

    similarity: NDArray[np.float64]
    same: NDArray[np.bool_]
    quality: NDArray[np.float64]

    def best(self, discard: float) -> _Scored:
        """Without the share of pairs whose quality is worst."""
        return self.take(np.argsort(self.quality, kind="stable")[round(discard * len(self.quality)) :])

    def take(self, index: NDArray[np.int64]) -> _Scored:
        """Some of them."""
        return _Scored(self.similarity[index], self.same[index], self.quality[index])

    def equal_error(self) -> float:
        """Equal error rate; not a number without pairs of both kinds."""
        if not self.same.any() or self.same.all():
            return float("nan")
        return equal_error_rate(self.similarity[self.same], self.similarity[~self.same])

    def misses(self) -> float:
        """False non-match rate at the false match rate :data:`FMR`."""
        if not self.same.any() or self.same.all():
            return float("nan")
        return 1 - operating_point(self.similarity[self.same], self.similarity[~self.same], FMR).tar


@click.command()
@click.argument("table", type=FILE, metavar="PAIRS.csv")
@images_option
@limit_option
@output_options
@models_options
@refusals
def quality(models: FaceModels, table: Path, images: Path, limit: int | None, seed: int, as_json: bool) -> None:
    """Error against discard (ISO/IEC 29794-1): each picture of PAIRS.csv (first,second,same) is made as if taken from
    1 to 10 metres, and the pairs with the lowest quality are dropped."""
    rows, names = drawn_pairs(table, limit, seed)
    faces: dict[str, Face] = {}
    bands = [Condition(band) for band in BANDS]
    drawn = {name: int(chance(name, Condition(), seed).integers(len(bands))) for name in names}
    with progress_bar(as_json) as progress:
        for stage, condition in enumerate(bands):
            chosen = [name for name in names if drawn[name] == stage]
            told = staged(progress, stage, len(bands))
            faces |= read_faces(models, chosen, from_folder(images), condition, seed, told).found
    usable = [row for row in rows if row["first"] in faces and row["second"] in faces]
    pairs = _Scored(
        np.array([_alike(models, faces[row["first"]], faces[row["second"]]) for row in usable], np.float64),
        np.array([row["same"] == "1" for row in usable], bool),
        np.array([min(faces[row["first"]].quality, faces[row["second"]].quality) for row in usable], np.float64),
    )
    if not pairs.same.any() or pairs.same.all():
        raise click.ClickException(f"{table}: pairs of both kinds, with faces in both pictures, are needed")
    deliver(_report(pairs, len(rows) - len(usable), models, table.name), as_json)


def _alike(models: FaceModels, one: Face, other: Face) -> float:
    return models.matcher.similarity(one.embedding, other.embedding)


def _report(pairs: _Scored, lost: int, models: FaceModels, subject: str) -> Report:
    gain = _gain(pairs)
    rows = []
    for discard in DISCARDED:
        kept, by_chance = pairs.best(discard), _by_chance(pairs, discard)
        rows.append((discard, len(kept.same), kept.equal_error(), by_chance[0], kept.misses(), by_chance[1]))
    columns = (
        Column("discarded", "dropped"), number("pairs", "pairs left"),
        Column("eer", "equal error rate", digits=2), Column("eer_random", "… dropped at random", digits=2),
        Column("fnmr", f"missed at FMR {FMR:g}", digits=2), Column("fnmr_random", "… dropped at random", digits=2),
    )  # fmt: skip
    figures = (
        ("pairs", len(pairs.same)),
        ("pairs left out (no face)", lost),
        ("equal error rate, all pairs [%]", round(100 * pairs.equal_error(), 2)),
        ("… without the worst tenth [%]", round(100 * pairs.best(0.1).equal_error(), 2)),
        ("gain in points, 95 % of draws", f"{100 * gain[0]:.2f} to {100 * gain[1]:.2f}"),
    )
    parts = (Table("discard", "Error against discard", columns, tuple(rows), "the pairs of lowest quality first"),)
    return Report(f"Quality with pack {models.manifest.name}", figures, parts, subject=subject)


def _by_chance(pairs: _Scored, discard: float) -> tuple[float, float]:
    """Both error rates with as many pairs dropped at random, in the mean."""
    random = np.random.default_rng(0)
    keep = len(pairs.same) - round(discard * len(pairs.same))
    drawn = [pairs.take(random.permutation(len(pairs.same))[:keep]) for _ in range(DRAWS if discard else 1)]
    return float(np.mean([d.equal_error() for d in drawn])), float(np.mean([d.misses() for d in drawn]))


def _gain(pairs: _Scored) -> tuple[float, float]:
    """By how much dropping the worst tenth lowers the equal error rate: the bootstrap's 95 % interval, as a share."""

    def gain(index: NDArray[np.int64]) -> float:
        drawn = pairs.take(index)
        return drawn.equal_error() - drawn.best(0.1).equal_error()

    return bootstrap_interval(gain, np.arange(len(pairs.same)), draws=300)
