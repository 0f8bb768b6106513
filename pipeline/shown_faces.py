"""What is said of every face in a picture, from what is known of its track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.attribute_looks import AttributeLooks
from pipeline.distance import Camera, Distance, measure_distance
from pipeline.gallery import Gallery
from pipeline.results import Face
from pipeline.track_memory import TrackMemory
from tracking import IdentityState, Track

UNREADABLE_AFTER = 1.0  # seconds without a look that was good enough


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to go by; ``min_face`` in pixels."""

    gallery: Gallery
    memory: Mapping[int, TrackMemory]
    attributes: AttributeLooks
    camera: Camera
    min_face: int


def shown_faces(tracks: Sequence[Track], known: Known, now: float, size: tuple[int, int]) -> tuple[Face, ...]:
    """The faces of a picture of this ``size`` (width, height in pixels)."""
    strongest: dict[str, Track] = {}
    for track in tracks:
        opinion = track.identity.opinion
        if track.identity.state is IdentityState.KNOWN and opinion and opinion.person:
            rival = strongest.get(opinion.person)
            if rival is None or (rival.identity.opinion and rival.identity.opinion.similarity < opinion.similarity):
                strongest[opinion.person] = track
    return tuple(_face(track, known, now, size, strongest) for track in tracks)


def _face(track: Track, known: Known, now: float, size: tuple[int, int], strongest: Mapping[str, Track]) -> Face:
    state, opinion = track.identity.state, track.identity.opinion
    memory = known.memory.get(track.number)
    if state is IdentityState.KNOWN and opinion and opinion.person and strongest.get(opinion.person) is not track:
        state = IdentityState.UNCERTAIN  # nobody is in two places at once
    if state is IdentityState.KNOWN and (track.suspect or (memory is not None and memory.strikes)):
        state = IdentityState.UNCERTAIN  # something passed before this face: check before the name is said again
    if state is IdentityState.PENDING and track.evidence.votes == 0:
        tried = memory is not None and memory.quality is not None
        if track.width < known.min_face or (tried and now - track.started > UNREADABLE_AFTER):
            state = IdentityState.UNREADABLE
    person = known.gallery.person(opinion.person) if opinion and opinion.person else None
    apparent, looks = known.attributes.apparent(track.number)
    return Face(
        track=track.number,
        box=track.box,
        landmarks=track.landmarks,
        state=track.state,
        identity=state,
        opinion=opinion,
        name=person.name if person else None,
        votes=track.evidence.votes,
        quality=memory.quality if memory else None,
        age=max(0.0, now - track.detected) if track.doubtful else 0.0,
        embedded=memory.embedded if memory else 0,
        template=memory.template if memory else None,
        score=track.score,
        enhancement=memory.enhancement if memory else None,
        distance=_distance(track, size, known.camera),
        apparent=apparent,
        looks=looks,
    )


def _distance(track: Track, size: tuple[int, int], camera: Camera) -> Distance | None:
    """How far away a track is; ``None`` where flow has carried its landmarks into nothing."""
    try:
        return measure_distance(track.landmarks, track.box, size, camera)
    except ValueError:
        return None
