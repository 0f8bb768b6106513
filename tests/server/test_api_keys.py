"""Keys: what they open, what they do not, and that nothing but a hash of them is kept."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from server.access.door import access_middleware
from server.api.door import KeyDoor, add_rate
from server.api.keys import BadScope, Keys, clean_scopes, new_key
from server.api.operations import SCOPES, Operation, describe
from server.api.rates import Rates
from server.people import People
from server.problems import problem_middleware
from server.settings import Settings
from server.storage import BadName
from server.storage.api_keys import MAX_KEYS, TooManyKeys
from tests.server.test_storage import DIGEST
from tests.server.whole import Whole, seed, serving_all
from tests.serving import on_free_port


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("whole")
    seed(folder, "Ada")
    with serving_all(folder) as whole:
        yield whole


def problem(answer: Any, status: int) -> str:
    assert answer.status == status, answer.body
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json["status"] == status
    words: str = answer.json["detail"]
    assert words.endswith(".")
    return words


@pytest.mark.parametrize("lan", [False, True])
def test_a_key_opens_what_its_scopes_say_and_nothing_else(whole: Whole, lan: bool) -> None:
    key = whole.make_key("read")
    answer = whole.ask("GET", "/people", key=key, lan=lan)
    assert [person["name"] for person in answer.json["people"]] == ["Ada"]
    id = answer.json["people"][0]["id"]
    refused = whole.ask("PATCH", f"/people/{id}", {"name": "Eve"}, key=key, lan=lan)
    assert "'people'" in problem(refused, 403)
    assert refused.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="people"'
    for method, path in (
        ("GET", "/keys"),
        ("POST", "/keys"),
        ("GET", "/join"),
    ):  # a key makes no key, and lets nobody in
        assert problem(whole.ask(method, path, key=key, lan=lan), 403) == "No key opens this."
    assert problem(whole.ask("GET", "/nothing", key=key, lan=lan), 404)
    assert problem(whole.ask("PUT", "/people", key=key, lan=lan), 405)


@pytest.mark.parametrize("lan", [False, True])
@pytest.mark.parametrize("change", [lambda k: k[:-1] + ("A" if k[-1] != "A" else "B"), lambda k: k + "x",
                                    lambda _k: "visavis_00000000_" + "A" * 43])  # fmt: skip
def test_a_wrong_key_opens_nothing(whole: Whole, lan: bool, change: Any) -> None:
    whole.forgive()
    answer = whole.ask("GET", "/people", key=change(whole.make_key("read")), lan=lan)
    assert "no longer" in problem(answer, 401)
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


def test_without_a_key_the_network_stays_as_it_was(whole: Whole) -> None:
    problem(whole.ask("GET", "/people", lan=True), 401)
    for role in ("host", "viewer"):
        page = whole.sign_in(role)
        assert whole.ask("GET", "/people", lan=True, **page).status == 200
        problem(whole.ask("POST", "/keys", {"name": "x", "scopes": ["admin"]}, lan=True, **page), 403)
        seen = whole.ask("GET", "/keys", lan=True, **page).json
        assert (seen["keys"], seen["here"]) == ([], False)
    page = whole.sign_in("owner")
    assert whole.ask("GET", "/keys", lan=True, **page).json["here"] is True
    assert whole.ask("POST", "/keys", {"name": "x", "scopes": ["admin"]}, lan=True, **page).status == 201


def test_a_key_is_no_guest(whole: Whole) -> None:
    assert whole.ask("GET", "/config", lan=True, key=whole.make_key("read")).json["guest"] is False


def test_another_sites_page_is_refused_with_any_key(whole: Whole) -> None:
    key = whole.make_key(*SCOPES)
    for lan in (False, True):
        answer = whole.ask("POST", "/imports", {}, key=key, lan=lan, Origin="https://evil.example")
        assert "a page of this server" in problem(answer, 403)
    answer = whole.ask("GET", "/people", key=key, Host="evil.example")
    assert problem(answer, 403).startswith("Open http://localhost")


def test_a_key_opens_no_page(whole: Whole) -> None:
    key = whole.make_key(*SCOPES)
    assert problem(whole.ask("GET", "/people", key=key, lan=True, root=""), 403) == "No key opens this."


def test_what_is_left_is_said(whole: Whole) -> None:
    key = whole.make_key("read")
    first, second = (whole.ask("GET", "/config", key=key).headers for _ in range(2))
    assert first["ratelimit-policy"] == '"key";q=3000;w=60'
    assert first["ratelimit"].startswith('"key";r=2999;t=')
    assert second["ratelimit"].startswith('"key";r=2998;t=')
    assert "ratelimit" not in whole.ask("GET", "/config").headers


def test_a_revoked_key_opens_nothing_at_once(whole: Whole) -> None:
    whole.forgive()
    made = whole.ask("POST", "/keys", {"name": "soon gone", "scopes": ["read", "admin", "read"]}).json
    assert made["scopes"] == ["read", "admin"]
    assert whole.ask("GET", "/config", key=made["key"]).status == 200
    listed = {key["id"]: key for key in whole.ask("GET", "/keys").json["keys"]}
    assert listed[made["id"]]["used"] is not None
    assert "key" not in listed[made["id"]]
    assert whole.ask("DELETE", f"/keys/{made['id']}").status == 204
    problem(whole.ask("GET", "/config", key=made["key"]), 401)
    problem(whole.ask("DELETE", f"/keys/{made['id']}"), 404)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"name": "x"},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["all"]},
        {"name": "", "scopes": ["read"]},
        {"name": "x", "scopes": "read"},
        {"name": 5, "scopes": ["read"]},
        {"name": "x", "scopes": [["read"]]},
        {"name": "x", "scopes": ["read"], "more": 1},
    ],
)
def test_a_key_that_cannot_be_is_not_made(whole: Whole, body: Any) -> None:
    problem(whole.ask("POST", "/keys", body), 400)


def test_only_a_hash_is_kept(whole: Whole) -> None:
    secret = whole.make_key("read").split("_", 2)[2].encode()
    for path in whole.data.glob("people.sqlite3*"):
        assert secret not in path.read_bytes()


@pytest.fixture
async def people(tmp_path: Path) -> Any:
    people = await People.open(tmp_path / "people.sqlite3", DIGEST, 128)
    yield people
    await people.close()


async def test_what_another_process_does_counts_within_a_second(people: People, tmp_path: Path) -> None:
    now = 0.0
    keys = Keys(people, lambda: now)
    key, token = await keys.make("mine", ["read"])
    assert (await keys.find(token)).id == key.id  # type: ignore[union-attr]
    with sqlite3.connect(tmp_path / "people.sqlite3") as other:
        other.execute("DELETE FROM api_key")
    other.close()
    now += 1.5
    assert await keys.find(token) is None


async def test_there_are_only_so_many(people: People) -> None:
    keys = Keys(people)
    for number in range(MAX_KEYS):
        await keys.make(f"key {number}", ["read"])
    with pytest.raises(TooManyKeys):
        await keys.make("one more", ["read"])


def test_scopes_and_names_are_checked() -> None:
    with pytest.raises(BadScope):
        clean_scopes(["none"])
    with pytest.raises(BadName):
        new_key("\n", ["read"])
    one, other = new_key("x", ["read"]), new_key("x", ["read"])
    assert one[1] != other[1]
    assert one[1] not in repr(one[0])


def test_more_than_the_quota_waits_for_the_next_window() -> None:
    now = 100.0
    rates = Rates(2, 60.0, lambda: now)
    assert [rates.take("a") for _ in range(4)] == [True, True, False, False]
    assert rates.take("b")
    headers = rates.headers("a")
    assert (headers["RateLimit"], headers["Retry-After"]) == ('"key";r=0;t=60', "60")
    now += 60
    assert rates.take("a")
    assert "Retry-After" not in rates.headers("a")


async def test_beyond_its_quota_a_key_waits_and_others_do_not(people: People) -> None:
    keys = Keys(people)
    (_, one), (_, other) = await keys.make("one", ["read"]), await keys.make("other", ["read"])

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application(
        middlewares=[problem_middleware, access_middleware(Settings(), None, KeyDoor(keys, Rates(2)))]
    )
    app.on_response_prepare.append(add_rate)
    app.router.add_get("/api/v1/x", answer)
    describe(app, {"GET /api/v1/x": Operation("X", "server", "read", {200: {}})})
    async with on_free_port(app) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        said = []
        for token in (one, one, one, other):
            async with client.get("/api/v1/x", headers={"Authorization": f"Bearer {token}"}) as response:
                said.append((response.status, response.headers.get("Retry-After")))
                if response.status == 429:
                    assert response.content_type == "application/problem+json"
                    assert response.headers["RateLimit"].startswith('"key";r=0;t=')
        assert [status for status, _ in said] == [200, 200, 429, 200]
        assert [after is None for _, after in said] == [True, True, False, True]


def test_a_refusal_costs_no_time(whole: Whole) -> None:
    began = time.perf_counter()
    for _ in range(50):
        whole.ask("GET", "/config", key="visavis_00000000_x")
    assert time.perf_counter() - began < 5
