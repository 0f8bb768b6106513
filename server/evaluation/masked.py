"""Consent mode on a video: what is still seen of whoever has not consented, what an attacker makes of it, its cost.

The truth is what the detector finds at full size in the pictures that are shown; whose faces those are is decided on
each face's whole visit, by the embedder, or comes from a table.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from pipeline.align import face_chip
from pipeline.cluster import group_faces
from pipeline.detect import look_wide
from pipeline.enhance import mended
from pipeline.face_models import FaceModels
from pipeline.frame import Frame, Image
from pipeline.frame_pipeline import FramePipeline, PipelineConfig
from pipeline.gallery import Entry, Gallery, Person
from pipeline.masking import covering
from pipeline.quality import measure_quality
from pipeline.templates import fuse_template
from server.live.camera import EARLY, MASKED_EVERY
from server.live.consent_mode import ConsentMode
from server.live.masked_pictures import MaskedPictures
from server.pixels import luma, rgb
from server.relay.encoder import PictureEncoder
from server.transport import CLOCK_RATE
from tracking import DEFAULT_POLICY, Embedding, Verdict, iou_matrix

Pictures = Callable[[], Iterable[tuple[av.VideoFrame, float]]]  # frames and their media time in seconds
Array = NDArray[np.float32]

HIDDEN = 0.95  # share of a face that is covered, from which on it counts as masked …
BARE = 0.5  # … and below which it counts as seen
CLEAR = 0.05  # share up to which a face counts as shown
SAME = 0.3  # overlap of the same face in two pictures, one after the other
AWAY = 1.5  # seconds in which a face in the same place is taken for one that has turned away
GAP = 0.5  # seconds out of sight that end a visit
LOOSE = 0.02  # of two different faces, the share that still pass for one in two pictures in a row
LARGE = 0.0375  # of the picture's width: faces from there on are always found (docs/rooms.md)
ENROLLED = 6  # pictures of a face from which it is enrolled, where nobody else is given
_LIMITS = PipelineConfig()

Whose = dict[int, list[tuple[str, tuple[float, float, float, float]]]]  # by frame: people and where they are


@dataclass(slots=True)
class TrueFace:
    """A face of a shown picture; ``template``: what it is recognised by, ``None`` where it is seen too badly."""

    time: float
    box: Array
    landmarks: Array
    template: Embedding | None
    score: float = 1.0  # of its detection
    large: bool = True
    covered: float = 0.0


@dataclass(slots=True)
class Visit:
    """One face from its coming to its going; ``consented`` is ``None`` where it cannot be told whose it is."""

    faces: list[TrueFace] = field(default_factory=list)
    people: list[str] = field(default_factory=list)  # whose place it was in, by the table
    consented: bool | None = False

    @property
    def template(self) -> Embedding | None:
        """What it looks like as a whole."""
        known = [face.template for face in self.faces if face.template is not None]
        return fuse_template(known) if known else None


@dataclass(slots=True)
class Found:
    """What came of one video."""

    visits: list[Visit]
    shown: int  # pictures
    enrolled: int
    consented: int
    mask_ms: list[float] = field(default_factory=list)  # processor time of each picture that is shown …
    encode_ms: list[float] = field(default_factory=list)
    added_ms: list[float] = field(default_factory=list)  # … and what is added to its way, recognition included
    attacked: int = 0  # faces without consent that have a face to be compared with
    detected: int = 0  # … where the detector still finds one in what was sent
    recognised: int = 0  # … and the embedder the same face
    exposed: int = 0  # … of these, those that were not masked
    under: list[bool] = field(default_factory=list)  # whether a mask is like whom it covers, its place given away …
    control: list[bool] = field(default_factory=list)  # … and like each of the others, which is chance


def shown_at(pictures: Iterable[tuple[av.VideoFrame, float]]) -> Iterator[tuple[int, av.VideoFrame, float, bool]]:
    """Every frame with its number and whether viewers would get it."""
    before = -1e9
    for index, (frame, now) in enumerate(pictures):
        due = now - before >= (1 - EARLY) * MASKED_EVERY
        before = now if due else before
        yield index, frame, now, due


def true_faces(models: FaceModels, pictures: Pictures, whose: Whose | None = None) -> list[Visit]:
    """The faces of the pictures that are shown, visit by visit."""
    visits: list[Visit] = []
    for index, frame, now, shown in shown_at(pictures()):
        if not shown:
            continue
        image = rgb(frame)
        side = max(image.shape[:2])
        found = look_wide(models.detector, image, _LIMITS.near_side, side)
        open_visits = [visit for visit in visits if now - visit.faces[-1].time <= GAP]
        overlaps = iou_matrix(found.boxes, np.array([v.faces[-1].box for v in open_visits], np.float32).reshape(-1, 4))
        taken: set[int] = set()
        for row, (box, points, score) in enumerate(zip(found.boxes, found.landmarks, found.scores, strict=True)):
            template = _embedding(models, image, points, float(box[2]))
            order = [
                int(i)
                for i in np.argsort(-overlaps[row])
                if overlaps[row, i] >= SAME and i not in taken and not _another(models, open_visits[i], template)
            ]
            if order:
                taken.add(order[0])
                visit = open_visits[order[0]]
            else:
                visits.append(visit := Visit())
            visit.faces.append(
                TrueFace(now, box, points, template, float(score), float(box[2]) >= LARGE * image.shape[1])
            )
            visit.people += _inside(box, whose.get(index, [])) if whose else []
    # What the detector was never sure of is a hand or a lamp more often than a face.
    return [visit for visit in visits if max(face.score for face in visit.faces) >= DEFAULT_POLICY.confirm_score]


def _another(models: FaceModels, visit: Visit, template: Embedding | None) -> bool:
    """Whether this is clearly somebody else, in whose place a cut has put them."""
    before = next((face.template for face in reversed(visit.faces) if face.template is not None), None)
    if before is None or template is None:
        return False
    return models.matcher.similarity(before, template) < models.matcher.threshold(1, LOOSE)


def enrol(models: FaceModels, visits: Sequence[Visit]) -> tuple[Gallery, frozenset[str]]:
    """Everybody of a video but every third, by how long they are in it; of those every second has consented."""
    seen = [visit for visit in visits if visit.template is not None]
    templates = np.array([visit.template for visit in seen], np.float32).reshape(-1, models.embedder.spec.dimension)
    labels = group_faces(templates, np.ones(len(seen), np.float32), models.matcher)
    groups = [[seen[i] for i in np.flatnonzero(labels == label)] for label in range(labels.max(initial=-1) + 1)]
    groups += [[seen[i]] for i in np.flatnonzero(labels < 0)]
    groups.sort(key=lambda group: -sum(len(visit.faces) for visit in group))
    entries: list[Entry] = []
    for number, group in enumerate(groups):
        faces = [face.template for visit in group for face in visit.faces if face.template is not None]
        if number % 3 != 1 and len(faces) >= ENROLLED:
            chosen = faces[:: max(1, len(faces) // ENROLLED)][:ENROLLED]
            entries.append((Person(f"{number}", f"{number}"), fuse_template(chosen), None))
    consented = frozenset(person.id for person, *_ in entries[::2])
    return Gallery.build(entries, models.embedder.spec.dimension, models.manifest.digest, version=1), consented


def judge(models: FaceModels, visits: Sequence[Visit], gallery: Gallery, consented: frozenset[str]) -> None:
    """Say of every visit whether whoever it was has consented."""
    for visit in visits:
        template = visit.template
        if visit.people:
            visit.consented = max(set(visit.people), key=visit.people.count) in consented
        elif template is None:
            visit.consented = False  # nobody could say a name: it is to be masked …
        else:
            opinion = models.matcher.decide(template, gallery)
            told = opinion.verdict is not Verdict.UNCERTAIN
            visit.consented = (opinion.verdict is Verdict.KNOWN and opinion.person in consented) if told else None
    friends = [face for visit in visits if visit.consented for face in visit.faces]
    for visit in visits:
        if visit.template is None and not visit.people and any(_goes_on(visit, face) for face in friends):
            visit.consented = None  # … unless somebody was there a moment ago who has turned away


def _goes_on(visit: Visit, face: TrueFace) -> bool:
    return any(
        abs(one.time - face.time) <= AWAY and float(iou_matrix(one.box[None], face.box[None])[0, 0]) >= SAME
        for one in visit.faces
    )


def play(
    models: FaceModels, pictures: Pictures, visits: list[Visit], gallery: Gallery, consented: frozenset[str]
) -> Found:
    """Play the video as a camera in consent mode that is watched, and look at what viewers get."""
    found = Found(visits, 0, len(gallery), len(consented))
    consent = ConsentMode(consented.__contains__, on=True)
    pipeline = FramePipeline(models, lambda: gallery)
    pipeline.keep_lost(consent.consented)
    masked, encoder = MaskedPictures(models.detector), PictureEncoder()
    decoder = av.CodecContext.create("vp8", "r")
    assert isinstance(decoder, VideoCodecContext)
    truth: dict[float, list[tuple[Visit, TrueFace]]] = {}
    for visit in visits:
        for face in visit.faces:
            truth.setdefault(face.time, []).append((visit, face))
    for _, frame, now, shown in shown_at(pictures()):
        began = time.perf_counter()
        seen = Frame(luma(frame), now, lambda frame=frame: rgb(frame))  # type: ignore[misc]
        result = pipeline.advance(seen)
        if result.keyframe:
            result = pipeline.look(seen)
        if not shown:
            continue
        started = time.thread_time()
        picture, masking = masked.mask(frame, consent.followed(result.faces), now)
        encoding = time.thread_time()
        packets = encoder.encode(picture, round(now * CLOCK_RATE), False)
        found.encode_ms.append((time.thread_time() - encoding) * 1e3)
        found.mask_ms.append((encoding - started) * 1e3)
        found.added_ms.append((time.perf_counter() - began) * 1e3)
        found.shown += 1
        pipeline.check(masking.doubted)
        covered = covering(masking.boxes, frame.height, frame.width)
        faces = truth.get(now, [])
        for _, face in faces:
            face.covered = _share(covered, face.box)
        sent = [image for data, _ in packets for image in _decoded(decoder, data)]
        if sent:
            _attack(models, sent[-1], faces, found)
    return found


def _attack(models: FaceModels, sent: Image, faces: Sequence[tuple[Visit, TrueFace]], found: Found) -> None:
    """Look for the faces without consent in what was sent, as somebody would who has their pictures."""
    wanted = [(visit, face) for visit, face in faces if visit.consented is False and visit.template is not None]
    if not wanted:
        return
    needed = models.matcher.threshold(1)
    templates = [template for visit in found.visits if (template := visit.template) is not None]
    still = look_wide(models.detector, sent, _LIMITS.near_side, max(sent.shape[:2]))
    overlaps = iou_matrix(np.array([face.box for _, face in wanted], np.float32), still.boxes)
    for row, (visit, face) in enumerate(wanted):
        template = visit.template
        assert template is not None
        found.attacked += 1
        best = int(overlaps[row].argmax()) if len(still) else -1
        there = best >= 0 and overlaps[row, best] >= SAME
        found.detected += there
        guess = _alike(models, sent, still.landmarks[best], template) if there else 0.0
        found.recognised += guess >= needed
        found.exposed += guess >= needed and face.covered < HIDDEN
        if face.covered >= HIDDEN and (under := _read(models, sent, face.landmarks)) is not None:
            found.under.append(models.matcher.similarity(under, template) >= needed)
            others = [other for other in templates if models.matcher.similarity(other, template) < needed]
            found.control += [models.matcher.similarity(under, other) >= needed for other in others]


def _alike(models: FaceModels, image: Image, landmarks: Array, template: Embedding) -> float:
    read = _read(models, image, landmarks)
    return 0.0 if read is None else models.matcher.similarity(read, template)


def _read(models: FaceModels, image: Image, landmarks: Array) -> Embedding | None:
    spec = models.embedder.spec
    try:
        chip = face_chip(image, landmarks, spec.template, spec.size)
    except ValueError:
        return None
    return np.asarray(models.embedder.embed([mended(chip)[0]])[0], np.float32)


def _embedding(models: FaceModels, image: Image, landmarks: Array, width: float) -> Embedding | None:
    spec = models.embedder.spec
    try:
        chip = face_chip(image, landmarks, spec.template, spec.size)
    except ValueError:
        return None
    quality = measure_quality(chip, landmarks, width)
    if width < models.manifest.matching.min_face or quality.pose < _LIMITS.min_pose:
        return None
    if quality.overall < _LIMITS.min_quality:
        return None
    return np.asarray(models.embedder.embed([mended(chip)[0]])[0], np.float32)


def _inside(box: Array, people: Sequence[tuple[str, tuple[float, float, float, float]]]) -> list[str]:
    x, y = (float(v) for v in box[:2] + box[2:] / 2)
    inside = [who for who, (left, top, w, h) in people if left <= x <= left + w and top <= y <= top + h]
    return inside if len(inside) == 1 else []


def _share(covered: NDArray[np.bool_], box: Array) -> float:
    """Which share of a face, the ellipse in its box, is covered."""
    height, width = covered.shape
    x, y, w, h = (float(v) for v in box)
    left, top = max(0, int(x)), max(0, int(y))
    right, bottom = min(width, int(np.ceil(x + w))), min(height, int(np.ceil(y + h)))
    if left >= right or top >= bottom:
        return 1.0
    rows, columns = np.ogrid[top:bottom, left:right]
    inside = ((columns - x - w / 2) / (w / 2)) ** 2 + ((rows - y - h / 2) / (h / 2)) ** 2 <= 1
    return float(covered[top:bottom, left:right][inside].mean()) if inside.any() else 1.0


def _decoded(decoder: VideoCodecContext, data: bytes) -> list[Image]:
    return [rgb(frame) for frame in decoder.decode(av.Packet(data))]
