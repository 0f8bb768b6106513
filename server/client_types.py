"""What the server answers, as far as the client asks it. Written by ``python -m tests.load.client_types``."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class AlbumRefused(TypedDict):
    file: str
    words: str


class Album(TypedDict):
    id: str
    room: str | None
    photos: int
    faces: int
    refused: list[AlbumRefused]
    groups: list[Group]


class AttendancePerson(TypedDict):
    id: str
    name: str


class Attendance(TypedDict):
    person: AttendancePerson
    first: str
    last: str
    seconds: float
    sightings: int


class Change(TypedDict):
    id: str
    kind: str
    words: str
    at: str
    until: str
    undone: bool


class ConfigPack(TypedDict):
    name: str
    licence: str


class ConfigVideo(TypedDict):
    width: int
    height: int
    frameRate: float
    maxBitrate: int


class ConfigConsent(TypedDict):
    required: bool
    days: int
    grace: int
    purpose: str


class Config(TypedDict):
    version: str
    protocol: int
    iceServers: list[dict[str, Any]]
    pack: ConfigPack
    video: ConfigVideo
    people: int
    guest: bool
    invited: bool
    secure: bool
    retention: str
    consent: ConfigConsent


class Consent(TypedDict):
    purpose: str
    basis: Literal[
        "consent",
        "contract",
        "legal_obligation",
        "vital_interests",
        "public_task",
        "legitimate_interests",
        "not_recorded",
    ]
    given: str
    expires: str | None
    withdrawn: str | None
    recorded: str
    recorded_by: str
    state: Literal["holds", "over", "withdrawn", "not_recorded"]


class EventDataPerson(TypedDict):
    id: str
    name: str


class EventData(TypedDict):
    sighting: str
    person: EventDataPerson | None
    room: str | None
    session: str
    began: str
    probability: float | None


class Event(TypedDict):
    id: str
    number: int | None
    type: Literal["named", "unknown", "left", "test"]
    timestamp: str
    data: EventData


class GroupLike(TypedDict):
    id: str
    name: str


class Group(TypedDict):
    id: str
    faces: list[GroupedFace]
    ignored: bool
    like: GroupLike | None
    sure: Literal["known", "uncertain", "unknown"]


class GroupedFace(TypedDict):
    id: str
    file: str
    box: list[float]
    quality: float


Histogram = TypedDict("Histogram", {"from": "float", "step": "float", "counts": "list[int]"})


class Inbox(TypedDict):
    enabled: bool
    keeps: str
    days: int
    strangers: list[Stranger]


class InboxSighting(TypedDict):
    session: str
    began: str
    ended: str


class LiveFace(TypedDict):
    track: int
    box: list[float]
    detection: float
    identity: Literal["pending", "known", "uncertain", "unknown", "unreadable"]
    person: str | None
    name: str | None
    probability: float | None
    words: str


class LiveSession(TypedDict):
    id: str
    room: str | None
    guest: bool
    seconds: float
    frames: int
    reading: Reading
    faces: list[LiveFace]


MergePreview = TypedDict(
    "MergePreview",
    {
        "from": "Person",
        "into": "Person",
        "samples": "int",
        "similarity": "float | None",
        "verdict": "Literal['same', 'perhaps', 'different']",
        "words": "str",
    },
)


class NamedGroupPerson(TypedDict):
    id: str
    name: str
    room: str | None


class NamedGroup(TypedDict):
    person: NamedGroupPerson
    faces: int


class NamedStrangerPerson(TypedDict):
    id: str
    name: str
    room: str | None


class NamedStranger(TypedDict):
    person: NamedStrangerPerson
    seen: int


class NewConsent(TypedDict):
    purpose: str
    basis: Literal["consent", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests"]
    given: NotRequired[str]
    expires: NotRequired[str | None]


class Person(TypedDict):
    id: str
    name: str
    room: str | None
    samples: int
    used: int
    negatives: int
    created: str
    cover: str | None
    consent: Consent


class PersonChanged(TypedDict):
    change: Change
    person: PersonDetail


class PersonDetailNegatives(TypedDict):
    id: str
    created: str


class PersonDetail(TypedDict):
    id: str
    name: str
    room: str | None
    samples: list[Sample]
    used: int
    negatives: list[PersonDetailNegatives]
    created: str
    cover: str | None
    consent: Consent


class Photo(TypedDict):
    width: int
    height: int
    faces: list[PhotoFace]


class PhotoFaceRunnerUp(TypedDict):
    person: str
    name: str
    similarity: float


class PhotoFaceDistance(TypedDict):
    m: float
    low: float
    high: float
    band: Literal["near", "middle", "far"]


class PhotoFace(TypedDict):
    box: list[float]
    landmarks: list[list[float]]
    identity: Literal["pending", "known", "uncertain", "unknown", "unreadable"]
    person: str | None
    name: str | None
    probability: float | None
    similarity: float | None
    margin: float | None
    threshold: float | None
    runner_up: PhotoFaceRunnerUp | None
    words: str
    detection: float
    pixels: float
    enhancement: Literal["none", "contrast", "denoise"] | None
    quality: dict[str, float] | None
    distance: PhotoFaceDistance | None


class Reading(TypedDict):
    distance: bool
    gender: bool
    age: bool


class SampleNearest(TypedDict):
    person: str
    name: str
    similarity: float


class Sample(TypedDict):
    id: str
    quality: float
    source: str
    challenge: str | None
    created: str
    used: bool
    comparable: bool
    yaw: float | None
    pitch: float | None
    size: float | None
    crop: bool
    fits: float | None
    nearest: SampleNearest | None


class SavedPeople(TypedDict):
    id: str
    name: str
    added: int


class Saved(TypedDict):
    people: list[SavedPeople]
    change: Change


class SessionsSessions(TypedDict):
    id: str
    room: str | None
    guest: bool


class Sessions(TypedDict):
    sessions: list[SessionsSessions]


class SightingPerson(TypedDict):
    id: str
    name: str


class Sighting(TypedDict):
    id: str
    person: SightingPerson | None
    room: str | None
    session: str
    began: str
    ended: str
    present: bool
    probability: float | None
    picture: bool


class Stranger(TypedDict):
    id: str
    seen: int
    first: str
    last: str
    room: str | None
    crop: bool
    quality: float
    sightings: list[InboxSighting]


class ThresholdPairs(TypedDict):
    genuine: int
    impostor: int


class ThresholdCohort(TypedDict):
    faces: int
    source: str


class ThresholdNow(TypedDict):
    one_in: float
    threshold: float


class ThresholdChoices(TypedDict):
    one_in: float
    threshold: float
    misses: float | None


class ThresholdConfusableA(TypedDict):
    id: str
    name: str


class ThresholdConfusableB(TypedDict):
    id: str
    name: str


class ThresholdConfusable(TypedDict):
    a: ThresholdConfusableA
    b: ThresholdConfusableB
    similarity: float
    words: str


class Threshold(TypedDict):
    people: int
    samples: int
    pairs: ThresholdPairs
    genuine: Histogram
    impostor: Histogram
    cohort: ThresholdCohort
    now: ThresholdNow
    raised: float
    choices: list[ThresholdChoices]
    confusable: list[ThresholdConfusable]
    words: str


class Video(TypedDict):
    id: str
    file: str
    bytes: int
    created: str
    state: Literal["waiting", "running", "done", "failed"]
    words: str
    seconds: float | None
    done: float | None
    total: float | None
    left: float | None
    playable: bool


class VideoBoxes(TypedDict):
    longest: float
    tracks: dict[str, list[list[float]]]


class VideoPersonPerson(TypedDict):
    id: str
    name: str


class VideoPersonPerhaps(TypedDict):
    id: str
    name: str


class VideoPersonBest(TypedDict):
    picture: str
    frame: str | None
    time: float


class VideoPersonSheet(TypedDict):
    picture: str
    time: float
    quality: float


class VideoPerson(TypedDict):
    number: int
    person: VideoPersonPerson | None
    perhaps: VideoPersonPerhaps | None
    probability: float | None
    label: str
    seconds: float
    intervals: list[list[float]]
    tracks: list[int]
    best: VideoPersonBest | None
    sheet: list[VideoPersonSheet]


class VideoResult(TypedDict):
    video: str
    width: int
    height: int
    seconds: float | None
    people: list[VideoPerson]
