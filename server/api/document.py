"""The OpenAPI 3.1 document, written from the routes that the application has and what is said beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from server import __version__
from server.access.roles import roles_of
from server.api.etags import IF_MATCH
from server.api.idempotency import HEADER, METHODS, PATTERN
from server.api.operations import OPERATIONS, SCOPES, Media, Operation, Parameter, Schema
from server.api.schemas import ID, PROBLEM
from server.visitor import ROLES

ROOT = "/api/v1"
ABOUT = """What Visavis does over HTTP: everything its own pages do goes through this.

Browsers sign in and get a cookie. Other programs send a key, `Authorization: Bearer visavis_…`; each operation says
which scope it takes, and which accounts may ask. Errors are problem details (RFC 9457). A GET answers with an `ETag`,
and with 304 if you send it back as `If-None-Match`. A POST, PUT or PATCH may carry an `Idempotency-Key`: asked again
with the same key, it is answered again and not done again. JSON may have 64 KiB; what files may have stands beside
each.
A key may ask 3,000 times a minute, and `RateLimit` says what is left of that."""
_ANY = (400, 401, 403, 429)  # what any operation may answer
_VARIABLE = re.compile(r"\{(\w+)\}")


def described_routes(app: web.Application) -> Iterator[tuple[str, Operation | None]]:
    """Every route under the root as ``METHOD path``, with what is said of it; elsewhere only what is described."""
    known = app.get(OPERATIONS, {})
    for route in app.router.routes():
        if route.resource is None or route.method == "HEAD":
            continue
        name = f"{route.method} {route.resource.canonical}"
        if name in known or route.resource.canonical.startswith(ROOT + "/"):
            yield name, known.get(name)


def document(app: web.Application) -> dict[str, Any]:
    """The document. Raises ``ValueError`` where two schemas of one title differ."""
    components: dict[str, Any] = {}
    paths: dict[str, dict[str, Any]] = {}
    for name, operation in described_routes(app):
        if operation is not None:
            method, path = name.split(" ", 1)
            paths.setdefault(path, {})[method.lower()] = _operation(method, path, operation)
    lifted = _lift({"problem": PROBLEM, "paths": paths}, components)
    tags = {operation["tags"][0] for item in paths.values() for operation in item.values()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Visavis", "version": __version__, "description": ABOUT, "license": {"name": "MIT"}},
        "servers": [{"url": "/"}],
        "security": [{"key": []}, {"session": []}, {}],
        "tags": [{"name": tag} for tag in sorted(tags)],
        "paths": lifted["paths"],
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "A key made on the page /api. Scopes: "
                        + "; ".join(f"`{scope}`: {words}" for scope, words in SCOPES.items()) + "."},
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-visavis",
                            "description": "What signing in gives a browser; on http://localhost it is `visavis`."},
            },
        },
    }  # fmt: skip


def _operation(method: str, path: str, said: Operation) -> dict[str, Any]:
    guarded = (412,) if said.guarded else ()
    with_body = (413, 415) if said.body is not None else ()
    writes = (409, 422) if method in ("POST", "PUT", "PATCH") else ()
    variables = (404,) if _VARIABLE.search(path) else ()
    errors = sorted({*_ANY, *said.errors, *guarded, *with_body, *writes, *variables} - said.answers.keys())
    answers: dict[str, Any] = {str(status): _answer(status, body, method) for status, body in said.answers.items()}
    if method == "GET" and 200 in said.answers:
        answers["304"] = {"description": "What `If-None-Match` names is still what there is"}
    for status in errors:
        answers[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {"application/problem+json": {"schema": PROBLEM}},
        }
    answers["429"]["headers"] = {name: {"schema": {"type": "string"}} for name in ("RateLimit", "Retry-After")}
    roles = roles_of(f"{method} {path}", said)
    accounts = ", ".join(role for role in ROLES if role in roles)
    key = f"Scope of a key: `{said.scope}`." if said.scope else "No key will do."
    words = [said.words, f"{key} Accounts: {accounts}."]
    found: dict[str, Any] = {
        "operationId": _identifier(method, path),
        "summary": said.summary,
        "description": "\n\n".join(filter(None, words)),
        "tags": [said.tag],
        "x-scope": said.scope,
        "x-roles": [role for role in ROLES if role in roles],
        "responses": answers,
    }
    parameters = [_parameter("path", name, said.path.get(name, Parameter("", ID))) for name in _VARIABLE.findall(path)]
    parameters += [_parameter("query", name, one) for name, one in said.query.items()]
    if said.guarded:
        tag = Parameter("Only if the entity tag is still this one", {"type": "string", "pattern": IF_MATCH})
        parameters.append(_parameter("header", "If-Match", tag))
    if method in METHODS:
        once = Parameter("Asked again under the same key, it is not done again", {"type": "string", "pattern": PATTERN})
        parameters.append(_parameter("header", HEADER, once))
    if parameters:
        found["parameters"] = parameters
    if said.body is not None:
        found["requestBody"] = {"required": said.needs_body, "content": _content(said.body)}
        if isinstance(said.body, Media):
            limit = f" At most {said.body.limit} bytes." if said.body.limit else ""
            found["requestBody"]["description"] = said.body.words + "." + limit
    return found


def _parameter(place: str, name: str, said: Parameter) -> dict[str, Any]:
    required = place == "path" or said.required
    words = {"description": said.words} if said.words else {}
    return {"name": name, "in": place, "required": required, **words, "schema": said.schema}


def _answer(status: int, body: Schema | Media | None, method: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if isinstance(body, Media):
        answer["description"] = body.words
    if body is not None:
        answer["content"] = _content(body)
    if method == "GET" and isinstance(body, Mapping):
        answer["headers"] = {"ETag": {"description": "Names this answer", "schema": {"type": "string"}}}
    return answer


def _content(body: Schema | Media) -> dict[str, Any]:
    if isinstance(body, Media):
        limit = {} if body.limit is None else {"maxLength": body.limit}
        schema = {"type": "string", **limit} if body.text else limit
        return {type: {"schema": schema} for type in body.types}
    return {"application/json": {"schema": body}}


def _identifier(method: str, path: str) -> str:
    """``GET /api/v1/people/{id}/merge`` → ``get_people_by_id_merge``."""
    words = _VARIABLE.sub(r"by_\1", path.removeprefix(ROOT)).strip("/")
    return f"{method.lower()}_{re.sub(r'[^a-z0-9]+', '_', words.lower())}"


def _lift(node: Any, components: dict[str, Any]) -> Any:
    """Schemas with a title become components, and references to them."""
    if isinstance(node, list | tuple):
        return [_lift(value, components) for value in node]
    if not isinstance(node, Mapping):
        return node
    lifted = {key: _lift(value, components) for key, value in node.items()}
    title = node.get("title")
    if not isinstance(title, str):
        return lifted
    if components.setdefault(title, lifted) != lifted:
        raise ValueError(f"two different schemas are called {title!r}")
    return {"$ref": f"#/components/schemas/{title}"}
