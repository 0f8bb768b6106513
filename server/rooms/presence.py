"""Who is before the cameras of a room: the same person in two views is one. No I/O and no clock: time is an argument,
in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.matcher import STRONG_FPIR, Matcher
from pipeline.results import Face
from tracking import Embedding, IdentityState

LINGER = 1.5  # seconds somebody is still shown who was lost from sight: a hand before the face is no leaving
TOLD = (IdentityState.KNOWN, IdentityState.UNCERTAIN, IdentityState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class View:
    """A face in one camera's newest picture. ``person`` and ``name`` are of whom it is, or perhaps is."""

    camera: str
    track: int
    identity: IdentityState
    person: str | None
    name: str | None
    probability: float | None
    template: Embedding | None


@dataclass(slots=True)
class Present:
    """Somebody who is there; ``since`` and ``seen`` in seconds of whoever asked."""

    key: str
    since: float
    seen: float
    views: list[View] = field(default_factory=list)

    @property
    def best(self) -> View:
        """The view that says most about who it is."""
        order = {identity: -number for number, identity in enumerate(TOLD)}
        return max(self.views, key=lambda view: (order[view.identity], view.probability or 0.0))


def views_of(camera: str, faces: Iterable[Face]) -> list[View]:
    """The faces of one camera that can be told."""
    found = []
    for face in faces:
        if face.identity not in TOLD:
            continue
        opinion = face.opinion if face.identity is not IdentityState.UNKNOWN else None
        found.append(
            View(
                camera,
                face.track,
                face.identity,
                None if opinion is None else opinion.person,
                None if opinion is None else face.name,
                None if opinion is None else opinion.probability,
                face.template,
            )
        )
    return found


class Presence:
    """The people in one room."""

    def __init__(self) -> None:
        self._present: dict[str, Present] = {}
        self._strangers = 0

    def update(self, views: Sequence[View], matcher: Matcher, now: float) -> list[Present]:
        """Who is there, the first to come first, from what all cameras show now."""
        before = {(v.camera, v.track): one.key for one in self._present.values() for v in one.views}
        for group in _groups(views, matcher, before):
            key = self._key(group, before)
            one = self._present.get(key) or Present(key, now, now)
            # Somebody whose name was just found is not somebody new.
            earlier = {before.get((view.camera, view.track)) for view in group} & self._present.keys()
            since = min([one.since, *(self._present[other].since for other in earlier if other)])
            # What a face was recognised by is compared once and not kept.
            self._present[key] = Present(key, since, now, [replace(view, template=None) for view in group])
        taken = {(view.camera, view.track) for view in views}
        for key, one in tuple(self._present.items()):
            if one.seen == now:
                continue
            gone_over = any((view.camera, view.track) in taken for view in one.views)  # to another entry
            if gone_over or now - one.seen > LINGER:
                del self._present[key]
        return sorted(self._present.values(), key=lambda one: (one.since, one.key))

    def _key(self, group: Sequence[View], before: dict[tuple[str, int], str]) -> str:
        named = next((view.person for view in group if view.identity is IdentityState.KNOWN), None)
        if named is not None:
            return f"p:{named}"
        kept = [key for view in group if (key := before.get((view.camera, view.track), "")).startswith("s:")]
        if kept:
            return min(kept, key=lambda key: int(key[2:]))
        self._strangers += 1
        return f"s:{self._strangers}"


def _groups(views: Sequence[View], matcher: Matcher, before: dict[tuple[str, int], str]) -> list[list[View]]:
    """Views of the same person together: by name, then by face. One camera shows nobody twice."""
    groups: dict[str, list[View]] = {}
    rest: list[View] = []
    for view in sorted(views, key=lambda view: (TOLD.index(view.identity), -(view.probability or 0.0))):
        if view.identity is IdentityState.KNOWN and view.person is not None:
            groups.setdefault(view.person, []).append(view)
        else:
            rest.append(view)
    found = list(groups.values())
    # Two people taken for one are worse than one shown twice: as sure as where a name is believed at first sight.
    needed = matcher.threshold(max(1, len(views)), STRONG_FPIR * matcher.spec.target_fpir)
    kept_from = matcher.threshold(max(1, len(views)))
    for view in rest:
        best, most = None, needed
        for group in found:
            if any(other.camera == view.camera for other in group):
                continue
            alike = _alike(view, group, matcher)
            # What was together stays together until it is clearly apart, or strangers would come and go.
            kept = any(_same_before(view, other, before) for other in group)
            if alike is not None and alike >= (most if not kept else kept_from):
                best, most = group, max(most, alike)
        if best is None:
            found.append([view])
        else:
            best.append(view)
    return found


def _same_before(one: View, other: View, before: dict[tuple[str, int], str]) -> bool:
    key = before.get((one.camera, one.track))
    return key is not None and key == before.get((other.camera, other.track))


def _alike(view: View, group: Sequence[View], matcher: Matcher) -> float | None:
    """How alike a view is to the likest of a group; ``None`` where there is nothing to compare."""
    others = [other.template for other in group if other.template is not None]
    if view.template is None or not others or any(len(other) != len(view.template) for other in others):
        return None
    return float(matcher.similarities(view.template[None], np.stack(others)).max())
