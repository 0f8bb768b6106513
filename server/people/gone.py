"""Whom a forgetting is about, as long as it takes: read before they are erased, and kept nowhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipeline.gallery import Gallery
from pipeline.matcher import Matcher
from tracking import Embedding

NEIGHBOURS = 2


@dataclass(frozen=True, slots=True)
class Gone:
    """Somebody who is being forgotten. Their template and whom else a face might be are held while it lasts;
    ``template`` is ``None`` where nothing of the models in use is kept of them, and nothing can be compared then."""

    person: str
    films: bool
    template: Embedding | None = field(repr=False)
    name: str | None = field(repr=False)
    gallery: Gallery = field(repr=False)
    matcher: Matcher = field(repr=False)

    def alike(self, face: Embedding) -> bool:
        """Whether a face (dimension,) is theirs by the matcher's threshold for one person, and nobody else's who is
        enrolled."""
        template = self.template
        if template is None or face.shape != template.shape:
            return False
        similarity = self.matcher.similarity(template, face)
        if similarity < self.matcher.threshold(1):
            return False
        for other in self.gallery.search(face, NEIGHBOURS).people if len(self.gallery) else ():
            rival = self.gallery.template(other.id)
            if other.id != self.person and rival is not None and self.matcher.similarity(rival, face) > similarity:
                return False
        return True


Remains = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What a place holds of somebody: how many of what, what of it will stay and until when, and how to erase the
    rest. ``erase`` may be called again after an interruption, with what is found then; it returns what could only be
    counted as it went."""

    counts: Mapping[str, int]
    erase: Callable[[], Awaitable[Mapping[str, int]]]
    remains: Sequence[Remains] = ()


class Holder(Protocol):
    """A part of the server that may hold something of somebody beside the tables of people."""

    async def find(self, gone: Gone) -> Found:
        """What it holds."""


def remains(what: str, where: str, until: str) -> Remains:
    """Something that stays where this server cannot reach, or was not asked to."""
    return {"what": what, "where": where, "until": until}
