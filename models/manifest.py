"""What a pack's manifest says, as frozen values.

Every number that depends on a model (input, alignment, metric, threshold, calibration) is in its pack's manifest and
nowhere in the code. :mod:`models.manifest_reader` reads and checks the TOML files in ``models/packs``, and those of a
user's own packs, which are called ``pack.toml`` and lie beside their files in the models folder.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.errors import PackNotInstalled

DetectorKind = Literal["centerface", "scrfd"]
EmbedderKind = Literal["dlib", "arcface", "facenet"]
Recipe = Literal["centerface", "dlib_resnet"]
Origin = Literal["built", "pulled", "own"]

OWN_MANIFEST = "pack.toml"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The file of an installed Python package that a model is built from."""

    package: str  # as imported
    distribution: str  # as installed
    path: str  # inside the package
    sha256: str  # of the file's bytes
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a pack in the models folder.

    ``digest`` says which model the file holds. For a built file it is the graph digest (:mod:`models.graph_digest`) and
    stands in the manifest. For a pulled file it is the SHA-256 of its bytes, recorded when it was pulled, and ``None``
    until then. For a file of an own pack it is the SHA-256 of its bytes, and stands in the manifest.
    """

    name: str
    licence: str
    digest: str | None
    source: SourceFile | None


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """How to use the detector. ``nms`` is the intersection over union above which the lower of two boxes goes."""

    kind: DetectorKind
    file: str
    score_threshold: float
    nms: float
    stride: int  # width and height of the input must be multiples of this, pixels


@dataclass(frozen=True, slots=True)
class EmbedderSpec:
    """How to use the embedder.

    ``template`` is float32 (5, 2), read-only: where left eye, right eye, nose, left and right mouth corner (as seen in
    the picture) lie in a chip of ``size`` by ``size`` pixels, as x, y. With ``mirror`` an enrolled face is the mean of
    the chip's embedding and its mirror image's; with ``shift`` above 0 also of those of the chip moved by that many
    pixels to each of the four sides. A ``facenet`` embedder is given ``(value - mean) * scale``, the others 0–255.
    """

    kind: EmbedderKind
    file: str
    size: int
    dimension: int
    template: NDArray[np.float32] = field(compare=False)
    mirror: bool
    shift: int = 0
    mean: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Population:
    """How faces vary in this embedder's numbers; see :class:`pipeline.resemblance.Resemblance`.

    ``mean`` (dimension,) is the mean person, ``between`` (dimension, dimension) the covariance of people, both float32
    and read-only; ``within`` is the variance of one person's photos along any axis.
    """

    mean: NDArray[np.float32] = field(compare=False)
    between: NDArray[np.float32] = field(compare=False)
    within: float
    scale: float  # of the likelihood ratio's logarithm …
    offset: float  # … so that it reads like a cosine …
    limit: float  # … and parts from it by no more than this


@dataclass(frozen=True, slots=True)
class MatchingSpec:
    """How to read similarities of this embedder.

    ``fmr`` holds (false match rate, similarity that gives it) pairs, most lenient first. The log-likelihood ratio
    of 'same person' against 'two people' is ``calibration_slope * similarity + calibration_intercept`` (natural
    logarithm).
    """

    metric: Literal["cosine"]
    fmr: tuple[tuple[float, float], ...]
    target_fpir: float  # of probes that are nobody's, the share that may get a name
    margin: float  # similarity by which the best person must lead the second best
    calibration_slope: float
    calibration_intercept: float
    same_face: float  # similarity from which two faces inside one session are the same
    min_face: int  # no recognition of faces narrower than this, pixels
    population: Population | None = None  # without it similarities are plain cosines


@dataclass(frozen=True, slots=True)
class PackManifest:
    """A set of models that belong together, where they come from and how they are used."""

    name: str
    summary: str
    licence: str
    origin: Origin  # "built" from installed packages, "pulled" from ``url``, or a user's "own"
    default: bool
    size: int  # about how much is built or fetched, bytes
    url: str | None
    files: tuple[FileEntry, ...]
    detector: DetectorSpec
    embedder: EmbedderSpec
    attributes_file: str | None
    matching: MatchingSpec

    def file(self, name: str) -> FileEntry:
        """The entry of that name. The reader has made sure that detector, embedder and attributes have one."""
        return next(entry for entry in self.files if entry.name == name)

    @property
    def digest(self) -> str:
        """SHA-256 over pack name, embedder, its input's scaling if it has one, and alignment template; an embedding is
        only comparable under the same one.

        Raises :class:`PackNotInstalled` for a pulled pack's plain manifest: its files, and so their digests, are known
        only once it is there. The manifest inside a loaded :class:`models.Pack` always has it.
        """
        embedder = self.file(self.embedder.file).digest
        if embedder is None:
            raise PackNotInstalled(
                f"the digest of pack {self.name!r} is known once it is installed: {pull_command(self.name)}"
            )
        parts = hashlib.sha256()
        parts.update(f"{self.name}\n{embedder}\n".encode())
        parts.update(self.embedder.template.astype("<f4").tobytes())
        if self.embedder.kind == "facenet":
            parts.update(f"{self.embedder.mean!r} {self.embedder.scale!r}".encode())
        return parts.hexdigest()


def pull_command(name: str) -> str:
    """What to type to fetch a pack."""
    return f"visavis models pull {name} --accept-license"
