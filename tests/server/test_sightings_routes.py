"""Sightings, attendance, events and webhooks asked for over HTTP, with good and with bad questions."""

from __future__ import annotations

import csv
import http.client
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import pytest

from server.client import Visavis
from server.storage import PeopleStore
from server.storage.events import NewEvent
from server.storage.sightings import Seen, write
from tests.server.whole import Whole, seed, serving_all

DAY = datetime(2030, 5, 1, tzinfo=UTC)
SPAN = urlencode({"from": DAY.isoformat(), "to": (DAY + timedelta(days=1)).isoformat()})


def at(hour: float) -> datetime:
    return DAY + timedelta(hours=hour)


@pytest.fixture(scope="module")
def ids(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("whole")
    ada, bob = seed(folder, "Ada", "=Bob()")
    store = PeopleStore(folder / "people.sqlite3")
    rows = [
        Seen(uuid4().hex, ada, None, "one", at(8), at(9), 0.95),
        Seen(uuid4().hex, ada, "attic", "two", at(8.5), at(10), 0.9, b"\xff\xd8 a picture \xff\xd9", 0.8),
        Seen(uuid4().hex, bob, "attic", "two", at(9), at(9.5), 1.0),
        Seen(uuid4().hex, None, None, "one", at(11), at(11.1), None),
        Seen(uuid4().hex, None, None, "one", at(30), at(31), None),
    ]
    now = datetime.now(UTC)
    events = [
        NewEvent(uuid4().hex, "named", rows[0].id, ada, None, "one", now, now, 0.95),
        NewEvent(uuid4().hex, "unknown", rows[3].id, None, "attic", "one", now, now, None),
        NewEvent(uuid4().hex, "left", rows[0].id, ada, None, "one", now, now, 0.95),
    ]
    write(store.engine, rows, [], events)
    store.close()
    return folder, [ada, bob]


@pytest.fixture(scope="module")
def whole(ids: tuple[Path, list[str]]) -> Iterator[Whole]:
    with serving_all(ids[0], sightings=True, sightings_days=3650) as whole:
        yield whole


def test_the_newest_come_first_page_by_page(whole: Whole) -> None:
    seen, cursor, pages = [], None, 0
    while cursor is not None or pages == 0:
        page = whole.ask("GET", f"/sightings?{SPAN}&limit=3" + (f"&cursor={cursor}" if cursor else "")).json
        seen += page["items"]
        cursor, pages = page["next"], pages + 1
    assert pages == 2
    assert [row["person"]["name"] if row["person"] else None for row in seen] == [None, "=Bob()", "Ada", "Ada"]
    assert (page["enabled"], page["days"]) == (True, 3650)
    assert "no picture" in page["keeps"]
    assert [row["picture"] for row in seen] == [False, False, True, False]
    assert seen[1]["probability"] == 0.99  # nothing is certain
    crop = whole.ask("GET", f"/sightings/{seen[2]['id']}/crop")
    assert (crop.headers["content-type"], crop.body[:2]) == ("image/jpeg", b"\xff\xd8")
    assert whole.ask("GET", f"/sightings/{seen[0]['id']}/crop").status == 404


def test_filters_are_held_to(whole: Whole, ids: tuple[Path, list[str]]) -> None:
    def count(**query: str) -> int:
        return len(whole.ask("GET", "/sightings?" + urlencode(query)).json["items"])

    assert count() == 5
    assert count(person=ids[1][0]) == 2
    assert count(who="unknown") == 2
    assert count(who="named", room="attic") == 2
    assert count(room="") == 3
    assert count(session="two") == 2
    assert count(**{"from": at(9.2).isoformat()}) == 4
    assert count(to=at(8.2).isoformat().replace("+00:00", "Z")) == 1


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday", "from=2030-05-01", "from=2030-05-01T08:00:00", "to=2030-13-01T08:00:00Z", "who=me",
        "person=ada", "room=a/b", "session=" + "x" * 65, "limit=0", "limit=999999", "cursor=nonsense",
        "cursor=WzFlOTk5LCJhIl0", "cursor=Wy0xZTMwMCwiYSJd", "cursor=W05hTiwiYSJd", "from=0001-01-01T00:00:00%2B23:59",
    ],
)  # fmt: skip
def test_questions_that_make_no_sense_are_refused(whole: Whole, query: str) -> None:
    answer = whole.ask("GET", f"/sightings?{query}")
    assert answer.status == 400, answer.body
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_who_was_there(whole: Whole) -> None:
    said = whole.ask("GET", f"/attendance?{SPAN}").json
    ada, bob = said["items"]
    assert (ada["person"]["name"], ada["seconds"], ada["sightings"]) == ("Ada", 7200, 2)
    assert (ada["first"], ada["last"]) == (at(8).isoformat(), at(10).isoformat())
    assert (bob["person"]["name"], bob["seconds"]) == ("=Bob()", 1800)
    assert said["unknown"] == 1
    assert whole.ask("GET", "/attendance").json["items"] == []  # today
    (ada,) = whole.ask("GET", f"/attendance?{SPAN}&room=").json["items"]
    assert ada["seconds"] == 3600
    for wrong in (
        "from=2030-05-02T00:00:00Z&to=2030-05-01T00:00:00Z",
        "from=2020-01-01T00:00:00Z&to=2030-01-01T00:00:00Z",
    ):
        assert whole.ask("GET", f"/attendance?{wrong}").status == 400


def test_tables_hold_no_formulas(whole: Whole) -> None:
    answer = whole.ask("GET", f"/attendance.csv?{SPAN}")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [row["name"] for row in rows] == ["Ada", "'=Bob()"]
    rows = list(csv.DictReader(io.StringIO(whole.ask("GET", f"/sightings.csv?{SPAN}").body.decode())))
    assert [row["name"] for row in rows] == ["", "'=Bob()", "Ada", "Ada"]
    assert [float(row["seconds"]) for row in rows] == [360, 1800, 5400, 3600]


def listen(whole: Whole, query: str = "", events: int = 1, **headers: str) -> list[dict[str, Any]]:
    """The next events of the stream."""
    address = urlsplit(whole.local)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    try:
        connection.request(
            "GET", f"/api/v1/events{query}", headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        response = connection.getresponse()
        assert response.status == 200, response.read()
        assert response.headers["Content-Type"].startswith("text/event-stream")
        found: list[dict[str, Any]] = []
        while len(found) < events:
            line = response.readline().decode().rstrip("\n")
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
        return found
    finally:
        connection.close()


def test_a_listener_goes_on_where_it_left(whole: Whole) -> None:
    first, second, third = listen(whole, "?after=0", 3)
    assert [first["type"], second["type"], third["type"]] == ["named", "unknown", "left"]
    assert first["data"]["person"]["name"] == "Ada"
    assert second["data"]["person"] is None
    assert listen(whole, "", 1, Last_Event_ID=str(second["number"])) == [third]
    assert listen(whole, "?after=0&kinds=unknown") == [second]
    assert listen(whole, "?after=0&room=attic") == [second]


@pytest.mark.parametrize("query", ["?kinds=birthday", "?after=x", "?after=-1", "?after=99999999999999999999"])
def test_a_listener_that_makes_no_sense_is_refused(whole: Whole, query: str) -> None:
    assert whole.ask("GET", f"/events{query}").status == 400


def test_webhooks_are_made_tested_and_removed(whole: Whole) -> None:
    made = whole.ask("POST", "/webhooks", {"url": "http://127.0.0.1:1/hook", "kinds": ["unknown"]})
    assert made.status == 201
    assert made.json["secret"].startswith("whsec_")
    (hook,) = whole.ask("GET", "/webhooks").json["items"]
    assert "secret" not in hook
    tested = whole.ask("POST", f"/webhooks/{hook['id']}/test").json
    assert tested == {"arrived": False, "words": "The receiver could not be reached."}
    assert whole.ask("GET", f"/webhooks/{hook['id']}/given-up").json == {"items": []}
    assert whole.ask("POST", f"/webhooks/{hook['id']}/retry").json == {"events": 0}
    assert whole.ask("DELETE", f"/webhooks/{hook['id']}").status == 204
    for method, path in (("DELETE", ""), ("POST", "/test"), ("GET", "/given-up"), ("POST", "/retry")):
        assert whole.ask(method, f"/webhooks/{hook['id']}{path}").status == 404


@pytest.mark.parametrize(
    "body",
    [
        b"{", None, [], {}, {"url": "https://a.example/"}, {"url": "ftp://a.example/", "kinds": ["left"]},
        {"url": "https://me:secret@a.example/", "kinds": ["left"]}, {"url": "https://", "kinds": ["left"]},
        {"url": "https://a.example:99999/", "kinds": ["left"]}, {"url": "https://a.example/ x", "kinds": ["left"]},
        {"url": "https://a.example/" + "x" * 2000, "kinds": ["left"]}, {"url": 7, "kinds": ["left"]},
        {"url": "https://a.example/", "kinds": []}, {"url": "https://a.example/", "kinds": ["birthday"]},
        {"url": "https://a.example/", "kinds": ["left", "left"]}, {"url": "https://a.example/", "kinds": [["left"]]},
        {"url": "https://a.example/", "kinds": "left"}, {"url": "https://a.example/", "kinds": ["left"], "room": "a/b"},
        {"url": "https://a.example/", "kinds": ["left"], "secret": "mine"}, {"url": "http://[::1", "kinds": ["left"]},
    ],
)  # fmt: skip
def test_webhooks_that_make_no_sense_are_refused(whole: Whole, body: Any) -> None:
    before = whole.ask("GET", "/webhooks").json["items"]
    assert whole.ask("POST", "/webhooks", body).status == 400
    assert whole.ask("GET", "/webhooks").json["items"] == before


def test_webhooks_are_the_host_s(whole: Whole) -> None:
    reader, admin = whole.make_key("read"), whole.make_key("admin")
    body = {"url": "http://127.0.0.1:1/", "kinds": ["left"]}
    for role in ("host", "viewer"):
        page = whole.sign_in(role)
        assert whole.ask("POST", "/webhooks", body, lan=True, **page).status == 403
        assert whole.ask("GET", "/webhooks", lan=True, **page).status == 403
    assert whole.ask("GET", "/webhooks", lan=True, key=reader).status == 403
    assert whole.ask("GET", "/webhooks", lan=True, key=admin).status == 200
    assert whole.ask("GET", "/sightings", lan=True, key=reader).status == 200
    assert whole.ask("DELETE", "/sightings", lan=True, key=reader).status == 403


def test_the_client_knows_them(whole: Whole) -> None:
    visavis = Visavis(whole.local)
    rows = list(visavis.seen(begin=at(0), end=at(24)))
    assert len(rows) == 4
    assert [row["person"]["name"] for row in visavis.attendance(at(0), at(24))] == ["Ada", "=Bob()"]
    events = visavis.events(after=0, kinds=("named", "left"))
    assert [next(events)["type"], next(events)["type"]] == ["named", "left"]
    events.close()


def test_sightings_are_erased_one_by_one_and_all_at_once(whole: Whole) -> None:
    (last, *_) = whole.ask("GET", "/sightings").json["items"]
    assert whole.ask("DELETE", f"/sightings/{last['id']}").status == 204
    assert whole.ask("DELETE", f"/sightings/{last['id']}").status == 404
    assert len(whole.ask("GET", "/sightings").json["items"]) == 4
    assert whole.ask("DELETE", "/sightings").status == 204
    assert whole.ask("GET", "/sightings").json["items"] == []
