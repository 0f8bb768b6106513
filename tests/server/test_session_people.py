"""What one session adds for itself is on top of what all know, reaches nobody else, and goes with it."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.frame_pipeline import PipelineConfig
from pipeline.results import FrameResult
from server.link import Visit
from server.live.session import LiveSession
from server.live.session_people import SessionPeople
from server.storage import NameTaken
from server.storage.rows import NoSuchPerson
from tests.packs import open_models
from tests.server.people_memory import MemoryPeople
from tests.server.test_enrolment import face, posed
from tests.server.test_live_enrolment import BLANK, POSES, kept
from tracking import DEFAULT_POLICY


class FakePeer:
    """A peer without a network: notes what its page would hear."""

    def __init__(self, number: int) -> None:
        self.id = f"peer {number}"
        self.visit = Visit(guest=True)
        self.said: list[dict[str, Any]] = []

    def send_command(self, text: str) -> bool:
        self.said.append(json.loads(text))
        return True

    def send_result(self, text: str) -> bool:
        return True

    def stats(self) -> dict[str, Any]:
        return {}

    async def close(self, reason: str) -> None:
        pass


@pytest.fixture
def people() -> MemoryPeople:
    return MemoryPeople(open_models().manifest.digest)


def known(people: MemoryPeople, guest: bool = True) -> SessionPeople:
    return SessionPeople(people, None, guest, lambda: None)  # type: ignore[arg-type]


def names(known: SessionPeople) -> list[str]:
    return sorted(person.name for person in known.gallery().people())


async def test_a_hundred_guests_do_not_see_one_another(people: MemoryPeople) -> None:
    await people.add_person("Everyone's", kept(999))
    before = people.writes
    executor = ThreadPoolExecutor(1)
    guests = []
    for number in range(100):
        peer = FakePeer(number)
        session = LiveSession(
            peer, open_models(), people, executor, PipelineConfig(), DEFAULT_POLICY, guest=True  # type: ignore[arg-type]
        )  # fmt: skip
        session._faces = (BLANK,)
        session.on_command(json.dumps({"v": 1, "type": "enrol", "id": 1, "track": 7, "name": "Me", "mode": "guided"}))
        guests.append((number, peer, session))
    for step, pose in enumerate(POSES):  # all at once, interleaved
        for number, _, session in guests:
            seen = posed(10 + step, pose, embedding=face(step, person=number))
            session._enrolments.observe(FrameResult(640, 480, seen.time, True, (), {}, 1, (seen,)), (BLANK,))
    for number, peer, session in guests:
        await asyncio.gather(*session._tasks)
        done = peer.said[-1]
        assert (done["type"], done["name"]) == ("enrolled", "Me")
        mine = session._known.gallery()
        assert sorted(p.name for p in mine.people()) == ["Everyone's", "Me"]
        assert mine.search(face(0, number), 1).people[0].id == done["person"]
        assert float(mine.search(face(0, (number + 1) % 100), 1).similarities[0]) < 0.6
        assert sum(message["type"] == "people" for message in peer.said) == 1  # its own; nobody else's
    assert (people.writes, len(people.gallery)) == (before, 1)
    for _, _, session in guests[::2]:
        await session.on_closed("bye")
    for number, _, session in guests:
        assert len(session._known.gallery()) == (1 if number % 2 == 0 else 2)
    executor.shutdown()


async def test_a_guest_corrects_and_forgets_its_own(people: MemoryPeople) -> None:
    guest = known(people)
    me = await guest.add_person("Me", kept(0), "session")
    with pytest.raises(NameTaken):
        await guest.add_person("ME", kept(1), "session")
    assert await guest.add_samples(me.id, kept(0, 2), "session")
    assert len(await guest.person_embeddings(me.id)) == 7
    assert await guest.rename(me.id, "Myself", "session")
    assert names(guest) == ["Myself"]
    assert await guest.add_negative(me.id, face(0, 5)) is None
    negatives = guest.gallery().negatives(me.id)
    assert negatives is not None
    assert negatives.shape == (1, 128)
    assert guest.forget(me.id)
    assert not guest.forget(me.id)
    assert names(guest) == []
    assert people.writes == 0


async def test_what_a_guest_says_of_a_shared_person_stays_with_the_guest(people: MemoryPeople) -> None:
    ada = await people.add_person("Ada", kept(0))
    guest, other = known(people), known(people)
    shared = people.gallery.template(ada.id)
    assert await guest.add_samples(ada.id, kept(0, 3), "session")
    assert await guest.rename(ada.id, "My Ada", "session")
    assert await guest.add_negative(ada.id, face(0, 5)) is None
    assert (names(guest), names(other)) == (["My Ada"], ["Ada"])
    assert not np.array_equal(guest.gallery().template(ada.id), shared)  # type: ignore[arg-type]
    assert np.array_equal(other.gallery().template(ada.id), shared)  # type: ignore[arg-type]
    assert other.gallery().negatives(ada.id) is None
    assert people.writes == 1
    await people.forget(ada.id)  # and then it is gone for the guest as well
    assert (names(guest), names(other)) == ([], [])
    with pytest.raises(NoSuchPerson):
        await guest.add_negative(ada.id, face(0, 5))


async def test_whoever_is_no_guest_corrects_what_is_kept(people: MemoryPeople) -> None:
    ada = await people.add_person("Ada", kept(0))
    one = known(people, guest=False)
    change = await one.add_negative(ada.id, face(0, 5))
    assert change is not None
    assert await one.rename(ada.id, "Augusta", "everyone")
    assert names(known(people)) == ["Augusta"]
    assert not one.forget(ada.id)  # a session forgets only what it added


async def test_every_change_makes_a_new_version_and_nothing_else_does(people: MemoryPeople) -> None:
    guest = known(people)
    seen = [guest.gallery().version]
    me = await guest.add_person("Me", kept(0), "session")
    seen.append(guest.gallery().version)
    assert guest.gallery() is guest.gallery()
    await people.add_person("Ada", kept(1))
    seen.append(guest.gallery().version)
    guest.forget(me.id)
    await people.add_person("Bea", kept(2))
    seen.append(guest.gallery().version)
    assert seen == sorted(set(seen))


async def test_a_correction_by_command_is_noted_and_a_guest_s_is_its_own(people: MemoryPeople) -> None:
    ada = await people.add_person("Ada", kept(0))
    executor, peers = ThreadPoolExecutor(1), [FakePeer(0), FakePeer(1)]
    sessions = [
        LiveSession(peer, open_models(), people, executor, PipelineConfig(), DEFAULT_POLICY, guest=guest)  # type: ignore[arg-type]
        for peer, guest in zip(peers, (False, True), strict=True)
    ]
    for peer, session in zip(peers, sessions, strict=True):
        for fields in ({"person": ada.id}, {"person": "nobody"}, {}, {"person": ada.id, "track": 9}):
            session._faces = (replace(BLANK, template=face(0, 5)),)
            session.on_command(json.dumps({"v": 1, "type": "not_person", "id": 2, "track": 7, **fields}))
            await asyncio.gather(*session._tasks)
        answers = [message for message in peer.said if message["type"] != "people"]
        assert [a.get("code", a["type"]) for a in answers] == [
            "noted",
            "no_such_person",
            "bad_message",
            "no_such_track",
        ]
        assert answers[0]["person"] == ada.id
        session._faces = (BLANK,)
        session.on_command(json.dumps({"v": 1, "type": "not_person", "id": 3, "track": 7, "person": ada.id}))
        await asyncio.gather(*session._tasks)
        assert peer.said[-1]["code"] == "not_seen"
    assert peers[0].said[0]["type"] == "people"
    assert (len(people.negatives[ada.id]), people.writes) == (1, 2)
    assert len(sessions[1]._known.gallery().negatives(ada.id)) == 2  # type: ignore[arg-type]
    sessions[1].on_command(json.dumps({"v": 1, "type": "forget", "id": 4, "person": ada.id}))
    assert peers[1].said[-1] == {"v": 1, "type": "forgotten", "id": 4, "person": ada.id}
    sessions[1].on_command(json.dumps({"v": 1, "type": "forget", "id": 5, "person": ada.id}))
    assert peers[1].said[-1]["code"] == "no_such_person"
    assert len(people.gallery) == 1
    for session in sessions:
        await session.on_closed("bye")
    executor.shutdown()
