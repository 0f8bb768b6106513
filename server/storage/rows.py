"""What goes into the store and comes out of it, as frozen values, and what can be wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tracking import Embedding


class StorageError(Exception):
    """The store cannot be opened or read; the message says which file and what to do."""


class NameTaken(ValueError):
    """Another person bears this name."""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody enrolled, as listed. ``created`` is UTC."""

    id: str
    name: str
    samples: int
    created: datetime


@dataclass(frozen=True, slots=True)
class NewSample:
    """A unit-length embedding with its quality (0–1) and where it came from (``live``, ``photo``)."""

    embedding: Embedding
    quality: float
    source: str
