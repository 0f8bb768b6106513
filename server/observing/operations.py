"""What the routes about how the server does answer."""

from __future__ import annotations

from server.access.roles import OWNER
from server.api.operations import Media, Operation
from server.api.schemas import COUNT, NUMBER, SHARE, TEXT, TIME, listed, maybe, one_of, record
from server.observing.frames import STAGES
from server.observing.status import CODES, STATES

STATUS = record(
    "Status",
    state={
        **one_of(*STATES),
        "description": "`strained`: it works, and something is worth a look; `unwell`: a part cannot be used; "
        "`draining`: it is about to end",
    },
    remarks=listed(
        record(
            "StatusRemark",
            code=one_of(*CODES),
            value={**maybe(NUMBER), "description": "The number that says so: milliseconds, seconds, bytes or a share"},
            part={**TEXT, "description": "Which part or stage, or empty"},
        )
    ),
    version=TEXT,
    pack=record(name=TEXT, licence=TEXT),
    since=TIME,
    seconds={**COUNT, "description": "Since then"},
    sessions=record(now=COUNT, most=COUNT, waiting=COUNT, refused=COUNT),
    viewers=record(now=COUNT, most=COUNT),
    people=COUNT,
    answers=record(
        "StatusAnswers",
        rate={**NUMBER, "description": "Answers a second, in the last minute"},
        p50_ms={**maybe(NUMBER), "description": "From a frame's last packet to its answer"},
        p95_ms=maybe(NUMBER),
        stages=listed(record(stage=one_of(*STAGES), ms={**NUMBER, "description": "Mean, where it took place"})),
    ),
    processors=record(
        count=COUNT,
        busy={**SHARE, "description": "Of all processors, with whatever"},
        ours={**SHARE, "description": "Of all processors, with this server and what it started"},
    ),
    memory=record(ours=COUNT, free=COUNT, total=COUNT),
    disk=record(free=COUNT, total=COUNT),
    waits=record(threads_ms=NUMBER, event_loop_ms=NUMBER),
    jobs=listed(record(kind=TEXT, waiting=COUNT, running=COUNT, age={**COUNT, "description": "Seconds"})),
    webhooks=record(waiting=maybe(COUNT), age={**COUNT, "description": "Seconds"}),
)
OPERATIONS = {
    "GET /api/v1/status": Operation(
        "How the server does",
        "server",
        "observe",
        {200: STATUS},
        words="Of the last minute and of this moment; looked at anew once a second at most.",
    ),
    "GET /metrics": Operation(
        "Numbers for Prometheus",
        "server",
        "observe",
        {200: Media(("text/plain",), "Prometheus's text format", text=True)},
        words="Addresses in the setting `metrics_from` need no key.",
        roles=OWNER,
    ),
}
