"""The open pack, built once for a test run."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from models import load_pack
from pipeline.face_models import FaceModels


@functools.cache
def models_folder() -> Path:
    """A folder with the open pack in it; not to be changed."""
    folder = Path(tempfile.mkdtemp(prefix="visavis-packs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    load_pack("open", folder, "cpu", lambda line: None)
    return folder


@functools.cache
def open_models() -> FaceModels:
    """The real models, on the CPU."""
    return FaceModels.from_pack(load_pack("open", models_folder(), "cpu", lambda line: None))
