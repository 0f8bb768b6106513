"""The ensemble's manifest and its model card (Mitchell et al., arXiv:1810.03993), as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.attributes import AGES
from pipeline.degrade import width_at
from pipeline.distance import BANDS
from training.soft_fit import Calibration, Figures, Observed, figures, measure

MIN_WIDTH = 12.0  # pixels across the face; below that no accuracy was measured
AGE_GROUPS = ((15, 29), (30, 44), (45, 59), (60, 100))  # years


@dataclass(frozen=True, slots=True)
class Exported:
    """One network's file and how it agrees with Keras (largest difference before rounding to 16 bits)."""

    file: str
    sha256: str
    size: int  # bytes
    difference: float


def write_manifest(
    into: Path,
    files: Sequence[Exported],
    fitted: Calibration,
    template: NDArray[np.float32],
    side: int,
    gender_scale: float,
    trained_on: str,
    licence: str,
    embedding: tuple[str, NDArray[np.float32], float],
) -> None:
    """``manifest.toml``, as :func:`models.attributes.read_spec` reads it. ``embedding`` is the digest of a pack, and
    direction and bias of what its embeddings say of gender."""
    pack, direction, bias = embedding
    points = ", ".join(f"[{x:.2f}, {y:.2f}]" for x, y in template)
    lines = [
        "# Apparent gender and age. Written by `python -m training.soft export`; what it rests on is in CARD.md.",
        "",
        'name = "ensemble"',
        f"licence = {_quoted(licence)}",
        f"trained_on = {_quoted(trained_on)}",
        f"size = {side}",
        f"template = [{points}]",
        f"min_width = {MIN_WIDTH:g}",
        "",
        "[gender]",
        f"scale = {gender_scale:g}",
        f"slope = [{fitted.slope[0]:g}, {fitted.slope[1]:g}]",
        f"sure = {fitted.sure:g}",
        "",
        "[gender.embedding]",
        f'pack = "{pack}"',
        f"bias = {bias:.5g}",
        f"slope = [{', '.join(f'{slope:g}' for slope in fitted.shared)}]",
        f"direction = [{', '.join(f'{x:.5g}' for x in direction)}]",
        "",
        "[age]",
        f"first = {AGES[0]}",
        f"last = {AGES[-1]}",
        f"temperature = [{fitted.age_temperature[0]:g}, {fitted.age_temperature[1]:g}]",
        f"floor = {fitted.age_floor:g}",
    ]
    for file, weight in zip(files, fitted.weights, strict=True):
        lines += ["", "[[networks]]", f'file = "{file.file}"', f'sha256 = "{file.sha256}"', f"weight = {weight:g}"]
    (into / "manifest.toml").write_text("\n".join(lines) + "\n", "utf-8")


def write_card(
    into: Path,
    files: Sequence[Exported],
    widths: Sequence[float | None],
    tested: Observed,
    fitted: Calibration,
    trained_on: str,
    licence: str,
    counts: tuple[int, int, int],
) -> None:
    """``CARD.md``. ``counts`` are the faces trained on, calibrated on and held back; ``tested`` are the last."""
    bands = "; ".join(
        f"{band}, {near:g}–{far:g} m: {width_at(near):.0f}–{width_at(far):.0f} pixels"
        for band, (near, far) in BANDS.items()
    )
    megabytes = sum(file.size for file in files) / 1e6
    names = ", ".join(file.file.removesuffix(".onnx") for file in files)
    networks = "\n".join(
        f"| `{file.file}` | {file.size / 1e6:.2f} MB | {weight:g} | {file.difference:.1e} |"
        for file, weight in zip(files, fitted.weights, strict=True)
    )
    text = f"""# Apparent gender and age: model card

Small networks ({names}), averaged. They say how a face *appears* to people who label pictures, as male or female and as
a number of years. They do not know anybody's gender or age, know no others than two, and were not shown children.

**Use.** Off until the host of a room switches it on. Not for decisions about people: not for access, not for checking
an age. **Terms.** {licence}.

**Trained on** {trained_on}. {counts[0]:,} faces to learn from, {counts[1]:,} others to weigh and calibrate,
{counts[2]:,} held back for the figures below; faces that may be of one person are in the same part. Every face was
found and aligned by the open pack's detector. The residual network began with the weights of dlib's face network (CC0).

| file | size | weight | largest difference from Keras |
|---|---|---|---|
{networks}

{megabytes:.1f} MB in all; weights are kept in 16 bits.

## By distance

The picture is degraded first (`pipeline/degrade.py`), then the face is found and aligned in what is left. Pixels are
across the face; with a camera of 1280×720 and a field of view of 65° a face is {width_at(1):.0f} pixels wide at one
metre ({bands}). *Said* counts the faces for which the ensemble was at least {fitted.sure:.0%} sure.

{_table([measure(tested, fitted, width) for width in widths])}

Faces that the server recognises with the open pack are embedded anyway. A linear reading of those numbers (CC0), fitted
on the same faces, is weighed in then for gender:

{_table([measure(tested, fitted, width, shared=True) for width in widths])}

## By apparent gender and age, pictures as they are

{_table(_groups(tested.at(None), fitted))}

## By apparent gender and age, {FAR_WIDTH:g} pixels

{_table(_groups(tested.at(FAR_WIDTH), fitted))}

The labels of such data come from file names and guesses and are wrong in a few of a hundred; no figure here can be
better than they are.
"""
    (into / "CARD.md").write_text(text, "utf-8")


FAR_WIDTH = 17.0


def _groups(looks: Observed, fitted: Calibration) -> list[Figures]:
    chosen = {"female": ~looks.male, "male": looks.male}
    for low, high in AGE_GROUPS:
        chosen[f"{low}–{high} years"] = (looks.age >= low) & (looks.age < high + 1)
    return [figures(name, looks.where(which), fitted) for name, which in chosen.items() if which.any()]


def _table(rows: Sequence[Figures]) -> str:
    head = (
        "| | faces | gender right | mean confidence | right where said | said of all | age off by (years) | bias | "
        "in the 80 % interval |\n|---|---|---|---|---|---|---|---|---|\n"
    )
    return head + "\n".join(
        f"| {r.name} | {r.faces} | {r.accuracy:.1%} | {r.confidence:.1%} | {r.said:.1%} | {r.coverage:.1%} | "
        f"{r.age_error:.1f} | {r.age_bias:+.1f} | {r.age_inside:.1%} |"
        for r in rows
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
