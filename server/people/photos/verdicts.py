"""What becomes of a photo, and why, in words for whoever brought it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import get_args

import numpy as np

from pipeline.gallery import Gallery, Person
from pipeline.matcher import Matcher
from pipeline.templates import Level, fuse_template
from server.people.photos.reading import Face, Photo
from server.wording import stated
from tracking import Embedding

Review = Level
REVIEWS: tuple[Review, ...] = get_args(Level)
SAME_PICTURE = 0.12  # of the way from 'the same' to 'hardly the same person': a copy saved anew differs by less
NEIGHBOURS = 8
COMPLAINTS = {
    "too far": "The face is too small.",
    "too dark": "The face is too dark.",
    "too bright": "The face is too bright.",
    "turned away": "The face is turned away too far.",
    "blurred": "The face is blurred.",
}


class Verdict(StrEnum):
    """As in docs/protocol.md."""

    USED = "used"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    POOR_QUALITY = "poor_quality"
    DUPLICATE = "duplicate"
    LOOKS_LIKE = "looks_like"
    NOT_A_PICTURE = "not_a_picture"
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class Like:
    """Somebody else whom a face resembles; ``person`` is the id of who is enrolled already."""

    person: str | None
    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its reason."""

    verdict: Verdict
    words: str
    like: Like | None = None


@dataclass(slots=True)
class Group:
    """One person of an import: who they are if enrolled, the embeddings kept of them, and the faces taken so far."""

    name: str
    person: Person | None = None
    kept: tuple[Embedding, ...] = ()
    taken: list[Face] = field(default_factory=list)
    template: Embedding | None = None
    """The fusion of the faces taken so far."""

    def take(self, face: Face) -> None:
        """One more."""
        self.taken.append(face)
        self.template = fuse_template([f.embedding for f in self.taken], [f.quality.overall for f in self.taken])

    def clear(self) -> None:
        """Begin anew."""
        self.taken.clear()
        self.template = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What faces are compared with. ``people`` is how many there are to be mistaken for, at least."""

    matcher: Matcher
    gallery: Gallery
    review: Review
    people: int = 0


def judge_photo(photo: Photo, face: int | None, owner: str | None) -> Judgement | None:
    """What is wrong with a photo as such, whoever it shows; ``None`` if nothing is. ``owner`` has this very photo
    already; ``face`` is the index of the one that counts."""
    if photo.problem is not None:
        return Judgement(Verdict(photo.problem.verdict), str(photo.problem))
    if owner is not None:
        return Judgement(Verdict.DUPLICATE, f"This photo is one of {owner}'s already.")
    if not photo.faces:
        return Judgement(Verdict.NO_FACE, "No face was found.")
    if face is None:
        return Judgement(Verdict.SEVERAL_FACES, f"There are {len(photo.faces)} faces; choose one.")
    return None


def judge_face(face: Face, accepted: bool, group: Group, others: Iterable[Group], scene: Scene) -> Judgement:
    """Whether a face joins its person's group. ``accepted``: a person has said to use it all the same, which the
    ``strict`` review does not let pass for resemblances."""
    complaint = face.quality.complaint
    if complaint is not None and not accepted:
        return Judgement(Verdict.POOR_QUALITY, COMPLAINTS[complaint])
    if scene.review == "off" or (accepted and scene.review == "standard"):
        return Judgement(Verdict.USED, "Used.")
    if _copy(face.embedding, group, scene.matcher) and not accepted:
        return Judgement(Verdict.DUPLICATE, f"This is practically the same as another picture of {group.name}.")
    return _review(face.embedding, group, others, scene)


def _review(embedding: Embedding, group: Group, others: Iterable[Group], scene: Scene) -> Judgement:
    """A person's faces must resemble each other more than anybody else's."""
    rivals, own = _neighbours(embedding, group, others, scene)
    if group.template is not None:
        own = max(own, scene.matcher.similarity(group.template, embedding))
    if rivals:
        best = max(range(len(rivals)), key=lambda i: rivals[i][2])
        person, name, similarity = rivals[best]
        crowd = max(len(scene.gallery) + len(rivals), scene.people)
        if similarity > own and similarity >= scene.matcher.threshold(crowd):
            probabilities = scene.matcher.probabilities(np.array([s for _, _, s in rivals], np.float32))
            like = Like(person, name, float(probabilities[best]))
            return Judgement(Verdict.LOOKS_LIKE, f"This looks like {name} ({stated(like.probability):.0%}).", like)
    # Who is enrolled already must be recognised; in the strict review everybody.
    compared = group.person is not None or (scene.review == "strict" and group.template is not None)
    if compared and own < scene.matcher.threshold(1):
        return Judgement(Verdict.LOOKS_LIKE, f"This does not look like the other pictures of {group.name}.")
    return Judgement(Verdict.USED, "Used.")


def _neighbours(
    embedding: Embedding, group: Group, others: Iterable[Group], scene: Scene
) -> tuple[list[tuple[str | None, str, float]], float]:
    """Others who resemble a face most, as (id, name, similarity), and how much its own person's template does."""
    found = scene.gallery.search(embedding, NEIGHBOURS)
    mine = group.person.id if group.person else None
    rivals: list[tuple[str | None, str, float]] = [
        (person.id, person.name, scene.matcher.similarity(template, embedding))
        for person in found.people
        if person.id != mine and (template := scene.gallery.template(person.id)) is not None
    ]
    for other in others:
        if other is not group and other.template is not None:
            rivals.append(
                (
                    other.person.id if other.person else None,
                    other.name,
                    scene.matcher.similarity(other.template, embedding),
                )
            )
    template = scene.gallery.template(mine) if mine is not None else None
    return rivals, -1.0 if template is None else scene.matcher.similarity(template, embedding)


def _copy(embedding: Embedding, group: Group, matcher: Matcher) -> bool:
    known = [*group.kept, *(face.embedding for face in group.taken)]
    if not known:
        return False
    return float((np.stack(known) @ embedding).max()) > 1 - SAME_PICTURE * (1 - matcher.threshold(1))
