"""What a route does, for whom, and what goes in and out: said beside the route, read by the document and the door.

A module that adds routes says of each what it is, by method and path as the router shows it, without patterns::

    OPERATIONS = {
        "GET /api/v1/people/{id}": Operation("Somebody with samples", "people", "read", {200: PERSON}, errors=(404,)),
    }

and calls ``describe(app, OPERATIONS)`` where it adds them. A route under ``/api/v1`` that nobody describes is closed to
keys, and a test fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from aiohttp import web

from server.visitor import Role

Schema = Mapping[str, Any]  # JSON Schema 2020-12; one with a "title" becomes a named component of the document
Scope = Literal["read", "recognise", "people", "admin", "observe"]
SCOPES: dict[Scope, str] = {
    "read": "See who is known, who was seen, and what was found",
    "recognise": "Send photos, videos and live pictures to be recognised",
    "people": "Add, name, correct and forget people",
    "admin": "Choose what the server reads and recognises with, evaluate, and list live sessions",
    "observe": "See how the server does: its status, and metrics for Prometheus",
}
assert set(SCOPES) == set(get_args(Scope))

Tag = Literal[
    "server", "live", "rooms", "people", "enrolment", "strangers", "photos", "videos", "sightings", "groups",
    "settings", "evaluation", "keys", "access", "data",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Media:
    """A body that is not JSON: its type, or types, and what it is."""

    types: tuple[str, ...]
    words: str
    limit: int | None = None
    """Bytes it may have."""
    text: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """Of a query, or of a path."""

    words: str
    schema: Schema = field(default_factory=lambda: {"type": "string"})
    required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one route.

    ``scope``: what a key must be allowed; ``None``: no key will do. ``answers`` by
    status: a schema of JSON, another kind of body, or ``None`` for no body. ``errors``: statuses answered with a
    problem, beside those any operation may give. ``body`` is JSON of this schema, or another kind of body;
    ``needs_body`` whether it has to be there.
    """

    summary: str
    tag: Tag
    scope: Scope | None
    answers: Mapping[int, Schema | Media | None]
    errors: tuple[int, ...] = ()
    query: Mapping[str, Parameter] = field(default_factory=dict)
    path: Mapping[str, Parameter] = field(default_factory=dict)
    body: Schema | Media | None = None
    needs_body: bool = True
    words: str = ""
    """More than the summary, in whole sentences."""
    guarded: bool = False
    """``If-Match`` is looked at: the entity tag is that of GET on the same path."""
    erases: bool = False
    """Somebody is forgotten: remembered answers go too."""
    secret: bool = False
    """What is answered is shown once and not remembered."""
    roles: frozenset[Role] | None = None
    """The accounts that may ask, where that does not follow from the scope (:mod:`server.access.roles`)."""


OPERATIONS: web.AppKey[dict[str, Operation]] = web.AppKey("operations", dict)


def describe(app: web.Application, operations: Mapping[str, Operation]) -> None:
    """Say what routes do. Raises ``ValueError`` for one that was said before."""
    known = app.setdefault(OPERATIONS, {})
    if twice := known.keys() & operations.keys():
        raise ValueError(f"described twice: {', '.join(sorted(twice))}")
    known.update(operations)


def operation_of(request: web.Request) -> Operation | None:
    """What was said of the route that a request is for."""
    resource = request.match_info.route.resource
    method = "GET" if request.method == "HEAD" else request.method
    return None if resource is None else request.app.get(OPERATIONS, {}).get(f"{method} {resource.canonical}")
