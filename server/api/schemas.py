"""Short ways to write a JSON Schema, and the kinds of value that the interface knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server.api.operations import Parameter, Schema
from server.api.paging import MOST, USUAL
from server.storage.names import MAX_NAME, MAX_ROOM

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
INTEGER: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
FLAG: Schema = {"type": "boolean"}
DAY: Schema = {"type": "string", "format": "date"}
TIME: Schema = {"type": "string", "format": "date-time"}
ID: Schema = {"type": "string", "pattern": "^([0-9a-f]{6}~)?[0-9a-f]{32}$"}
NAME: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_NAME}
ROOM: Schema = {"type": "string", "pattern": f"^[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_ROOM - 1}}}$"}
BOX: Schema = {"type": "array", "items": NUMBER, "minItems": 4, "maxItems": 4, "description": "x, y, width, height"}

IN_ROOM = Parameter("A room's name; without it, or empty: what is everyone's", {"anyOf": [ROOM, {"const": ""}]})
LIMIT = Parameter("Entries in a page", {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL})
CURSOR = Parameter("The `next` of the page before")


def record(
    title: str | None = None, optional: Mapping[str, Schema] | None = None, /, **fields: Schema
) -> dict[str, Any]:
    """An object with these fields and no other; ``optional`` ones may be missing. A ``title`` names it in the
    document."""
    named = {} if title is None else {"title": title}
    return {
        **named,
        "type": "object",
        "properties": {**fields, **(optional or {})},
        "required": list(fields),
        "additionalProperties": False,
    }


def listed(of: Schema) -> Schema:
    """Any number of these."""
    return {"type": "array", "items": of}


def maybe(of: Schema) -> Schema:
    """This, or ``null``."""
    return {"anyOf": [of, {"type": "null"}]}


def one_of(*values: str) -> Schema:
    """One of these words."""
    return {"type": "string", "enum": list(values)}


def page_of(of: Schema, **more: Schema) -> dict[str, Any]:
    """A page of a long list; see :mod:`server.api.paging`."""
    return record(items=listed(of), next=maybe(TEXT), **more)


PROBLEM: Schema = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457): `detail` says it in a sentence for a person.",
    "type": "object",
    "properties": {"type": TEXT, "title": TEXT, "status": INTEGER, "detail": TEXT},
    "required": ["type", "title", "status", "detail"],
}
