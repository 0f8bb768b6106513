"""What is held, and the audit log, over HTTP, and the page that shows both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from server.api.operations import describe
from server.api.paging import BadPage, asked, write_cursor
from server.app import static_folder
from server.audit import AuditLog
from server.people import People
from server.problems import problem
from server.retention.held import Retention
from server.retention.operations import OPERATIONS
from server.storage import audit as table
from server.storage.audit import Asked, AuditRow
from server.wording import sentence

LONGEST = 80  # characters of what is looked for


class _Wrong(ValueError):
    """What was asked makes no sense; says why, in words."""


def setup_data(app: web.Application, retention: Retention, log: AuditLog, people: People, folder: str) -> None:
    """Add the page and the routes."""

    async def page(_request: web.Request) -> web.StreamResponse:
        return web.FileResponse(static_folder() / "data.html")

    async def data(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"kinds": await retention.today(), "folder": folder})

    async def rows(request: web.Request) -> web.StreamResponse:
        try:
            wanted, paged = _asked(request.query), asked(request, (int,))
        except (BadPage, _Wrong) as error:
            return problem(400, "Bad Request", sentence(error))
        after = None if paged.after is None else int(paged.after[0])
        if after is not None and not 0 <= after < 2**63:
            return problem(400, "Bad Request", "This cursor leads nowhere: begin anew without one.")
        await log.settle()
        found = await people.run(lambda store: table.find(store.engine, wanted, paged.limit + 1, after))
        shown = found[: paged.limit]
        following = write_cursor((shown[-1].number,)) if len(found) > paged.limit else None
        return web.json_response({"items": [_row(row) for row in shown], "next": following})

    async def chain(_request: web.Request) -> web.StreamResponse:
        found = await log.chain()
        broken = found.broken
        return web.json_response(
            {
                "holds": broken is None,
                "rows": found.rows,
                "broken": None if broken is None else broken.number,
                "words": "" if broken is None else sentence(broken.words),
                "checked": found.at.isoformat(timespec="seconds"),
                "fingerprint": log.key.fingerprint,
                "public": log.key.public,
                "days": log.days,
            }
        )

    app.router.add_get("/data", page)
    app.router.add_get("/api/v1/data", data)
    app.router.add_get("/api/v1/audit", rows)
    app.router.add_get("/api/v1/audit/chain", chain)
    describe(app, OPERATIONS)


def _asked(query: Mapping[str, str]) -> Asked:
    said = {name: query.get(name, "") for name in ("action", "subject", "actor")}
    if long := next((name for name, text in said.items() if len(text) > LONGEST or not text.isprintable()), None):
        raise _Wrong(f"{long} has up to {LONGEST} characters, all of which can be printed")
    return Asked(**said, since=_time(query.get("from"), "from"), before=_time(query.get("to"), "to"))


def _time(said: str | None, name: str) -> str:
    if said is None:
        return ""
    try:
        time = datetime.fromisoformat(said)
        if time.tzinfo is None:
            raise ValueError
        return time.astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        raise _Wrong(f"{name} is a time like 2026-11-24T09:00:00+01:00") from None


def _row(row: AuditRow) -> dict[str, Any]:
    said = row.said
    return {
        "number": row.number,
        "at": said.at,
        "actor": said.actor,
        "action": said.action,
        "subject": said.subject,
        "room": said.room or None,
        "count": said.count,
        "detail": said.detail,
        "hash": row.hash,
    }
