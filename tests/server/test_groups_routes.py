"""Albums over HTTP: filled, grouped, corrected, named, closed; and everything that cannot be."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from server.groups.albums import ALBUMS
from tests.server.photos import varied
from tests.server.whole import Answer, Whole, serving_all

NOBODY = "0" * 32


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with serving_all(tmp_path_factory.mktemp("whole")) as whole:
        yield whole


@pytest.fixture
def album(whole: Whole) -> Iterator[str]:
    opened = whole.ask("POST", "/albums")
    assert opened.status == 201, opened.body
    yield opened.json["id"]
    whole.ask("DELETE", f"/albums/{opened.json['id']}")


def send(whole: Whole, album: str, name: str, data: bytes) -> Answer:
    return whole.ask("POST", f"/albums/{album}/files?file={name}", data, Content_Type="image/jpeg")


def fill(whole: Whole, album: str, people: int = 2, shots: int = 3) -> Any:
    for person in range(people):
        for shot in range(shots):
            added = send(whole, album, f"{person}-{shot}.jpg", varied(person, shot))
            assert added.status == 200, added.body
    arranged = whole.ask("POST", f"/albums/{album}/arrange")
    assert arranged.status == 200, arranged.body
    return arranged.json


def test_people_are_grouped_named_and_known_from_then_on(whole: Whole, album: str) -> None:
    said = fill(whole, album)
    assert (said["photos"], said["faces"], len(said["groups"])) == (6, 6, 2)
    group = said["groups"][0]
    picture = whole.ask("GET", f"/albums/{album}/faces/{group['faces'][0]['id']}")
    assert (picture.headers["content-type"], picture.body[:2]) == ("image/jpeg", b"\xff\xd8")
    named = whole.ask("POST", f"/albums/{album}/groups/{group['id']}/name", {"name": "Ada"})
    assert named.status == 200, named.body
    assert (named.json["person"]["name"], named.json["faces"]) == ("Ada", 3)
    left = whole.ask("GET", f"/albums/{album}").json
    assert [each["id"] for each in left["groups"]] == [said["groups"][1]["id"]]
    person = int(group["faces"][0]["file"][0])
    (face,) = whole.ask("POST", "/photos", varied(person, 4), Content_Type="image/jpeg").json["faces"]
    assert face["name"] == "Ada"
    change = whole.ask("GET", "/changes").json["changes"][0]
    assert whole.ask("POST", f"/changes/{change['id']}/undo").status == 200
    other = whole.ask("POST", f"/albums/{album}/groups/{group['id']}/name", {"name": "Ada"})
    assert other.status == 404  # it left the album


def test_a_group_that_looks_like_somebody_says_so(whole: Whole) -> None:
    first = whole.ask("POST", "/albums").json["id"]
    said = fill(whole, first, people=1)
    named = whole.ask("POST", f"/albums/{first}/groups/{said['groups'][0]['id']}/name", {"name": "Grace"})
    whole.ask("DELETE", f"/albums/{first}")
    second = whole.ask("POST", "/albums").json["id"]
    send(whole, second, "new.jpg", varied(0, 5))
    (group,) = whole.ask("POST", f"/albums/{second}/arrange").json["groups"]
    assert (group["sure"], group["like"]["name"]) == ("known", "Grace")
    send(whole, second, "other.jpg", varied(1, 5))
    groups = whole.ask("POST", f"/albums/{second}/arrange").json["groups"]
    (other,) = [each for each in groups if each["like"] is None]
    wrong = whole.ask("POST", f"/albums/{second}/groups/{other['id']}/name", {"name": "Grace"})
    assert wrong.status == 409
    assert "looks different" in wrong.json["detail"]
    whole.ask("DELETE", f"/albums/{second}")
    whole.ask("DELETE", f"/people/{named.json['person']['id']}")


def test_split_merge_and_ignore(whole: Whole, album: str) -> None:
    said = fill(whole, album)
    one, other = said["groups"]
    base = f"/albums/{album}"
    part = whole.ask("POST", f"{base}/groups/{one['id']}/split", {"faces": [one["faces"][0]["id"]]})
    assert len(part.json["faces"]) == 1
    both = whole.ask("POST", f"{base}/merge", {"groups": [part.json["id"], one["id"]]})
    assert len(both.json["faces"]) == 3
    assert whole.ask("PUT", f"{base}/groups/{other['id']}/ignored", {"ignored": True}).json["ignored"]
    assert whole.ask("GET", base).json["groups"][-1]["id"] == other["id"]


def test_a_zip_is_read_and_what_is_no_photo_is_told(whole: Whole, album: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("party/1.jpg", varied(0, 0))
        archive.writestr("party/2.jpg", varied(0, 1))
        archive.writestr("party/broken.jpg", b"Dear diary")
    added = whole.ask(
        "POST", f"/albums/{album}/files?file=party.zip", packed.getvalue(), Content_Type="application/zip"
    )
    assert added.json == {"faces": 2, "photos": 2}
    refused = whole.ask("GET", f"/albums/{album}").json["refused"]
    assert [(each["file"], "no JPEG" in each["words"]) for each in refused] == [("party/broken.jpg", True)]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "", None, 404), ("DELETE", "", None, 404), ("POST", "/arrange", None, 404),
        ("POST", "/files?file=a.jpg", b"x", 404), ("POST", "/merge", {"groups": [NOBODY, "1" * 32]}, 404),
        ("POST", f"/groups/{NOBODY}/name", {"name": "Ada"}, 404), ("GET", f"/faces/{NOBODY}", None, 404),
    ],
)  # fmt: skip
def test_an_album_that_is_not_there(whole: Whole, method: str, path: str, body: Any, status: int) -> None:
    assert whole.ask(method, f"/albums/{NOBODY}{path}", body).status == status


def test_what_makes_no_sense_is_refused_and_changes_nothing(whole: Whole, album: str) -> None:
    said = fill(whole, album)
    one, other = (group["id"] for group in said["groups"])
    faces = [face["id"] for face in said["groups"][0]["faces"]]
    base = f"/albums/{album}"
    wishes: list[tuple[str, str, Any, int]] = [
        ("POST", f"{base}/merge", {"groups": [one]}, 400), ("POST", f"{base}/merge", {"groups": [one, one]}, 400),
        ("POST", f"{base}/merge", {"groups": []}, 400), ("POST", f"{base}/merge", {"groups": "all"}, 400),
        ("POST", f"{base}/merge", {"groups": [one, NOBODY]}, 404), ("POST", f"{base}/merge", b"{", 400),
        ("POST", f"{base}/groups/{one}/split", {"faces": faces}, 409),
        ("POST", f"{base}/groups/{one}/split", {"faces": [NOBODY]}, 404),
        ("POST", f"{base}/groups/{other}/split", {"faces": faces[:1]}, 404),
        ("POST", f"{base}/groups/{one}/name", {"name": ""}, 400),
        ("POST", f"{base}/groups/{one}/name", {"name": 7}, 400),
        ("POST", f"{base}/groups/{one}/name", {}, 400), ("PUT", f"{base}/groups/{one}/ignored", {"ignored": 1}, 400),
        ("POST", f"{base}/files?file=", b"x", 400), ("POST", f"{base}/files", b"x", 400),
        ("POST", f"{base}/files?file=a.zip", b"PK\3\4 no archive", 400),
        ("POST", "/albums?room=a/b", None, 400),
    ]  # fmt: skip
    for method, path, body, status in wishes:
        answer = whole.ask(method, path, body)
        assert answer.status == status, (method, path, body, answer.body)
    after = whole.ask("GET", base).json
    assert {g["id"]: len(g["faces"]) for g in after["groups"]} == {g["id"]: len(g["faces"]) for g in said["groups"]}


def test_there_is_an_end_to_albums(whole: Whole) -> None:
    opened = [whole.ask("POST", "/albums") for _ in range(ALBUMS + 1)]
    assert [answer.status for answer in opened] == [201] * ALBUMS + [409]
    for answer in opened[:-1]:
        assert whole.ask("DELETE", f"/albums/{answer.json['id']}").status == 204
