"""The faces of some photos, grouped into people without names; corrected by hand, then named. In memory only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from uuid import uuid4

import numpy as np

from pipeline.cluster import ALONE, group_faces
from pipeline.matcher import Matcher
from pipeline.templates import choose_samples, fuse_template
from server.nodes.tags import plain_id
from server.people.photos.reading import Face, Photo
from server.storage import NewSample
from tracking import Embedding

SAMPLES = 12  # of a group, when it is named: the best that differ


class NoSuchGroup(LookupError):
    """There is no group, or no face, of this id in the album."""


class BadSplit(ValueError):
    """These faces cannot become a group of their own; the message says why."""


@dataclass(frozen=True, slots=True)
class GroupedFace:
    """A face of a photo; ``index`` counts the photo's faces."""

    id: str
    file: str
    content: str
    index: int
    face: Face


@dataclass(slots=True)
class Group:
    """Faces of one person, as it seems: ``faces`` the best first. Ignored ones are kept apart and never named."""

    id: str
    faces: list[GroupedFace]
    ignored: bool = False

    @property
    def template(self) -> Embedding:
        """What it looks like as a whole."""
        return fuse_template(
            [one.face.embedding for one in self.faces], [one.face.quality.overall for one in self.faces]
        )

    def samples(self, keep_crops: bool) -> list[NewSample]:
        """What is kept when it is named."""
        embeddings = np.stack([one.face.embedding for one in self.faces])
        qualities = np.asarray([one.face.quality.overall for one in self.faces], np.float32)
        chosen = [self.faces[int(index)] for index in choose_samples(embeddings, qualities, SAMPLES)]
        return [_sample(one, keep_crops) for one in chosen]


class Album:
    """Photos as they come, and their groups once :meth:`arrange` was called. Corrections by hand stay when photos come
    later: only faces in no group are grouped then, or join one."""

    def __init__(self, room: str | None, tag: str = "") -> None:
        self.id = plain_id(tag)
        self.room = room
        self.files: dict[str, str] = {}  # file by content
        self.refused: list[tuple[str, str]] = []  # file, words
        self.faces: dict[str, GroupedFace] = {}
        self.groups: dict[str, Group] = {}

    def add(self, file: str, photo: Photo) -> int:
        """Take a photo in; how many of its faces are new."""
        if photo.problem is not None:
            self.refused.append((file, str(photo.problem)))
            return 0
        if photo.content in self.files:
            self.refused.append((file, f"The same photo is here already, as {self.files[photo.content]}."))
            return 0
        self.files[photo.content] = file
        for index, face in enumerate(photo.faces):
            one = GroupedFace(uuid4().hex, file, photo.content, index, face)
            self.faces[one.id] = one
        return len(photo.faces)

    def arrange(self, matcher: Matcher) -> None:
        """Group the faces that are in no group yet. Blocks."""
        placed = {one.id for group in self.groups.values() for one in group.faces}
        loose = [one for one in self.faces.values() if one.id not in placed]
        loose = [one for one in loose if not self._joins(one, matcher)]
        if not loose:
            return
        labels = group_faces(
            np.stack([one.face.embedding for one in loose]),
            np.asarray([one.face.quality.overall for one in loose], np.float32),
            matcher,
        )
        for number in range(int(labels.max()) + 1):
            self._group(one for one, label in zip(loose, labels, strict=True) if label == number)
        for one, label in zip(loose, labels, strict=True):
            if label == ALONE:
                self._group([one])

    def merge(self, ids: Collection[str]) -> Group:
        """Make one group of some. Raises :class:`NoSuchGroup`; ``ValueError`` for fewer than two."""
        if len(set(ids)) < 2:
            raise ValueError("name two groups or more")
        groups = [self.get(id) for id in dict.fromkeys(ids)]
        for group in groups:
            del self.groups[group.id]
        return self._group(one for group in groups for one in group.faces)

    def split(self, id: str, faces: Collection[str]) -> Group:
        """Make a group of its own of some faces of another. Raises :class:`NoSuchGroup` and :class:`BadSplit`."""
        group = self.get(id)
        chosen = set(faces)
        if chosen - {one.id for one in group.faces}:
            raise NoSuchGroup("a face that was chosen is not in this group any more")
        if not chosen or len(chosen) == len(group.faces):
            raise BadSplit("choose some of the faces, not none and not all")
        taken = [one for one in group.faces if one.id in chosen]
        group.faces = [one for one in group.faces if one.id not in chosen]
        return self._group(taken)

    def ignore(self, id: str, ignored: bool) -> Group:
        """Set a group apart, or take that back. Raises :class:`NoSuchGroup`."""
        group = self.get(id)
        group.ignored = ignored
        return group

    def named(self, id: str) -> None:
        """A group has become somebody's: its faces leave the album. Raises :class:`NoSuchGroup`."""
        for one in self.get(id).faces:
            del self.faces[one.id]
        del self.groups[id]

    def let_go(self, alike: Callable[[Embedding], bool]) -> int:
        """Drop the faces of somebody who is erased; how many that were."""
        gone = {id for id, one in self.faces.items() if alike(one.face.embedding)}
        for id in gone:
            del self.faces[id]
        for group in tuple(self.groups.values()):
            group.faces = [one for one in group.faces if one.id not in gone]
            if not group.faces:
                del self.groups[group.id]
        return len(gone)

    def get(self, id: str) -> Group:
        """A group by its id. Raises :class:`NoSuchGroup`."""
        if id not in self.groups:
            raise NoSuchGroup("there is no such group, or it was named or merged meanwhile")
        return self.groups[id]

    def face(self, id: str) -> GroupedFace:
        """A face by its id. Raises :class:`NoSuchGroup`."""
        if id not in self.faces:
            raise NoSuchGroup("there is no such face in this album")
        return self.faces[id]

    @property
    def listed(self) -> list[Group]:
        """The groups, the largest first, those of one face and ignored ones last."""
        return sorted(self.groups.values(), key=lambda group: (group.ignored, -len(group.faces), group.faces[0].file))

    def _joins(self, one: GroupedFace, matcher: Matcher) -> bool:
        groups = [group for group in self.groups.values() if not group.ignored]
        if not groups:
            return False
        alike = matcher.similarities(one.face.embedding[None], np.stack([group.template for group in groups]))[0]
        best = int(alike.argmax())
        if alike[best] < matcher.threshold(len(self.faces)):
            return False
        groups[best].faces = _best_first([*groups[best].faces, one])
        return True

    def _group(self, faces: Iterable[GroupedFace]) -> Group:
        group = Group(uuid4().hex, _best_first(faces))
        self.groups[group.id] = group
        return group


def _best_first(faces: Iterable[GroupedFace]) -> list[GroupedFace]:
    """By quality, and size where that is the same."""
    return sorted(faces, key=lambda one: (-one.face.quality.overall, -one.face.size, one.file, one.index))


def _sample(one: GroupedFace, keep_crop: bool) -> NewSample:
    sample = one.face.sample(one.content)
    if keep_crop:
        return sample
    return NewSample(
        sample.embedding, sample.quality, sample.source, sample.yaw, sample.pitch, sample.size, content=sample.content
    )
