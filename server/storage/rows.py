"""What goes into the store and comes out of it, as frozen values, and what can be wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from server.storage.consent_values import Consent, NewConsent
from tracking import Embedding

Kind = Literal[
    "enrol",
    "add_samples",
    "rename",
    "room",
    "remove_person",
    "merge",
    "split",
    "move_sample",
    "remove_sample",
    "add_negative",
    "remove_negative",
]


class StorageError(Exception):
    """The store cannot be opened or read; the message says which file and what to do."""


class NameTaken(ValueError):
    """Another person bears this name."""


class NoSuchPerson(LookupError):
    """Nobody of this id is enrolled."""


class NoSuchSample(LookupError):
    """There is no picture, or no 'not this person' mark, of this id."""


class NoSuchChange(LookupError):
    """There is no change of this id that could be undone."""


class UndoConflict(ValueError):
    """What a change left has been changed since, or its time is over; the message says which."""


@dataclass(frozen=True, slots=True)
class NewSample:
    """A unit-length embedding with its quality (0–1) and where it came from (``live``, ``photo``, ``import``,
    ``inbox``).

    ``yaw`` and ``pitch`` are −1…1, ``size`` is the face's width in pixels, ``crop`` a JPEG whose landmarks (5, 2) lie
    at ``crop_landmarks``, ``content`` the SHA-256 of the photo's bytes. ``challenge`` is ``passed`` where movements
    were asked for and made while it was taken.
    """

    embedding: Embedding
    quality: float
    source: str
    yaw: float | None = None
    pitch: float | None = None
    size: float | None = None
    crop: bytes | None = None
    crop_landmarks: NDArray[np.float32] | None = None
    content: str | None = None
    challenge: str | None = None


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Samples for somebody new, or for whoever has the ``id``; ``consent`` says why they may be recognised."""

    name: str
    samples: tuple[NewSample, ...]
    room: str | None = None
    id: str | None = None
    consent: NewConsent | None = None


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody enrolled, as listed. ``created`` is UTC, ``cover`` a sample with a crop, ``consent`` the record that
    counts."""

    id: str
    name: str
    samples: int
    created: datetime
    room: str | None = None
    negatives: int = 0
    cover: str | None = None
    consent: Consent | None = None


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One sample of somebody, with its embedding and the pack that computed it."""

    id: str
    person: str
    digest: str
    embedding: Embedding
    quality: float
    source: str
    created: datetime
    yaw: float | None
    pitch: float | None
    size: float | None
    crop: bool  # whether one is kept
    content: str | None
    challenge: str | None = None


@dataclass(frozen=True, slots=True)
class NegativeRow:
    """A face that is not this person's."""

    id: str
    created: datetime


@dataclass(frozen=True, slots=True)
class PersonDetail:
    """Somebody with everything kept of them but the crops themselves."""

    row: PersonRow
    samples: tuple[SampleRow, ...]
    negatives: tuple[NegativeRow, ...]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much of somebody was erased. ``keys`` are the ids of the keys that are destroyed."""

    person: str
    samples: int = 0
    crops: int = 0
    negatives: int = 0
    sightings: int = 0
    events: int = 0
    changes: int = 0
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A correction that can be undone until a time. ``people`` are the ids of those it concerns."""

    id: str
    kind: Kind
    words: str
    at: datetime
    until: datetime
    undone: bool = False
    people: tuple[str, ...] = ()
