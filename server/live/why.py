"""'Why this name?': what a face's decision was made of, in numbers and in one sentence."""

from __future__ import annotations

from typing import Any

from pipeline.gallery import Gallery
from pipeline.results import Face
from server.live.messages import all_quality_fields, distance_fields, quality_fields, read_fields
from server.live.session_people import SessionPeople
from server.storage.room_reading import RoomReading
from server.wording import stated
from tracking import IdentityState, Opinion


async def explain(face: Face, people: SessionPeople) -> dict[str, Any]:
    """The fields of a ``why`` message for one face of the newest result."""
    gallery, opinion = people.gallery(), face.opinion
    told = opinion if opinion is not None and face.identity in (IdentityState.KNOWN, IdentityState.UNCERTAIN) else None
    person = None if told is None or told.person is None else gallery.person(told.person)
    return {
        "track": face.track,
        "identity": face.identity.value,
        "person": person.id if person else None,
        "name": person.name if person else None,
        "probability": _rounded(told.probability if told else None),
        "similarity": _rounded(opinion.similarity if opinion and opinion.person else None),
        "threshold": _rounded(opinion.threshold if opinion and opinion.person else None),
        "margin": _rounded(told.margin if told else None),
        "runner_up": runner_up(told, gallery),
        "best_sample": None if person is None or face.template is None else await _best_sample(face, person.id, people),
        "votes": face.votes,
        "quality": None if face.quality is None else quality_fields(face.quality),
        "width": round(float(face.box[2]), 1),
        "embedded": face.embedded,
        "rejected": _rejected(opinion, gallery),
        "words": words(face, gallery),
    }


def words(face: Face, gallery: Gallery) -> str:
    """One sentence a person can read."""
    opinion = face.opinion
    match face.identity:
        case IdentityState.UNREADABLE:
            return "The face is too small or too blurred to be told."
        case IdentityState.PENDING:
            return f"{_looks(face.votes)} so far: too few to say a name."
    rejected = gallery.person(opinion.rejected) if opinion is not None and opinion.rejected else None
    if opinion is None or (opinion.person is None and rejected is None):
        return "Nobody is known here yet that this face could be compared with."
    reached = f"alike by {opinion.similarity:.3f}, and {opinion.threshold:.3f} is needed"
    but = (
        f"; {rejected.name} is kept out, as somebody said of such a face that it is not {rejected.name}"
        if rejected
        else ""
    )
    best = gallery.person(opinion.person) if opinion.person else None
    name = best.name if best else "somebody who has been forgotten"
    if face.identity is IdentityState.UNKNOWN:
        who = "" if rejected else f": the nearest person is {reached}"
        return f"A clear face that is nobody's here, by {_looks(face.votes)}{who}{but}."
    runner = gallery.person(opinion.runner_up) if opinion.runner_up else None
    ahead = f", {opinion.margin:.3f} ahead of {runner.name}" if runner and opinion.margin is not None else ""
    sure = "" if face.identity is IdentityState.KNOWN else "Perhaps "
    return (
        f"{sure}{name}, probability {stated(opinion.probability):.2f}: {reached}{ahead}, by {_looks(face.votes)}{but}."
    )


async def _best_sample(face: Face, person: str, people: SessionPeople) -> dict[str, Any] | None:
    """Which of the person's samples this face is most alike, by the evidence the name was decided on."""
    template = face.template
    kept = await people.person_embeddings(person)
    if not kept or template is None:
        return None
    similarity, number, crop = max((float(embedding @ template), number, crop) for number, embedding, crop in kept)
    return {"id": number, "similarity": _rounded(similarity), "crop": crop}


def runner_up(opinion: Opinion | None, gallery: Gallery) -> dict[str, Any] | None:
    """Who is next after the best candidate, if there is somebody."""
    if opinion is None or opinion.runner_up is None or opinion.margin is None:
        return None
    person = gallery.person(opinion.runner_up)
    if person is None:
        return None
    return {"person": person.id, "name": person.name, "similarity": _rounded(opinion.similarity - opinion.margin)}


def _rejected(opinion: Opinion | None, gallery: Gallery) -> dict[str, str] | None:
    person = gallery.person(opinion.rejected) if opinion is not None and opinion.rejected is not None else None
    return None if person is None else {"person": person.id, "name": person.name}


def _looks(votes: int) -> str:
    return "one picture" if votes == 1 else f"{votes} pictures"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


async def face_report(face: Face, known: SessionPeople, reading: RoomReading) -> dict[str, Any]:
    """Where a face is, why it bears its name, and what every stage made of it, whether the room shows it or not;
    gender and age only where they are read."""
    return {
        "box": [round(float(v), 1) for v in face.box],
        "detection": round(face.score, 3),
        "enhancement": face.enhancement,
        **await explain(face, known),
        "quality": None if face.quality is None else all_quality_fields(face.quality),
        "distance": None if face.distance is None else distance_fields(face.distance),
        "apparent": read_fields(face, reading).get("apparent") if reading.attributes else "off",
    }
