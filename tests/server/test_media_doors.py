"""Files that were made to harm, at the doors of a whole running server: each is answered in words, and nobody else
notices."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from server.media.decoder import Decoder
from server.photos.recognise import FACES
from tests.load.fuzz import fuzz_pictures, fuzz_videos, poster
from tests.pictures import photo_path
from tests.server.test_media_decoder import UNWELL, asking
from tests.server.whole import Whole, serving_all

PHOTO = photo_path().read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with serving_all(tmp_path_factory.mktemp("whole")) as whole:
        yield whole


def test_damaged_pictures_are_answered_and_hurt_nobody(whole: Whole) -> None:
    tally = fuzz_pictures(whole, 150, seed=3)
    assert tally.wrong == []
    assert sum(tally.statuses.values()) == 150
    assert {status for _, status in tally.statuses} >= {200, 413, 415}


def test_damaged_videos_are_read_or_refused(whole: Whole) -> None:
    tally = fuzz_videos(whole, 2, seed=5)
    assert tally.wrong == []
    assert sum(tally.statuses.values()) in (2, 4)  # those that were taken in are told twice


def test_a_poster_of_ten_thousand_faces_is_answered_within_the_limit(whole: Whole) -> None:
    began = time.monotonic()
    answer = whole.ask("POST", "/photos", poster(10_000))
    assert answer.status == 200
    assert time.monotonic() - began < 30
    assert len(answer.json["faces"]) <= FACES
    crowd = whole.ask("POST", "/photos", poster(225))  # as small as a photo of so many can show them
    assert len(crowd.json["faces"]) == FACES  # the largest; the document of the interface says so
    words = json.dumps(whole.ask("GET", "/openapi.json").json["paths"]["/api/v1/photos"])
    assert f"largest {FACES} faces" in words


def test_a_picture_that_ends_its_process_is_answered_and_nobody_else_notices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.services.Decoder", partial(Decoder, command=UNWELL, seconds=4.0))
    with serving_all(tmp_path) as whole, ThreadPoolExecutor(4) as threads:
        bad = {"crash": 415, "hang": 413, "swell": 413, "lie": 415}
        asked = {wish: threads.submit(whole.ask, "POST", "/photos", asking(wish)) for wish in bad}
        good = [threads.submit(whole.ask, "POST", "/photos", PHOTO) for _ in range(4)]
        for wish, status in bad.items():
            answer = asked[wish].result(60)
            assert (wish, answer.status) == (wish, status)
            assert answer.headers["content-type"].startswith("application/problem+json")
            assert answer.json["detail"].endswith(".")
        assert [answer.result(60).status for answer in good] == [200] * 4

        monkeypatch.setattr("server.media.decoder.Process", _no_process)
        assert whole.ask("POST", "/photos", asking("crash")).status == 415
        for _ in range(2):
            answer = whole.ask("POST", "/photos", PHOTO)
            assert answer.status == 503
            assert answer.headers["retry-after"] == "5"
            assert "cannot be started" in answer.json["detail"]
        monkeypatch.undo()
        assert whole.ask("POST", "/photos", PHOTO).status == 200


def _no_process(_command: object) -> None:
    raise FileNotFoundError(2, "No such file or directory")
