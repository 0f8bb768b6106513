"""Enrolments of one session: questions before saving, scopes, and that only the face that was meant counts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.results import Face, FrameResult, Observation
from server.live.enrolments import WAIT, LiveEnrolments
from server.live.messages import BadMessage, parse_command
from server.live.session_people import SessionPeople
from server.storage import NewSample
from tests.packs import open_models
from tests.server.people_memory import MemoryPeople
from tests.server.test_enrolment import FRONT, LEFT, RIGHT, UP, face, posed
from tests.server.test_messages import KNOWN
from tracking import IdentityState

POSES = (FRONT, LEFT, RIGHT, UP, (0.0, -0.2))
BLANK = replace(KNOWN, track=7, identity=IdentityState.UNKNOWN, opinion=None, name=None)


class Room:
    """One session's enrolments, with everything about them in reach."""

    def __init__(
        self, people: MemoryPeople, *, room: str | None = None, guest: bool = False, review: Any = "off"
    ) -> None:
        self.people = people
        self.said: list[dict[str, Any]] = []
        self.watched: set[int] = set()
        self.work: list[Coroutine[Any, Any, None]] = []
        self.now = 0.0
        self.known = SessionPeople(people, room, guest, lambda: None)  # type: ignore[arg-type]
        self.enrolments = LiveEnrolments(self, self, open_models().matcher, self.known, review, lambda: self.now)  # type: ignore[arg-type]
        self.faces: tuple[Face, ...] = (BLANK,)

    def watch(self, track: int) -> None:
        self.watched.add(track)

    def unwatch(self, track: int) -> None:
        self.watched.discard(track)

    def say(self, kind: str, **fields: Any) -> None:
        self.said.append({"type": kind, **json.loads(json.dumps(fields))})

    def fail(self, command: int | str | None, code: str, text: str, **fields: Any) -> None:
        self.say("error", id=command, code=code, message=text, **fields)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self.work.append(work)

    def ask(self, kind: str = "enrol", **fields: Any) -> None:
        command = parse_command(json.dumps({"v": 1, "type": kind, "id": 1, "track": 7, "name": "Ada", **fields}))
        match kind:
            case "enrol":
                self.enrolments.start(command, self.faces)
            case "cancel_enrol":
                self.enrolments.cancel(command)
            case "finish_enrol":
                self.enrolments.finish(command)

    def shows(self, *observations: Observation) -> None:
        time = observations[-1].time
        self.enrolments.observe(FrameResult(640, 480, time, True, self.faces, {}, 1, observations), self.faces)

    def turns(self, person: int = 0, poses: Any = POSES) -> None:
        for number, pose in enumerate(poses):
            self.shows(posed(10 + 0.31 * number, pose, embedding=face(number, person)))

    async def outcome(self) -> dict[str, Any]:
        """The last thing said, once everything begun is done."""
        while self.work:
            await self.work.pop(0)
        return self.said[-1]


@pytest.fixture
def people() -> MemoryPeople:
    return MemoryPeople(open_models().manifest.digest)


def kept(person: int, views: int = 5) -> list[NewSample]:
    return [NewSample(face(view, person), 0.8, "live") for view in range(views)]


async def test_a_face_that_turns_is_guided_and_saved(people: MemoryPeople) -> None:
    room = Room(people)
    room.ask(mode="guided")
    assert room.watched == {7}
    first = room.said[0]
    assert first | {"coverage": None} == {
        "type": "enrolling", "id": 1, "track": 7, "name": "Ada", "mode": "guided", "samples": 0, "needed": 5,
        "hint": None, "coverage": None, "pose": None, "seconds_left": 60.0,
    }  # fmt: skip
    assert first["coverage"] == dict.fromkeys(("front", "left", "right", "up", "down", "near", "far"), False)
    room.turns()
    last = room.said[-1]
    assert (last["samples"], last["pose"]) == (5, {"yaw": 0.0, "pitch": -0.12, "size": 1.0})
    assert [sector for sector, shown in last["coverage"].items() if not shown] == ["near", "far"]
    done = await room.outcome()
    assert (done["type"], done["name"], done["samples"], done["added_to_existing"]) == ("enrolled", "Ada", 5, False)
    assert room.watched == set()
    assert len(people.samples[done["person"]]) == 5


async def test_somebody_else_stepping_in_contributes_nothing(people: MemoryPeople) -> None:
    room = Room(people)
    room.ask(mode="guided")
    room.shows(posed(10.0, FRONT, embedding=face(0)))
    for number in range(6):  # a stranger before the camera, on the track and then beside it
        room.shows(posed(11 + number, (FRONT, LEFT)[number % 2], embedding=face(number, person=1)))
        room.shows(replace(posed(11.4 + number, RIGHT, embedding=face(number, person=1)), track=8))
    assert room.said[-1]["samples"] == 1
    for number, pose in enumerate(POSES):
        room.shows(posed(20 + number, pose, embedding=face(number)))
    done = await room.outcome()
    embeddings = np.stack([sample.embedding for sample in people.samples[done["person"]]])
    assert (embeddings @ face(0) > 0.95).all()
    assert (embeddings @ face(0, 1) < 0.5).all()


async def test_it_can_be_ended_early_once_there_are_five(people: MemoryPeople) -> None:
    room = Room(people)
    room.ask("finish_enrol")
    assert room.said[-1]["code"] == "no_such_track"
    room.ask(mode="guided")
    room.turns(poses=POSES[:4])
    room.ask("finish_enrol")
    assert room.said[-1]["code"] == "too_few_samples"
    room.shows(posed(13, LEFT, embedding=face(9)))
    room.ask("finish_enrol")
    assert (await room.outcome())["samples"] == 5


@pytest.mark.parametrize(
    ("confirm", "names", "name", "existing"),
    [
        ("add", ["Ada"], "Ada", True),
        ("rename", ["Augusta"], "Augusta", True),
        ("new", ["Ada", "Augusta"], "Augusta", False),
    ],
)
async def test_samples_wait_for_a_word_about_a_likeness(
    people: MemoryPeople, confirm: str, names: list[str], name: str, existing: bool
) -> None:
    ada = await people.add_person("Ada", kept(0))
    room = Room(people)
    room.ask(name="Augusta", mode="guided")
    room.turns()
    asked = await room.outcome()
    assert (asked["code"], asked["person"], asked["name"], asked["track"]) == ("looks_like", ada.id, "Ada", 7)
    assert asked["probability"] > 0.9
    assert asked["message"] == f"This face looks like Ada (p = {min(asked['probability'], 0.99):.2f})."
    assert people.writes == 1
    room.faces = ()  # the face may have gone meanwhile
    room.now += WAIT - 1
    room.ask(name="Augusta", confirm=confirm)
    done = await room.outcome()
    assert (done["type"], done["name"], done["added_to_existing"]) == ("enrolled", name, existing)
    assert sorted(person.name for person in people.gallery.people()) == names
    assert sum(map(len, people.samples.values())) == 10


async def test_they_wait_a_minute_and_go_when_not_wanted(people: MemoryPeople) -> None:
    await people.add_person("Ada", kept(0))
    room = Room(people)
    for end in ("late", "cancelled"):
        room.faces = (BLANK,)
        room.ask(name="Augusta", mode="guided")
        room.turns()
        assert (await room.outcome())["code"] == "looks_like"
        room.faces = ()
        if end == "late":
            room.now += WAIT + 1
        else:
            room.ask("cancel_enrol")
            assert room.said[-1]["type"] == "cancelled"
        room.ask(name="Augusta", confirm="new")
        assert (await room.outcome())["code"] == "no_such_track"
    assert people.writes == 1


async def test_a_person_recognised_beside_this_face_is_not_asked_about(people: MemoryPeople) -> None:
    ada = await people.add_person("Ada", kept(0))
    assert KNOWN.opinion
    room = Room(people)
    room.faces = (BLANK, replace(KNOWN, track=9, opinion=replace(KNOWN.opinion, person=ada.id)))
    room.ask(name="Twin", mode="guided")
    room.turns()
    assert (await room.outcome())["name"] == "Twin"


async def test_a_forgotten_person_is_not_added_to(people: MemoryPeople) -> None:
    ada = await people.add_person("Ada", kept(0))
    room = Room(people)
    room.ask(name="Augusta", mode="guided")
    room.turns()
    await room.outcome()
    await people.forget(ada.id)
    room.ask(name="Augusta", confirm="add")
    done = await room.outcome()
    assert (done["type"], done["name"], done["added_to_existing"]) == ("enrolled", "Augusta", False)


@pytest.mark.parametrize(("scope", "where"), [(None, None), ("everyone", None), ("room", "lab")])
async def test_people_are_everyone_s_or_a_room_s(people: MemoryPeople, scope: str | None, where: str | None) -> None:
    room = Room(people, room="lab")
    room.ask(scope=scope, mode="guided")
    room.turns()
    done = await room.outcome()
    person = people.gallery_of("lab").person(done["person"])
    assert person is not None
    assert person.room == where
    assert (people.gallery.person(person.id) is None) is (where is not None)


@pytest.mark.parametrize(
    "fields",
    [{"mode": "slow"}, {"mode": 1}, {"scope": "all"}, {"scope": "room"}, {"confirm": "yes"}, {"confirm": ["new"]}],
)
def test_what_cannot_be_meant_is_refused(people: MemoryPeople, fields: dict[str, Any]) -> None:
    room = Room(people)
    with pytest.raises(BadMessage, match="must be"):
        room.ask(**fields)
    assert (room.said, room.watched) == ([], set())


async def test_saving_takes_far_less_than_half_a_second(people: MemoryPeople) -> None:
    room = Room(people)
    room.ask(mode="guided")
    room.turns()
    began = asyncio.get_running_loop().time()
    done = await room.outcome()
    assert room.known.gallery().search(face(0), 1).people[0].id == done["person"]
    assert asyncio.get_running_loop().time() - began < 0.25


@pytest.mark.parametrize(
    ("review", "confirm", "saved"), [("standard", "new", True), ("strict", "new", False), ("off", None, True)]
)
async def test_what_a_review_refuses_is_kept_only_on_a_person_s_word(
    people: MemoryPeople, monkeypatch: pytest.MonkeyPatch, review: str, confirm: str | None, saved: bool
) -> None:
    monkeypatch.setattr("server.live.enrolments.objection", lambda *_: "These pictures show two people.")
    room = Room(people, review=review)
    room.ask(mode="guided")
    room.turns()
    answer = await room.outcome()
    if review != "off":
        assert (answer["code"], answer["track"]) == ("review_failed", 7)
        assert answer["message"] == "These pictures show two people."
        assert people.writes == 0
        room.faces = ()
        room.ask(confirm=confirm)
        answer = await room.outcome()
    assert (answer["type"] == "enrolled", people.writes == 1) == (saved, saved)
