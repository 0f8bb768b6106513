"""'Why this name?' says what the decision was made of, and in one sentence."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.results import Face
from server.live.session_people import SessionPeople
from server.live.why import explain
from tests.packs import open_models
from tests.server.people_memory import MemoryPeople
from tests.server.test_enrolment import face
from tests.server.test_live_enrolment import kept
from tests.server.test_messages import KNOWN
from tracking import IdentityState, Opinion, Verdict


@pytest.fixture
def people() -> MemoryPeople:
    return MemoryPeople(open_models().manifest.digest)


def known(people: MemoryPeople) -> SessionPeople:
    return SessionPeople(people, None, False, lambda: None)  # type: ignore[arg-type]


def opinion(person: str | None, **changes: object) -> Opinion:
    base = Opinion(Verdict.KNOWN, person, 0.9971, 0.957, 0.031, runner_up=None, threshold=0.925, rejected=None)
    return replace(base, **changes)  # type: ignore[arg-type]


def shown(identity: IdentityState, said: Opinion | None) -> Face:
    return replace(KNOWN, identity=identity, opinion=said, embedded=8, template=face(2))


async def test_a_known_face(people: MemoryPeople) -> None:
    ada, bea = await people.add_person("Ada", kept(0)), await people.add_person("Bea", kept(1))
    told = await explain(shown(IdentityState.KNOWN, opinion(ada.id, runner_up=bea.id)), known(people))
    assert json.loads(json.dumps(told)) == told
    best = told["best_sample"]
    assert (best["id"], best["crop"]) == (f"{2:032x}", False)
    assert best["similarity"] == pytest.approx(1)
    assert told | {"best_sample": None, "quality": None} == {
        "track": 7, "identity": "known", "person": ada.id, "name": "Ada", "probability": 0.9971, "similarity": 0.957,
        "threshold": 0.925, "margin": 0.031, "runner_up": {"person": bea.id, "name": "Bea", "similarity": 0.926},
        "best_sample": None, "votes": 5, "quality": None, "width": 140.8, "embedded": 8, "rejected": None,
        "words": "Ada, probability 0.99: alike by 0.957, and 0.925 is needed, 0.031 ahead of Bea, by 5 pictures.",
    }  # fmt: skip


async def test_who_is_kept_out_is_said(people: MemoryPeople) -> None:
    ada = await people.add_person("Ada", kept(0))
    said = opinion(ada.id, verdict=Verdict.UNKNOWN, rejected=ada.id, margin=None)
    told = await explain(shown(IdentityState.UNKNOWN, said), known(people))
    assert (told["person"], told["name"], told["rejected"]) == (None, None, {"person": ada.id, "name": "Ada"})
    assert "Ada is kept out" in told["words"]
    nobody_else = opinion(None, verdict=Verdict.UNKNOWN, rejected=ada.id, margin=None)  # as the matcher says it
    told = await explain(shown(IdentityState.UNKNOWN, nobody_else), known(people))
    assert told["rejected"] == {"person": ada.id, "name": "Ada"}
    assert "Ada is kept out" in told["words"]


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        (IdentityState.UNREADABLE, "too small or too blurred"),
        (IdentityState.PENDING, "too few to say a name"),
        (IdentityState.UNKNOWN, "Nobody is known here yet"),
    ],
)
async def test_a_face_without_a_name(people: MemoryPeople, identity: IdentityState, words: str) -> None:
    told = await explain(shown(identity, None), known(people))
    assert words in told["words"]
    assert {told[k] for k in ("person", "name", "probability", "similarity", "runner_up", "best_sample")} == {None}


async def test_somebody_forgotten_meanwhile_is_not_named(people: MemoryPeople) -> None:
    ada = await people.add_person("Ada", kept(0))
    told = shown(IdentityState.KNOWN, opinion(ada.id))
    await people.forget(ada.id)
    said = await explain(told, known(people))
    assert (said["person"], said["best_sample"]) == (None, None)
    assert "Ada" not in json.dumps(said)
