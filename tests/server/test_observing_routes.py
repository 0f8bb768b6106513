"""Who is told how the server does, and what: /healthz, /readyz, /metrics, /api/v1/status."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.app import SERVICES
from server.observing.observing import Observing
from tests.server.whole import Whole, seed, serving_all

ROOT = Path(__file__).resolve().parents[2]
SECRETS = ("Zaphodine", "Quillfeather", "attic")
SCRAPER = ("127.0.0.1/32",)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("observed")
    seed(folder, *SECRETS[:2])
    with serving_all(folder, sightings=True, max_sessions=8) as whole:
        whole.ask("POST", "/rooms", {"name": SECRETS[2]})
        yield whole


def observed(whole: Whole) -> Observing:
    found = whole.app[SERVICES].observing
    assert found is not None
    return found


def metrics(whole: Whole) -> dict[str, Any]:
    answer = whole.ask("GET", "/metrics", root="")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {family.name: family for family in text_string_to_metric_families(answer.body.decode())}


# -- health and readiness ---------------------------------------------------------------------------------------------


def test_whoever_asks_is_told_whether_it_lives_and_is_ready_and_no_more(whole: Whole) -> None:
    assert whole.ask("GET", "/healthz", root="", lan=True).json == {"status": "ok"}
    answer = whole.ask("GET", "/readyz", root="", lan=True)
    assert (answer.status, answer.json) == (200, {"status": "ready"})


def test_the_owner_is_told_of_each_part(whole: Whole) -> None:
    checks = whole.ask("GET", "/readyz", root="").json["checks"]
    assert checks == {"store": "ok", "decoder": "ok", "accepting": "ok"}
    host = whole.ask("GET", "/readyz", root="", lan=True, **whole.sign_in("host"))
    assert host.json == {"status": "ready"}


def test_a_part_that_cannot_be_used_is_named_and_only_the_owner_reads_why(whole: Whole, tmp_path: Path) -> None:
    readiness = observed(whole).subject.readiness

    async def fails() -> None:
        raise OSError(28, "No space left on device", str(tmp_path / SECRETS[0]))

    readiness.add("store", fails)
    try:
        answer = whole.ask("GET", "/readyz", root="", lan=True)
        assert (answer.status, answer.json) == (503, {"status": "not ready", "not": ["store"]})
        assert answer.headers["retry-after"] == "5"
        told = whole.ask("GET", "/readyz", root="")
        assert told.json["checks"]["store"].startswith("The disk of the data folder is full")
        assert SECRETS[0] not in told.body.decode()
        assert whole.ask("GET", "/status").json["state"] == "unwell"
    finally:
        readiness.add("store", ok)


async def ok() -> None:
    """All is well."""


def test_asking_whether_it_is_ready_is_never_too_much(whole: Whole) -> None:
    began = time.perf_counter()
    statuses = {whole.ask("GET", path, root="", lan=True).status for _ in range(75) for path in ("/healthz", "/readyz")}
    assert statuses == {200}
    assert time.perf_counter() - began < 60


def test_neither_is_in_the_audit_log(whole: Whole) -> None:
    before = whole.ask("GET", "/audit?limit=1").json["items"][0]["number"]
    for path in ("/healthz", "/readyz", "/metrics"):
        assert whole.ask("GET", path, root="").status == 200
    assert whole.ask("GET", "/status").status == 200
    rows = whole.ask("GET", "/audit?limit=5").json["items"]
    assert {row["action"] for row in rows if row["number"] > before} <= {"audit.viewed"}


# -- metrics ----------------------------------------------------------------------------------------------------------


def test_metrics_are_for_the_owner_and_for_keys_that_may(whole: Whole) -> None:
    assert whole.ask("GET", "/metrics", root="", lan=True).status == 401
    assert whole.ask("GET", "/metrics", root="", lan=True, **whole.sign_in("host")).status == 403
    assert whole.ask("GET", "/metrics", root="", lan=True, key=whole.make_key("read", "admin")).status == 403
    key = whole.make_key("observe")
    assert whole.ask("GET", "/metrics", root="", lan=True, key=key).status == 200
    assert whole.ask("GET", "/status", lan=True, key=key).status == 200
    assert whole.ask("GET", "/people", lan=True, key=key).status == 403


@pytest.mark.parametrize(("networks", "status"), [(SCRAPER, 200), (("127.0.0.2/32", "10.0.0.0/8"), 401)])
def test_metrics_are_open_to_the_networks_that_are_named_and_nothing_else_is(
    tmp_path: Path, networks: tuple[str, ...], status: int
) -> None:
    with serving_all(tmp_path, metrics_from=networks, local_owner=False) as whole:
        assert whole.ask("GET", "/metrics", root="", lan=True).status == status
        assert whole.ask("GET", "/metrics", root="").status == status
        assert whole.ask("GET", "/status", lan=True).status == 401


def test_nobody_is_in_the_metrics(whole: Whole) -> None:
    text = whole.ask("GET", "/metrics", root="").body.decode()
    ids = [person["id"] for person in whole.ask("GET", "/people").json["people"]]
    assert len(ids) == 2
    for secret in (*SECRETS, *ids, "127.0.0.1", str(whole.data)):
        assert secret not in text
    labels = {label for family in metrics(whole).values() for sample in family.samples for label in sample.labels}
    assert labels == {"way", "where", "stage", "le", "part", "kind", "process", "version", "pack", "digest", "figure"}


def test_metrics_say_what_is_so(whole: Whole) -> None:
    found = metrics(whole)

    def value(name: str, **labels: str) -> float:
        samples = [
            s.value for family in found.values() for s in family.samples if s.name == name and s.labels == labels
        ]
        assert len(samples) == 1, name
        return float(samples[0])

    assert value("visavis_people") == 2
    assert value("visavis_sessions", way="webrtc") == 0
    assert value("visavis_sessions_limit") == 8
    assert value("visavis_ready", part="decoder") == 1
    assert value("visavis_draining") == 0
    assert value("visavis_child_processes") >= 2  # that decode pictures
    assert value("visavis_memory_bytes", process="server") > 50e6
    assert value("visavis_store_seconds_count") > 0
    assert value("visavis_store_change_seconds_count") == 0
    people = whole.ask("GET", "/people").json["people"]
    whole.ask("PATCH", f"/people/{people[0]['id']}", {"name": "Trillian"})
    time.sleep(1.1)  # what is asked within a second is answered the same
    found = metrics(whole)
    assert value("visavis_store_change_seconds_count") == 1


def test_every_metric_is_documented_and_none_that_is_not_there(whole: Whole) -> None:
    page = (ROOT / "docs/operations-metrics.md").read_text("utf-8")
    documented = dict(re.findall(r"^\| `(visavis_\w+)` \| (\w+) \|", page, re.MULTILINE))
    assert documented == everything(whole)


def everything(whole: Whole) -> dict[str, str]:
    """Every metric there can be, with its kind, as Prometheus writes its name."""
    subject = observed(whole).subject
    with_pool = json.loads(json.dumps({"workers": 2, "busy": 1, "waiting": 0, "restarts": 0, "calls": 5, "batched": 1}))
    pool = type("Pool", (), with_pool)()
    object.__setattr__(subject, "inference", lambda: pool)
    object.__setattr__(subject, "load", lambda: {"fps": 12.5})
    try:
        time.sleep(1.1)
        found = metrics(whole)
    finally:
        object.__setattr__(subject, "inference", lambda: None)
        object.__setattr__(subject, "load", dict)
        time.sleep(1.1)
    suffix = {"counter": "_total"}
    named = {}
    for family in found.values():
        kind = "info" if family.name.endswith("_info") else family.type
        named[family.name + (suffix.get(kind, "") if not family.name.endswith("_total") else "")] = kind
    return named


# -- what is made for them --------------------------------------------------------------------------------------------


def asked_for(expressions: list[str]) -> set[str]:
    """The metrics of these, by the names they have in the documentation."""
    names = {name for text in expressions for name in re.findall(r"\bvisavis_\w+", text)}
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in names}


def test_the_dashboard_shows_every_metric_and_asks_for_nothing_else(whole: Whole) -> None:
    board = json.loads((ROOT / "docs/deploy/grafana-dashboard.json").read_text("utf-8"))
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    assert asked_for(expressions) == everything(whole).keys()
    variables = {variable["name"]: variable["type"] for variable in board["templating"]["list"]}
    assert variables == {"datasource": "datasource", "instance": "query"}
    for panel in panels:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for expression in expressions:
        assert expression.count("(") == expression.count(")")
        assert 'instance=~"$instance"' in expression


def test_panels_lie_beside_each_other() -> None:
    board = json.loads((ROOT / "docs/deploy/grafana-dashboard.json").read_text("utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells


def test_alerts_ask_for_metrics_that_are_there(whole: Whole) -> None:
    text = (ROOT / "docs/deploy/alerts.yml").read_text("utf-8")
    expressions = re.findall(r"^ +expr: (.+)$", text, re.MULTILINE)
    assert len(expressions) == text.count("- alert:") >= 5
    assert asked_for(expressions) <= everything(whole).keys()
    assert text.count("summary:") == text.count("description:") == len(expressions)


# -- the status -------------------------------------------------------------------------------------------------------


def test_the_status_is_for_owner_and_hosts(whole: Whole) -> None:
    for role, status in (("owner", 200), ("host", 200), ("viewer", 403)):
        signed = whole.sign_in(role)
        assert whole.ask("GET", "/status", lan=True, **signed).status == status
        assert whole.ask("GET", "/status", root="", lan=True, **signed).status == status
    assert whole.ask("GET", "/status", lan=True).status == 401


def test_the_status_says_how_it_does(whole: Whole) -> None:
    said = whole.ask("GET", "/status").json
    assert said["sessions"] == {"now": 0, "most": 8, "waiting": 0, "refused": 0}
    assert said["answers"] == {"rate": 0.0, "p50_ms": None, "p95_ms": None, "stages": []}
    assert said["pack"] == {"name": "open", "licence": "MIT and CC0-1.0"}
    assert 0 < said["memory"]["ours"] < said["memory"]["total"]
    assert 0 < said["disk"]["free"] < said["disk"]["total"]
    assert 0 <= said["processors"]["ours"] <= 1
    assert [job["kind"] for job in said["jobs"]] == ["video", "evaluation", "model_change"]


def test_many_who_look_at_once_are_told_what_was_found_for_one(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    gatherer = observed(whole).gatherer
    gather = gatherer._gather

    async def counted() -> Any:
        asked.append(1)
        return await gather()

    monkeypatch.setattr(gatherer, "_gather", counted)
    began = time.monotonic()
    for _ in range(20):
        assert whole.ask("GET", "/status").status == 200
    assert len(asked) <= 2 + time.monotonic() - began
