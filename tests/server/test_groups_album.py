"""Groups of faces corrected by hand: nothing is lost, nothing is in two groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.groups.album import Album, BadSplit, NoSuchGroup
from server.media.decoding import Unreadable, decode
from server.people.photos.reading import Photo, read
from tests.packs import open_models
from tests.server.photos import varied

MODELS = open_models()
PHOTOS = {(person, shot): read(MODELS, varied(person, shot), True, decode) for person in range(3) for shot in range(3)}


def filled(*which: tuple[int, int]) -> Album:
    album = Album(None)
    for person, shot in which or PHOTOS:
        album.add(f"{person}-{shot}.jpg", PHOTOS[person, shot])
    album.arrange(MODELS.matcher)
    return album


def whose(album: Album) -> list[set[str]]:
    return [{one.file[0] for one in group.faces} for group in album.listed]


def test_three_people_are_three_groups() -> None:
    album = filled()
    assert sorted(map(sorted, whose(album))) == [["0"], ["1"], ["2"]]
    assert [len(group.faces) for group in album.listed] == [3, 3, 3]
    best = album.listed[0].faces
    assert best[0].face.quality.overall >= best[-1].face.quality.overall


def test_the_same_photo_counts_once_and_what_is_none_is_said() -> None:
    album = filled((0, 0))
    assert album.add("again.jpg", PHOTOS[0, 0]) == 0
    assert album.add("diary.jpg", Photo("", problem=Unreadable("not_a_picture", "This is no picture."))) == 0
    said = [words.split(",")[0] for _, words in album.refused]
    assert said == ["The same photo is here already", "This is no picture."]


def test_what_comes_later_joins_and_leaves_corrections_alone() -> None:
    album = filled((0, 0), (0, 1), (1, 0), (1, 1))
    first, second = album.listed
    merged = album.merge([first.id, second.id])
    album.add("late.jpg", PHOTOS[2, 0])
    album.arrange(MODELS.matcher)
    assert len(album.get(merged.id).faces) == 4
    assert len(album.groups) == 2


def test_split_and_merge_put_it_back() -> None:
    album = filled()
    group = album.listed[0]
    ids = [one.id for one in group.faces]
    part = album.split(group.id, ids[:1])
    assert (len(part.faces), len(group.faces)) == (1, 2)
    again = album.merge([part.id, group.id])
    assert {one.id for one in again.faces} == set(ids)
    for wrong in ([], [one.id for one in again.faces]):
        with pytest.raises(BadSplit):
            album.split(again.id, wrong)
    with pytest.raises(NoSuchGroup):
        album.split(again.id, ["0" * 32])
    with pytest.raises(NoSuchGroup):
        album.get(part.id)
    with pytest.raises(ValueError, match="two groups"):
        album.merge([again.id, again.id])


def test_a_named_group_leaves_the_album_and_an_ignored_one_comes_last() -> None:
    album = filled()
    first, second, _ = album.listed
    assert album.ignore(first.id, True).ignored
    assert album.listed[-1].id == first.id
    samples = second.samples(keep_crops=False)
    assert 1 <= len(samples) <= 3
    assert all(sample.crop is None for sample in samples)
    assert all(sample.crop for sample in second.samples(keep_crops=True))
    album.named(second.id)
    assert len(album.faces) == 6


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["merge", "split", "ignore", "arrange"]), st.integers(0, 20)), max_size=12))
def test_whatever_is_done_each_face_is_in_one_group(steps: list[tuple[str, int]]) -> None:
    album = filled()
    for what, number in steps:
        groups = album.listed
        group = groups[number % len(groups)]
        if what == "merge" and len(groups) > 1:
            album.merge([group.id, groups[(number + 1) % len(groups)].id])
        elif what == "split" and len(group.faces) > 1:
            album.split(group.id, [group.faces[number % len(group.faces)].id])
        elif what == "ignore":
            album.ignore(group.id, number % 2 == 0)
        else:
            album.arrange(MODELS.matcher)
        placed = [one.id for each in album.groups.values() for one in each.faces]
        assert sorted(placed) == sorted(album.faces)
        assert all(np.isclose(np.linalg.norm(each.template), 1, atol=1e-4) for each in album.groups.values())
