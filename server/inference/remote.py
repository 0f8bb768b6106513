"""Networks that run in workers, as whoever uses networks sees them: a detector, an embedder, readers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models import AttributePack, EmbedderSpec
from pipeline.attributes import AttributeReader, EnsembleReader, GenderAgeReader
from pipeline.detect import Detections
from pipeline.embed import MAX_BATCH
from pipeline.face_models import FaceModels
from pipeline.frame import MAX_SIDE, Image
from server.inference import wire

Ask = Callable[[wire.Request], wire.Array]  # as Crew.call(), for one client


class RemoteDetector:
    """A pack's detector; see :class:`pipeline.detect.Detector`. Raises :class:`pipeline.lost_look.LookLost`, and
    ``ValueError`` for what is no picture."""

    def __init__(self, ask: Ask, least: float = float("nan")) -> None:
        self._ask = ask
        self._least = least

    def detect(self, image: Image, max_side: int) -> Detections:
        """See :class:`pipeline.detect.Detector`."""
        check(image)
        if not 1 <= max_side <= MAX_SIDE:
            raise ValueError(f"a detector works at 1–{MAX_SIDE} pixels, not at {max_side}")
        rows = self._ask(wire.Request(wire.DETECT, (image,), max_side, self._least))
        return wire.faces_of(rows) if rows.shape[1] == wire.DETECTION else Detections.empty()

    def keener(self, least: float) -> RemoteDetector:
        """The same network, for which a score of ``least`` is a face."""
        return RemoteDetector(self._ask, least)


class RemoteEmbedder:
    """A pack's embedder; see :class:`pipeline.embed.Embedder`. Raises :class:`pipeline.lost_look.LookLost`, and
    ``ValueError`` for what is no chip."""

    def __init__(self, ask: Ask, spec: EmbedderSpec) -> None:
        self._ask = ask
        self.spec = spec

    def embed(self, chips: Sequence[Image]) -> NDArray[np.float32]:
        """See :class:`pipeline.embed.Embedder`."""
        for chip in chips:
            check(chip, self.spec.size)
        parts = [
            self._ask(wire.Request(wire.EMBED, chips[start : start + MAX_BATCH]))
            for start in range(0, len(chips), MAX_BATCH)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.spec.dimension), np.float32)


class RemoteEnsemble(EnsembleReader):
    """The shipped networks for gender and age. What is made of their answers is made here."""

    def __init__(self, ask: Ask, local: EnsembleReader) -> None:
        super().__init__(AttributePack(local.spec, ()))
        self._ask = ask

    def raw(self, crop: Image) -> tuple[float, wire.Array]:
        """See :class:`pipeline.attributes.EnsembleReader`."""
        return _read(self._ask, wire.READ_SHIPPED, crop, self.spec.size)


class RemoteGenderAge(GenderAgeReader):
    """The network of an InsightFace pack for gender and age."""

    def __init__(self, ask: Ask, local: GenderAgeReader) -> None:
        self.name, self.side = local.name, local.side
        self._ask = ask

    def raw(self, crop: Image) -> tuple[float, wire.Array]:
        """See :class:`pipeline.attributes.GenderAgeReader`."""
        return _read(self._ask, wire.READ_OWN, crop, self.side)


def remote_models(ask: Ask, local: FaceModels) -> FaceModels:
    """The same pack, whose detector and embedder run in workers."""
    return replace(
        local,
        detector=RemoteDetector(ask),
        embedder=RemoteEmbedder(ask, local.embedder.spec),
    )


def remote_reader(ask: Ask, local: AttributeReader) -> AttributeReader:
    """The same reader, whose networks run in workers; one of another kind stays as it is."""
    match local:
        case EnsembleReader():
            return RemoteEnsemble(ask, local)
        case GenderAgeReader():
            return RemoteGenderAge(ask, local)
    return local


def check(picture: Image, side: int | None = None) -> None:
    """Raises ``ValueError`` unless it is RGB (H, W, 3) uint8 of a size that workers take, or of just this one."""
    shape = picture.shape
    if picture.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3:
        raise ValueError(f"a picture must be (H, W, 3) uint8, not {shape} {picture.dtype}")
    if side is not None and shape[:2] != (side, side):
        raise ValueError(f"a chip is {side}×{side} pixels here, not {shape[1]}×{shape[0]}")
    if not (min(shape[:2]) >= 1 and max(shape[:2]) <= MAX_SIDE):
        raise ValueError(f"a picture of {shape[1]}×{shape[0]} is outside 1–{MAX_SIDE} pixels a side")


def _read(ask: Ask, kind: bytes, crop: Image, side: int) -> tuple[float, wire.Array]:
    check(crop, side)
    answer = ask(wire.Request(kind, (crop,)))[0]
    return float(answer[0]), answer[1:]
