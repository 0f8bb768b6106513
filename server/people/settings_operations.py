"""What the routes of the threshold and of model packs do; the routes are in ``threshold_routes`` and
``model_change_routes``."""

from __future__ import annotations

from server.api.operations import Operation
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
    listed,
    maybe,
    one_of,
    record,
)

HISTOGRAM = record("Histogram", **{"from": NUMBER}, step=NUMBER, counts=listed(COUNT))
_WHO = record(id=ID, name=NAME)
THRESHOLD = record(
    "Threshold",
    people=COUNT,
    samples=COUNT,
    pairs=record(genuine=COUNT, impostor=COUNT),
    genuine=HISTOGRAM,
    impostor=HISTOGRAM,
    cohort=record(faces=COUNT, source=TEXT),
    now=record(one_in=NUMBER, threshold=NUMBER),
    raised=NUMBER,
    choices=listed(record(one_in=NUMBER, threshold=NUMBER, misses=maybe(SHARE))),
    confusable=listed(record(a=_WHO, b=_WHO, similarity=NUMBER, words=TEXT)),
    words=TEXT,
)
_SIDE = record(d_prime=maybe(NUMBER), rank1=maybe(NUMBER))
STATUS = record(
    "ModelChange",
    state=one_of("none", "running", "ready", "switched", "failed", "cancelled"),
    pack=maybe(TEXT),
    done=COUNT,
    total=COUNT,
    without_crop=listed(record(person=ID, name=NAME, samples=COUNT)),
    unreadable=COUNT,
    negatives=COUNT,
    comparison=maybe(record(samples=COUNT, people=COUNT, old=_SIDE, new=_SIDE, words=TEXT)),
    words=TEXT,
)

THRESHOLD_OPERATIONS = {
    "GET /api/v1/threshold": Operation(
        "How well people are told apart here, and how sure it must be",
        "settings",
        "read",
        {200: THRESHOLD},
        query={"room": IN_ROOM},
    ),
    "PUT /api/v1/threshold": Operation(
        "Choose in how many strangers one may be given a wrong name",
        "settings",
        "admin",
        {200: THRESHOLD},
        body=record(
            None,
            {"room": maybe({"anyOf": [ROOM, {"const": ""}]})},
            one_in=maybe({"type": "number", "minimum": 2, "maximum": 1e6}),
        ),
    ),
}
MODEL_OPERATIONS = {
    "GET /api/v1/packs": Operation(
        "The model packs there are",
        "settings",
        "read",
        {
            200: record(
                "Packs", current=TEXT, packs=listed(record(name=TEXT, summary=TEXT, licence=TEXT, installed=FLAG))
            )
        },
    ),
    "GET /api/v1/model-change": Operation("Where a change of models stands", "settings", "read", {200: STATUS}),
    "POST /api/v1/model-change": Operation(
        "Begin to change to another pack", "settings", "admin", {202: STATUS}, body=record(pack=TEXT)
    ),
    "POST /api/v1/model-change/switch": Operation("Use the new pack from now on", "settings", "admin", {200: STATUS}),
    "DELETE /api/v1/model-change": Operation(
        "Stop changing, or take the change back", "settings", "admin", {200: STATUS}, errors=(409,)
    ),
}
