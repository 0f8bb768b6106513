"""``visavis evaluate distance``: whether distances lie where they are said to, before a rendered camera."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.detect import Detections, look_wide
from pipeline.distance import (
    BANDS,
    CARD,
    EYES,
    HEAD_SPREAD,
    USUAL,
    Band,
    Camera,
    Distance,
    band_of,
    camera_from_card,
    camera_from_known_distance,
    eye_pixels,
    measure_distance,
)
from pipeline.face_models import FaceModels
from pipeline.frame import Image
from server.commands.evaluate_options import FOLDER, output_options, progress_bar
from server.commands.models_option import models_options
from server.commands.pictures import SUFFIXES, load_picture
from server.commands.report import show, table

PICTURE = (1280, 720)  # pixels, of the rendered camera
WIDER = (45.0, 95.0)  # degrees along the longer side: cameras beyond those taken to be usual
MEASURED = 0.03  # how far off a distance that somebody measured is, as a standard deviation


@dataclass(frozen=True, slots=True)
class _Shot:
    """A face before the camera: how far it really is, and what is said of it with each knowledge of the camera."""

    metres: float
    said: dict[str, Distance]


@click.command()
@click.option("--images", type=FOLDER, required=True, help="Folder of portraits; subfolders are searched, too.")
@click.option("--shots", type=click.IntRange(20), default=600, show_default=True, help="Faces to render.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@output_options
@models_options
def distance(models: FaceModels, images: Path, shots: int, seed: int, as_json: bool) -> None:
    """Put portraits before a rendered camera at 0.5 to 10 metres and compare what is said with where they are.

    Each shot draws a camera, a head size (as adults have them), a distance and a portrait; the face is found in the
    rendered picture. Cameras are drawn from those taken to be usual, and again from a wider range.
    """
    files = sorted(path for path in images.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise click.ClickException(f"{images}: there are no pictures in it")
    random = np.random.default_rng(seed)
    made: list[_Shot] = []
    asked = 0
    with progress_bar(as_json) as progress:
        while len(made) < shots and asked < 3 * shots:
            asked += 1
            shot = _shoot(models, load_picture(files[int(random.integers(len(files)))]), random)
            if shot is not None:
                made.append(shot)
                progress(len(made), shots)
    if len(made) < 20:
        raise click.ClickException(f"{images}: a face was found in {len(made)} of {asked} shots only")
    rows = [_row(name, band, made) for name in made[0].said for band in (None, *BANDS)]
    inside = {name: _inside(made, name) for name in made[0].said}
    show(
        "Distance before a rendered camera: " + images.name,
        [
            ("shots", len(made)),
            ("faces the detector lost", asked - len(made)),
            *((f"truth in the 90 % interval, {name} [%]", round(100 * share, 1)) for name, share in inside.items()),
        ],
        as_json,
        by_distance=[dict(zip(HEADER, row, strict=True)) for row in rows],
    )
    table(HEADER, rows, "By distance", as_json=as_json)


HEADER = ("camera", "band", "shots", "off by, median [%]", "in the interval [%]", "high / low", "right band [%]")


def _row(name: str, band: Band | None, shots: list[_Shot]) -> list[Any]:
    chosen = [s for s in shots if band is None or band_of(s.metres) == band]
    if not chosen:
        return [name, band or "all", 0, None, None, None, None]
    off = [abs(s.said[name].metres / s.metres - 1) for s in chosen]
    wide = [s.said[name].high / s.said[name].low for s in chosen]
    right = [s.said[name].band == band_of(s.metres) for s in chosen]
    return [
        name, band or "all", len(chosen), round(100 * float(np.median(off)), 1),
        round(100 * _inside(chosen, name), 1), round(float(np.median(wide)), 2), round(100 * float(np.mean(right)), 1),
    ]  # fmt: skip


def _inside(shots: list[_Shot], name: str) -> float:
    return float(np.mean([s.said[name].low <= s.metres <= s.said[name].high for s in shots]))


def _shoot(models: FaceModels, portrait: Image, random: np.random.Generator) -> _Shot | None:
    """One shot; ``None`` if the detector does not find the face, in the portrait or in what is rendered."""
    source = look_wide(models.detector, portrait, 320, 640)
    if not len(source):
        return None
    best = int(np.argmax(source.boxes[:, 2] * source.boxes[:, 3]))
    own = eye_pixels(source.landmarks[best], source.boxes[best])
    metres = float(np.exp(random.uniform(np.log(0.5), np.log(10))))
    head = EYES * float(np.exp(random.normal(0, HEAD_SPREAD)))
    said = {}
    for name, focal in (("usual cameras", _usual(random)), ("wider range", _wider(random))):
        scale = focal * max(PICTURE) * head / metres / own
        found = _find(models, _render(portrait, source.boxes[best], scale, random))
        if found is None:
            return None
        landmarks, box = found
        said[name] = measure_distance(landmarks, box, PICTURE)
        if name == "usual cameras":
            for known, camera in _calibrations(focal, head, random).items():
                said[known] = measure_distance(landmarks, box, PICTURE, camera)
    return _Shot(metres, said)


def _usual(random: np.random.Generator) -> float:
    return USUAL.focal * float(np.exp(random.normal(0, USUAL.spread)))


def _wider(random: np.random.Generator) -> float:
    return float(0.5 / np.tan(np.deg2rad(random.uniform(*WIDER)) / 2))


def _calibrations(focal: float, head: float, random: np.random.Generator) -> dict[str, Camera]:
    """The camera as somebody calibrates it who measures as people do: with a card, standing still, and by standing
    still before somebody else comes."""
    card = 0.3 * float(np.exp(random.normal(0, MEASURED)))
    pixels = focal * max(PICTURE) * CARD / 0.3 * float(np.exp(random.normal(0, MEASURED)))
    stand = 1.0 * float(np.exp(random.normal(0, MEASURED)))
    other = EYES * float(np.exp(random.normal(0, HEAD_SPREAD)))
    return {
        "bank card": camera_from_card(pixels, card, PICTURE),
        "stood at 1 m, same person": camera_from_known_distance(focal * max(PICTURE) * head, stand, PICTURE),
        "stood at 1 m, another person": camera_from_known_distance(focal * max(PICTURE) * other, stand, PICTURE),
    }


def _render(portrait: Image, box: NDArray[np.float32], scale: float, random: np.random.Generator) -> Image:
    """The portrait ``scale`` times as large, its face in the middle half of a picture with grain."""
    width, height = PICTURE
    place = np.array([random.uniform(0.35, 0.65) * width, random.uniform(0.4, 0.6) * height])
    middle = box[:2] + box[2:] / 2
    small = portrait
    if scale < 1:
        size = (max(2, round(portrait.shape[1] * scale)), max(2, round(portrait.shape[0] * scale)))
        small = np.asarray(cv2.resize(portrait, size, interpolation=cv2.INTER_AREA), np.uint8)
        middle, scale = middle * np.array([size[0] / portrait.shape[1], size[1] / portrait.shape[0]]), 1.0
    shift = place - scale * middle
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    canvas = np.full((height, width, 3), int(random.integers(60, 180)), np.uint8)
    cv2.warpAffine(small, matrix, PICTURE, dst=canvas, borderMode=cv2.BORDER_TRANSPARENT)  # paints on the canvas
    return np.clip(canvas + random.normal(0, 2, canvas.shape), 0, 255).round().astype(np.uint8)


def _find(models: FaceModels, picture: Image) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Landmarks and box of the largest face; the picture is looked at in full, so that far faces are found."""
    found: Detections = look_wide(models.detector, picture, 320, max(PICTURE))
    if not len(found):
        return None
    best = int(np.argmax(found.boxes[:, 2] * found.boxes[:, 3]))
    return found.landmarks[best], found.boxes[best]
