"""The enrolments of one live session: begun and ended by commands, fed by frames, saved when they are complete."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.frame_pipeline import FramePipeline
from pipeline.gallery import Person
from pipeline.matcher import Matcher
from pipeline.results import Face, FrameResult
from pipeline.templates import Level
from server.live.challenges import LiveChallenges
from server.live.coverage import SECTORS
from server.live.enrolment import MODES, NEEDED, Enrolment
from server.live.messages import BadMessage, Command
from server.live.sample_review import objection
from server.live.session_people import SCOPES, Scope, SessionPeople
from server.people.consent import BadConsent
from server.storage import BadName, ConsentMissing, NameTaken, clean_name
from server.storage.consent_values import missing
from server.wording import sentence, stated
from tracking import Embedding, IdentityState, Opinion
from tracking.liveness import Liveness

WAIT = 60.0  # seconds that samples wait for a word about whose they are


class Voice(Protocol):
    """What a session says to its page."""

    def say(self, kind: str, **fields: Any) -> None:
        """A message."""

    def fail(self, command: int | str | None, code: str, text: str, **fields: Any) -> None:
        """An ``error`` message."""

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Do something beside, for as long as the session lasts."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Samples that are complete while somebody is asked whose they are."""

    enrolment: Enrolment
    scope: Scope
    alike: str | None  # the id of whom they look like
    since: float


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a save was asked to do beside keeping samples."""

    confirm: str | None
    alike: str | None = None  # whom the question was about


class LiveEnrolments:
    """Owns what is being enrolled in one session, one enrolment a track at most."""

    def __init__(
        self,
        voice: Voice,
        pipeline: FramePipeline,
        matcher: Matcher,
        people: SessionPeople,
        review: Level,
        clock: Callable[[], float] = time.monotonic,
        liveness: Liveness = "off",
    ) -> None:
        self._voice = voice
        self._pipeline = pipeline
        self._matcher = matcher
        self._people = people
        self._review = review
        self._clock = clock
        self._challenges = LiveChallenges(voice, pipeline, liveness, clock)
        self._running: dict[int, tuple[Enrolment, Scope]] = {}
        self._waiting: dict[int, _Waiting] = {}
        self._faces: tuple[Face, ...] = ()  # of the newest result

    @property
    def active(self) -> bool:
        """Whether somebody is being enrolled."""
        return bool(self._running)

    def start(self, command: Command, faces: Sequence[Face]) -> None:
        """``enrol``: begin to gather samples, or answer what was asked about those that wait. Raises
        :class:`server.live.messages.BadMessage`."""
        track = command.integer("track")
        mode = command.choice("mode", MODES) or "quick"
        wanted = command.choice("scope", SCOPES)
        confirm = command.choice("confirm", ("new", "rename", "add"))
        challenge = self._challenges.asked(command)
        scope = self._people.scope(wanted)
        if scope == "room" and not self._people.in_room:
            raise BadMessage("scope must be 'everyone' or 'session': this session is in no room")
        try:
            name = clean_name(command.body.get("name"))
        except BadName as error:
            self._voice.fail(command.id, "bad_name", f"{error}.")
            return
        try:
            consent = self._people.read_consent(command.body)
        except BadConsent as error:
            self._voice.fail(command.id, "bad_consent", sentence(error))
            return
        if track in self._running:
            self._voice.fail(command.id, "already_enrolling", "This face is being learnt already.")
            return
        waiting = self._take_waiting(track)
        if waiting is not None and confirm is not None:
            enrolment = waiting.enrolment
            enrolment.command, enrolment.name, enrolment.confirm = command.id, name, confirm
            enrolment.consent = consent or enrolment.consent
            kept = waiting.scope if wanted is None else scope
            self._voice.spawn(self._save(enrolment, kept, _Answer(confirm, waiting.alike)), "save enrolment")
            return
        if all(face.track != track for face in faces):
            self._voice.fail(command.id, "no_such_track", "This face is no longer in the picture.")
            return
        if self._challenges.refused(command, challenge):
            return
        enrolment = Enrolment(command.id, track, name, confirm, "guided" if challenge else mode, consent)
        if consent is None and self._people.wants_consent(None, scope):
            self._voice.spawn(self._begin_if_lawful(enrolment, scope, challenge), "begin enrolment")
        else:
            self._begin(enrolment, scope, challenge)

    def _begin(self, enrolment: Enrolment, scope: Scope, challenge: bool) -> None:
        self._pipeline.watch(enrolment.track)
        if challenge:
            enrolment.challenge = self._challenges.begin(enrolment.track, enrolment.command)
        self._running[enrolment.track] = (enrolment, scope)
        self._report(enrolment)

    async def _begin_if_lawful(self, enrolment: Enrolment, scope: Scope, challenge: bool) -> None:
        """Nobody's face is learnt before it was said why it may be, unless that is written down already."""
        same = await self._people.find(enrolment.name, scope)
        if self._people.wants_consent(None if same is None else same.id, scope):
            self._lacks_consent(enrolment, missing(enrolment.name))
        elif enrolment.track not in self._running:
            self._begin(enrolment, scope, challenge)

    def _lacks_consent(self, enrolment: Enrolment, words: object) -> None:
        self._voice.fail(enrolment.command, "consent_missing", sentence(words), track=enrolment.track)

    def cancel(self, command: Command) -> None:
        """``cancel_enrol``: nothing of it is kept. Raises :class:`server.live.messages.BadMessage`."""
        track = command.integer("track")
        waiting = self._take_waiting(track)
        if self._end(track) is None and waiting is None:
            self._voice.fail(command.id, "no_such_track", "Nothing is being learnt for this face.")
            return
        self._voice.say("cancelled", id=command.id, track=track)

    def finish(self, command: Command) -> None:
        """``finish_enrol``: the samples there are will do. Raises :class:`server.live.messages.BadMessage`."""
        track = command.integer("track")
        running = self._running.get(track)
        if running is None:
            self._voice.fail(command.id, "no_such_track", "Nothing is being learnt for this face.")
        elif not running[0].challenged:
            text = "The movements are not done yet."
            self._voice.fail(command.id, "challenge_missing", text, track=track)
        elif not running[0].enough:
            text = f"{len(running[0].samples)} pictures are too few yet; {NEEDED} are needed."
            self._voice.fail(command.id, "too_few_samples", text, track=track)
        else:
            self._complete(track)

    def observe(self, result: FrameResult, faces: tuple[Face, ...]) -> None:
        """Hand a frame's observations to the running enrolments; ``faces`` are those of the newest result sent."""
        self._faces = faces
        for observation in result.observations:
            running = self._running.get(observation.track)
            if running is not None and running[0].observe(observation, self._matcher):
                self._report(running[0])
        for track in self._challenges.observe(result):
            self._end(track)
        for track, (enrolment, _) in tuple(self._running.items()):
            if enrolment.tick(result.time):
                self._report(enrolment)
            if enrolment.complete(result.time):
                self._complete(track)
            elif enrolment.expired(result.time):
                self._end(track)
                reason = f" ({enrolment.hint})" if enrolment.hint else ""
                text = f"Too few good pictures came in time{reason}. Try again."
                self._voice.fail(enrolment.command, "enrol_timeout", text, track=track)
        for track, waiting in tuple(self._waiting.items()):
            if self._clock() - waiting.since > WAIT:
                del self._waiting[track]

    def clear(self) -> None:
        """The session ends: what was half enrolled is dropped."""
        for track in tuple(self._running):
            self._end(track)
        self._waiting.clear()

    def let_go(self, person: str, alike: Callable[[Embedding], bool]) -> int:
        """Drop what was gathered of somebody who is erased, and tell the page; how many enrolments that were."""
        waiting = [track for track, one in self._waiting.items() if one.alike == person or _of(one.enrolment, alike)]
        for track in waiting:
            del self._waiting[track]
        running = [track for track, (enrolment, _) in self._running.items() if _of(enrolment, alike)]
        for track in running:
            ended = self._end(track)
            if ended is not None:
                text = "This person was forgotten a moment ago. Try again."
                self._voice.fail(ended[0].command, "no_such_person", text, track=track)
        return len(waiting) + len(running)

    def change_models(self, matcher: Matcher) -> None:
        """Samples of other models cannot be mixed: what was gathered is dropped, and the page told."""
        self._matcher = matcher
        for track in tuple(self._running):
            ended = self._end(track)
            if ended is not None:
                text = "The models were changed a moment ago. Try again."
                self._voice.fail(ended[0].command, "models_changed", text, track=track)
        self._waiting.clear()

    def _end(self, track: int) -> tuple[Enrolment, Scope] | None:
        self._pipeline.unwatch(track)
        self._challenges.end(track)
        return self._running.pop(track, None)

    def _complete(self, track: int) -> None:
        running = self._end(track)
        assert running is not None
        enrolment, scope = running
        self._voice.spawn(self._save(enrolment, scope, _Answer(enrolment.confirm)), "save enrolment")

    def _take_waiting(self, track: int) -> _Waiting | None:
        waiting = self._waiting.pop(track, None)
        return waiting if waiting is not None and self._clock() - waiting.since <= WAIT else None

    # -- whose samples these are ---------------------------------------------------------------------------------

    async def _save(self, enrolment: Enrolment, scope: Scope, answer: _Answer) -> None:
        """Decide whose samples these are and keep them, all or none."""
        began = time.perf_counter()
        try:
            person = await self._existing(enrolment, scope, answer)
            if person is None:
                return
            if person is NOBODY:
                saved = await self._people.add_person(enrolment.name, enrolment.kept, scope, enrolment.consent)
            else:
                saved = person
                if not await self._people.add_samples(person.id, enrolment.kept, scope, enrolment.consent):
                    text = f"{person.name} was forgotten a moment ago. Try again."
                    self._voice.fail(enrolment.command, "no_such_person", text, track=enrolment.track)
                    return
        except ConsentMissing as error:
            self._lacks_consent(enrolment, error)
            return
        except NameTaken:
            text = "Somebody of this name was enrolled a moment ago. Try again."
            self._voice.fail(enrolment.command, "bad_name", text, track=enrolment.track)
            return
        self._voice.say(
            "enrolled",
            id=enrolment.command,
            track=enrolment.track,
            person=saved.id,
            name=saved.name,
            samples=len(enrolment.samples),
            added_to_existing=person is not NOBODY,
            challenge=None if enrolment.challenge is None else "passed",
            saved_ms=round((time.perf_counter() - began) * 1e3, 1),
        )

    async def _existing(self, enrolment: Enrolment, scope: Scope, answer: _Answer) -> Person | None:
        """Whom the samples are added to, :data:`NOBODY` for somebody new, ``None`` if the page was asked or told
        something instead."""
        gallery, template = self._people.gallery(), enrolment.template()
        if answer.confirm == "add" and answer.alike is not None:
            return gallery.person(answer.alike) or NOBODY
        same = await self._people.find(enrolment.name, scope)
        if same is not None and answer.confirm != "rename":
            known = await self._people.known_template(same)
            if known is not None and self._matcher.similarity(known, template) < self._matcher.threshold(1):
                text = f"There is a {same.name} already who looks different. Choose another name."
                fields = {"track": enrolment.track, "name": same.name}
                self._voice.fail(enrolment.command, "different_person", text, **fields)
                return None
            return None if self._objected(enrolment, scope, answer, same) else same
        opinion = self._matcher.decide(template, gallery)
        alike = self._alike(opinion, enrolment.track)
        if answer.alike is not None and answer.confirm == "rename":
            alike = gallery.person(answer.alike)
        if alike is not None and answer.confirm == "rename":
            if enrolment.consent is None and self._people.wants_consent(alike.id, scope):
                self._lacks_consent(enrolment, missing(alike.name))
                return None
            renamed = await self._people.rename(alike.id, enrolment.name, scope)
            return Person(alike.id, enrolment.name, alike.room) if renamed else NOBODY
        if alike is not None and answer.confirm == "add":
            return alike
        if alike is not None and answer.confirm is None:
            self._ask(enrolment, scope, alike, opinion)
            return None
        return None if self._objected(enrolment, scope, answer, None) else NOBODY

    def _alike(self, opinion: Opinion, track: int) -> Person | None:
        """Whom these samples look like, unless that person is recognised in the picture now, on another track: then
        this face is somebody else's."""
        if opinion.person is None or opinion.similarity < opinion.threshold:
            return None
        elsewhere = any(
            face.identity is IdentityState.KNOWN and face.opinion is not None and face.opinion.person == opinion.person
            for face in self._faces
            if face.track != track
        )
        return None if elsewhere else self._people.gallery().person(opinion.person)

    def _ask(self, enrolment: Enrolment, scope: Scope, alike: Person, opinion: Opinion) -> None:
        self._wait(enrolment, scope, alike.id)
        self._voice.fail(
            enrolment.command,
            "looks_like",
            f"This face looks like {alike.name} (p = {stated(opinion.probability):.2f}).",
            track=enrolment.track,
            person=alike.id,
            name=alike.name,
            probability=round(opinion.probability, 4),
        )

    def _objected(self, enrolment: Enrolment, scope: Scope, answer: _Answer, person: Person | None) -> bool:
        """Whether the review refuses these samples; then the page has been told."""
        if self._review == "off" or (self._review == "standard" and answer.confirm == "new"):
            return False
        words = objection(enrolment.samples, person, self._people.gallery(), self._matcher, self._review)
        if words is None:
            return False
        if self._review == "standard":
            self._wait(enrolment, scope, None)
        final = self._review == "strict"
        self._voice.fail(enrolment.command, "review_failed", words, track=enrolment.track, final=final)
        return True

    def _wait(self, enrolment: Enrolment, scope: Scope, alike: str | None) -> None:
        self._waiting[enrolment.track] = _Waiting(enrolment, scope, alike, self._clock())

    def _report(self, enrolment: Enrolment) -> None:
        pose = enrolment.pose
        shown = enrolment.coverage.shown
        self._voice.say(
            "enrolling",
            id=enrolment.command,
            track=enrolment.track,
            name=enrolment.name,
            mode=enrolment.mode,
            samples=len(enrolment.samples),
            needed=NEEDED,
            hint=enrolment.hint,
            coverage={sector: sector in shown for sector in SECTORS},
            pose=None
            if pose is None
            else {"yaw": round(pose.yaw, 3), "pitch": round(pose.pitch, 3), "size": round(pose.size, 3)},
            seconds_left=round(enrolment.seconds_left, 1),
        )


NOBODY = Person("", "")  # no id: somebody new


def _of(enrolment: Enrolment, alike: Callable[[Embedding], bool]) -> bool:
    return any(alike(sample.embedding) for sample in enrolment.samples)
