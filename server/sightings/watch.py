"""From the faces of one session to sightings: when somebody came, when a stranger did, and when they left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from pipeline.results import Face
from server.storage.events import EventKind, NewEvent
from server.storage.sightings import Seen
from tracking import Embedding, IdentityState, TrackState

AWAY = timedelta(seconds=15)  # out of sight for less is the same sighting
SURE = timedelta(seconds=2)  # a face is a stranger's without a break, before anybody is told
TURNED = timedelta(seconds=0.5)  # out of sight for less, and a second face beside it is somebody else's
LEAST_VOTES = 3  # looks behind a stranger
MOST_PICTURES = 20  # of faces nobody knows yet who they are
STALE = 1.0  # seconds since a face was last found; its box is only a guess after that

Same = Callable[[Embedding, Embedding], bool]


@dataclass(slots=True)
class Sighting:
    """One that goes on."""

    id: str
    person: str | None
    began: datetime
    ended: datetime
    probability: float | None = None
    template: Embedding | None = None  # of a stranger, so that a turned head is no second one
    crop: bytes | None = None
    quality: float = 0.0


@dataclass(slots=True)
class Changes:
    """What is to be written: sightings that came or moved on, ids of those that became part of others, what to tell."""

    seen: list[Seen] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)


class SessionWatch:
    """The sightings of one session. No I/O and no clock: times are arguments (UTC). ``same`` tells whether two
    templates are one face's."""

    def __init__(self, session: str, room: str | None, same: Same) -> None:
        self.session = session
        self.room = room
        self._same = same
        self._open: dict[str, Sighting] = {}
        self._by_track: dict[int, str] = {}
        self._strange: dict[int, datetime] = {}  # since when each track is a stranger's
        self._pictures: dict[int, tuple[bytes, float]] = {}  # of faces that are in no sighting yet, by track
        self._touched: set[str] = set()
        self._done: list[Seen] = []
        self._gone: list[str] = []
        self._events: list[NewEvent] = []

    @property
    def eventful(self) -> bool:
        """Whether something is to be told, rather than only moved on."""
        return bool(self._events or self._gone)

    @property
    def present(self) -> frozenset[str]:
        """Ids of the sightings that go on."""
        return frozenset(self._open)

    def see(self, now: datetime, faces: Sequence[Face]) -> None:
        """The faces of a frame."""
        shown = [face for face in faces if face.state is TrackState.CONFIRMED and face.age < STALE]
        for face in shown:
            opinion = face.opinion
            if face.identity is IdentityState.KNOWN and opinion is not None and opinion.person is not None:
                self._strange.pop(face.track, None)
                self._named(now, face.track, opinion.person, opinion.probability)
            elif face.identity is IdentityState.UNKNOWN and face.votes >= LEAST_VOTES:
                if now - self._strange.setdefault(face.track, now) >= SURE:
                    self._unknown(now, face)
            else:
                self._strange.pop(face.track, None)
                if (sighting := self._of(face.track)) is not None:
                    self._touch(sighting, now)
        for track in [track for track in self._pictures if self._of(track) is not None]:
            self.picture(track, *self._pictures.pop(track))
        self.tick(now)

    def picture(self, track: int, jpeg: bytes, quality: float) -> None:
        """A look at a face; the best of a sighting is kept, also one from before it was sure who it is."""
        sighting = self._of(track)
        if sighting is None:
            if quality > self._pictures.get(track, (b"", 0.0))[1]:
                self._pictures[track] = (jpeg, quality)
            while len(self._pictures) > MOST_PICTURES:
                del self._pictures[next(iter(self._pictures))]
        elif quality > sighting.quality:
            sighting.crop, sighting.quality = jpeg, quality
            self._touched.add(sighting.id)

    def tick(self, now: datetime) -> None:
        """Let those who are out of sight for long enough have left."""
        for sighting in [s for s in self._open.values() if now - s.ended >= AWAY]:
            self._close(sighting)
        for track in [t for t in self._strange if self._of(t) is None and now - self._strange[t] > 2 * AWAY]:
            del self._strange[track]

    def end(self) -> None:
        """The session is over: everybody has left."""
        for sighting in list(self._open.values()):
            self._close(sighting)

    def let_go(self, person: str, alike: Callable[[Embedding], bool]) -> list[str]:
        """Forget what goes on of somebody who is erased, also as a stranger; the ids of these sightings."""
        gone = [s for s in self._open.values() if s.person == person or (s.template is not None and alike(s.template))]
        for sighting in gone:
            self._let_go(sighting)
        self._pictures.clear()  # of whom they are is not known
        return [sighting.id for sighting in gone]

    def drop(self) -> None:
        """Forget what goes on: nothing more is told of it, and who stays in the picture is seen anew."""
        self._open.clear()
        self._by_track.clear()
        self._strange.clear()
        self._pictures.clear()
        self._touched.clear()
        self._done.clear()
        self._gone.clear()
        self._events.clear()

    def take(self) -> Changes:
        """What has changed since the last time."""
        seen = [self._row(self._open[id]) for id in self._touched if id in self._open]
        changes = Changes(seen + self._done, self._gone, self._events)
        self._touched, self._done, self._gone, self._events = set(), [], [], []
        return changes

    # -- who it is -------------------------------------------------------------------------------------------------

    def _named(self, now: datetime, track: int, person: str, probability: float) -> None:
        theirs = next((s for s in self._open.values() if s.person == person), None)
        stranger = self._of(track)
        if stranger is not None and stranger.person is None:  # a stranger no more
            if theirs is None:
                stranger.person, theirs = person, stranger
                self._tell("named", theirs, now, probability)
            else:
                theirs.began = min(theirs.began, stranger.began)
                self._remove(stranger)
        elif theirs is None:
            theirs = self._begin(now, person)
            self._tell("named", theirs, now, probability)
        theirs.probability = max(theirs.probability or 0.0, probability)
        self._by_track[track] = theirs.id
        self._touch(theirs, now)

    def _unknown(self, now: datetime, face: Face) -> None:
        sighting = self._of(face.track)
        if sighting is None or sighting.person is not None:
            sighting = self._turned(now, face)
            if sighting is None:
                sighting = self._begin(self._strange[face.track], None)
                self._tell("unknown", sighting, now, None)
            self._by_track[face.track] = sighting.id
        sighting.template = face.template if face.template is not None else sighting.template
        self._touch(sighting, now)

    def _turned(self, now: datetime, face: Face) -> Sighting | None:
        """The stranger who was there a moment ago, is not now, and has this face."""
        if face.template is None:
            return None
        for sighting in self._open.values():
            if sighting.person is not None or sighting.template is None or now - sighting.ended <= TURNED:
                continue
            if self._same(sighting.template, face.template):
                return sighting
        return None

    # -- sightings -------------------------------------------------------------------------------------------------

    def _of(self, track: int) -> Sighting | None:
        return self._open.get(self._by_track.get(track, ""))

    def _begin(self, now: datetime, person: str | None) -> Sighting:
        sighting = Sighting(uuid4().hex, person, now, now)
        self._open[sighting.id] = sighting
        return sighting

    def _touch(self, sighting: Sighting, now: datetime) -> None:
        sighting.ended = max(sighting.ended, now)
        self._touched.add(sighting.id)

    def _close(self, sighting: Sighting) -> None:
        self._tell("left", sighting, sighting.ended, sighting.probability)
        self._let_go(sighting)
        self._done.append(self._row(sighting))

    def _remove(self, sighting: Sighting) -> None:
        self._let_go(sighting)
        self._gone.append(sighting.id)

    def _let_go(self, sighting: Sighting) -> None:
        del self._open[sighting.id]
        self._touched.discard(sighting.id)
        for track in [track for track, id in self._by_track.items() if id == sighting.id]:
            del self._by_track[track]

    def _tell(self, kind: EventKind, sighting: Sighting, at: datetime, probability: float | None) -> None:
        s = sighting
        told = NewEvent(uuid4().hex, kind, s.id, s.person, self.room, self.session, s.began, at, probability)
        self._events.append(told)

    def _row(self, sighting: Sighting) -> Seen:
        s = sighting
        return Seen(s.id, s.person, self.room, self.session, s.began, s.ended, s.probability, s.crop, s.quality)
