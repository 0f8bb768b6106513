"""One frame in, recognised faces out: the heart of a session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from pipeline.align import face_chip
from pipeline.attribute_looks import AttributeLooks
from pipeline.attributes import AttributeReader
from pipeline.challenges import Challenges
from pipeline.crop import Crop, cut_crop
from pipeline.detect import Detections, look_wide
from pipeline.distance import USUAL, Camera
from pipeline.embed import embed_chip
from pipeline.enhance import mended
from pipeline.face_models import FaceModels
from pipeline.frame import Frame, Image
from pipeline.frugal import frugal_side
from pipeline.gallery import Gallery
from pipeline.masking import alone
from pipeline.quality import Quality, measure_quality
from pipeline.results import FrameResult, Observation
from pipeline.shown_faces import Known, shown_faces
from pipeline.track_memory import TrackMemory
from tracking import (
    DEFAULT_POLICY,
    Embedding,
    Evidence,
    IdentityState,
    KeyframePolicy,
    Look,
    Track,
    Tracker,
    TrackingPolicy,
)

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """How a frame is looked at; lengths in pixels."""

    near_side: int = 320  # longer side of the picture the usual look is taken at
    far_side: int = 640  # … when small faces are about
    far_face: int = 22  # a face smaller than this at the usual look's scale counts as small
    min_face: int = 0  # no recognition below this width; 0: the pack's own
    max_embeddings: int = 4  # a frame, so that a crowd cannot hold up the answer
    min_pose: float = 0.1  # evidence is not taken from a face turned further away than this
    min_quality: float = 0.22  # … nor from one worse than this overall
    crops: bool = False  # cut a crop of every watched face


class FramePipeline:
    """Recognises the faces of one camera. Not thread-safe: one frame at a time; models and gallery may be shared.

    ``gallery`` is asked for the current snapshot on every frame.
    """

    def __init__(
        self,
        models: FaceModels,
        gallery: Callable[[], Gallery],
        config: PipelineConfig | None = None,
        policy: TrackingPolicy = DEFAULT_POLICY,
    ) -> None:
        self.models = models
        self.config = config or PipelineConfig()
        self.tracker = Tracker(policy)
        self.keyframes = KeyframePolicy(policy)
        self._gallery = gallery
        self._gallery_version: int | None = None
        self.min_face = self.config.min_face or models.manifest.matching.min_face
        self._memory: dict[int, TrackMemory] = {}
        self._next: FaceModels | None = None
        self._snapshot: Gallery | None = None  # of the frame in hand
        self._keeps: Callable[[str], bool] | None = None
        self._checked: frozenset[int] = frozenset()  # replaced as a whole, as the next
        self._asked: frozenset[int] = frozenset()  # replaced as a whole, so that another thread may do it
        self._watched: dict[int, int] = {}  # a track's number now: the number it was watched under
        self._observations: list[Observation] = []
        self._look = Look.NONE  # what the newest frame asks for
        self._evidence_wanted = False  # … and whether somebody is to be embedded on it
        self._timing: dict[str, float] = {}
        self._attributes = AttributeLooks()
        self._reader: AttributeReader | None = None  # as asked for; taken up with the next frame
        self._camera = USUAL
        self._frugal = False
        self.challenges = Challenges()  # of watched tracks

    def read_attributes(self, reader: AttributeReader | None) -> None:
        """Read apparent gender and age with this from the next frame on, or nothing; may be called from another
        thread."""
        self._reader = reader

    def change_policy(self, policy: TrackingPolicy, *, frugal: bool = False) -> None:
        """Look as often as this says from the next frame on, and ``frugal`` no closer than it takes to follow large
        faces that are known; may be called from another thread."""
        self.tracker.policy = self.keyframes.policy = policy
        self._frugal = frugal

    def use_camera(self, camera: Camera) -> None:
        """Measure distances as this camera shows them; may be called from another thread."""
        self._camera = camera

    def watch(self, track: int) -> None:
        """Observe a track at every keyframe, evidence wanted or not, until :meth:`unwatch`.

        May be called from another thread than :meth:`process`, as may :meth:`unwatch`.
        """
        self._asked = self._asked | {track}

    def unwatch(self, track: int) -> None:
        """End :meth:`watch`; harmless for a track that is not watched."""
        self._asked = self._asked - {track}

    def check(self, tracks: frozenset[int]) -> None:
        """Take evidence of these tracks at the next keyframe, wanted or not; may be called from another thread."""
        self._checked = tracks

    def keep_lost(self, keeps: Callable[[str], bool] | None) -> None:
        """Keep of the tracks that are lost only those that bear the name of a person for whom ``keeps(person)`` holds,
        and nothing of the others; ``None``: all, so that they can be found again by their faces. May be called from
        another thread."""
        self._keeps = keeps

    def forget_unkept(self) -> None:
        """Drop every track that :meth:`keep_lost` would not keep, in the picture or lost: nothing is seen any more."""
        self.tracker.visible = [track for track in self.tracker.visible if self._kept(track)]
        self._forget_lost()

    def change_models(self, models: FaceModels) -> None:
        """Use other models from the first frame on for which the gallery is theirs; may be called from another thread.

        Tracks keep their numbers, and the names they bear until evidence of the new models speaks.
        """
        self._next = models

    def let_go(self, person: str, alike: Callable[[Embedding], bool]) -> list[int]:
        """Drop all that tracks know of a face: those that bear this person's name, or whose evidence is ``alike``.
        Between two frames only. Returns their numbers; whoever is still in the picture is looked at anew."""
        numbers = []
        for track in (*self.tracker.visible, *self.tracker.lost):
            opinion, template = track.identity.opinion, track.evidence.template()
            memory = self._memory.get(track.number)
            strikes = [] if memory is None else [vector for vector, _ in memory.strikes]
            held = [*([] if template is None else [template]), *strikes]
            if (opinion is not None and opinion.person == person) or any(alike(vector) for vector in held):
                track.evidence = Evidence(track.evidence.policy)
                track.identity.reset()
                self._memory[track.number] = TrackMemory()
                numbers.append(track.number)
        self._attributes.keep(t.number for t in (*self.tracker.visible, *self.tracker.lost) if t.number not in numbers)
        return numbers

    def process(self, frame: Frame) -> FrameResult:
        """Recognise the faces of the next frame. Times must rise; a step back or a gap is taken as it comes."""
        result = self.advance(frame)
        return self.look(frame) if result.keyframe else result

    def advance(self, frame: Frame) -> FrameResult:
        """The quick part: move every face to this frame. After a result with ``keyframe`` set, :meth:`look` at the
        same frame
        comes next: who is in a hurry shows this result meanwhile."""
        start = perf_counter()
        now = frame.time
        self._snapshot = gallery = self._current_gallery()
        self._apply_watches()
        self._attributes.ask(self._reader)
        self.tracker.predict(frame.gray, now)
        self.challenges.advance(frame.gray, self._watched_tracks(), now)
        wanted = any(self._wants_embedding(t, now) or self._wants_reading(t, now) for t in self.tracker.visible)
        scale = min(1.0, self.config.near_side / max(frame.width, frame.height))
        small = any(t.width * scale < self.config.far_face for t in self.tracker.visible)
        if self.challenges.states:
            self.keyframes.afford()  # for a few seconds: whoever moves wants to see it noticed
        self._evidence_wanted = wanted
        self._look = self.keyframes.decide(
            frame.gray, self.tracker.visible, now, evidence_wanted=wanted, small_faces=small
        )
        if self.keyframes.cut:
            self.tracker.cut()
        self._forget_lost()
        self._timing = {"convert": 0.0, "flow": _since(start), "detect": 0.0, "embed": 0.0, "attributes": 0.0}
        return self._result(frame, gallery, embedded=0)

    def look(self, frame: Frame) -> FrameResult:
        """The dear part, for keyframes: detect, associate, and embed what wants evidence."""
        start = perf_counter()
        now = frame.time
        gallery = self._snapshot or self._current_gallery()  # as advance saw it: models change between frames only
        image = frame.image
        self._timing["convert"] = _since(start)
        step = perf_counter()
        found = self._detect(image, self._look)
        self.tracker.update(found.boxes, found.scores, found.landmarks, now)
        self._timing["detect"] = _since(step)
        self.challenges.look(frame.gray, self._watched_tracks(), now)
        step = perf_counter()
        embedded = self._gather(image, now, gallery)
        self._timing["embed"] = _since(step)
        step = perf_counter()
        readable = [t for t in self.tracker.visible if t.fresh and self._readable(t)]
        self._attributes.look(image, readable, now, self.models.manifest)
        self._timing["attributes"] = _since(step)
        self._forget_lost()
        self._forget()
        return self._result(frame, gallery, embedded)

    def _result(self, frame: Frame, gallery: Gallery, embedded: int) -> FrameResult:
        known = Known(gallery, self._memory, self._attributes, self._camera, self.min_face)
        faces = shown_faces(self.tracker.visible, known, frame.time, (frame.width, frame.height))
        observations, self._observations = tuple(self._observations), []
        keyframe = self._look is not Look.NONE
        timing = dict(self._timing)
        return FrameResult(
            frame.width,
            frame.height,
            frame.time,
            keyframe,
            faces,
            timing,
            embedded,
            observations,
            self.challenges.states,
        )

    def _apply_watches(self) -> None:
        asked = self._asked
        self._watched = {number: was for number, was in self._watched.items() if was in asked}
        missing = asked - set(self._watched.values())
        self._watched |= {t.number: t.number for t in self.tracker.visible if t.number in missing}

    def _watched_tracks(self) -> dict[int, Track]:
        return {self._watched[t.number]: t for t in self.tracker.visible if t.number in self._watched}

    def _current_gallery(self) -> Gallery:
        gallery = self._gallery()
        if self._next is not None and gallery.digest == self._next.manifest.digest:
            self._adopt(self._next, gallery)
        digest = self.models.manifest.digest
        if gallery.digest != digest:
            raise ValueError(
                f"the gallery's embeddings are of pack {gallery.digest[:12]}, the session's of {digest[:12]}"
            )
        if gallery.version != self._gallery_version:
            self._gallery_version = gallery.version
            for track in (*self.tracker.visible, *self.tracker.lost):
                if len(track.evidence):  # without, a name from before a change of models stands
                    track.identity.reset()
                    self._decide(track, gallery)
        return gallery

    def _adopt(self, models: FaceModels, gallery: Gallery) -> None:
        """Begin evidence anew: embeddings of two packs cannot be compared."""
        self.models, self._next = models, None
        self.min_face = self.config.min_face or models.manifest.matching.min_face
        self._gallery_version = gallery.version
        for track in (*self.tracker.visible, *self.tracker.lost):
            track.evidence = Evidence(track.evidence.policy)
        self._memory = {number: TrackMemory(memory.quality) for number, memory in self._memory.items()}

    def _detect(self, image: Image, look: Look) -> Detections:
        near, far = self.config.near_side, self.config.far_side
        if look is Look.WIDE:
            return look_wide(self.models.detector, image, near, far)
        if look is Look.NEAR and self._frugal and not self._evidence_wanted:
            near = frugal_side([track.width for track in self.tracker.visible], max(image.shape[:2]), near)
        return self.models.detector.detect(image, far if look is Look.FAR else near)

    def _wants_embedding(self, track: Track, now: float) -> bool:
        if track.width < self.min_face:
            return False
        memory = self._memory.get(track.number)
        if track.number in self._watched or track.suspect or track.number in self._checked:
            return True
        if memory is not None and now < memory.next_try:
            return False
        return track.evidence.wanted(now)

    def _gather(self, image: Image, now: float, gallery: Gallery) -> int:
        """Embed what wants evidence on this keyframe; returns how many faces were embedded."""
        spec = self.models.embedder.spec
        candidates: list[tuple[Track, Image, Quality]] = []
        wanting = [t for t in self.tracker.visible if t.fresh and self._wants_embedding(t, now)]
        wanting.sort(key=lambda t: (t.number not in self._watched, not t.suspect, len(t.evidence), -t.width))
        for track in wanting[: self.config.max_embeddings]:
            memory = self._memory.setdefault(track.number, TrackMemory())
            chip = face_chip(image, track.landmarks, spec.template, spec.size)
            memory.quality = measure_quality(chip, track.landmarks, track.width)
            usable = memory.quality.pose >= self.config.min_pose and memory.quality.overall >= self.config.min_quality
            if usable or track.number in self._watched:
                chip, memory.enhancement = mended(chip)
                candidates.append((track, chip, memory.quality))
            if not usable:
                memory.next_try = now + 0.35
        if not candidates:
            return 0
        embeddings = self.models.embedder.embed([chip for _, chip, _ in candidates])
        for (track, chip, quality), embedding in zip(candidates, embeddings, strict=True):
            self._memory[track.number].embedded += 1
            if track.number in self._watched:
                self._observe(track, image, chip, quality, embedding, now)
            if quality.pose >= self.config.min_pose and quality.overall >= self.config.min_quality:
                self._take_in(track, embedding, quality, now, gallery)
        return len(candidates)

    def _observe(
        self, track: Track, image: Image, chip: Image, quality: Quality, embedding: Embedding, now: float
    ) -> None:
        before = track.evidence.template()
        agreement = None if before is None else float(before @ embedding)
        if self.models.embedder.spec.mirror:
            embedding = embed_chip(self.models.embedder, chip, mirror=True)
        crop = self._crop(image, track) if self.config.crops else None
        self._observations.append(
            Observation(
                self._watched[track.number],
                quality,
                embedding,
                others=len(self.tracker.visible) - 1,
                time=now,
                width=track.width,
                crowded=any(_confusable(track.box, t.box) for t in self.tracker.visible if t is not track),
                agreement=agreement,
                crop=crop,
            )
        )

    def _crop(self, image: Image, track: Track) -> Crop:
        """Its crop; where only some may be kept, nobody else is to be recognised in it."""
        if self._keeps is not None:
            image = alone(image, track.box, [other.box for other in self.tracker.visible if other is not track])
        return cut_crop(image, track.landmarks)

    def _take_in(self, track: Track, embedding: Embedding, quality: Quality, now: float, gallery: Gallery) -> None:
        """Add an embedding to its track's evidence, unless it shows that this is another face."""
        memory = self._memory[track.number]
        template = track.evidence.template()
        if template is not None and float(template @ embedding) < self.models.matcher.threshold(1, 0.02):
            memory.strikes.append((embedding, quality.overall))
            memory.next_try = now  # look again at the next keyframe
            if len(memory.strikes) < (1 if track.suspect else 2):
                return
            strikes, memory.strikes = memory.strikes, []
            track.suspect = False
            track = self.tracker.split(track, now)
            self._memory[track.number] = TrackMemory(quality)
            for vector, weight in strikes:
                track.evidence.add(vector, weight, now)
        else:
            memory.strikes = []
            track.suspect = False
            track.evidence.add(embedding, quality.overall, now)
        self._decide(track, gallery)
        if track.evidence.votes <= 3:
            lost = self._lost_by_name(track) or self._lost_by_face(track)
            if lost is not None:
                self._resume(track, lost, quality, gallery)

    def _lost_by_face(self, track: Track) -> Track | None:
        """The lost track whose face this is, unless it bears a name and this face resembles somebody else more."""
        matching = self.models.manifest.matching
        template = track.evidence.template()
        lost = None if template is None else self.tracker.find_lost(template, matching.same_face, matching.margin)
        if lost is None or lost.identity.state is not IdentityState.KNOWN:
            return lost
        was, now = lost.identity.opinion, track.identity.opinion
        return lost if was and now and was.person == now.person else None

    def _lost_by_name(self, track: Track) -> Track | None:
        """A lost track that bears the name this one just got: the same person, seen too badly then to be told by
        face alone."""
        opinion = track.identity.opinion
        if track.identity.state is not IdentityState.KNOWN or opinion is None:
            return None
        for lost in reversed(self.tracker.lost):
            known = lost.identity.state is IdentityState.KNOWN and lost.identity.opinion
            if known and known.person == opinion.person:
                return lost
        return None

    def _resume(self, track: Track, lost: Track, quality: Quality, gallery: Gallery) -> None:
        self._memory[lost.number] = TrackMemory(quality)
        self._attributes.move(track.number, lost.number)
        if track.number in self._watched:
            self._watched[lost.number] = self._watched.pop(track.number)
        self._decide(self.tracker.resume(track, lost), gallery)

    def _decide(self, track: Track, gallery: Gallery) -> None:
        template = track.evidence.template()
        if template is not None:
            self._memory.setdefault(track.number, TrackMemory()).template = template
            track.identity.consider(self.models.matcher.decide(template, gallery), track.evidence.votes)

    def _readable(self, track: Track) -> bool:
        """Whether a look would be at this track's own face, and at one that is turned to the camera, as far as that
        was measured."""
        memory = self._memory.get(track.number)
        if track.suspect or (memory is not None and memory.strikes):
            return False  # perhaps somebody else has stepped in front
        looks_here = memory is None or memory.quality is None or memory.quality.pose >= self.config.min_pose
        return looks_here and self._kept(track)

    def _wants_reading(self, track: Track, now: float) -> bool:
        return self._kept(track) and self._attributes.wanted(track, now)

    def _kept(self, track: Track) -> bool:
        opinion = track.identity.opinion
        named = track.identity.state is IdentityState.KNOWN and opinion is not None and opinion.person is not None
        return self._keeps is None or (named and opinion is not None and self._keeps(opinion.person or ""))

    def _forget_lost(self) -> None:
        """Let go of everything about tracks that are not kept beyond their end, as :meth:`keep_lost` says."""
        if self._keeps is None:
            return
        self.tracker.lost = [track for track in self.tracker.lost if self._kept(track)]
        alive = {track.number for track in (*self.tracker.visible, *self.tracker.lost)}
        self._memory = {number: memory for number, memory in self._memory.items() if number in alive}
        self._attributes.keep(alive)

    def _forget(self) -> None:
        self._attributes.keep(t.number for t in (*self.tracker.visible, *self.tracker.lost))
        if len(self._memory) > 2 * (len(self.tracker.visible) + len(self.tracker.lost)) + 8:
            alive = {t.number for t in (*self.tracker.visible, *self.tracker.lost)}
            self._memory = {number: memory for number, memory in self._memory.items() if number in alive}


def _confusable(box: Array, other: Array) -> bool:
    """Whether a face (x, y, w, h) beside this one is at least half as large and less than a face away."""
    if other[2] < 0.5 * box[2]:
        return False
    apart = np.hypot(*(box[:2] + box[2:] / 2 - other[:2] - other[2:] / 2))
    return bool(apart < 1.6 * max(box[2], other[2]))


def _since(start: float) -> float:
    """Milliseconds since a ``perf_counter`` reading."""
    return round((perf_counter() - start) * 1e3, 3)
