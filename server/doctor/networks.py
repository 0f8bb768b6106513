"""The models: whether their files are whole, what they run on, and how long one picture takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from models import ModelError, load_manifest, load_pack, verify_pack
from pipeline.face_models import FaceModels
from server.chosen_pack import chosen_pack
from server.doctor.finding import Finding, Patient

SLOW = 250.0  # ms for one look: fewer than four a second
LOOKS = 5


def networks(patient: Patient) -> Iterator[Finding]:
    """Nothing is built and nothing fetched."""
    settings, folder = patient.settings, patient.settings.models_dir
    name = chosen_pack(patient.configuration)
    try:
        built = load_manifest(name, folder).origin == "built"
        wrong = [status for status in verify_pack(name, folder) if status.state != "ok"]
    except ModelError as error:
        yield Finding("files", "broken", str(error), "visavis models list, and choose one with --pack")
        return
    if wrong:
        cure = f"visavis models build {name}" if built else f"visavis models pull {name} --accept-license"
        missing = all(status.state == "missing" for status in wrong)
        said = ", ".join(f"{status.name} is {status.state}" for status in wrong)
        first = built and missing
        words = f"pack {name} in {folder}: {said}" + ("; the next start builds it" if first else "")
        yield Finding("files", "worth a look" if first else "broken", words, cure)
        return
    yield Finding("files", "good", f"pack {name} is whole, file by file")
    try:
        pack = load_pack(name, folder, settings.provider)
        models = FaceModels.from_pack(pack)
        took = _look(models, settings.detect_size)
    except ModelError as error:
        yield Finding("models", "broken", str(error), "visavis --provider cpu")
        return
    runs_on = pack.providers[0].removesuffix("ExecutionProvider")
    said = f"runs on {runs_on}, a look at {settings.detect_size} pixels takes {took:.0f} ms"
    if Path("/dev/nvidia0").exists() and pack.providers[0] == "CPUExecutionProvider" and settings.provider == "auto":
        cure = "pip uninstall -y onnxruntime && pip install onnxruntime-gpu"
        yield Finding("models", "worth a look", f"{said}; there is a graphics card that it does not use", cure)
    elif took > SLOW:
        cure = f"visavis --detect-size {max(160, settings.detect_size // 2 // 32 * 32)}"
        yield Finding("models", "worth a look", f"{said}: too long for a lively picture", cure)
    else:
        yield Finding("models", "good", said)


def _look(models: FaceModels, size: int) -> float:
    """Milliseconds of one look for faces, the median of a few; the first, which prepares, does not count."""
    picture = np.full((480, 640, 3), 127, np.uint8)
    took = []
    for _ in range(LOOKS + 1):
        began = time.perf_counter()
        models.detector.detect(picture, size)
        took.append(time.perf_counter() - began)
    return statistics.median(took[1:]) * 1000
