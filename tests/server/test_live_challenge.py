"""Enrolments that ask for movements: what is refused, what is told, three tries and a wait, and what is kept."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pipeline.challenges import Challenges
from pipeline.results import FrameResult, Observation
from server.live.challenges import REASONS, TRIES, WAIT
from server.live.enrolments import LiveEnrolments
from server.live.messages import BadMessage
from tests.packs import open_models
from tests.server.people_memory import MemoryPeople
from tests.server.test_enrolment import FRONT, face, posed
from tests.server.test_live_enrolment import Room
from tracking import Track, TrackState
from tracking.liveness import LIMIT, STEPS, Challenge, Liveness
from tracking.parallax import Relief

LOOK = 0.25  # seconds


@dataclass
class Scene(Room):
    """A session whose track 7 moves as it is told; what points would say of it is given, the rest is as it is."""

    def __init__(self, people: MemoryPeople, liveness: Liveness = "off", share: float = 1.0) -> None:
        super().__init__(people)
        self.challenges = Challenges()
        self.enrolments = LiveEnrolments(
            self,
            self,
            open_models().matcher,
            self.known,
            "off",
            lambda: self.now,
            liveness,  # type: ignore[arg-type]
        )
        self.media, self.share, self.still, self.view = 10.0, share, 0.0, 0

    @property
    def challenge(self) -> Challenge:
        running = self.enrolments._running[7][0].challenge
        assert running is not None
        return running

    def moves(self, nose: float = 0.0, size: float = 1.0, *, visible: bool = True, person: int = 0) -> None:
        """One picture, looked at."""
        self.media += LOOK
        marks = np.array([[-30, -30], [30, -30], [60 * nose, 0], [-25, 30], [25, 30]], np.float32) * size + 100
        track = Track(7, np.array([60, 60, 80, 80], np.float32), marks, 0.9, TrackState.CONFIRMED, 0.0, self.media)
        self.challenges.advance(np.zeros((240, 320), np.uint8), {7: track} if visible else {}, self.media)
        running = self.enrolments._running.get(7)
        if visible and running is not None and running[0].challenge is not None:
            relief = Relief(self.share * (nose - self.still), 0.02, nose - self.still)
            if running[0].challenge.look(self.media, marks, relief):
                self.still = nose
        self.view += 1
        seen = [posed(self.media, (1.5 * nose, FRONT[1]), embedding=face(self.view, person))] if visible else []
        self.hands_on(*seen)

    def hands_on(self, *seen: Observation) -> None:
        result = FrameResult(320, 240, self.media, True, self.faces, {}, 1, seen, self.challenges.states)
        self.enrolments.observe(result, self.faces)

    def last(self, kind: str) -> dict[str, Any]:
        return next(said for said in reversed(self.said) if said["type"] == kind)

    def asked(self) -> str:
        """Rest until a movement is asked for."""
        for _ in range(40):
            self.moves()
            step: str = self.last("challenge")["step"]
            if step in STEPS:
                return step
        raise AssertionError(self.said[-1])

    def makes(self, step: str) -> None:
        self.moves()
        for _ in range(2):
            self.moves({"left": 0.2, "right": -0.2}.get(step, 0.0), 1.3 if step == "nearer" else 1.0)

    def fails(self) -> dict[str, Any]:
        """A try in which another movement is made than the one that was asked for."""
        self.ask(challenge=True)
        step = self.asked()
        self.makes(next(s for s in STEPS if s != step))
        return self.said[-1]


@pytest.fixture
def people() -> MemoryPeople:
    return MemoryPeople(open_models().manifest.digest)


async def test_who_does_what_is_asked_is_saved_and_marked(people: MemoryPeople) -> None:
    room = Scene(people)
    room.ask(challenge=True, mode="quick")
    first = room.said[0]
    assert (first["type"], first["step"], first["number"], first["of"]) == ("challenge", "rest", 1, 3)
    steps = []
    for number in (1, 2, 3):
        steps.append(room.asked())
        told = room.last("challenge")
        assert (told["track"], told["id"], told["number"]) == (7, 1, number)
        assert 0 < told["seconds_left"] <= LIMIT
        room.makes(steps[-1])
    assert sorted(steps) == sorted(STEPS)
    assert room.last("challenge")["step"] == "done"
    while 7 in room.enrolments._running:
        room.moves()
    done = await room.outcome()
    assert (done["type"], done["challenge"]) == ("enrolled", "passed")
    kept = people.samples[done["person"]]
    assert len(kept) >= 5
    assert {sample.challenge for sample in kept} == {"passed"}
    assert room.last("enrolling")["mode"] == "guided"


async def test_without_a_challenge_nothing_is_marked(people: MemoryPeople) -> None:
    room = Scene(people, "ask")
    room.ask(mode="guided")
    room.turns()
    done = await room.outcome()
    assert (done["type"], done["challenge"]) == ("enrolled", None)
    assert {sample.challenge for sample in people.samples[done["person"]]} == {None}


def test_samples_alone_end_nothing_while_movements_are_missing(people: MemoryPeople) -> None:
    room = Scene(people)
    room.ask(challenge=True)
    for _ in range(3):
        room.moves()
    for number in range(40):  # a face that only rests has five pictures after some seconds
        room.moves()
        if room.last("challenge")["step"] in STEPS and number > 8:
            break
    assert room.last("enrolling")["samples"] > 0
    room.ask("finish_enrol")
    assert room.said[-1]["code"] == "challenge_missing"
    assert 7 in room.enrolments._running
    assert not room.work


def test_another_movement_ends_it_and_says_why(people: MemoryPeople) -> None:
    room = Scene(people)
    said = room.fails()
    assert (said["type"], said["code"], said["reason"]) == ("error", "challenge_failed", "wrong")
    assert said["message"] == REASONS["wrong"]
    assert said["tries_left"] == TRIES - 1
    assert room.watched == set()
    assert room.challenges._asked == {}


@pytest.mark.parametrize("reason", ["flat", "broken", "late", "swapped"])
def test_what_else_ends_it(people: MemoryPeople, reason: str) -> None:
    room = Scene(people, share=0.0 if reason == "flat" else 1.0)
    room.enrolments._challenges._chance = random.Random(next(s for s in range(99) if first_is_a_turn(s)))
    room.ask(challenge=True)
    step = room.asked()
    match reason:
        case "flat":
            room.makes(step)
            for _ in range(2):
                room.moves({"left": 0.2, "right": -0.2}[step])
        case "broken":
            room.moves(visible=False)
        case "late":
            room.media += LIMIT + 1
            room.moves()
        case "swapped":
            room.moves(person=1)
            room.moves(person=1)
    room.moves()
    failed = room.last("error")
    assert (failed["code"], failed["reason"], failed["message"]) == ("challenge_failed", reason, REASONS[reason])  # type: ignore[index]
    assert room.enrolments._running == {}
    assert not room.work


def first_is_a_turn(seed: int) -> bool:
    return Challenge(random.Random(seed)).steps[0] != "nearer"


def test_three_tries_and_then_a_wait(people: MemoryPeople) -> None:
    room = Scene(people)
    assert [room.fails()["tries_left"] for _ in range(TRIES)] == [2, 1, 0]
    room.ask(challenge=True)
    told = room.said[-1]
    assert (told["code"], told["seconds"]) == ("challenge_wait", WAIT)
    assert room.enrolments._running == {}
    room.now += WAIT - 1
    room.ask(challenge=True)
    assert room.said[-1]["code"] == "challenge_wait"
    room.now += 1
    assert room.fails()["tries_left"] == TRIES - 1


def test_ending_a_try_that_does_not_suit_is_a_try_too(people: MemoryPeople) -> None:
    room = Scene(people)
    for _ in range(TRIES):
        room.ask(challenge=True)
        room.asked()
        room.ask("cancel_enrol")
        assert room.said[-1]["type"] == "cancelled"
    room.ask(challenge=True)
    assert room.said[-1]["code"] == "challenge_wait"
    room = Scene(people)
    for _ in range(2 * TRIES):  # before anything was asked there is nothing to choose by
        room.ask(challenge=True)
        room.moves()
        room.ask("cancel_enrol")
    room.ask(challenge=True)
    assert room.said[-1]["type"] == "enrolling"


def test_where_it_is_required_nothing_is_learnt_without(people: MemoryPeople) -> None:
    room = Scene(people, "require")
    for fields in ({}, {"challenge": False}, {"mode": "guided"}, {"scope": "session"}, {"confirm": "new"}):
        room.ask(**fields)
        assert room.said[-1]["code"] == "challenge_missing"
    assert room.watched == set()
    room.ask(challenge=True)
    assert room.said[-1]["type"] == "enrolling"


async def test_what_was_passed_holds_for_the_answer_to_a_question(people: MemoryPeople) -> None:
    """Where it is required, too: the pictures that wait were taken with it."""
    from tests.server.test_live_enrolment import kept

    await people.add_person("Ada", kept(0))
    room = Scene(people, "require")
    room.ask(challenge=True, name="Bea")
    for _ in range(3):
        room.makes(room.asked())
    while 7 in room.enrolments._running:
        room.moves()
    assert (await room.outcome())["code"] == "looks_like"
    room.ask(name="Bea", confirm="add")
    done = await room.outcome()
    assert (done["type"], done["challenge"]) == ("enrolled", "passed")
    assert {s.challenge for s in people.samples[done["person"]]} == {None, "passed"}


@pytest.mark.parametrize("value", [1, "true", None, [], {}])
def test_a_challenge_is_wanted_or_not(people: MemoryPeople, value: object) -> None:
    room = Scene(people)
    with pytest.raises(BadMessage, match="challenge must be true or false"):
        room.ask(challenge=value)


def test_a_session_that_ends_leaves_nothing_running(people: MemoryPeople) -> None:
    room = Scene(people)
    room.ask(challenge=True)
    room.moves()
    room.enrolments.clear()
    assert room.challenges._asked == {}
    room.moves()
    assert room.challenges.states == ()
