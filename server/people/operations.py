"""What the routes about people do; the routes are in :mod:`server.people.routes`."""

from __future__ import annotations

from server.api.operations import Media, Operation, Parameter
from server.api.schemas import (
    COUNT,
    FLAG,
    ID,
    IN_ROOM,
    NAME,
    NUMBER,
    ROOM,
    SHARE,
    TEXT,
    TIME,
    listed,
    maybe,
    one_of,
    record,
)
from server.people.consent_operations import CONSENT, MAY_CONSENT
from server.people.receipt_operations import RECEIPT

_ROW = {
    "id": ID,
    "name": NAME,
    "room": maybe(ROOM),
    "samples": COUNT,
    "used": COUNT,
    "negatives": COUNT,
    "created": TIME,
    "cover": maybe(ID),
    "consent": CONSENT,
}
PERSON = record("Person", **_ROW)
SAMPLE = record(
    "Sample",
    id=ID,
    quality=SHARE,
    source=TEXT,
    challenge=maybe(TEXT),
    created=TIME,
    used=FLAG,
    comparable=FLAG,
    yaw=maybe(NUMBER),
    pitch=maybe(NUMBER),
    size=maybe(NUMBER),
    crop=FLAG,
    fits=maybe(NUMBER),
    nearest=maybe(record(person=ID, name=NAME, similarity=NUMBER)),
)
_DETAIL = {**_ROW, "samples": listed(SAMPLE), "negatives": listed(record(id=ID, created=TIME))}
PERSON_DETAIL = record("PersonDetail", **_DETAIL)
CHANGE = record("Change", id=ID, kind=TEXT, words=TEXT, at=TIME, until=TIME, undone=FLAG)
CHANGED = record(change=CHANGE)
PERSON_CHANGED = record("PersonChanged", change=CHANGE, person=PERSON_DETAIL)
JPEG = Media(("image/jpeg",), "The picture")

OPERATIONS = {
    "GET /api/v1/people": Operation(
        "Everybody, or those of one room",
        "people",
        "read",
        {200: record("People", people=listed(PERSON))},
        errors=(422,),
        query={
            "room": IN_ROOM,
            "consent": Parameter(
                "Only those whose consent stands so; `soon`: it is over within 30 days",
                one_of("over", "withdrawn", "not_recorded", "soon"),
            ),
        },
    ),
    "GET /api/v1/people/{id}": Operation("Somebody with samples and marks", "people", "read", {200: PERSON_DETAIL}),
    "PATCH /api/v1/people/{id}": Operation(
        "Give somebody another name, or another room",
        "people",
        "people",
        {200: record("PersonEdited", **_DETAIL, change=CHANGE)},
        body={"anyOf": [record(name=NAME), record(room=maybe(ROOM))]},
        guarded=True,
    ),
    "DELETE /api/v1/people/{id}": Operation(
        "Forget somebody for good",
        "people",
        "people",
        {200: record("PersonForgotten", receipt=RECEIPT)},
        query={
            "films": Parameter("`1`: videos they are in are erased as well, not only what was found", one_of("0", "1"))
        },
        words="Erased at once, wherever they are held, with everything that could still be undone. This cannot be "
        "taken back. The answer is a signed receipt of it.",
        guarded=True,
        erases=True,
    ),
    "POST /api/v1/people/{id}/remove": Operation(
        "Take somebody away for now", "people", "people", {200: CHANGED}, words="It can be undone."
    ),
    "GET /api/v1/people/{id}/merge": Operation(
        "What merging somebody into another would give",
        "people",
        "read",
        {
            200: record(
                "MergePreview",
                **{"from": PERSON},
                into=PERSON,
                samples=COUNT,
                similarity=maybe(NUMBER),
                verdict={"enum": ["same", "perhaps", "different"]},
                words=TEXT,
            )
        },
        query={"into": Parameter("The id of the other", ID, required=True)},
    ),
    "POST /api/v1/people/{id}/merge": Operation(
        "Give everything of one person to another", "people", "people", {200: PERSON_CHANGED}, body=record(into=ID)
    ),
    "POST /api/v1/people/{id}/split": Operation(
        "Make somebody new of some samples",
        "people",
        "people",
        {201: PERSON_CHANGED},
        body=record(None, MAY_CONSENT, samples=listed(ID), name=NAME),
    ),
    "GET /api/v1/samples/{id}/crop": Operation("A sample's picture", "people", "read", {200: JPEG}),
    "POST /api/v1/samples/{id}/move": Operation(
        "Give a sample to somebody else", "people", "people", {200: CHANGED}, body=record(person=ID)
    ),
    "DELETE /api/v1/samples/{id}": Operation(
        "Take a sample away for now", "people", "people", {200: CHANGED}, errors=(409,)
    ),
    "DELETE /api/v1/negatives/{id}": Operation(
        "Take a mark 'not this person' away for now", "people", "people", {200: CHANGED}, errors=(409,)
    ),
    "GET /api/v1/changes": Operation(
        "What can be undone, or was", "people", "read", {200: record("Changes", changes=listed(CHANGE))}
    ),
    "POST /api/v1/changes/{id}/undo": Operation("Take a change back", "people", "people", {200: CHANGED}),
}
