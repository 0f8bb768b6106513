"""Every door by which somebody becomes known asks why they may be recognised; and what is said of it."""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.frame_pipeline import PipelineConfig
from server.client import Refused, Visavis
from server.commands.people import people as people_command
from server.live.session import LiveSession
from server.peers import PeerRegistry, at_most
from server.people import People, PeopleOptions, records
from server.people.consent import Terms, end_of
from server.transport import install, uninstall
from tests.packs import models_folder, open_models
from tests.server.loopback import LOOPBACK
from tests.server.people_memory import MemoryPeople
from tests.server.photos import varied
from tests.server.test_consent import START, Clock, agreed
from tests.server.test_groups_routes import fill
from tests.server.test_live_enrolment import Room, kept
from tests.server.test_live_session import House, names, samples, track
from tests.server.whole import Whole, seed, serving_all
from tracking import DEFAULT_POLICY

WHY = {"purpose": "At the door", "basis": "consent"}
BAD = ("yes", 7, [], {}, {"purpose": "x", "basis": "because"}, {**WHY, "expires": "2001-01-01"}, {**WHY, "more": 1})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """A server as it comes: it has to be said."""
    folder = tmp_path_factory.mktemp("whole")
    seed(folder, "Old Ω")
    with serving_all(folder, consent="require", consent_days=100) as whole:
        yield whole


def person_of(whole: Whole, name: str) -> dict[str, Any]:
    (found,) = [row for row in whole.ask("GET", "/people").json["people"] if row["name"] == name]
    return dict(found)


# -- HTTP ---------


def test_the_page_is_told_what_is_asked(whole: Whole) -> None:
    asked = whole.ask("GET", "/config").json["consent"]
    assert (asked["required"], asked["days"]) == (True, 100)
    assert asked["purpose"]


def test_an_import_asks_and_goes_on_when_it_was_said(whole: Whole) -> None:
    key = whole.make_key("people", "read")
    id = whole.ask("POST", "/imports", {}).json["id"]
    said = whole.ask("POST", f"/imports/{id}/files?file=1.jpg&name=Ada", varied(0, 0), Content_Type="image/jpeg")
    assert said.json["files"][0]["verdict"] == "used"
    for body in (None, {}, {"consent": None}):
        refused = whole.ask("POST", f"/imports/{id}/commit", body)
        assert (refused.status, refused.json["title"]) == (409, "consent_missing")
        assert refused.json["detail"] == "Say why Ada may be recognised: their consent, or another basis."
    for bad in BAD:
        refused = whole.ask("POST", f"/imports/{id}/commit", {"consent": bad})
        assert refused.status == 400, bad
    assert "Ada" not in [row["name"] for row in whole.ask("GET", "/people").json["people"]]
    saved = whole.ask("POST", f"/imports/{id}/commit", {"consent": WHY}, key=key)
    assert saved.status == 200, saved.body
    ada = person_of(whole, "Ada")
    consent = ada["consent"]
    today = datetime.now().astimezone().date()
    expires = end_of(today + timedelta(days=100)).isoformat()
    assert (consent["state"], consent["basis"], consent["given"]) == ("holds", "consent", today.isoformat())
    assert (consent["expires"], consent["withdrawn"]) == (expires, None)
    assert consent["recorded_by"].startswith("key:")
    # More pictures of whom it was said of need no more words.
    again = whole.ask("POST", "/imports", {"review": "off"}).json["id"]
    path = f"/imports/{again}/files?name=ada&file=2.jpg"
    more = whole.ask("POST", path, varied(0, 2), Content_Type="image/jpeg").json["files"][0]
    assert more["verdict"] == "used"
    assert whole.ask("POST", f"/imports/{again}/commit").status == 200
    shown = whole.ask("GET", f"/people/{ada['id']}").json
    assert (len(shown["samples"]), shown["consent"]) == (2, consent)


def test_a_group_asks(whole: Whole) -> None:
    album = whole.ask("POST", "/albums").json["id"]
    group = fill(whole, album, people=1, shots=2)["groups"][0]
    path = f"/albums/{album}/groups/{group['id']}/name"
    refused = whole.ask("POST", path, {"name": "Grace"})
    assert (refused.status, refused.json["title"]) == (409, "consent_missing")
    for bad in BAD:
        assert whole.ask("POST", path, {"name": "Grace", "consent": bad}).status == 400, bad
    assert whole.ask("POST", path, {"name": "Grace", "why": WHY}).status == 400
    assert whole.ask("POST", path, {"name": "Grace", "consent": {**WHY, "basis": "contract"}}).status == 200
    assert person_of(whole, "Grace")["consent"]["basis"] == "contract"
    whole.ask("DELETE", f"/albums/{album}")


def test_records_are_read_made_and_withdrawn(whole: Whole) -> None:
    old = person_of(whole, "Old Ω")
    assert old["consent"]["state"] == "not_recorded"
    path = f"/people/{old['id']}/consents"
    assert [one["recorded_by"] for one in whole.ask("GET", path).json["consents"]] == ["server"]
    listed = lambda state: [row["name"] for row in whole.ask("GET", f"/people?consent={state}").json["people"]]  # noqa: E731
    assert listed("not_recorded") == ["Old Ω"]
    soon = (datetime.now().astimezone().date() + timedelta(days=9)).isoformat()
    made = whole.ask("POST", path, {**WHY, "expires": soon})
    assert (made.status, made.json["consent"]["state"]) == (201, "holds")
    assert (listed("not_recorded"), listed("soon"), listed("withdrawn")) == ([], ["Old Ω"], [])
    gone = whole.ask("POST", f"{path}/withdraw")
    assert (gone.status, gone.json["consent"]["state"]) == (200, "withdrawn")
    assert (listed("soon"), listed("withdrawn"), listed("over")) == ([], ["Old Ω"], [])
    twice = whole.ask("POST", f"{path}/withdraw")
    assert (twice.status, "already" in twice.json["detail"]) == (409, True)
    assert whole.ask("POST", path, {**WHY, "expires": None}).json["consent"]["expires"] is None
    states = [one["state"] for one in whole.ask("GET", path).json["consents"]]
    assert states == ["holds", "withdrawn", "holds", "not_recorded"]


def test_bad_input_at_the_doors_of_records(whole: Whole) -> None:
    old = person_of(whole, "Old Ω")["id"]
    before = whole.ask("GET", f"/people/{old}/consents").json
    for bad in (*BAD, None, b"{", b"[" * 50_000, b"\xff"):
        body = bad if bad is not None else b"null"
        assert whole.ask("POST", f"/people/{old}/consents", body).status == 400, bad
    for path in (f"/people/{'0' * 32}/consents", "/people/ADA/consents"):
        assert whole.ask("GET", path).status == 404
        assert whole.ask("POST", path, WHY).status == 404
        assert whole.ask("POST", f"{path}/withdraw").status == 404
    assert whole.ask("GET", "/people?consent=holds").status == 400
    assert whole.ask("GET", f"/people/{old}/consents").json == before
    reader = whole.make_key("read")
    assert whole.ask("GET", f"/people/{old}/consents", key=reader).status == 200
    assert whole.ask("POST", f"/people/{old}/consents", WHY, key=reader).status == 403
    assert whole.ask("POST", f"/people/{old}/consents/withdraw", key=reader).status == 403


def test_who_is_split_off_is_somebody_else_who_was_not_asked(whole: Whole) -> None:
    old = whole.ask("GET", f"/people/{person_of(whole, 'Old Ω')['id']}").json
    body = {"samples": [old["samples"][0]["id"]], "name": "Other"}
    refused = whole.ask("POST", f"/people/{old['id']}/split", body)
    assert (refused.status, refused.json["title"]) == (409, "consent_missing")
    assert whole.ask("POST", f"/people/{old['id']}/split", {**body, "consent": {}}).status == 400
    done = whole.ask("POST", f"/people/{old['id']}/split", {**body, "consent": WHY})
    assert (done.status, done.json["person"]["consent"]["state"]) == (201, "holds")


def test_the_client_says_it(whole: Whole) -> None:
    visavis = Visavis(whole.local)
    with pytest.raises(Refused, match="Say why Zoë may be recognised"):
        visavis.enrol("Zoë", [varied(2, 0)])
    id = visavis.enrol("Zoë", [varied(2, 0)], consent={"purpose": "x", "basis": "consent"})["people"][0]["id"]
    assert visavis.withdraw_consent(id)["state"] == "withdrawn"
    assert [row["name"] for row in visavis.people(consent="withdrawn")] == ["Zoë"]
    visavis.record_consent(id, {"purpose": "x", "basis": "contract", "expires": None})
    assert [one["basis"] for one in visavis.consents(id)] == ["contract", "consent", "consent"]


# -- live ---------


def requiring() -> MemoryPeople:
    people = MemoryPeople(open_models().manifest.digest)
    people.terms = Terms(require=True)
    return people


async def test_nobody_is_learnt_live_before_it_was_said() -> None:
    room = Room(requiring())
    room.ask()
    refused = await room.outcome()
    assert (refused["code"], refused["message"]) == (
        "consent_missing", "Say why Ada may be recognised: their consent, or another basis.",
    )  # fmt: skip
    assert room.watched == set()
    for bad in BAD:
        room.ask(consent=bad)
        assert room.said[-1]["code"] == "bad_consent", bad
    room.ask(consent=WHY)
    room.turns()
    assert (await room.outcome())["type"] == "enrolled"


async def test_what_goes_with_the_session_needs_no_reason() -> None:
    for room, more in ((Room(requiring(), guest=True), {}), (Room(requiring()), {"scope": "session"})):
        room.ask(**more)
        room.turns()
        assert (await room.outcome())["type"] == "enrolled"


async def test_more_looks_at_whom_it_was_said_of_need_no_reason_but_after_the_end_they_do(tmp_path: Path) -> None:
    clock = Clock()
    options = PeopleOptions(terms=Terms(require=True), clock=clock)
    people = await People.open(tmp_path / "p.sqlite3", open_models().manifest.digest, 128, options)
    try:
        ada = await people.add_person("Ada", kept(0), None, agreed(START + timedelta(days=1)))
        room = Room(people)  # type: ignore[arg-type]
        room.ask()
        await room.outcome()
        room.turns()
        done = await room.outcome()
        assert (done["type"], done["added_to_existing"]) == ("enrolled", True)
        clock.now += timedelta(days=2)
        await asyncio.sleep(0.3)
        room.ask()
        assert (await room.outcome())["code"] == "consent_missing"
        # Somebody else under her name is not let in by saying it.
        room.ask(consent=WHY)
        room.turns(person=3)
        assert (await room.outcome())["code"] == "different_person"
        assert not people.lawful(ada.id)
        room.ask(consent={**WHY, "expires": None})
        room.turns()
        assert (await room.outcome())["added_to_existing"] is True
        assert people.consented(ada.id)
        assert people.gallery.person(ada.id) is not None
        (row,) = await people.list()
        assert row.consent is not None
        assert row.consent.recorded_by == "server"
    finally:
        await people.close()


@pytest.fixture
async def timed(tmp_path: Path) -> AsyncIterator[tuple[House, Clock]]:
    install(LOOPBACK)
    models, clock = open_models(), Clock()
    manifest, options = models.manifest, PeopleOptions(clock=clock)
    people = await People.open(tmp_path / "p.sqlite3", manifest.digest, manifest.embedder.dimension, options)
    executor = ThreadPoolExecutor(2)

    def session(peer: Any) -> LiveSession:
        return LiveSession(peer, models, people, executor, PipelineConfig(), DEFAULT_POLICY, by="account:5")

    house = House(people, PeerRegistry(LOOPBACK, session, at_most(4)))
    yield house, clock
    for page in house.pages:
        await page.close()
    await house.peers.close_all("shutdown")
    executor.shutdown()
    await people.close()
    uninstall()


async def test_a_name_goes_with_the_next_frame_when_its_time_is_over(timed: tuple[House, Clock]) -> None:
    house, clock = timed
    ada = await house.people.add_person("Ada", samples(0), None, agreed(START + timedelta(days=1)))
    page = await house.visit(0)
    await page.until(lambda: "Ada" in names(page), 5, "the name")
    heard = len(page.results)
    clock.now = START + timedelta(days=1)
    await page.until(lambda: house.people.gallery.person(ada.id) is None, 1, "left out")
    first = len(page.results) + 2  # one may be on its way, one in the works
    await page.until(lambda: len(page.results) > first + 5, 3, "frames")
    assert len(page.results) > heard
    assert [face["name"] for result in page.results[first:] for face in result["faces"]] == [
        None for result in page.results[first:] for _ in result["faces"]
    ]
    assert (await page.hears("people"))["people"] == 0
    await records.record(house.people, ada.id, agreed(), "account:5")
    await page.until(lambda: "Ada" in names(page), 3, "the name is back")
    clock.now = START - timedelta(days=9)  # nothing changes for whom no end is set
    await asyncio.sleep(0.4)
    assert "Ada" in names(page)
    await records.withdraw(house.people, ada.id, "account:5")
    await page.until(lambda: "Ada" not in names(page), 1, "the name goes")


async def test_who_enrolled_live_is_written_down(timed: tuple[House, Clock]) -> None:
    house, _clock = timed
    page = await house.visit(0)
    page.send("enrol", id=1, track=track(page), name="Ada", consent=WHY)
    done = await page.hears("enrolled", 8)
    (record,) = await records.history(house.people, done["person"])
    assert (record.basis, record.purpose, record.recorded_by) == ("consent", "At the door", "account:5")


# -- the command line ---------


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VISAVIS_DATA_DIR", str(tmp_path / "data"))
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("Ada.jpg", varied(0, 0))
    return path


def run(*arguments: str) -> Any:
    models = ["--models-dir", str(models_folder())] if arguments[0] == "import" else []
    return CliRunner().invoke(people_command, [*arguments, *models])


def consent_listed() -> dict[str, Any]:
    (row,) = json.loads(run("list", "--json").stdout)["people"]
    return dict(row["consent"])


def test_an_import_on_the_command_line_asks_before_it_reads(photos: Path) -> None:
    refused = run("import", str(photos))
    assert refused.exit_code == 1
    assert "say why Ada may be recognised: --basis" in refused.output
    assert run("import", str(photos), "--dry-run").exit_code == 0
    why = ("--basis", "contract", "--purpose", "Door", "--given", "2026-01-05", "--expires", "never")
    done = run("import", str(photos), *why)
    assert done.exit_code == 0, done.output
    found = consent_listed()
    assert (found["basis"], found["purpose"], found["given"], found["expires"], found["recorded_by"]) == (
        "contract", "Door", "2026-01-05", None, "command line",
    )  # fmt: skip
    assert run("import", str(photos)).exit_code == 0  # it is said of Ada already


def test_records_go_out_and_come_back(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("import", str(photos), "--basis", "consent").exit_code == 0
    assert run("renew", "Ada", "--basis", "contract").exit_code == 0
    folder = tmp_path / "out"
    assert run("export", str(folder)).exit_code == 0
    assert run("withdraw", "Ada").exit_code == 0
    assert run("import", str(folder)).exit_code == 0
    assert consent_listed()["state"] == "withdrawn"  # older records do not bring anybody back
    history = json.loads(run("consents", "Ada", "--json").stdout)["consents"]
    assert [one["state"] for one in history] == ["withdrawn", "holds", "holds"]
    monkeypatch.setenv("VISAVIS_DATA_DIR", str(tmp_path / "other"))
    assert run("import", str(folder)).exit_code == 0
    assert json.loads(run("consents", "Ada", "--json").stdout)["consents"] == history[1:]
    # What was exported before there were records needs one.
    whole = json.loads((folder / "people.json").read_text())
    del whole["people"][0]["consents"]
    (folder / "people.json").write_text(json.dumps(whole))
    monkeypatch.setenv("VISAVIS_DATA_DIR", str(tmp_path / "third"))
    refused = run("import", str(folder))
    assert (refused.exit_code, "say why Ada may be recognised" in refused.output) == (1, True)
    assert run("import", str(folder), "--basis", "public_task").exit_code == 0
    assert consent_listed()["basis"] == "public_task"


@pytest.mark.parametrize(
    "change",
    [
        {"basis": "because"}, {"purpose": ""}, {"purpose": "a\x00"}, {"given": "yesterday"}, {"recorded": None},
        {"expires": 7}, {"recorded_by": ""}, {"recorded_by": "x" * 81}, {"id": "short"},
    ],
)  # fmt: skip
def test_a_damaged_record_is_refused(photos: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    from server.people.photos.export import BadExport, read_export

    record = {
        "id": "b" * 32, "purpose": "x", "basis": "consent", "given": "2026-01-01", "expires": None, "withdrawn": None,
        "recorded": "2026-01-01T00:00:00+00:00", "recorded_by": "local",
    }  # fmt: skip
    seed(tmp_path / "data", "Ada")
    folder = tmp_path / "out"
    assert run("export", str(folder)).exit_code == 0
    whole = json.loads((folder / "people.json").read_text())
    whole["people"][0]["consents"] = [record]
    (folder / "people.json").write_text(json.dumps(whole))
    (person,) = read_export(folder)
    assert person["consents"][0].basis == "consent"
    whole["people"][0]["consents"] = [{**record, **change}]
    (folder / "people.json").write_text(json.dumps(whole))
    with pytest.raises(BadExport, match="damaged"):
        read_export(folder)


def test_a_record_of_the_future_does_not_hide_a_later_one(photos: Path, tmp_path: Path) -> None:
    from server.people.photos.export import read_export

    seed(tmp_path / "data", "Ada")
    folder = tmp_path / "out"
    assert run("export", str(folder)).exit_code == 0
    text = (folder / "people.json").read_text()
    whole = json.loads(text)
    whole["people"][0]["consents"][0]["recorded"] = "2999-01-01T00:00:00+00:00"
    (folder / "people.json").write_text(json.dumps(whole))
    (person,) = read_export(folder)
    assert person["consents"][0].recorded <= datetime.now(UTC)
