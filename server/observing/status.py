"""How the server does, for people: is it well, and if not, what is it and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from server import __version__
from server.observing.facts import Facts, Subject
from server.observing.frames import LastMinute

State = Literal["well", "strained", "unwell", "draining"]
Code = Literal[
    "not_ready", "full", "slow", "processors", "threads", "event_loop", "memory", "disk", "webhooks", "store",
]  # fmt: skip
STATES: tuple[State, ...] = get_args(State)
CODES: tuple[Code, ...] = get_args(Code)
SLOW = 200.0  # ms from a frame's last packet to its answer (p95), above which names lag visibly
BUSY = 0.9  # share of the processors
LATE = 0.1  # seconds that a thread or the event loop may be waited for
LITTLE_MEMORY = 0.08  # share of the computer's
LITTLE_DISK = 2 * 2**30  # bytes
OLD = 600.0  # seconds that a webhook may be behind


def status(subject: Subject, facts: Facts) -> dict[str, Any]:
    """What ``GET /api/v1/status`` answers."""
    minute = subject.frames.last_minute()
    remarks = [*_remarks(subject, facts, minute)]
    return {
        "state": _state(subject, facts, remarks),
        "remarks": remarks,
        "version": __version__,
        "pack": {"name": facts.pack.name, "licence": facts.pack.licence},
        "since": datetime.fromtimestamp(subject.began, UTC).isoformat(timespec="seconds"),
        "seconds": round(facts.at - subject.began),
        "sessions": {
            "now": sum(facts.sessions.values()),
            "most": subject.max_sessions(),
            "waiting": facts.waiting,
            "refused": subject.drain.refused,
        },
        "viewers": {"now": facts.viewers, "most": subject.max_viewers},
        "people": facts.people,
        "answers": {
            "rate": round(minute.rate, 1),
            "p50_ms": _rounded(minute.p50),
            "p95_ms": _rounded(minute.p95),
            "stages": [{"stage": stage, "ms": round(took, 2)} for stage, took in minute.stages.items()],
        },
        "processors": {
            "count": facts.usage.processors,
            "busy": round(facts.usage.busy, 3),
            "ours": round(facts.usage.ours, 3),
        },
        "memory": {
            "ours": facts.usage.memory + facts.usage.children_memory,
            "free": facts.usage.memory_free,
            "total": facts.usage.memory_total,
        },
        "disk": {"free": facts.disk_free, "total": facts.disk_total},
        "waits": {
            "threads_ms": round(subject.waits.worst_wait * 1e3, 1),
            "event_loop_ms": round(subject.waits.worst_lag * 1e3, 1),
        },
        "jobs": [
            {"kind": kind, "waiting": jobs.waiting, "running": jobs.running, "age": round(jobs.age)}
            for kind, jobs in facts.jobs.items()
        ],
        "webhooks": {
            "waiting": None if facts.webhooks is None else facts.webhooks.waiting,
            "age": round(facts.webhook_age),
        },
    }


def _state(subject: Subject, facts: Facts, remarks: list[dict[str, Any]]) -> State:
    if subject.drain.on:
        return "draining"
    if any(words is not None for words in facts.unready.values()):
        return "unwell"
    return "strained" if remarks else "well"


def _remarks(subject: Subject, facts: Facts, minute: LastMinute) -> Iterator[dict[str, Any]]:
    """What is worth a look, the gravest first: what it is, and the number that says so."""
    for part, words in facts.unready.items():
        if words is not None and not (part == "accepting" and subject.drain.on):
            yield _remark("not_ready", part=part)
    if sum(facts.sessions.values()) >= subject.max_sessions():
        yield _remark("full", subject.max_sessions())
    if minute.p95 is not None and minute.p95 > SLOW:
        inside = {stage: took for stage, took in minute.stages.items() if stage != "total"}
        yield _remark("slow", round(minute.p95), part=max(inside, key=lambda stage: inside[stage], default=""))
    if facts.usage.busy > BUSY:
        yield _remark("processors", round(facts.usage.ours, 3))
    if subject.waits.worst_wait > LATE:
        yield _remark("threads", round(subject.waits.worst_wait * 1e3))
    if subject.waits.worst_lag > LATE:
        yield _remark("event_loop", round(subject.waits.worst_lag * 1e3))
    if facts.usage.memory_free < LITTLE_MEMORY * facts.usage.memory_total:
        yield _remark("memory", facts.usage.memory_free)
    if facts.disk_free < LITTLE_DISK:
        yield _remark("disk", facts.disk_free)
    if facts.webhook_age > OLD:
        yield _remark("webhooks", round(facts.webhook_age))
    if subject.store.faults:
        yield _remark("store", subject.store.faults)


def _remark(code: Code, value: float | None = None, part: str = "") -> dict[str, Any]:
    return {"code": code, "value": value, "part": part}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
