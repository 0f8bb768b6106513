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
from pipeline.detect import look_wide
from pipeline.enhance import mended
from pipeline.face_models import FaceModels
from training.crops import Variation, vary
from training.faces import LabelledFace
from training.onnx_export import export_onnx
from training.soft_card import Exported, write_card, write_manifest
from training.soft_fit import Observed, fit_calibration, fit_direction, measure

WIDTHS: tuple[float | None, ...] = (None, 60, 34, 27, 20, 17, 14)  # pixels across the face; None: as it is
STRAYED = Variation(clean=0.0, shift=0.0, turn=0.0, zoom=0.0, light=0.0, grey=0.0)  # as found at some distance
LARGEST_DIFFERENCE = 1e-4  # between Keras and the exported graph


class ExportFailed(Exception):
    """An exported graph does not compute what the network does."""


def export_ensemble(
    networks: dict[str, Any],
    models: FaceModels,
    train: Sequence[LabelledFace],
    calibration: Sequence[LabelledFace],
    held_back: Sequence[LabelledFace],
    template: NDArray[np.float32],
    side: int,
    into: Path,
    *,
    gender_scale: float,
    trained_on: str,
    licence: str,
    say: Callable[[str], None],
) -> None:
    """Write the ensemble's folder; ``models`` are the pack's whose embeddings it is to understand. Raises
    :class:`ExportFailed` if a graph differs from its network."""
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
    say("Reading gender from the embedder's numbers …")
    direction = read_embeddings(models, train, seed=10)
    say("Calibrating …")
    seen = observe(sessions, models, direction, calibration, template, side, gender_scale, seed=11)
    fitted = fit_calibration(seen)
    say(f"weights {fitted.weights}, slopes {fitted.slope}, with the embedder {fitted.shared}")
    say("Measuring on faces held back …")
    tested = observe(sessions, models, direction, held_back, template, side, gender_scale, seed=12)
    for shared, words in ((False, "The networks alone:"), (True, "With the embedder's numbers:")):
        say(words)
        for width in WIDTHS:
            say(measure(tested, fitted, width, shared).line())
    write_manifest(
        into, files, fitted, template, side, gender_scale, trained_on, licence, (models.manifest.digest, *direction)
    )
    counts = (len(train), len(calibration), len(held_back))
    write_card(into, files, WIDTHS, tested, fitted, trained_on, licence, counts)
    read_spec((into / "manifest.toml").read_text("utf-8"))  # what was written can be read


def read_embeddings(models: FaceModels, faces: Sequence[LabelledFace], seed: int) -> tuple[NDArray[np.float32], float]:
    """The linear reading of a pack's embeddings that tells gender best: direction (D,) and bias. Every face is shown
    as it is and from some distance."""
    random = np.random.default_rng(seed)
    spec = models.embedder.spec
    known = [face for face in faces if face.label.male is not None]
    rows = [face.embedding for face in known]
    for start in range(0, len(known), 64):
        chips = [vary(f, spec.template, spec.size, STRAYED, random) for f in known[start : start + 64]]
        rows.extend(models.embedder.embed(chips))
    male = np.array([bool(face.label.male) for face in known] * 2)
    return fit_direction(np.asarray(np.stack(rows), np.float64), male)


def observe(
    sessions: Sequence[Any],
    models: FaceModels,
    direction: tuple[NDArray[np.float32], float],
    faces: Sequence[LabelledFace],
    template: NDArray[np.float32],
    side: int,
    gender_scale: float,
    seed: int,
) -> Observed:
    """What each network, and a linear reading of the pack's embedding, says of each face at each of :data:`WIDTHS`;
    faces lost by the detector are left out."""
    random = np.random.default_rng(seed)
    spec = models.embedder.spec
    rows: list[tuple[float, float, float, float, list[float], list[NDArray[np.float32]], float]] = []
    for face, width in itertools.product(faces, WIDTHS):
        picture = face.picture()
        if width is not None:
            picture = degrade(picture, face.width, width, random, float(random.choice([0.0, 0.5])))
        found = look_wide(models.detector, picture, 320, 640)
        if not len(found):
            continue
        best = int(np.argmax(found.boxes[:, 2] * found.boxes[:, 3]))
        crop = face_chip(picture, found.landmarks[best], template, side)
        blob = crop[None].astype(np.float32)
        answers = [session.run(["gender", "age"], {"image": blob}) for session in sessions]
        genders = [gender_scale * float(gender[0, 1] - gender[0, 0]) for gender, _ in answers]
        ages = [np.asarray(age[0] - age[0].max(), np.float32) for _, age in answers]
        age = float("nan") if face.label.age is None else face.label.age
        chip = mended(face_chip(picture, found.landmarks[best], spec.template, spec.size))[0]
        embedded = float(direction[0] @ models.embedder.embed([chip])[0]) + direction[1]
        rows.append((width or 0.0, float(bool(face.label.male)), age, crop_detail(crop), genders, ages, embedded))
    width_, male, age_, detail, genders_, ages_, embedded_ = zip(*rows, strict=True)
    return Observed(
        np.array(width_), np.array(male) > 0.5, np.array(age_), np.array(detail), np.array(genders_),
        np.array(ages_, np.float32), np.array(embedded_), AGES,
    )  # fmt: skip
