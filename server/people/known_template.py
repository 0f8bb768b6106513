"""What somebody enrolled looks like, also while they must not be recognised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pipeline.gallery import Gallery, Person
from pipeline.templates import fuse_template
from tracking import Embedding


class Known(Protocol):
    """Whoever knows people."""

    def gallery_of(self, room: str | None) -> Gallery:
        """Who is recognised in a room."""

    async def person_embeddings(self, person_id: str) -> Sequence[tuple[str, Embedding, bool]]:
        """Somebody's samples of the pack in use."""


async def known_template(people: Known, person: Person) -> Embedding | None:
    """The template that a name is compared with before more samples are taken in under it; ``None`` where the pack in
    use has read nothing of this person."""
    found = people.gallery_of(person.room).template(person.id)
    if found is not None:
        return found
    kept = [embedding for _, embedding, _ in await people.person_embeddings(person.id)]
    return fuse_template(kept, [1.0] * len(kept)) if kept else None
