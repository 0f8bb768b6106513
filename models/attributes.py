"""The networks for apparent gender and age that ship with the product: their manifest, and ready sessions.

Everything that depends on them (crop, classes, weights, calibration) is in ``models/ensemble/manifest.toml``, written
by ``python -m training.soft export``; what they were trained on is in the card beside it.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.errors import PackDamaged
from models.sessions import ProviderSetting, choose_providers, session_options


@dataclass(frozen=True, slots=True)
class NetworkEntry:
    """One network: its file, the SHA-256 of its bytes and how much its opinion weighs."""

    file: str
    sha256: str
    weight: float


@dataclass(frozen=True, slots=True)
class EmbeddingReading:
    """What a pack's embeddings say of gender, for faces that were embedded anyway.

    Raw log odds are ``direction`` (D,) · embedding + ``bias``. ``slope`` is of the networks on a blurred face and on a
    sharp one, then of the embedding on either: the calibrated log odds are the sum of both, each times its slope.
    """

    pack: str  # digest of the pack's manifest, under which embeddings are comparable
    direction: NDArray[np.float32] = field(compare=False)
    bias: float
    slope: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class AttributeSpec:
    """How to use the networks and read their answers.

    ``template`` is float32 (5, 2), read-only: where the landmarks lie in a crop of ``size`` by ``size`` pixels, as in
    :class:`models.EmbedderSpec`. Calibration: docs/reading.md.
    """

    name: str
    licence: str
    trained_on: str
    size: int
    template: NDArray[np.float32] = field(compare=False)
    first_age: int  # years; a class for each year up to …
    last_age: int
    networks: tuple[NetworkEntry, ...]
    gender_scale: float  # a network's difference of cosines, to log odds
    gender_slope: tuple[float, float]  # the calibrated log odds per raw one, on a blurred face and on a sharp one
    embedding: EmbeddingReading | None
    age_temperature: tuple[float, float]  # divides the logits of a blurred face and of a sharp one
    age_floor: float  # years: standard deviation of what the networks' distribution does not know
    sure: float  # no gender is said below this probability
    min_width: float  # … nor of a face narrower than this, pixels


@dataclass(frozen=True, slots=True)
class AttributePack:
    """The networks, ready to run: ``image`` float32 (N, S, S, 3) RGB 0–255 → ``gender`` (N, 2), ``age`` (N, A)."""

    spec: AttributeSpec
    sessions: tuple[Any, ...]


def load_attributes(provider: ProviderSetting = "auto") -> AttributePack:
    """Load the shipped networks. Raises :class:`PackDamaged` if a file is missing or not what the manifest says."""
    folder = resources.files("models").joinpath("ensemble")
    manifest = folder.joinpath("manifest.toml")
    if not manifest.is_file():
        raise PackDamaged("the networks for gender and age are not there; install Visavis again")
    spec = read_spec(manifest.read_text("utf-8"))
    asked = choose_providers(provider)
    sessions = []
    for entry in spec.networks:
        path = folder.joinpath(entry.file)
        data = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise PackDamaged(f"the network {entry.file} for gender and age is damaged; install Visavis again")
        sessions.append(onnxruntime.InferenceSession(data, session_options(), providers=list(asked)))
    return AttributePack(spec, tuple(sessions))


def read_spec(text: str) -> AttributeSpec:
    """A manifest's text as values. Raises :class:`PackDamaged` naming what is missing or makes no sense."""
    try:
        root = tomllib.loads(text)
        gender, age = root["gender"], root["age"]
        template = np.array(root["template"], np.float32)
        template.setflags(write=False)
        spec = AttributeSpec(
            name=str(root["name"]),
            licence=str(root["licence"]),
            trained_on=str(root["trained_on"]),
            size=int(root["size"]),
            template=template,
            first_age=int(age["first"]),
            last_age=int(age["last"]),
            networks=tuple(
                NetworkEntry(str(n["file"]), str(n["sha256"]), float(n["weight"])) for n in root["networks"]
            ),
            gender_scale=float(gender["scale"]),
            gender_slope=(float(gender["slope"][0]), float(gender["slope"][1])),
            embedding=_embedding(gender["embedding"]) if "embedding" in gender else None,
            age_temperature=(float(age["temperature"][0]), float(age["temperature"][1])),
            age_floor=float(age["floor"]),
            sure=float(gender["sure"]),
            min_width=float(root["min_width"]),
        )
    except (tomllib.TOMLDecodeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise PackDamaged(f"the manifest of the networks for gender and age cannot be read: {error!r}") from None
    if (
        template.shape != (5, 2)
        or not spec.networks
        or spec.last_age <= spec.first_age
        or min(spec.age_temperature) <= 0
    ):
        raise PackDamaged("the manifest of the networks for gender and age contradicts itself")
    return spec


def _embedding(part: dict[str, Any]) -> EmbeddingReading:
    direction = np.array(part["direction"], np.float32)
    direction.setflags(write=False)
    blurred, sharp, own_blurred, own_sharp = (float(slope) for slope in part["slope"])
    if direction.ndim != 1 or not np.isfinite(direction).all():
        raise ValueError("gender.embedding.direction is a list of numbers")
    return EmbeddingReading(str(part["pack"]), direction, float(part["bias"]), (blurred, sharp, own_blurred, own_sharp))
