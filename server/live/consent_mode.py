"""Consent mode of one session: whose face may be shown, and what others are told of the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from pipeline.masking import Followed
from pipeline.results import Face
from tracking import IdentityState, TrackState

Consented = Callable[[str], bool]


def nobody(_person: str) -> bool:
    """Nobody has consented to anything."""
    return False


class ConsentMode:
    """Whether it is on, and what follows for faces. ``consented(person)`` says whether a consent of theirs holds now;
    it is asked from any thread."""

    def __init__(self, consented: Consented = nobody, on: bool = False) -> None:
        self.on = on
        self.consented = consented
        self._denied: set[tuple[int, str]] = set()

    def deny(self, track: int, person: str) -> None:
        """Somebody said that this face is not that person's: it is nobody's from now on."""
        self._denied.add((track, person))

    def shows(self, face: Face) -> bool:
        """Whether this face may be shown and spoken of."""
        if not self.on:
            return True
        opinion = face.opinion
        known = face.identity is IdentityState.KNOWN and face.state is TrackState.CONFIRMED
        if not known or opinion is None or opinion.person is None or (face.track, opinion.person) in self._denied:
            return False
        return self.consented(opinion.person)

    def followed(self, faces: Iterable[Face]) -> list[Followed]:
        """The faces of a picture, for whoever masks it."""
        return [Followed(face.track, face.box, self.shows(face), face.embedded, face.age) for face in faces]

    def told(self, faces: Iterable[Face]) -> tuple[Face, ...]:
        """What others than the camera's own page are told: of whom may not be shown only where a face is."""
        return tuple(face if self.shows(face) else hidden(face) for face in faces)

    def own(self, faces: Iterable[Face]) -> tuple[Face, ...]:
        """What the camera's own page is told: gender and age are not read of whom may not be shown."""
        return tuple(face if self.shows(face) else self._unread(face) for face in faces)

    def shown(self, faces: Iterable[Face]) -> tuple[Face, ...]:
        """Those that may be shown."""
        return tuple(face for face in faces if self.shows(face))

    def _unread(self, face: Face) -> Face:
        opinion = face.opinion
        if opinion is not None and (face.track, opinion.person) in self._denied:
            face = replace(face, identity=IdentityState.UNKNOWN, opinion=None, name=None)
        return replace(face, apparent=None, looks=0)


def hidden(face: Face) -> Face:
    """A face of which nothing is said but where it is. What it was recognised by stays, to find it in another
    camera's picture of this moment; it is in no message."""
    return replace(
        face,
        landmarks=face.landmarks[:0],
        identity=IdentityState.UNKNOWN,
        opinion=None,
        name=None,
        votes=0,
        quality=None,
        embedded=0,
        enhancement=None,
        distance=None,
        apparent=None,
        looks=0,
    )
