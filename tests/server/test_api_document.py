"""The OpenAPI document says what the server does: every route, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from aiohttp import web

from server.api.document import described_routes, document
from server.api.operations import Operation, describe
from server.api.schemas import ID, NAME, record
from tests.server.whole import Whole, seed, serving_all

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@pytest.fixture(scope="module")
def people() -> list[str]:
    return []


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, people: list[str]) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("whole")
    people.extend(seed(folder, "Ada Ω", "Bob"))
    with serving_all(folder) as whole:
        yield whole


@pytest.fixture(scope="module")
def spec(whole: Whole) -> dict[str, Any]:
    answer = whole.ask("GET", "/openapi.json")
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    found: dict[str, Any] = answer.json
    return found


def operations(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def test_every_route_says_what_it_does(whole: Whole) -> None:
    routes = dict(described_routes(whole.app))
    assert len(routes) > 40
    assert [name for name, operation in routes.items() if operation is None] == []


def test_nothing_is_described_that_is_not_there(whole: Whole, spec: dict[str, Any]) -> None:
    from server.api.operations import OPERATIONS

    assert set(whole.app[OPERATIONS]) == {name for name, _ in described_routes(whole.app)}
    assert {name for name, _ in operations(spec)} == set(whole.app[OPERATIONS])


def test_the_document_is_sound(spec: dict[str, Any]) -> None:
    assert spec["openapi"] == "3.1.0"
    names = [operation["operationId"] for _, operation in operations(spec)]
    assert len(names) == len(set(names))
    for name, schema in spec["components"]["schemas"].items():
        assert re.fullmatch(r"[A-Z]\w*", name)
        jsonschema_rs.validator_for({"$schema": DIALECT, **spec, **schema})
    for name, operation in operations(spec):
        variables = set(re.findall(r"\{(\w+)\}", name))
        described = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert variables == described, name
        assert operation["summary"][0].isupper()
        assert operation["responses"]["401"]["content"]["application/problem+json"]


def fits(spec: dict[str, Any], operation: dict[str, Any], status: int, value: Any) -> None:
    schema = operation["responses"][str(status)]["content"]
    kind = "application/json" if status < 400 else "application/problem+json"
    whole = {"$schema": DIALECT, "components": spec["components"], **schema[kind]["schema"]}
    jsonschema_rs.validate(whole, value)


def test_what_is_answered_is_what_is_said(whole: Whole, spec: dict[str, Any], people: list[str]) -> None:
    ada, bob = people
    asked = [
        ("GET /config", "/config", None, 200),
        ("GET /status", "/status", None, 200),
        ("GET /join", "/join", None, 200),
        ("GET /people", "/people", None, 200),
        ("GET /people/{id}", f"/people/{ada}", None, 200),
        ("GET /people/{id}", f"/people/{'0' * 32}", None, 404),
        ("PATCH /people/{id}", f"/people/{ada}", {"name": "Augusta"}, 200),
        ("PATCH /people/{id}", f"/people/{ada}", {"name": ""}, 422),
        ("GET /people/{id}/merge", f"/people/{ada}/merge?into={bob}", None, 200),
        ("GET /people/{id}/sightings", f"/people/{ada}/sightings", None, 200),
        ("GET /changes", "/changes", None, 200),
        ("GET /inbox", "/inbox", None, 200),
        ("GET /threshold", "/threshold", None, 200),
        ("PUT /threshold", "/threshold", {"one_in": 1000}, 200),
        ("PUT /threshold", "/threshold", {"one_in": 1}, 400),
        ("GET /reading", "/reading", None, 200),
        ("PUT /reading", "/reading", {"distance": False}, 200),
        ("GET /packs", "/packs", None, 200),
        ("GET /model-change", "/model-change", None, 200),
        ("POST /model-change", "/model-change", {"pack": "none such"}, 409),
        ("GET /sessions", "/sessions", None, 200),
        ("GET /sessions/{id}", "/sessions/none", None, 404),
        ("GET /evaluations", "/evaluations", None, 200),
        ("POST /evaluations", "/evaluations", {}, 201),
        ("POST /imports", "/imports", {}, 201),
        ("GET /videos", "/videos", None, 200),
        ("GET /keys", "/keys", None, 200),
        ("POST /keys", "/keys", {"name": "x", "scopes": ["read"]}, 201),
    ]
    for name, path, body, status in asked:
        method, pattern = name.split(" ")
        answer = whole.ask(method, path, body)
        assert answer.status == status, (name, answer.body)
        fits(spec, spec["paths"][f"/api/v1{pattern}"][method.lower()], status, answer.json)


def test_an_answer_with_another_field_does_not_pass(whole: Whole, spec: dict[str, Any]) -> None:
    value = whole.ask("GET", "/reading").json
    with pytest.raises(jsonschema_rs.ValidationError):
        fits(spec, spec["paths"]["/api/v1/reading"]["get"], 200, {**value, "mood": True})


def test_routes_are_described_once() -> None:
    app = web.Application()
    one = {"GET /api/v1/x": Operation("X", "server", "read", {200: None})}
    describe(app, one)
    with pytest.raises(ValueError, match="described twice: GET /api/v1/x"):
        describe(app, one)


async def _nothing(_request: web.Request) -> web.Response:
    return web.Response()


def test_two_schemas_of_one_name_are_refused() -> None:
    app = web.Application()
    for path, schema in (("a", record("Same", id=ID)), ("b", record("Same", name=NAME))):
        app.router.add_get(f"/api/v1/{path}", _nothing)
        describe(app, {f"GET /api/v1/{path}": Operation("X", "server", "read", {200: schema})})
    with pytest.raises(ValueError, match="two different schemas are called 'Same'"):
        document(app)


def test_a_route_nobody_describes_is_noticed() -> None:
    app = web.Application()
    app.router.add_get("/api/v1/secret/{id:[0-9]+}", _nothing)
    app.router.add_get("/page", _nothing)
    assert list(described_routes(app)) == [("GET /api/v1/secret/{id}", None)]


def test_the_document_names_nothing_of_this_computer(whole: Whole) -> None:
    text = whole.ask("GET", "/openapi.json").body.decode()
    assert "Ada" not in text
    assert str(whole.data) not in text
