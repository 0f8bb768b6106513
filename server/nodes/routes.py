"""The nodes as JSON."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from server.api.operations import Operation, describe
from server.api.schemas import COUNT, FLAG, NUMBER, TEXT, listed, record
from server.nodes.register import DEAD, Register
from server.storage.nodes import Row

BASE = "/api/v1/nodes"
OPERATIONS = {
    f"GET {BASE}": Operation(
        "The nodes that share this server's database",
        "rooms",
        "admin",
        {
            200: record(
                "Nodes",
                nodes=listed(
                    record(
                        "Node",
                        name=TEXT,
                        tag={**TEXT, "description": "In the ids of what lives on it"},
                        url=TEXT,
                        version=TEXT,
                        sessions=COUNT,
                        state={"enum": ["live", "draining", "dead"]},
                        up={**NUMBER, "description": "Seconds since it started"},
                        silent={**NUMBER, "description": "Seconds since it last said that it lives"},
                        here={**FLAG, "description": "Whether it is the one that answers"},
                    )
                ),
            )
        },
        words="Empty where there is one: it needs no name.",
    )
}


def setup_nodes(app: web.Application, register: Register | None) -> None:
    """Add the route."""

    async def show(_request: web.Request) -> web.Response:
        rows = () if register is None else register.all
        me = "" if register is None else register.node.tag
        return web.json_response({"nodes": [{**node_body(row), "here": row.tag == me} for row in rows]})

    app.router.add_get(BASE, show)
    describe(app, OPERATIONS)


def node_body(row: Row) -> dict[str, Any]:
    """A node as it is shown."""
    state = "dead" if row.silent >= DEAD else "draining" if row.draining else "live"
    return {
        "name": row.name,
        "tag": row.tag,
        "url": row.url,
        "version": row.version,
        "sessions": row.sessions,
        "state": state,
        "up": round(row.up, 1),
        "silent": round(row.silent, 1),
    }
