"""From trained networks to what ships: ONNX files, weights, calibration, figures, card.

Calibration is fitted on faces no network was trained on, degraded to every distance; the figures of the card are taken
on yet others. Detection and alignment come from the degraded picture, as in the product.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import create_session
from models.attributes import read_spec
from pipeline.align import face_chip
from pipeline.attributes import AGES, crop_detail
from pipeline.degrade import degrade
from pipeline.detect import Detector, look_wide
from training.faces import LabelledFace
from training.onnx_export import export_onnx
from training.soft_card import Exported, write_card, write_manifest
from training.soft_fit import Observed, fit_calibration, measure

WIDTHS: tuple[float | None, ...] = (None, 60, 34, 27, 20, 17, 14)  # pixels across the face; None: as it is
LARGEST_DIFFERENCE = 1e-4  # between Keras and the exported graph


class ExportFailed(Exception):
    """An exported graph does not compute what the network does."""


def export_ensemble(
    networks: dict[str, Any],
    detector: Detector,
    calibration: Sequence[LabelledFace],
    held_back: Sequence[LabelledFace],
    template: NDArray[np.float32],
    side: int,
    into: Path,
    *,
    learnt: int,
    gender_scale: float,
    trained_on: str,
    licence: str,
    say: Callable[[str], None],
) -> None:
    """Write the ensemble's folder. Raises :class:`ExportFailed` if a graph differs from its network."""
    into.mkdir(parents=True, exist_ok=True)
    files = []
    for name, model in networks.items():
        exact = export_onnx(model, into / f"{name}.onnx", fp16_weights=False, input_name="image")
        if exact > LARGEST_DIFFERENCE:
            raise ExportFailed(f"{name}: the graph differs from the network by {exact:.2g}")
        export_onnx(model, into / f"{name}.onnx", fp16_weights=True, input_name="image")
        data = (into / f"{name}.onnx").read_bytes()
        files.append(Exported(f"{name}.onnx", hashlib.sha256(data).hexdigest(), len(data), exact))
        say(f"{name}.onnx: {len(data) / 1e6:.2f} MB, differs from Keras by {exact:.1e} before rounding to 16 bits")
    sessions = [create_session(into / file.file, ("CPUExecutionProvider",)) for file in files]
    say("Calibrating …")
    seen = observe(sessions, detector, calibration, template, side, gender_scale, seed=11)
    fitted = fit_calibration(seen)
    say(f"weights {fitted.weights}, slopes {fitted.slope}, age temperature {fitted.age_temperature}")
    say("Measuring on faces held back …")
    tested = observe(sessions, detector, held_back, template, side, gender_scale, seed=12)
    rows = [measure(tested, fitted, width) for width in WIDTHS]
    for row in rows:
        say(row.line())
    write_manifest(into, files, fitted, template, side, gender_scale, trained_on, licence)
    counts = (learnt, len(calibration), len(held_back))
    write_card(into, files, rows, tested, fitted, trained_on, licence, counts)
    read_spec((into / "manifest.toml").read_text("utf-8"))  # what was written can be read


def observe(
    sessions: Sequence[Any],
    detector: Detector,
    faces: Sequence[LabelledFace],
    template: NDArray[np.float32],
    side: int,
    gender_scale: float,
    seed: int,
) -> Observed:
    """What each network says of each face at each of :data:`WIDTHS`; faces lost by the detector are left out."""
    random = np.random.default_rng(seed)
    rows: list[tuple[float, float, float, float, list[float], list[NDArray[np.float32]]]] = []
    for face, width in itertools.product(faces, WIDTHS):
        picture = face.picture()
        if width is not None:
            picture = degrade(picture, face.width, width, random, float(random.choice([0.0, 0.5])))
        found = look_wide(detector, picture, 320, 640)
        if not len(found):
            continue
        best = int(np.argmax(found.boxes[:, 2] * found.boxes[:, 3]))
        crop = face_chip(picture, found.landmarks[best], template, side)
        blob = crop[None].astype(np.float32)
        answers = [session.run(["gender", "age"], {"image": blob}) for session in sessions]
        genders = [gender_scale * float(gender[0, 1] - gender[0, 0]) for gender, _ in answers]
        ages = [np.asarray(age[0] - age[0].max(), np.float32) for _, age in answers]
        age = float("nan") if face.label.age is None else face.label.age
        rows.append((width or 0.0, float(bool(face.label.male)), age, crop_detail(crop), genders, ages))
    width_, male, age_, detail, genders_, ages_ = zip(*rows, strict=True)
    return Observed(
        np.array(width_), np.array(male) > 0.5, np.array(age_), np.array(detail), np.array(genders_),
        np.array(ages_, np.float32), AGES,
    )  # fmt: skip
