"""What the routes of enrolment from photos do; the routes are in :mod:`server.people.import_routes`."""

from __future__ import annotations

from server.api.operations import Media, Operation, Parameter
from server.api.schemas import BOX, COUNT, ID, NAME, ROOM, SHARE, TEXT, listed, maybe, one_of, record
from server.people.consent_operations import MAY_CONSENT
from server.people.operations import CHANGE
from server.people.photos.archive import ARCHIVE_BYTES
from server.people.photos.verdicts import REVIEWS, Verdict

BASE = "/api/v1/imports"
_ENTRY = {
    "id": TEXT,
    "file": TEXT,
    "name": NAME,
    "verdict": one_of(*Verdict),
    "words": TEXT,
    "width": COUNT,
    "height": COUNT,
    "faces": listed(BOX),
    "face": maybe(COUNT),
}
_SOMETIMES = {"quality": SHARE, "like": record(person=maybe(ID), name=NAME, probability=SHARE)}
ENTRY = record("ImportedPhoto", _SOMETIMES, **_ENTRY)
REVIEW = one_of(*REVIEWS)
_FILE = {"file": Parameter("The photo's id in this import", TEXT)}
_WISH = [
    record(face=COUNT),
    record(accept={"const": True}),
    record(name=NAME),
    record(drop={"const": True}),
]

OPERATIONS = {
    f"POST {BASE}": Operation(
        "Begin an import",
        "enrolment",
        "people",
        {
            201: record(
                "Import",
                id=ID,
                limits=record(file_bytes=COUNT, archive_bytes=COUNT, pixels=COUNT, files=COUNT),
                review=REVIEW,
            )
        },
        body=record(None, {"room": maybe({"anyOf": [ROOM, {"const": ""}]}), "review": maybe(REVIEW)}),
        needs_body=False,
    ),
    f"GET {BASE}/{{id}}": Operation(
        "What an import holds, by person",
        "enrolment",
        "read",
        {
            200: record(
                "ImportContents",
                id=ID,
                people=listed(record(name=NAME, exists={"type": "boolean"}, files=listed(ENTRY))),
            )
        },
    ),
    f"DELETE {BASE}/{{id}}": Operation("Let an import go", "enrolment", "people", {204: None}),
    f"POST {BASE}/{{id}}/files": Operation(
        "Add a photo, or a ZIP of photos",
        "enrolment",
        "people",
        {200: record("ImportedPhotos", files=listed(ENTRY))},
        errors=(408,),
        query={
            "file": Parameter("The photo's file name", {**TEXT, "minLength": 1, "maxLength": 400}, required=True),
            "name": Parameter("Whose it is; without it the file's name says so", NAME),
        },
        body=Media(
            ("application/octet-stream", "image/*", "application/zip"), "A photo or a ZIP of photos", ARCHIVE_BYTES
        ),
        needs_body=False,
    ),
    f"POST {BASE}/{{id}}/files/{{file}}": Operation(
        "Choose the face, accept, rename or drop a photo",
        "enrolment",
        "people",
        {200: record("CorrectedPhoto", {**_SOMETIMES, "dropped": {"const": True}}, **_ENTRY)},
        path=_FILE,
        body={"anyOf": _WISH},
    ),
    f"POST {BASE}/{{id}}/commit": Operation(
        "Save an import, all of it or nothing",
        "enrolment",
        "people",
        {200: record("Saved", people=listed(record(id=ID, name=NAME, added=COUNT)), change=CHANGE)},
        body=record(None, MAY_CONSENT),
        needs_body=False,
    ),
}
