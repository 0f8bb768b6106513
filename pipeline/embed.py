"""Face chips to embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models import EmbedderSpec
from pipeline.frame import Image
from tracking import Embedding

MAX_BATCH = 16  # beyond this a batch is no faster per face and only delays the first answer


class Embedder(Protocol):
    """Anything that turns chips into embeddings."""

    spec: EmbedderSpec

    def embed(self, chips: Sequence[Image]) -> NDArray[np.float32]:
        """Chips (size, size, 3) RGB uint8 → (N, dimension), each row of unit length."""


class DlibEmbedder:
    """dlib's ResNet as an ONNX graph that takes raw RGB."""

    def __init__(self, session: Any, spec: EmbedderSpec) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name
        self.spec = spec

    def embed(self, chips: Sequence[Image]) -> NDArray[np.float32]:
        """See :class:`Embedder`."""
        parts = []
        for start in range(0, len(chips), MAX_BATCH):
            blob = np.stack(chips[start : start + MAX_BATCH]).transpose(0, 3, 1, 2)
            parts.append(self._session.run(None, {self._input: np.ascontiguousarray(blob, dtype=np.float32)})[0])
        return _unit(np.concatenate(parts)) if parts else np.zeros((0, self.spec.dimension), np.float32)


class ArcFaceEmbedder:
    """ArcFace of InsightFace's packs, through InsightFace's own class, which wants BGR."""

    def __init__(self, model: Any, spec: EmbedderSpec) -> None:
        self._model = model
        self.spec = spec

    def embed(self, chips: Sequence[Image]) -> NDArray[np.float32]:
        """See :class:`Embedder`."""
        if not chips:
            return np.zeros((0, self.spec.dimension), np.float32)
        return _unit(np.asarray(self._model.get_feat([np.ascontiguousarray(c[..., ::-1]) for c in chips]), np.float32))


def embed_chip(embedder: Embedder, chip: Image, mirror: bool) -> Embedding:
    """The embedding of a chip; with ``mirror`` the mean of it and its mirror image, which costs twice and is
    steadier."""
    chips = [chip, np.ascontiguousarray(chip[:, ::-1])] if mirror else [chip]
    mean = embedder.embed(chips).mean(0)
    return np.asarray(_unit(mean[None])[0])


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.asarray(vectors / length, np.float32)
