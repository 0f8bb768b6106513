"""Who was in a video, by the people there are now: tracks become appearances of somebody known, or of one stranger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.gallery import Gallery, Person
from pipeline.matcher import Matcher
from server.videos.files import Interval, Pick, TrackRecord
from tracking import Identity, IdentityState, Opinion

SHEET = 12  # pictures on a contact sheet
JOINED = 1.0  # seconds between two intervals that make them one
SAME_FPIR = 0.001  # of strangers, the share that may be taken for one another
COMPARED = 2_000  # tracks of nobody known; of more, those seen best
OVERLAP = 0.5  # seconds together in the picture that nobody is with themselves


@dataclass(frozen=True, slots=True)
class Appearance:
    """Somebody over a whole video. ``number`` is that of their first track; ``person`` is who it is, ``perhaps`` who
    it may be, ``probability`` how surely either; ``stranger`` counts those who are neither, from 1."""

    number: int
    person: Person | None
    perhaps: Person | None
    probability: float | None
    stranger: int | None
    tracks: tuple[TrackRecord, ...]
    intervals: tuple[Interval, ...]
    sheet: tuple[Pick, ...]  # by time
    best: Pick | None
    frame: str | None

    @property
    def seconds(self) -> float:
        """How long they were seen."""
        return sum(end - begin for begin, end in self.intervals)


def appearances(records: Sequence[TrackRecord], gallery: Gallery, matcher: Matcher) -> list[Appearance]:
    """Everybody in a video, whoever comes first first. Tracks never seen well enough to be told apart are nobody's."""
    told = [record for record in records if record.template is not None]
    opinions = {record.number: _opinion(record, gallery, matcher) for record in told}
    known: dict[str, list[TrackRecord]] = {}
    rest = []
    # Who is surer has the name; whoever is there at the same time is somebody else.
    for record in sorted(told, key=lambda r: -(o.similarity if (o := opinions[r.number]) else 0.0)):
        opinion = opinions[record.number]
        mates = [] if opinion is None or opinion.person is None else known.setdefault(opinion.person, [])
        if opinion is None or any(_together(record, mate) for mate in mates):
            rest.append(record)
        else:
            mates.append(record)
    made = []
    for id, tracks in known.items():
        person = gallery.person(id)
        if tracks and person is not None:
            made.append(_appearance(tracks, person, None, max(_probability(opinions[t.number]) for t in tracks)))
    for tracks in _strangers(rest, matcher):
        perhaps, probability = _perhaps(tracks, gallery, matcher)
        made.append(_appearance(tracks, None, perhaps, probability))
    made.sort(key=lambda one: (one.intervals[0][0], one.number))
    return _numbered(made)


def _opinion(record: TrackRecord, gallery: Gallery, matcher: Matcher) -> Opinion | None:
    """What is said of a track that bears a name, by the rule of a live session; ``None`` for one without."""
    assert record.template is not None
    identity = Identity()
    identity.consider(matcher.decide(record.template, gallery), record.votes)
    return identity.opinion if identity.state is IdentityState.KNOWN else None


def _strangers(records: list[TrackRecord], matcher: Matcher) -> list[list[TrackRecord]]:
    """Tracks of nobody known, those of one person together."""
    if not records:
        return []
    surest = sorted(records, key=lambda record: -record.votes)
    records, alone = surest[:COMPARED], surest[COMPARED:]
    templates = np.stack([record.template for record in records if record.template is not None])
    likeness = matcher.similarities(templates, templates)
    least = matcher.threshold(len(records), SAME_FPIR)
    groups: list[list[TrackRecord]] = []
    home = np.zeros(len(records), np.int64)  # the group of each track so far
    for index, record in enumerate(records):
        home[index] = len(groups)
        if index:
            alike = likeness[index, :index]
            mean = np.bincount(home[:index], alike, len(groups)) / np.bincount(home[:index], minlength=len(groups))
            for group in np.argsort(-mean, kind="stable")[: int((mean >= least).sum())].tolist():
                if not any(_together(record, mate) for mate in groups[group]):
                    home[index] = group
                    break
        if home[index] == len(groups):
            groups.append([])
        groups[home[index]].append(record)
    return groups + [[record] for record in alone]


def _perhaps(tracks: list[TrackRecord], gallery: Gallery, matcher: Matcher) -> tuple[Person | None, float | None]:
    best = max(tracks, key=lambda track: track.votes)
    assert best.template is not None
    opinion = matcher.decide(best.template, gallery)
    identity = Identity()
    identity.consider(opinion, best.votes)
    if identity.state is not IdentityState.UNCERTAIN or opinion.person is None:
        return None, None
    return gallery.person(opinion.person), opinion.probability


def _appearance(
    tracks: list[TrackRecord], person: Person | None, perhaps: Person | None, probability: float | None
) -> Appearance:
    tracks = sorted(tracks, key=lambda track: (track.intervals[0][0], track.number))
    picks = sorted((pick for track in tracks for pick in track.picks), key=lambda pick: -pick.quality)
    firsts = [track for track in tracks if track.picks]
    best = max(firsts, key=lambda track: track.picks[0].quality, default=None)  # a track's best comes first
    return Appearance(
        tracks[0].number,
        person,
        perhaps,
        probability,
        None,
        tuple(tracks),
        merged([interval for track in tracks for interval in track.intervals]),
        tuple(sorted(picks[:SHEET], key=lambda pick: pick.time)),
        None if best is None else best.picks[0],
        None if best is None else best.frame,
    )


def merged(intervals: list[Interval]) -> tuple[Interval, ...]:
    """The same times, those that touch or nearly do as one."""
    joined: list[Interval] = []
    for begin, end in sorted(intervals):
        if joined and begin - joined[-1][1] <= JOINED:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return tuple(joined)


def _together(one: TrackRecord, other: TrackRecord) -> bool:
    shared = sum(
        max(0.0, min(end, until) - max(begin, since))
        for begin, end in one.intervals
        for since, until in other.intervals
    )
    return shared > OVERLAP


def _probability(opinion: Opinion | None) -> float:
    return 0.0 if opinion is None else opinion.probability


def _numbered(made: list[Appearance]) -> list[Appearance]:
    """Whoever is nobody's gets a number to be called by."""
    numbered, strangers = [], 0
    for one in made:
        if one.person is None:
            strangers += 1
        numbered.append(replace(one, stranger=strangers if one.person is None else None))
    return numbered
