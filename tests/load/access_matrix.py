"""Who may use which route and which message of the data channel: the rules of a running server, as a table.

    python -m tests.load.access_matrix

Of accounts, O is the owner, H a host, V a viewer; of links to a room, h is a host's, v a viewer's, c a camera's; then
the scope that a key needs, and + for what is open to whoever asks. tests/server/test_access_matrix.py holds the server
to its own copy of this table.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from aiohttp import web

from server.access.roles import OPEN, every_route, roles_of
from server.live.allowed import COMMANDS, is_allowed
from server.rooms.roles import ALLOWED
from server.visitor import Role
from tests.server.whole import serving_all

ACCOUNTS: dict[str, Role] = {"O": "owner", "H": "host", "V": "viewer"}
LINKS = {"h": "host", "v": "viewer", "c": "camera"}
SENDERS: dict[str, Role] = {**ACCOUNTS, "c": "camera"}


def route_lines(app: web.Application) -> list[str]:
    """A line for each route."""
    lines = []
    for route, operation in every_route(app):
        method, path = route.split(" ")
        accounts = "".join(letter if role in roles_of(route, operation) else "-" for letter, role in ACCOUNTS.items())
        links = "".join(
            letter if route in OPEN or route in ALLOWED[role] else "-"  # type: ignore[index]
            for letter, role in LINKS.items()
        )
        scope = operation.scope if operation is not None and operation.scope is not None else "-"
        lines.append(f"{method:<7} {path:<51} {accounts} {links} {scope:<9} {'+' if route in OPEN else '-'}")
    return sorted(lines, key=lambda line: line.split()[1::-1])


def command_lines() -> list[str]:
    """A line for each message: who may send it, and a camera that is no guest (C)."""
    lines = []
    for command in COMMANDS:
        who = "".join(letter if is_allowed(role, command, guest=True) else "-" for letter, role in SENDERS.items())
        lines.append(f"{command:<13} {who}{'C' if is_allowed('camera', command, guest=False) else '-'}")
    return lines


def main() -> None:
    """Print both tables."""
    with tempfile.TemporaryDirectory(prefix="visavis-") as folder, serving_all(Path(folder)) as whole:
        print("\n".join([*route_lines(whole.app), "", *command_lines()]))


if __name__ == "__main__":
    main()
