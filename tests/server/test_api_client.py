"""The client for programs in Python, against the whole server; its types, against the document."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from server.client import Refused, Visavis
from tests.load.client_types import COMMAND, FILE, typed_dicts, wanted_types
from tests.server.photos import varied
from tests.server.whole import Whole, seed, serving_all


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("whole")
    seed(folder, "Ada", "Bob")
    with serving_all(folder) as whole:
        yield whole


@pytest.fixture
def visavis(whole: Whole) -> Visavis:
    return Visavis(whole.local)


def test_its_types_are_those_of_the_document(whole: Whole) -> None:
    spec = whole.ask("GET", "/openapi.json").json
    assert typed_dicts(spec, wanted_types()) == FILE.read_text("utf-8"), f"type: {COMMAND}"


def test_people_are_read_and_corrected(visavis: Visavis) -> None:
    ada, bob = visavis.people()
    assert (ada["name"], bob["name"]) == ("Ada", "Bob")
    change = visavis.rename(ada["id"], "Augusta")
    assert visavis.person(ada["id"])["name"] == "Augusta"
    assert visavis.changes()[0]["id"] == change["id"]
    assert visavis.undo(change["id"])["undone"]
    assert visavis.move_to_room(bob["id"], "attic")["kind"] == "room"
    assert [person["name"] for person in visavis.people("attic")] == ["Bob"]
    visavis.move_to_room(bob["id"], None)
    assert visavis.merge_preview(bob["id"], ada["id"])["into"]["name"] == "Ada"
    merged = visavis.merge(bob["id"], ada["id"])
    assert len(merged["person"]["samples"]) == 6
    visavis.undo(merged["change"]["id"])
    visavis.undo(visavis.remove(bob["id"])["id"])
    assert visavis.sightings(bob["id"]) == []
    assert visavis.everything_about(bob["id"])[:2] == b"PK"
    receipt = visavis.forget(bob["id"])
    assert (receipt["person"], next(visavis.receipts())) == (bob["id"], receipt)
    with pytest.raises(Refused, match="Nobody of this id") as refused:
        visavis.person(bob["id"])
    assert refused.value.status == 404


def test_somebody_is_enrolled_and_recognised(visavis: Visavis, tmp_path: Path) -> None:
    photo = tmp_path / "door.jpg"
    photo.write_bytes(varied(0, 0))
    saved = visavis.enrol("Grace Ω", [photo, varied(0, 1)])
    assert [(person["name"], person["added"] > 0) for person in saved["people"]] == [("Grace Ω", True)]
    found = visavis.recognise(photo)
    assert "Grace Ω" in [face["name"] for face in found["faces"]]
    with pytest.raises(Refused, match=r"1\.jpg: .*"):
        visavis.enrol("Nobody", [b"Dear diary"])
    assert "Nobody" not in [person["name"] for person in visavis.people()]


def test_photos_are_grouped_and_a_group_is_named(visavis: Visavis) -> None:
    album = visavis.group([varied(1, n) for n in range(3)])
    assert album["photos"] == 3
    group = max(album["groups"], key=lambda one: len(one["faces"]))
    assert visavis.album(album["id"])["groups"] == album["groups"]
    alone = visavis.split_group(album["id"], group["id"], [group["faces"][0]["id"]])
    assert len(alone["faces"]) == 1
    whole = visavis.merge_groups(album["id"], [group["id"], alone["id"]])
    assert len(whole["faces"]) == len(group["faces"])
    assert visavis.ignore_group(album["id"], whole["id"])["ignored"]
    assert not visavis.ignore_group(album["id"], whole["id"], False)["ignored"]
    named = visavis.name_group(album["id"], whole["id"], "Hedy")
    assert (named["person"]["name"], named["faces"] > 0) == ("Hedy", True)
    visavis.close_album(album["id"])
    with pytest.raises(Refused) as refused:
        visavis.album(album["id"])
    assert refused.value.status == 404
    refused_files = visavis.group([b"Dear diary"])
    assert [one["file"] for one in refused_files["refused"]] == ["1.jpg"]
    visavis.close_album(refused_files["id"])


def test_the_rest_is_read(visavis: Visavis) -> None:
    assert visavis.config()["protocol"] == 1
    assert visavis.document()["openapi"] == "3.1.0"
    assert visavis.sessions()["sessions"] == []
    assert list(visavis.videos()) == []
    assert visavis.strangers()["strangers"] == []
    assert visavis.reading()["age"] is False
    assert visavis.choose_reading(distance=False)["distance"] is False
    assert visavis.choose_threshold(500)["now"]["one_in"] == 500
    assert visavis.threshold()["people"] > 0
    with pytest.raises(Refused):
        visavis.session("none")
    with pytest.raises(Refused):
        visavis.choose_reading(mood=True)


def test_a_video_that_is_none_is_refused_in_words(visavis: Visavis, tmp_path: Path) -> None:
    file = tmp_path / "holiday.mp4"
    file.write_bytes(b"Dear diary")
    with pytest.raises(Refused) as refused:
        visavis.wait_for_video(visavis.send_video(file)["id"], 0.05)
    assert refused.value.detail
    for video in visavis.videos():
        assert video["file"] == "holiday.mp4"
        visavis.delete_video(video["id"])


def test_over_the_network_with_a_key(whole: Whole, tmp_path: Path) -> None:
    authority = tmp_path / "authority.pem"
    authority.write_bytes((whole.data / "tls" / "authority.pem").read_bytes())
    there = Visavis(whole.lan, whole.make_key("read"), authority=authority)
    assert there.people()
    with pytest.raises(Refused, match="'people'") as refused:
        there.rename(there.people()[0]["id"], "Eve")
    assert refused.value.status == 403
    with pytest.raises(Refused, match=r"cannot be reached: .*certificate"):
        Visavis(whole.lan, "x").people()
    with pytest.raises(Refused) as refused:
        Visavis(whole.lan, authority=authority).people()
    assert refused.value.status == 401


def test_a_server_that_is_not_there_is_said(unused_tcp_port: int) -> None:
    with pytest.raises(Refused, match="cannot be reached") as refused:
        Visavis(f"http://localhost:{unused_tcp_port}").people()
    assert refused.value.status == 0


@pytest.fixture
def moody() -> Iterator[tuple[str, list[tuple[int, dict[str, str], bytes]], list[dict[str, str]]]]:
    """A server that answers what the test says, one after the other, and what it was asked."""
    answers: list[tuple[int, dict[str, str], bytes]] = []
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append(dict(self.headers))
            status, headers, body = answers.pop(0)
            if status == 0:
                self.close_connection = True
                return  # no answer at all
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", answers, asked
    server.shutdown()
    thread.join()
    server.server_close()


CHANGE = json.dumps({"change": {"id": "1"}}).encode()


def test_a_write_without_an_answer_is_sent_again_under_the_same_key(moody: Any) -> None:
    url, answers, asked = moody
    answers += [(0, {}, b""), (503, {"Retry-After": "0"}, b"{}"), (200, {}, CHANGE)]
    assert Visavis(url).undo("1") == {"id": "1"}
    assert len({one["Idempotency-Key"] for one in asked}) == 1
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("status", "headers", "body", "words"),
    [
        (503, {"Retry-After": "3600"}, b'{"title": "Full", "detail": "Come back later."}', "Come back later"),
        (500, {}, b"<html>", "answered 500 without saying why"),
        (400, {}, b"[]", "answered 400 without saying why"),
    ],
)
def test_what_will_not_pass_is_raised_at_once(moody: Any, status: int, headers: Any, body: bytes, words: str) -> None:
    url, answers, asked = moody
    answers.append((status, headers, body))
    with pytest.raises(Refused, match=words):
        Visavis(url).undo("1")
    assert len(asked) == 1


def test_the_example_in_the_documentation_runs(
    whole: Whole, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text("utf-8")
    (example,) = [part.partition("```")[0] for part in text.split("```python\n")[1:]]
    photo = tmp_path / "door.jpg"
    photo.write_bytes(resources.files("insightface.data").joinpath("images", "t1.jpg").read_bytes())
    example = example.replace("visavis_…", whole.make_key("recognise"))
    example = example.replace("http://localhost:8000", whole.local).replace('"door.jpg"', repr(str(photo)))
    exec(compile(example, "docs/api.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) >= 6
