"""What the audit log says of a whole server: every route decides, and what is asked for is noted as it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.api.document import described_routes
from server.audit import AuditLog, SigningKey
from server.audit.actions import ACTIONS
from server.audit.live import LiveNotes
from server.audit.noted import NOTED
from server.live.session_people import SessionPeople
from server.people import People
from server.storage.audit import Asked, find
from server.visitor import Visitor
from tests.server.test_storage import DIGEST, sample
from tests.server.whole import Whole, seed, serving_all


@pytest.fixture(scope="module")
def ids() -> list[str]:
    return []


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, ids: list[str]) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("whole")
    ids.extend(seed(folder, "Ada", "Bob", "Cleo"))
    with serving_all(folder, sightings=True) as whole:
        yield whole


def rows(whole: Whole, **query: str) -> list[dict[str, Any]]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    answer = whole.ask("GET", f"/audit?{asked}")
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json["items"]
    return found


def test_every_route_says_what_is_noted_or_that_nothing_is(whole: Whole) -> None:
    routes = {name for name, _ in described_routes(whole.app)}
    assert routes - NOTED.keys() == set(), "server/audit/noted.py decides what the log says of a route"
    assert NOTED.keys() - routes == set()
    assert {action for action in NOTED.values() if action is not None} <= ACTIONS.keys()


@pytest.mark.parametrize(
    "words", ["people", "samples", "inbox", "sightings", "attendance", "videos", "sessions", "photos"]
)
def test_what_shows_or_changes_people_is_noted(words: str) -> None:
    silent = {
        "DELETE /api/v1/people/{id}",  # by forgetting itself
        "GET /api/v1/videos/{id}",  # how far it is
    }
    found = {name: action for name, action in NOTED.items() if f"/{words}" in name}
    assert found
    assert {name for name, action in found.items() if action is None} <= silent


def test_looking_changing_and_being_refused_are_noted(whole: Whole, ids: list[str]) -> None:
    ada, bob, cleo = ids
    whole.ask("GET", f"/people/{ada}")
    whole.ask("GET", f"/people/{ada}")
    whole.ask("PATCH", f"/people/{ada}", {"name": "Countess"})
    whole.ask("PATCH", f"/people/{ada}", {"name": ""})  # changes nothing
    whole.ask("GET", f"/people/{'0' * 32}")  # shows nothing
    key = {"Idempotency_Key": "once"}
    for _ in range(2):
        whole.ask("POST", f"/people/{cleo}/merge", {"into": bob}, **key)
    about = rows(whole, subject=ada)
    assert [(row["action"], row["actor"]) for row in about] == [("person.changed", "local"), ("person.viewed", "local")]
    assert [row["action"] for row in rows(whole, subject=cleo)] == ["person.merged"]
    assert rows(whole, subject="0" * 32) == []
    assert whole.ask("GET", "/people", lan=True).status == 401
    (refused,) = rows(whole, action="access.refused")
    assert (refused["actor"], refused["detail"], refused["subject"]) == ("nobody", "401", "")
    reader = whole.make_key("read")
    assert whole.ask("GET", f"/people/{bob}", lan=True, key=reader).status == 200
    assert whole.ask("GET", "/audit", lan=True, key=reader).status == 403
    by_key = rows(whole, subject=bob, action="person.viewed")
    assert by_key[0]["actor"].startswith("key:")
    assert rows(whole, actor=by_key[0]["actor"])[0]["action"] in ("access.refused", "person.viewed")
    assert whole.ask("GET", "/people", lan=True, **whole.sign_in("host")).status == 200
    text = json.dumps(rows(whole, limit="200"))
    assert [name for name in ("Ada", "Bob", "Cleo", "Countess") if name in text] == []


def test_who_comes_in_and_who_lets_in_are_noted(whole: Whole) -> None:
    browser = whole.sign_in("host")
    (made,) = rows(whole, action="account.made", limit="1")
    account = made["subject"]
    assert (made["actor"], len(account)) == ("local", 8)
    (came,) = rows(whole, action="access.owned", limit="1")
    assert (came["actor"], came["subject"], came["detail"]) == (f"account:{account}", account, "account")
    word = "a word that nobody guesses"
    assert whole.ask("PUT", "/access/me/password", {"new": word}, lan=True, **browser).status == 204
    name = whole.ask("GET", "/access/me", lan=True, **browser).json["name"]
    page = {"Origin": whole.lan}
    assert whole.ask("POST", "/access/sign-in", {"name": name, "password": "wrong"}, lan=True, **page).status == 401
    signed = whole.ask("POST", "/access/sign-in", {"name": name, "password": word}, lan=True, **page)
    second = {**page, "Cookie": signed.headers["set-cookie"].partition(";")[0]}
    me = whole.ask("GET", "/access/me", lan=True, **second).json
    (first,) = [one["id"] for one in me["sessions"] if not one["current"]]
    assert whole.ask("DELETE", f"/access/me/sessions/{first}", lan=True, **second).status == 204
    for _ in range(2):  # who has not signed in signs nobody out
        assert whole.ask("POST", "/access/sign-out", {}, lan=True, **second).status == 204
    token = whole.invite()
    assert whole.ask("GET", f"/join/{token}", lan=True, root="").status in (200, 401)  # it leads on, without the cookie
    (link,) = rows(whole, action="link.made", limit="1")
    (joined,) = rows(whole, action="access.joined", limit="1")
    assert (joined["actor"], joined["subject"]) == (f"link:{link['subject']}", link["subject"])
    assert whole.ask("DELETE", f"/access/links/{link['subject']}").status == 204
    assert whole.ask("PATCH", f"/access/accounts/{account}", {"role": "viewer"}).status == 200
    assert whole.ask("DELETE", f"/access/accounts/{account}").status == 204
    by = [(row["action"], row["subject"], row["detail"]) for row in rows(whole, actor=f"account:{account}")]
    assert by[::-1] == [
        ("access.owned", account, "account"),
        ("access.password_changed", account, ""),
        ("access.signed_in", account, "password"),
        ("access.session_ended", first, ""),
        ("access.signed_out", account, ""),
    ]
    about = [row["action"] for row in rows(whole, subject=account) if row["actor"] == "local"]
    assert about == ["account.removed", "account.changed", "account.made"]
    assert rows(whole, subject=link["subject"])[0]["action"] == "link.revoked"
    text = json.dumps(rows(whole, limit="200"))
    assert name not in text
    assert token not in text


def test_consents_and_the_mode_of_a_room_are_noted(whole: Whole, ids: list[str]) -> None:
    bob = ids[1]
    said = {"purpose": "The door of Bob", "basis": "consent"}
    assert whole.ask("POST", f"/people/{bob}/consents", said).status == 201
    assert whole.ask("POST", f"/people/{bob}/consents", {"basis": "because"}).status == 400
    assert whole.ask("POST", f"/people/{bob}/consents/withdraw").status == 200
    assert [row["action"] for row in rows(whole, subject=bob, action="consent.")] == [
        "consent.withdrawn",
        "consent.recorded",
    ]
    whole.ask("POST", "/rooms", {"name": "hall"})
    assert whole.ask("PATCH", "/rooms/hall", {"consent_mode": True}).status == 200
    (changed,) = rows(whole, action="room.changed")
    assert changed["room"] == "hall"
    assert "door of" not in json.dumps(rows(whole, limit="200"))


def test_the_log_is_read_page_by_page(whole: Whole) -> None:
    first = whole.ask("GET", "/audit?limit=2").json
    second = whole.ask("GET", f"/audit?limit=2&cursor={first['next']}").json
    numbers = [row["number"] for row in (*first["items"], *second["items"])]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 4
    later = first["items"][0]["at"]
    assert rows(whole, **{"from": later.replace("+", "%2B")})
    assert all(row["at"] < later for row in rows(whole, to=later.replace("+", "%2B")))
    chain = whole.ask("GET", "/audit/chain").json
    assert (chain["holds"], chain["broken"], chain["words"], chain["days"]) == (True, None, "", 730)
    assert chain["fingerprint"] == SigningKey.open(whole.data).fingerprint


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=x", "cursor=x", "cursor=WyJ4Il0", "cursor=Wy0xXQ", "from=yesterday", "to=2026-11-24",
     "subject=" + "a" * 81, "action=%00", "from=99999-01-01T00:00:00Z"],
)  # fmt: skip
def test_questions_that_make_no_sense_are_refused_in_words(whole: Whole, query: str) -> None:
    answer = whole.ask("GET", f"/audit?{query}")
    assert answer.status == 400
    assert answer.json["detail"].endswith(".")


@pytest.mark.parametrize("query", ["limit=0", "cursor=x", "cursor=WzFd"])
def test_receipts_are_asked_for_in_pages(whole: Whole, query: str) -> None:
    assert whole.ask("GET", f"/receipts?{query}").status == 400
    assert whole.ask("GET", f"/receipts/{'0' * 32}").status == 404


async def test_what_a_session_changes_is_noted_before_it_is_said(tmp_path: Path) -> None:
    people = await People.open(tmp_path / "people.sqlite3", DIGEST, 128)
    log = await AuditLog.open(people, SigningKey.open(tmp_path), 730)
    who = Visitor("camera", "link", "abcd1234", "hall")
    notes = LiveNotes(log, lambda: who, "hall")
    one = SessionPeople(people, "hall", False, lambda: None, notes)

    async def noted() -> list[tuple[str, str, str, str, str]]:
        found = await people.run(lambda store: find(store.engine, Asked(), 50))
        said = [row.said for row in found if row.said.actor != "server"]
        return [(one.actor, one.action, one.subject, one.room, one.detail) for one in said]

    ada = await one.add_person("Ada", [sample(1)], "room")
    assert await noted() == [("link:abcd1234", "person.enrolled", ada.id, "hall", "live")]
    await one.add_samples(ada.id, [sample(2)], "room")
    await one.rename(ada.id, "Countess", "room")
    await one.add_negative(ada.id, sample(9).embedding)
    guest = SessionPeople(people, "hall", True, lambda: None, notes)
    me = await guest.add_person("Me", [sample(3)], "session")
    await guest.rename(me.id, "Myself", "session")
    guest.forget(me.id)
    await log.settle()
    assert [(action, detail) for _, action, _, _, detail in reversed(await noted())] == [
        ("person.enrolled", "live"),
        ("person.added", "live"),
        ("person.changed", "live"),
        ("negative.added", "live"),
        ("person.enrolled", "visit"),
        ("person.changed", "visit"),
        ("live.forgotten", "live"),
    ]
    await log.close()
    await people.close()
