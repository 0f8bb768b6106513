"""One live session: frames in, results and answers out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import av

from pipeline.face_models import FaceModels
from pipeline.frame import Frame
from pipeline.frame_pipeline import Face, FramePipeline, FrameResult, PipelineConfig
from pipeline.gallery import Gallery
from pipeline.metrics import percentile
from server import __version__
from server.enrolment import NEEDED, Enrolment
from server.messages import VERSION, BadMessage, Command, error_message, message, parse_command, result_message
from server.peer import Peer, ReceivedFrame
from server.people import People
from server.pixels import luma, rgb
from server.storage import BadName, NameTaken, clean_name
from tracking import IdentityState, TrackingPolicy

logger = logging.getLogger(__name__)

BAD_MESSAGES = 20  # … within BAD_WINDOW seconds end the session
BAD_WINDOW = 10.0
LOOK_STAGES = ("convert", "detect", "embed")
RECENT = 300  # frames that statistics speak of


class LiveSession:
    """What happens on one peer; implements :class:`server.peer.PeerHandler`. Pixel work runs in ``executor``, never
    on the loop."""

    def __init__(
        self,
        peer: Peer,
        models: FaceModels,
        people: People,
        executor: Executor,
        config: PipelineConfig,
        policy: TrackingPolicy,
    ) -> None:
        self._peer = peer
        self._models = models
        self._people = people
        self._executor = executor
        self._pipeline = FramePipeline(models, self._gallery, config, policy)
        self._enrolments: dict[int, Enrolment] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsubscribe = people.subscribe(self._people_changed)
        self._bad: deque[float] = deque(maxlen=BAD_MESSAGES)
        self._seq = 0
        self._faces: tuple[Face, ...] = ()  # of the newest result
        self._keyframes = 0
        self._totals: deque[float] = deque(maxlen=RECENT)
        self._unreadable = False
        self._looked: dict[str, float] = {}  # stages of a look whose findings have not been sent

    def _gallery(self) -> Gallery:
        return self._people.gallery

    async def on_frame(self, received: ReceivedFrame) -> None:
        """Recognise one frame and send what was found. A frame that cannot be read is skipped, and said once in the
        log.

        With faces to show, the answer goes out before the detector looks: what it finds shows with the next frame.
        """
        try:
            await self._recognise(received)
        except (ValueError, av.FFmpegError) as error:
            if not self._unreadable:
                logger.warning("session %s: a frame could not be read: %s", self._peer.id, error)
            self._unreadable = True

    async def _recognise(self, received: ReceivedFrame) -> None:
        frame = Frame(luma(received.frame), received.time, lambda: rgb(received.frame))
        started = time.perf_counter()
        result = await self._run(self._pipeline.advance, frame)
        looking = result.keyframe
        if looking and not result.faces:
            result = await self._run(self._pipeline.look, frame)
            looking = False
        self._answer(result, received, started)
        if looking:
            seen = await self._run(self._pipeline.look, frame)
            self._looked = seen.timing
            self._enrol(seen)
        else:
            self._enrol(result)

    async def _run(self, step: Callable[[Frame], FrameResult], frame: Frame) -> FrameResult:
        return await asyncio.get_running_loop().run_in_executor(self._executor, step, frame)

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
        self._peer.send_result(
            result_message(
                self._seq,
                result,
                rtp=received.rtp,
                capture=received.capture,
                skipped=received.skipped,
                timing=timing,
            )
        )
        self._seq += 1
        self._faces = result.faces
        self._keyframes += result.keyframe
        self._totals.append(total)

    def on_commands_open(self) -> None:
        """Greet the page."""
        self._send(
            "hello",
            session=self._peer.id,
            protocol=VERSION,
            version=__version__,
            pack=self._models.manifest.name,
            people=len(self._people.gallery),
        )

    def on_command(self, raw: str | bytes) -> None:
        """Answer one message of the page; a session that sends nothing but nonsense is ended."""
        try:
            command = parse_command(raw)
        except BadMessage as error:
            self._bad_message(None, str(error))
            return
        try:
            match command.type:
                case "ping":
                    self._send("pong", id=command.id, t=_number(command.body.get("t")), now=round(time.time(), 4))
                case "enrol":
                    self._start_enrolment(command)
                case "cancel_enrol":
                    self._cancel_enrolment(command)
                case "stats":
                    self._send("stats", id=command.id, session=self.stats())
                case "bye":
                    self._spawn(self._peer.close("bye"), "bye")
                case other:
                    self._error(command.id, "unknown_type", f"there is no message of type {other[:40]!r}")
        except BadMessage as error:
            self._bad_message(command.id, str(error))

    def on_video_state(self, live: bool) -> None:
        """Say when the camera falls silent and when it is back."""
        if live:
            self._send("notice", code="video_back", message="Pictures are coming again.")
        else:
            self._send("notice", code="no_video", message="No picture has come for two seconds.")

    async def on_closed(self, reason: str) -> None:
        """Release everything; what was half enrolled is dropped."""
        self._unsubscribe()
        self._enrolments.clear()
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    def stats(self) -> dict[str, Any]:
        """Counts and medians since the session began; no names."""
        totals = list(self._totals)
        return {
            **self._peer.stats(),
            "results": self._seq,
            "keyframes": self._keyframes,
            "total_p50_ms": round(percentile(totals, 50), 2) if totals else None,
            "total_p95_ms": round(percentile(totals, 95), 2) if totals else None,
        }

    # -- enrolment -----------------------------------------------------------------------------------------------

    def _start_enrolment(self, command: Command) -> None:
        track = command.integer("track")
        try:
            name = clean_name(command.body.get("name"))
        except BadName as error:
            self._error(command.id, "bad_name", f"{error}.")
            return
        confirm = command.body.get("confirm")
        if confirm not in (None, "new", "rename"):
            raise BadMessage("confirm must be 'new' or 'rename'")
        if track in self._enrolments:
            self._error(command.id, "already_enrolling", "This face is being learnt already.")
            return
        if all(face.track != track for face in self._faces):
            self._error(command.id, "no_such_track", "This face is no longer in the picture.")
            return
        self._pipeline.watch(track)
        enrolment = Enrolment(command.id, track, name, confirm)
        self._enrolments[track] = enrolment
        self._report(enrolment)

    def _cancel_enrolment(self, command: Command) -> None:
        track = command.integer("track")
        if self._enrolments.pop(track, None) is None:
            self._error(command.id, "no_such_track", "Nothing is being learnt for this face.")
            return
        self._pipeline.unwatch(track)
        self._send("cancelled", id=command.id, track=track)

    def _enrol(self, result: FrameResult) -> None:
        """Hand this frame's observations to the running enrolments."""
        for observation in result.observations:
            enrolment = self._enrolments.get(observation.track)
            if enrolment is not None and enrolment.observe(observation, self._models.matcher):
                self._report(enrolment)
        for enrolment in tuple(self._enrolments.values()):
            if enrolment.tick(result.time):
                self._report(enrolment)
            if enrolment.complete(result.time):
                self._end(enrolment)
                self._spawn(self._save(enrolment), "save enrolment")
            elif enrolment.expired(result.time):
                self._end(enrolment)
                reason = f" ({enrolment.hint})" if enrolment.hint else ""
                self._error(
                    enrolment.command, "enrol_timeout", f"Too few good pictures came in time{reason}. Try again."
                )

    def _end(self, enrolment: Enrolment) -> None:
        self._enrolments.pop(enrolment.track, None)
        self._pipeline.unwatch(enrolment.track)

    async def _save(self, enrolment: Enrolment) -> None:
        """Decide whose samples these are and keep them, all or none."""
        command, track, template = enrolment.command, enrolment.track, enrolment.template()
        gallery, matcher = self._people.gallery, self._models.matcher
        similarities = gallery.templates @ template
        same = await self._people.find(enrolment.name)
        try:
            if same is not None:
                index = next((i for i, person in enumerate(gallery.people) if person.id == same.id), None)
                if index is not None and float(similarities[index]) < matcher.threshold(1):
                    self._error(
                        command,
                        "different_person",
                        f"There is a {same.name} already who looks different. Choose another name.",
                        name=same.name,
                    )
                    return
                if not await self._people.add_samples(same.id, enrolment.samples):
                    same = None
            person = same
            if person is None:
                alike = int(similarities.argmax()) if len(gallery) else None
                limit = matcher.threshold(len(gallery))
                if alike is not None and float(similarities[alike]) >= limit and not self._elsewhere(alike, track):
                    other = gallery.people[alike]
                    if enrolment.confirm is None:
                        self._error(
                            command,
                            "looks_like",
                            f"This face looks like {other.name}.",
                            track=track,
                            person=other.id,
                            name=other.name,
                        )
                        return
                    if enrolment.confirm == "rename" and await self._people.rename(other.id, enrolment.name):
                        await self._people.add_samples(other.id, enrolment.samples)
                        person, same = type(other)(other.id, enrolment.name), other
                if person is None:
                    person = await self._people.add_person(enrolment.name, enrolment.samples)
        except NameTaken:
            self._error(command, "bad_name", "Somebody of this name was enrolled a moment ago. Try again.")
            return
        self._send(
            "enrolled",
            id=command,
            track=track,
            person=person.id,
            name=person.name,
            samples=len(enrolment.samples),
            added_to_existing=same is not None,
        )

    def _elsewhere(self, index: int, track: int) -> bool:
        """Whether this person is recognised in the picture now, on another track: then the face in question is
        somebody else."""
        person = self._people.gallery.people[index].id
        return any(
            face.identity is IdentityState.KNOWN and face.opinion is not None and face.opinion.person == person
            for face in self._faces
            if face.track != track
        )

    def _report(self, enrolment: Enrolment) -> None:
        self._send(
            "enrolling",
            id=enrolment.command,
            track=enrolment.track,
            name=enrolment.name,
            samples=len(enrolment.samples),
            needed=NEEDED,
            hint=enrolment.hint,
        )

    # -- plumbing ------------------------------------------------------------------------------------------------

    def _people_changed(self, count: int) -> None:
        self._send("people", people=count)

    def _send(self, kind: str, **fields: Any) -> None:
        self._peer.send_command(message(kind, **fields))

    def _error(self, command: int | str | None, code: str, text: str, **fields: Any) -> None:
        self._peer.send_command(error_message(command, code, text, **fields))

    def _bad_message(self, command: int | str | None, text: str) -> None:
        now = time.monotonic()
        self._bad.append(now)
        self._error(command, "bad_message", f"{text}.")
        if len(self._bad) == BAD_MESSAGES and now - self._bad[0] <= BAD_WINDOW:
            self._bad.clear()
            self._spawn(self._peer.close("too_many_errors"), "close after errors")

    def _spawn(self, work: Any, name: str) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work, name=f"{self._peer.id}: {name}")
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("session %s: %s failed: %s", self._peer.id, task.get_name(), type(error).__name__)
            self._error(None, "internal", "Something went wrong on the server; what was being saved is not kept.")


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) > 1e15:
        return None
    return float(value)
