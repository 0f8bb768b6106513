"""Files that were made to harm, at the doors of a whole running server: each is answered in words, and nobody else
notices."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from server.photos.recognise import FACES
from tests.load.fuzz import fuzz_pictures, fuzz_videos, poster
from tests.pictures import photo_path
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
