"""Whether samples belong together and to whom they are said to: the check before they are saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pipeline.gallery import Gallery, Person
from pipeline.matcher import Matcher
from server.storage import NewSample

Level = Literal["off", "standard", "strict"]


def objection(
    samples: Sequence[NewSample], person: Person | None, gallery: Gallery, matcher: Matcher, level: Level
) -> str | None:
    """What speaks against keeping these samples for ``person`` (``None``: somebody new), in words; ``None`` if nothing
    does."""
    return None  # TEMPORARY until pipeline.templates has a review
