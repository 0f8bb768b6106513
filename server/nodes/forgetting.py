"""Somebody who is forgotten on one node is let go on all: of sessions, drafts and videos, which each node has of its
own."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.matcher import Matcher
from server.nodes.lines import Lines
from server.people import People
from server.people.gone import Found, Gone, Holder, remains

WITHIN = 30.0  # seconds for the other nodes to look through what they hold


class HeldElsewhere:
    """What the other nodes hold; a :class:`server.people.gone.Holder`. Who cannot be reached is named in the
    receipt."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    async def find(self, gone: Gone) -> Found:
        """Have them let go; it is counted as it goes."""
        template = None if gone.template is None else base64.b64encode(gone.template.astype("<f4").tobytes()).decode()
        wish = {"forget": gone.person, "films": gone.films, "name": gone.name, "template": template}
        counts: Counter[str] = Counter()
        left = []
        for name, answer in (await self._lines.call(wish, WITHIN)).items():
            if answer is None:
                words = "what a node holds that could not be reached: videos, and drafts"
                left.append(remains(words, f"node {name}", "until somebody forgets it there"))
            else:
                counts.update(answer["counts"])
                left += answer["remains"]
        return Found(dict(counts), _nothing, left)


class LetGo:
    """The other end of it: what is asked of this node."""

    def __init__(self, people: People, matcher: Callable[[], Matcher], holders: Sequence[Holder]) -> None:
        self._people = people
        self._matcher = matcher
        self._holders = tuple(holders)  # of what this node alone has

    async def do(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Let go of somebody: how much of what that was, and what stays."""
        said = wish["template"]
        template = None if said is None else np.frombuffer(base64.b64decode(said), "<f4").astype(np.float32)
        gone = Gone(
            str(wish["forget"]), wish["films"] is True, template, wish["name"], self._people.gallery, self._matcher()
        )
        counts: Counter[str] = Counter()
        left: list[Any] = []
        for holder in self._holders:
            found = await holder.find(gone)
            counts.update(found.counts)
            left += found.remains
            counts.update(await found.erase())
        return {"counts": dict(counts), "remains": left}


async def _nothing() -> Mapping[str, int]:
    return {}
