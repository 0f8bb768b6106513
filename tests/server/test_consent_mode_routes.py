"""Consent mode over HTTP: who may choose it, that it is kept, and what photos, albums and videos give out then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pictures import photo_path
from tests.server.test_rooms_routes import invite
from tests.server.whole import Whole, serving_all


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with serving_all(tmp_path_factory.mktemp("whole")) as whole:
        yield whole


def test_a_room_is_opened_with_it_and_it_can_be_changed(whole: Whole) -> None:
    made = whole.ask("POST", "/rooms", {"name": "clinic", "consent_mode": True})
    assert (made.status, made.json["consent_mode"]) == (201, True)
    assert whole.ask("POST", "/rooms", {"name": "clinic"}).json["consent_mode"] is True  # nothing said, nothing changed
    assert whole.ask("GET", "/rooms/clinic").json["consent_mode"] is True
    changed = whole.ask("PATCH", "/rooms/clinic", {"consent_mode": False})
    assert (changed.status, changed.json["consent_mode"]) == (200, False)
    assert whole.ask("POST", "/rooms", {"name": "plain"}).json["consent_mode"] is False
    rooms = {room["name"]: room["consent_mode"] for room in whole.ask("GET", "/rooms").json["rooms"]}
    assert rooms == {"clinic": False, "plain": False}


@pytest.mark.parametrize("body", [{}, [], {"consent_mode": 1}, {"consent_mode": "yes"}, {"consent_mode": True, "a": 1}])
def test_anything_else_is_refused(whole: Whole, body: Any) -> None:
    whole.ask("POST", "/rooms", {"name": "clinic"})
    assert whole.ask("PATCH", "/rooms/clinic", body).status == 400
    assert whole.ask("PATCH", "/rooms/nowhere", {"consent_mode": True}).status == 404
    assert whole.ask("POST", "/rooms", {"name": "else", "consent_mode": None}).status == 400
    assert whole.ask("GET", "/rooms/else").status == 404


def test_hosts_alone_choose_it(whole: Whole) -> None:
    for role, status in (("viewer", 403), ("camera", 403), ("host", 200)):
        token = invite(whole, "ward", role)
        assert whole.ask("PATCH", "/rooms/ward", {"consent_mode": True}, lan=True, key=token).status == status
    assert whole.ask("PATCH", "/rooms/ward", {"consent_mode": True}, key=whole.make_key("read")).status == 403


def test_it_is_kept_over_a_restart(tmp_path: Path) -> None:
    with serving_all(tmp_path) as first:
        first.ask("POST", "/rooms", {"name": "clinic", "consent_mode": True})
    with serving_all(tmp_path) as second:
        assert second.ask("GET", "/rooms/clinic").json["consent_mode"] is True


def test_a_photo_tells_only_where_faces_are(whole: Whole) -> None:
    whole.ask("POST", "/rooms", {"name": "hall", "consent_mode": True})
    photo = photo_path().read_bytes()
    told = whole.ask("POST", "/photos?room=hall", photo, Content_Type="image/jpeg").json["faces"]
    plain = whole.ask("POST", "/photos", photo, Content_Type="image/jpeg").json["faces"]
    assert [face["box"] for face in told] == [face["box"] for face in plain]
    for face in told:
        assert face["identity"] == "unknown"
        assert face["words"] == "Nothing is said of this face: no consent of theirs is known here."
        for field in ("name", "person", "similarity", "threshold", "quality", "distance", "enhancement"):
            assert face[field] is None
        assert face["landmarks"] == []
    assert all(face["quality"] for face in plain)


def test_albums_are_not_opened_in_such_a_room(whole: Whole) -> None:
    whole.ask("POST", "/rooms", {"name": "hall", "consent_mode": True})
    refused = whole.ask("POST", "/albums?room=hall")
    assert refused.status == 409
    assert "Consent mode is on" in refused.json["detail"]
    assert whole.ask("POST", "/albums").status == 201


def test_the_setting_is_for_wherever_nothing_else_is_said(tmp_path: Path) -> None:
    with serving_all(tmp_path, consent_mode=True) as whole:
        assert whole.ask("POST", "/rooms", {"name": "clinic"}).json["consent_mode"] is True
        assert whole.ask("PATCH", "/rooms/clinic", {"consent_mode": False}).json["consent_mode"] is False
        assert whole.ask("POST", "/albums").status == 409
        assert whole.ask("POST", "/albums?room=clinic").status == 201
        refused = whole.ask("POST", "/videos?file=a.mp4", b"a video", Content_Type="video/mp4")
        assert refused.status == 409
        assert whole.ask("GET", f"/videos/{'0' * 32}/file").status == 409
        assert whole.ask("GET", "/videos").status == 200
        assert whole.ask("DELETE", f"/videos/{'0' * 32}").status == 404
