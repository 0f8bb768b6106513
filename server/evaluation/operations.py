"""What the routes of evaluation do; the routes are in :mod:`server.evaluation_routes`."""

from __future__ import annotations

from server.api.operations import Media, Operation, Parameter
from server.api.schemas import COUNT, FLAG, TEXT, maybe, one_of, record
from server.people.photos.archive import ARCHIVE_BYTES

BASE = "/api/v1/evaluations"
_FIELDS = {
    "id": TEXT,
    "state": one_of("receiving", "running", "done", "failed"),
    "files": COUNT,
    "bytes": COUNT,
    "done": COUNT,
    "total": COUNT,
    "words": TEXT,
}
EVALUATION = record("Evaluation", **_FIELDS)
_ID = {"id": Parameter("The evaluation's id", TEXT)}
_LIMITS = record(file_bytes=COUNT, archive_bytes=COUNT, total_bytes=COUNT, files=COUNT)

OPERATIONS = {
    f"GET {BASE}": Operation(
        "The evaluation there is", "evaluation", "admin", {200: record(evaluation=maybe(EVALUATION))}
    ),
    f"POST {BASE}": Operation(
        "Begin an evaluation; one that is there is let go",
        "evaluation",
        "admin",
        {201: record("NewEvaluation", **_FIELDS, limits=_LIMITS)},
        body=record(None, {"all_distances": FLAG}),
        needs_body=False,
    ),
    f"GET {BASE}/{{id}}": Operation("How far it is", "evaluation", "admin", {200: EVALUATION}, path=_ID),
    f"DELETE {BASE}/{{id}}": Operation("Let it go", "evaluation", "admin", {204: None}, path=_ID),
    f"POST {BASE}/{{id}}/files": Operation(
        "Add a picture, a table, or a ZIP of these",
        "evaluation",
        "admin",
        {200: EVALUATION},
        errors=(408,),
        path=_ID,
        query={"file": Parameter("Its name", {**TEXT, "minLength": 1, "maxLength": 400}, required=True)},
        body=Media(("application/octet-stream", "image/*", "text/csv", "application/zip"), "The file", ARCHIVE_BYTES),
        needs_body=False,
    ),
    f"POST {BASE}/{{id}}/start": Operation("Start it", "evaluation", "admin", {202: EVALUATION}, path=_ID),
    f"GET {BASE}/{{id}}/{{file}}": Operation(
        "Its report",
        "evaluation",
        "admin",
        {200: Media(("text/html", "application/json", "application/zip"), "The report")},
        errors=(409,),
        path={**_ID, "file": Parameter("Which form", one_of("report.html", "report.json", "report.zip"))},
        query={"download": Parameter("As a file to keep")},
    ),
}
