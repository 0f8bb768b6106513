"""Whether samples belong together and to whom they are said to: the check before they are saved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.gallery import Gallery, Person
from pipeline.matcher import Matcher
from pipeline.templates import Level, review
from server.storage import NewSample


def objection(
    samples: Sequence[NewSample], person: Person | None, gallery: Gallery, matcher: Matcher, level: Level
) -> str | None:
    """What speaks against keeping these samples for ``person`` (``None``: somebody new), in words; ``None`` if nothing
    does."""
    found = review(np.stack([sample.embedding for sample in samples]), person, gallery, matcher, level)
    doubtful = [one for one in found if not one.fits]
    if not doubtful:
        return None
    some = f"{len(doubtful)} of the {len(found)} pictures" if len(doubtful) < len(found) else "These pictures"
    rivals = {
        one.rival.name
        for one in doubtful
        if one.rival is not None and one.rival_similarity is not None and one.rival_similarity > (one.own or -1.0)
    }
    if rivals:
        return f"{some} look more like {' or '.join(sorted(rivals))} than like each other."
    return f"{some} do not look like the others."
