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


class FaceNetEmbedder:
    """A network that takes scaled RGB, channels last as Keras has it or first: FaceNet (Schroff et al., CVPR 2015) and
    its kin."""

    def __init__(self, session: Any, spec: EmbedderSpec) -> None:
        taken = session.get_inputs()[0]
        self._session, self._input, self._channels_last = session, taken.name, taken.shape[-1] == 3
        self.spec = spec

    def embed(self, chips: Sequence[Image]) -> NDArray[np.float32]:
        """See :class:`Embedder`."""
        parts = []
        for start in range(0, len(chips), MAX_BATCH):
            blob = (np.stack(chips[start : start + MAX_BATCH]) - np.float32(self.spec.mean)) * np.float32(
                self.spec.scale
            )
            if not self._channels_last:
                blob = np.ascontiguousarray(blob.transpose(0, 3, 1, 2))
            parts.append(self._session.run(None, {self._input: blob})[0])
        return _unit(np.concatenate(parts)) if parts else np.zeros((0, self.spec.dimension), np.float32)


def embed_chip(embedder: Embedder, chip: Image, mirror: bool, shift: int = 0) -> Embedding:
    """The embedding of a chip: the mean over its views, of which each costs as much as one and steadies the result.

    ``mirror`` adds the mirror image, ``shift`` the chip moved by so many pixels to each side.
    """
    chips = [chip, *_moved(chip, shift)] if shift else [chip]
    if mirror:
        chips += [np.ascontiguousarray(view[:, ::-1]) for view in chips]
    mean = embedder.embed(chips).mean(0)
    return np.asarray(_unit(mean[None])[0])


def _moved(chip: Image, by: int) -> list[Image]:
    """A chip moved right, left, down and up; its edge is repeated."""
    height, width = chip.shape[:2]
    room = np.pad(chip, ((by, by), (by, by), (0, 0)), mode="edge")
    starts = ((by, 0), (by, 2 * by), (0, by), (2 * by, by))
    return [np.ascontiguousarray(room[y : y + height, x : x + width]) for y, x in starts]


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.asarray(vectors / length, np.float32)
