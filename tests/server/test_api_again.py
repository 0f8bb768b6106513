"""Asking again: Idempotency-Key, ETag and If-Match, and every error as a problem."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from server.api.idempotency import LARGEST, Answers, idempotency_middleware
from server.api.operations import Operation, describe
from tests.server.whole import Whole, seed, serving_all
from tests.serving import on_free_port

NOBODY = "0" * 32


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("whole")
    seed(folder, "Ada", "Bob", "Grace")
    with serving_all(folder) as whole:
        yield whole


def person(whole: Whole, name: str) -> str:
    found: str = next(p["id"] for p in whole.ask("GET", "/people").json["people"] if p["name"] == name)
    return found


# -- Idempotency-Key ---------------------------------------------------------------------------------------------------


def test_the_same_request_is_done_once_and_answered_twice(whole: Whole) -> None:
    body = {"room": "hall"}
    first = whole.ask("POST", "/imports", body, Idempotency_Key='"8e03978e-40d5-43dd-bc93-6894a57f9324"')
    again = whole.ask("POST", "/imports", body, Idempotency_Key="8e03978e-40d5-43dd-bc93-6894a57f9324")  # also unquoted
    other = whole.ask("POST", "/imports", body, Idempotency_Key="8e03978e-40d5-43dd-bc93-6894a57f9325")
    assert (first.status, again.status, other.status) == (201, 201, 201)
    assert again.body == first.body != other.body
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers


def test_a_new_key_is_made_once_and_shown_once(whole: Whole) -> None:
    body = {"name": "a program", "scopes": ["read"]}
    first = whole.ask("POST", "/keys", body, Idempotency_Key="make it")
    assert first.status == 400
    first, again = (whole.ask("POST", "/keys", body, Idempotency_Key="make-it") for _ in range(2))
    assert (first.status, again.status) == (201, 409)
    assert first.json["key"].encode() not in again.body
    names = [key["name"] for key in whole.ask("GET", "/keys").json["keys"]]
    assert names.count("a program") == 1


def test_another_request_under_the_same_key_is_refused(whole: Whole) -> None:
    assert whole.ask("POST", "/imports", {}, Idempotency_Key="one").status == 201
    refused = whole.ask("POST", "/imports", {"room": "attic"}, Idempotency_Key="one")
    assert refused.status == 422
    assert "take a new one" in refused.json["detail"]
    assert whole.ask("POST", "/evaluations", {}, Idempotency_Key="one").status == 422


def test_what_was_refused_for_now_can_be_asked_again(whole: Whole) -> None:
    path = f"/people/{person(whole, 'Bob')}"
    assert whole.ask("PATCH", path, {"name": "Grace"}, Idempotency_Key="two").status == 409  # taken
    whole.ask("PATCH", f"/people/{person(whole, 'Grace')}", {"name": "Hopper"})
    assert whole.ask("PATCH", path, {"name": "Grace"}, Idempotency_Key="two").status == 200


def test_keys_of_different_callers_are_different(whole: Whole) -> None:
    key = whole.make_key("people")
    here = whole.ask("POST", "/imports", {}, Idempotency_Key="three")
    there = whole.ask("POST", "/imports", {}, Idempotency_Key="three", key=key)
    assert here.json["id"] != there.json["id"]


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "two words", 'a"b'])
def test_a_key_that_cannot_be_is_refused(whole: Whole, key: str) -> None:
    assert whole.ask("POST", "/imports", {}, Idempotency_Key=key).status == 400


def test_a_get_takes_no_notice(whole: Whole) -> None:
    assert whole.ask("GET", "/people", Idempotency_Key="").status == 200


def _asking(release: asyncio.Event, answer: Any) -> tuple[web.Application, list[int], asyncio.Event]:
    """An application whose one route waits, then answers; what was done, and when it begins."""
    done: list[int] = []
    begun = asyncio.Event()

    async def slow(_request: web.Request) -> web.StreamResponse:
        done.append(1)
        begun.set()
        await release.wait()
        made: web.StreamResponse = answer()
        return made

    app = web.Application(middlewares=[idempotency_middleware(Answers())])
    app.router.add_post("/api/v1/slow", slow)
    describe(app, {"POST /api/v1/slow": Operation("Slow", "server", "read", {200: {}}, body={})})
    return app, done, begun


async def test_while_it_is_being_done_it_is_not_done_again() -> None:
    release = asyncio.Event()
    app, done, begun = _asking(release, lambda: web.json_response({"n": 1}))
    async with on_free_port(app) as port:
        url = f"http://127.0.0.1:{port}/api/v1/slow"
        async with aiohttp.ClientSession(headers={"Idempotency-Key": "k"}) as client:
            first = asyncio.ensure_future(client.post(url, json={}))
            await begun.wait()
            async with client.post(url, json={}) as meanwhile:
                assert meanwhile.status == 409
                assert meanwhile.headers["Retry-After"] == "1"
            release.set()
            assert await (await first).json() == {"n": 1}
            async with client.post(url, json={}) as again:
                assert (again.status, await again.json()) == (200, {"n": 1})
    assert done == [1]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (lambda: web.Response(status=500), 500),  # not done: asked again, it is tried again
        (lambda: web.Response(body=b"x" * (LARGEST + 1)), 409),  # done, but too large to be kept
    ],
)
async def test_what_cannot_be_answered_again(answer: Any, status: int) -> None:
    release = asyncio.Event()
    release.set()
    app, done, _begun = _asking(release, answer)
    async with on_free_port(app) as port:
        url = f"http://127.0.0.1:{port}/api/v1/slow"
        async with aiohttp.ClientSession(headers={"Idempotency-Key": "k"}) as client:
            await (await client.post(url, json={})).read()
            async with client.post(url, json={}) as again:
                assert again.status == status
    assert len(done) == (2 if status == 500 else 1)


def test_answers_go_after_a_day_and_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    answers = Answers(lambda: now)
    answers.begin(("", "a"), "f")
    assert answers.get(("", "a")) is not None
    answers.end(("", "a"), (200, {}, b"x"))
    now = 24 * 3600.0
    assert answers.get(("", "a")) is not None
    now += 1
    assert answers.get(("", "a")) is None
    monkeypatch.setattr("server.api.idempotency.MOST", 3)
    for number in range(5):
        answers.begin(("", str(number)), "f")
        answers.end(("", str(number)), None)
    assert [answers.get(("", str(n))) is not None for n in range(5)] == [False, False, True, True, True]
    monkeypatch.setattr("server.api.idempotency.MOST_BYTES", 10)
    answers.begin(("", "large"), "f")
    answers.end(("", "large"), (200, {}, b"x" * 11))
    assert answers.get(("", "large")) is None


def test_forgetting_somebody_forgets_the_answers_about_them(whole: Whole) -> None:
    path = f"/people/{person(whole, 'Ada')}"
    assert whole.ask("PATCH", path, {"name": "Augusta"}, Idempotency_Key="five").status == 200
    assert whole.ask("DELETE", path).status == 200
    again = whole.ask("PATCH", path, {"name": "Augusta"}, Idempotency_Key="five")
    assert (again.status, b"Augusta" in again.body) == (404, False)


# -- entity tags -------------------------------------------------------------------------------------------------------


def test_what_has_not_changed_is_not_sent_again(whole: Whole) -> None:
    first = whole.ask("GET", "/people")
    tag = first.headers["etag"]
    for named in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        same = whole.ask("GET", "/people", If_None_Match=named)
        assert (same.status, same.body, same.headers["etag"]) == (304, b"", tag)
    assert whole.ask("GET", "/people", If_None_Match='"other"').body == first.body
    assert whole.ask("HEAD", "/reading").headers["etag"] == whole.ask("GET", "/reading").headers["etag"]
    whole.ask("PATCH", f"/people/{person(whole, 'Hopper')}", {"name": "Admiral Hopper"})
    changed = whole.ask("GET", "/people", If_None_Match=tag)
    assert changed.status == 200
    assert changed.headers["etag"] != tag


def test_nobody_overwrites_what_they_have_not_seen(whole: Whole) -> None:
    path = f"/people/{whole.ask('GET', '/people').json['people'][0]['id']}"
    tag = whole.ask("GET", path).headers["etag"]
    assert whole.ask("PATCH", path, {"name": "First"}, If_Match=tag).status == 200
    late = whole.ask("PATCH", path, {"name": "Second"}, If_Match=tag)
    assert late.status == 412
    assert late.headers["etag"] == whole.ask("GET", path).headers["etag"]
    assert whole.ask("DELETE", path, If_Match=tag).status == 412
    assert whole.ask("GET", path).json["name"] == "First"
    assert whole.ask("PATCH", path, {"name": "Third"}, If_Match="*").status == 200
    assert whole.ask("PATCH", path, {"name": "Fourth"}, If_Match="nonsense").status == 400
    assert whole.ask("PATCH", f"/people/{NOBODY}", {"name": "Fifth"}, If_Match=tag).status == 404


def test_of_two_at_the_same_time_one_is_late(whole: Whole) -> None:
    path = f"/people/{whole.ask('GET', '/people').json['people'][0]['id']}"
    tag = whole.ask("GET", path).headers["etag"]
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda n: whole.ask("PATCH", path, {"name": f"N{n}"}, If_Match=tag).status, range(8)))
    assert sorted(statuses) == [200] + [412] * 7


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/nothing", None, {}, 404),
        ("GET", f"/people/{NOBODY}", None, {}, 404),
        ("PUT", "/people", {}, {}, 405),
        ("PATCH", f"/people/{NOBODY}", {"name": "x" * 70_000}, {}, 413),
        ("PUT", "/reading", b"distance=1", {"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ("PUT", "/reading", b"{", {}, 400),
        ("PUT", "/reading", b"[" * 60_000, {}, 400),
        ("PUT", "/reading", b"\xff\xfe\x00", {}, 400),
        ("POST", "/whip", b"v=0", {"Content_Type": "text/plain"}, 415),
        ("POST", "/whip", b"v=0", {"Content_Type": "application/sdp"}, 422),
        ("GET", "/threshold?room=%00", None, {}, 400),
    ],
)  # fmt: skip
def test_every_error_is_a_problem(
    whole: Whole, method: str, path: str, body: Any, headers: dict[str, str], status: int
) -> None:
    answer = whole.ask(method, path, body, **headers)
    assert answer.status == status, answer.body
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json.keys() >= {"type", "title", "status", "detail"}
    assert answer.json["status"] == status
    if status == 405:
        assert "GET" in answer.headers["allow"]
