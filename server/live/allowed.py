"""Which roles may send which message of the commands channel. A message that is not here is nobody's."""

from __future__ import annotations

from collections.abc import Mapping

from server.visitor import Role

_SENDERS: frozenset[Role] = frozenset({"owner", "host", "camera"})  # a viewer sends no pictures, and begins no session
COMMANDS: Mapping[str, frozenset[Role]] = {
    "ping": _SENDERS,
    "enrol": _SENDERS,
    "cancel_enrol": _SENDERS,
    "finish_enrol": _SENDERS,
    "why": _SENDERS,
    "not_person": _SENDERS,
    "camera": _SENDERS,
    "forget": _SENDERS,
    "stats": _SENDERS,
    "bye": _SENDERS,
}
ABOUT_PEOPLE = frozenset({"enrol", "cancel_enrol", "finish_enrol", "not_person", "forget"})
"""A camera may say these where it is a guest: they then stay with it, and are gone when it leaves. One that a program
sends with a key of the scope ``recognise`` alone is none: it would change whom everybody knows."""


def is_allowed(role: Role, command: str, *, guest: bool) -> bool:
    """Whether somebody of this role may say this; what no protocol knows is answered as such, whoever says it."""
    if command not in COMMANDS:
        return True
    if role == "camera" and not guest and command in ABOUT_PEOPLE:
        return False
    return role in COMMANDS[command]
