"""Loads InsightFace's packs through InsightFace's own model zoo. No other module imports ``insightface``.

Importing it takes most of a second, so it is imported when such a pack is loaded and not before.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import PackDamaged, PackNotInstalled
from models.manifest import PackManifest
from models.sessions import session_options


@dataclass(frozen=True, slots=True)
class ZooModels:
    """InsightFace's ``SCRFD``, ``ArcFaceONNX`` and ``Attribute`` objects."""

    detector: Any
    embedder: Any
    attributes: Any | None


def load_zoo_models(manifest: PackManifest, folder: Path, providers: Sequence[str]) -> ZooModels:
    """Load the models of ``manifest`` from ``folder``. Raises :class:`PackDamaged` if one is of another kind.

    The detector runs every input size in one session: its default, a further session for each size, would make them as
    new sizes come, in the middle of a video.
    """
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # one of its optional parts would look for updates
    from insightface.model_zoo import SCRFD, ArcFaceONNX, Attribute, get_model

    def load(name: str, kind: type[Any], task: str) -> Any:
        path = folder / name
        try:
            model = get_model(
                str(path),
                providers=list(providers),
                sess_options=session_options(),
                static_shape_sessions=False,
            )
        except Exception as error:  # of ONNX Runtime, protobuf, or an assertion of the zoo
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise PackDamaged(f"InsightFace cannot load {name} of pack {manifest.name!r}: {reason}") from None
        if not isinstance(model, kind) or model.taskname != task:
            raise PackDamaged(f"{name} of pack {manifest.name!r} is no {task} model")
        return model

    detector = load(manifest.detector.file, SCRFD, "detection")
    if not detector.use_kps:
        raise PackDamaged(f"{manifest.detector.file} of pack {manifest.name!r} finds no landmarks")
    detector.prepare(0, nms_thresh=manifest.detector.nms, det_thresh=manifest.detector.score_threshold)
    embedder = load(manifest.embedder.file, ArcFaceONNX, "recognition")
    wanted = (manifest.embedder.size, manifest.embedder.size, manifest.embedder.dimension)
    found = (*embedder.input_size, embedder.output_shape[-1])
    if found != wanted:
        raise PackDamaged(f"{manifest.embedder.file} of pack {manifest.name!r} is of shape {found}, expected {wanted}")
    attributes = load(manifest.attributes_file, Attribute, "genderage") if manifest.attributes_file else None
    return ZooModels(detector, embedder, attributes)


def sample_photo() -> Path:
    """A photo with six faces that comes with InsightFace. Raises :class:`PackNotInstalled` if it is not there."""
    spec = importlib.util.find_spec("insightface")  # which imports nothing
    for folder in (spec.submodule_search_locations or []) if spec else []:
        photo = Path(folder) / "data" / "images" / "t1.jpg"
        if photo.is_file():
            return photo
    raise PackNotInstalled("the photo of the package insightface is not there: pip install insightface")
