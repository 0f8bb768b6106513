"""One live session: frames in, results and answers out."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import av

from pipeline.attributes import AttributeReader
from pipeline.face_models import FaceModels
from pipeline.frame import Frame
from pipeline.frame_pipeline import FramePipeline, PipelineConfig
from pipeline.lost_look import LookLost
from pipeline.matcher import Matcher
from pipeline.results import Face, FrameResult
from pipeline.templates import Level
from server import __version__
from server.audit.live import LiveNotes
from server.audit.log import AuditLog
from server.link import Link
from server.live.camera import LiveCamera, unlooked
from server.live.commands import Commands
from server.live.consent_mode import ConsentMode
from server.live.corrections import LiveCorrections
from server.live.enrolments import LiveEnrolments
from server.live.geometry import LiveGeometry
from server.live.hiding import Hiding
from server.live.messages import DEFAULT_READING, VERSION, Command, error_message, message, result_message
from server.live.noticing import Noticing
from server.live.session_people import SessionPeople
from server.live.tally import Tally
from server.live.why import face_report
from server.load.allotment import Allotment
from server.load.share import Demand
from server.nodes.tags import like
from server.observing.frames import Frames
from server.people import People
from server.people.inbox import Inbox
from server.pixels import luma, rgb
from server.received_frame import ReceivedFrame
from server.relay.encoder import CODEC
from server.relay.feed import Feed
from server.sightings.recorder import Recorder
from server.storage.faults import fault
from server.storage.room_reading import RoomReading
from tracking import Embedding, TrackingPolicy
from tracking.liveness import Liveness

logger = logging.getLogger(__name__)

LOOK_STAGES = ("convert", "detect", "embed", "attributes")
RESUME_STEP = 1.0  # seconds of media time over a broken connection: the next frame is looked at, and tracks last


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How samples are taken and kept: how strictly they are reviewed before they are saved, whether a crop of the
    face is kept beside each, and whether movements are asked for."""

    review: Level = "standard"
    keep_crops: bool = False
    liveness: Liveness = "off"  # whether movements are asked of whoever is enrolled


DEFAULT_OPTIONS = SessionOptions()


class LiveSession:
    """What happens on one link, or on one after another; implements :class:`server.link.LinkHandler`. Pixel work runs
    in ``executor``, never on the loop."""

    def __init__(
        self,
        link: Link,
        models: FaceModels,
        people: People,
        executor: Executor,
        config: PipelineConfig,
        policy: TrackingPolicy,
        options: SessionOptions = DEFAULT_OPTIONS,
        inbox: Inbox | None = None,
        *,
        room: str | None = None,
        guest: bool = False,
        reading: RoomReading = DEFAULT_READING,
        reader: AttributeReader | None = None,
        recorder: Recorder | None = None,
        camera: LiveCamera | None = None,
        by: str = "server",
        consent: ConsentMode | None = None,
        masks: Executor | None = None,
        lookers: Executor | None = None,
        audit: AuditLog | None = None,
        frames: Frames | None = None,
    ) -> None:
        self.id = link.id
        # Who knows it may go on with this session after its connection broke.
        self.resume = like(link.id, secrets.token_urlsafe(16))
        self._link = link
        self.camera = camera or LiveCamera()
        self._consent = consent or ConsentMode()
        self._working: Future[FrameResult] | None = None  # goes on where who waits for it is ended
        self._turn = asyncio.Lock()  # over a new link, a frame may come while one of the old is worked on
        self._clock = 0.0  # media time reached
        self._before = 0.0  # … and what of it earlier links brought
        self._resumed = False
        self._models = models
        self._executor = executor
        self._lookers = lookers or executor  # of a look, most is waiting for networks elsewhere
        notes = LiveNotes(audit, lambda: self._link.visit.visitor, room)
        self._known = SessionPeople(people, room, guest, self._people_changed, notes, by)
        config = replace(config, crops=options.keep_crops)
        self._pipeline = FramePipeline(models, self._known.gallery, config, policy)
        self._liveness = options.liveness
        self._enrolments = LiveEnrolments(
            self, self._pipeline, models.matcher, self._known, options.review, liveness=options.liveness
        )
        self._corrections = LiveCorrections(self, self._known, self._consent)
        self._room, self._guest = room, guest
        self._reading = reading
        self._pipeline.read_attributes(reader)
        self._geometry = LiveGeometry(self, self._pipeline)
        # What a guest brings is gone when it leaves: nothing of it goes to the inbox.
        self._noticing = Noticing(self.id, room, None if guest else inbox, None if guest else recorder, self._consent)
        self._hiding = Hiding(self._consent, self.camera, self._pipeline, masks or executor, self.spawn)
        self._tasks: set[asyncio.Task[None]] = set()
        self._commands = Commands(self, self._enrolments, self._corrections, self._geometry)
        self._seq = 0
        self._timing: dict[str, float | None] = {}
        self._faces: tuple[Face, ...] = ()  # of the newest result
        self._tally = Tally()
        self.allotment = Allotment(self._pipeline, policy, lambda: self._link, self.say)
        self._watch = (frames or Frames()).watch()
        self._unreadable = False
        self._looked: dict[str, float] = {}  # stages of a look whose findings have not been sent

    async def on_frame(self, received: ReceivedFrame) -> None:
        """Recognise one frame and send what was found. A frame that cannot be read is skipped, and said once in the
        log.

        With faces to show, the answer goes out before the detector looks: what it finds shows with the next frame.
        """
        try:
            async with self._turn:
                placed = await self._recognise(received)
                if self._consent.on:
                    self._hiding.show(received, placed, self._clock, self._models.detector, self._link.relays)
                elif not self._link.relays:
                    await self.camera.show(received, self._clock, self._executor)
        except (ValueError, av.FFmpegError) as error:
            if not self._unreadable:
                logger.warning("session %s: a frame could not be read: %s", self.id, error)
            self._unreadable = True
            self._watch.unreadable()

    async def _recognise(self, received: ReceivedFrame) -> tuple[Face, ...]:
        """Where faces are in it, and whose, as far as is known."""
        self._clock = self._before + received.time
        started = time.perf_counter()
        if not self.camera.recognising:
            self._answer(unlooked(received.frame, self._clock), received, started)
            return ()
        frame = Frame(luma(received.frame), self._clock, lambda: rgb(received.frame))
        result = await self._run(self._pipeline.advance, frame, self._executor)
        looking = result.keyframe
        if looking and not result.faces:
            result = await self._look(frame, result)
            looking = False
        self._answer(result, received, started)
        if looking:
            seen = await self._look(frame, result)
            self._looked = seen.timing
            self._watch.looked(seen.timing)
            result = seen
        self._enrolments.observe(result, self._faces)
        return result.faces

    async def _look(self, frame: Frame, moved: FrameResult) -> FrameResult:
        """Detect, and note strangers and good looks. If no network can answer, faces stay where they ``moved`` to."""
        try:
            result = await self._run(partial(self._noticing.look, self._pipeline), frame, self._lookers)
        except LookLost:
            return moved
        self._noticing.tell()
        return result

    async def _run(self, step: Callable[[Frame], FrameResult], frame: Frame, executor: Executor) -> FrameResult:
        self._working = executor.submit(step, frame)
        return await asyncio.wrap_future(self._working)

    def _answer(self, result: FrameResult, received: ReceivedFrame, started: float) -> None:
        total = (time.perf_counter() - started) * 1e3
        looked, self._looked = self._looked, {}
        timing: dict[str, float | None] = {
            "queue": round(received.queue_ms, 2),
            "decode": round(received.decode_ms, 2),
            "flow": round(result.timing["flow"], 2),
            **{stage: round(result.timing[stage] or looked.get(stage, 0.0), 2) for stage in LOOK_STAGES},
            "total": round(total, 2),
            "received": None if received.received is None else round(received.received, 4),
            "sent": round(time.time(), 4),
        }
        write = partial(
            result_message, self._seq, rtp=received.rtp, capture=received.capture, skipped=received.skipped,
            timing=timing, reading=self._reading,
        )  # fmt: skip
        text = write(replace(result, faces=self._consent.own(result.faces)))
        sent = self._link.send_result(text)
        told = write(replace(result, faces=self._consent.told(result.faces))) if self._consent.on else text
        self.camera.broadcast.tell("result", told)
        self.camera.answered(result.width, result.height, received.received, time.time())
        self._seq += 1
        self._timing = timing
        self._faces = result.faces
        self._noticing.observe(result.faces)
        self._geometry.observe(result)
        self._tally.note(result.keyframe, total)
        age = None if received.received is None else time.time() - received.received
        self.allotment.answered(age, result.width)
        self._watch.answered(received, result, timing, sent)

    def on_commands_open(self) -> None:
        """Greet the page."""
        self._link.send_command(self.greeting(resume=self.resume))
        self.allotment.tell()

    def greeting(self, **secret: str) -> str:
        """The message ``hello``; only its own page is told the ``resume`` secret."""
        return message(
            "hello",
            session=self.id,
            **secret,
            resumed=self._resumed,
            protocol=VERSION,
            version=__version__,
            pack=self._models.manifest.name,
            people=len(self._known.gallery()),
            room=self._room,
            guest=self._guest,
            name=self.camera.name,
            recognising=self.camera.recognising,
            reading=asdict(self._reading),
            liveness=self._liveness,
            consent_mode=self._consent.on,
        )

    def on_command(self, raw: str | bytes) -> None:
        """Answer one message of the page; a session that sends nothing but nonsense is ended."""
        self._commands.answer(raw)

    def on_video_state(self, live: bool) -> None:
        """Say when the camera falls silent and when it is back."""
        if live:
            self.say("notice", code="video_back", message="Pictures are coming again.")
        else:
            self.say("notice", code="no_video", message="No picture has come for two seconds.")
            self._let_go()

    def worth_keeping(self) -> bool:
        """Whether anything would be lost with it: it has seen something."""
        return self._seq > 0

    def move(self, link: Link) -> None:
        """Go on over this link: tracks, names and a guest's people stay. What is being enrolled is dropped, as its
        page heard nothing of it."""
        self._link = link
        self._resumed = True
        self._before = self._clock + RESUME_STEP
        self._let_go()
        self._geometry.give_up("the connection broke")
        self._enrolments.clear()

    def waits(self) -> None:
        """Its connection broke, and its page may come back."""
        self._let_go()

    @property
    def feed(self) -> Feed:
        """Its encoded pictures, for whoever watches."""
        return self.camera.feed

    @property
    def codec(self) -> str | None:
        """What its pictures are handed on in; ``None`` before the first."""
        return self.camera.feed.codec if self._link.relays and not self._consent.on else CODEC

    @property
    def faces(self) -> tuple[Face, ...]:
        """Who is in the newest picture, as far as others may know."""
        return self._consent.told(self._faces)

    @property
    def matcher(self) -> Matcher:
        """What compares the templates of its faces."""
        return self._models.matcher

    def rename(self, name: str) -> None:
        """Its host calls this camera so from now on; its page is told, to say it when it comes back."""
        self.camera.name = name
        self.say("named", name=name)

    def recognise(self, on: bool) -> None:
        """Look at pictures, or only show them, from the next on."""
        if on != self.camera.recognising:
            self.camera.recognising = on
            self.say("recognising", on=on)
            if not on:
                self._let_go()

    @property
    def consent_mode(self) -> bool:
        """Whether faces without consent are hidden from others."""
        return self._consent.on

    def set_consent_mode(self, on: bool) -> None:
        """Hide faces without consent, or no longer. When this returns, nothing that shows one is handed on any more."""
        if on == self._consent.on:
            return
        self._consent.on = on
        self._hiding.take_up()
        self.say("consent_mode", on=on)
        if on:
            self._noticing.leave()

    def _let_go(self) -> None:
        self._hiding.let_go(self._turn, lambda: self._working, self._seen_no_more)

    def _seen_no_more(self) -> None:
        self._faces = self._consent.shown(self._faces)

    def demand(self, now: float) -> Demand:
        """What it could use of the processors."""
        return self.allotment.demand(self._faces, self._enrolments.active, now)

    @property
    def room(self) -> str | None:
        """Whose people it knows and whose reading it shows."""
        return self._room

    @property
    def guest(self) -> bool:
        """Whether what it adds goes when it ends."""
        return self._guest

    def change_reading(self, reading: RoomReading, reader: AttributeReader | None) -> None:
        """Show this of faces beside their names from the next frame on, and say so."""
        self._pipeline.read_attributes(reader)
        if reading != self._reading:
            self._reading = reading
            self.say("reading", **asdict(reading))

    def change_models(self, models: FaceModels) -> None:
        """Go on with other models. What is being learnt was read with the old ones and is dropped, and so are a
        guest's own people."""
        self._models = models
        self._enrolments.change_models(models.matcher)
        self._known.forget_all()
        self._pipeline.change_models(models)

    async def let_go(self, person: str, alike: Callable[[Embedding], bool]) -> tuple[list[int], int]:
        """Forget somebody who is erased: the tracks that knew them, and how many of its own people and enrolments
        went."""
        async with self._turn:
            tracks = self._pipeline.let_go(person, alike)
            own = self._known.let_go(person, alike) + self._enrolments.let_go(person, alike)
            self._faces = tuple(face for face in self._faces if face.track not in tracks)
            return tracks, own

    async def on_closed(self, reason: str) -> None:
        """Release everything; what was half enrolled or measured is dropped."""
        self.camera.end(reason)
        self._geometry.forget()
        self._enrolments.clear()
        self._noticing.leave()
        self._known.end()
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    def stats(self) -> dict[str, Any]:
        """Counts and medians since the session began; no names."""
        return {**self._link.stats(), **self._tally.told()}

    async def report(self) -> dict[str, Any]:
        """Statistics, what the newest answer cost by stage, and of every face in the picture where it is, why it bears
        its name, and what every stage made of it, whether the room shows it or not; gender and age only where they are
        read."""
        faces = [await face_report(face, self._known, self._reading) for face in self.faces]
        return {**self.stats(), "timing": self._timing, "reading": asdict(self._reading), "faces": faces}

    @property
    def current(self) -> tuple[Face, ...]:
        """The faces its own page speaks of."""
        return self._faces

    def face(self, command: Command) -> Face | None:
        """The face a command speaks of; without one the page has been told."""
        track = command.integer("track")
        face = next((face for face in self._faces if face.track == track), None)
        if face is None:
            self.fail(command.id, "no_such_track", "This face is no longer in the picture.")
        return face

    def end(self, reason: str) -> None:
        """Close the link, with a word to the page."""
        self.spawn(self._link.close(reason), f"end: {reason}")

    # -- plumbing ------------------------------------------------------------------------------------------------

    def _people_changed(self) -> None:
        self.say("people", people=len(self._known.gallery()))

    def say(self, kind: str, **fields: Any) -> None:
        """Send a message to the page."""
        text = message(kind, **fields)
        self._link.send_command(text)
        self.camera.broadcast.tell(kind, text)

    def fail(self, command: int | str | None, code: str, text: str, **fields: Any) -> None:
        """Send an ``error`` message."""
        self._link.send_command(error_message(command, code, text, **fields))

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Do something beside the frames; it ends with the session."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work, name=f"{self.id}: {name}")
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("session %s: %s failed: %s", self.id, task.get_name(), type(error).__name__)
            outside = fault(error)
            words = "Something went wrong on the server; what was being saved is not kept."
            self.fail(None, "internal", words if outside is None else outside.words)
