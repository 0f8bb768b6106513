"""Verdicts and drafts, on faces made of numbers; real photos go through the doors in test_import_routes.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.gallery import Gallery, Person
from pipeline.quality import Quality
from server.media.decoding import Unreadable
from server.people.photos.draft import Draft, Target
from server.people.photos.reading import Face, Photo
from server.people.photos.verdicts import Review
from tests.packs import open_models

GOOD = Quality(sharpness=0.9, light=0.9, pose=0.9, size=0.9, brightness=128, yaw=0.1, pitch=-0.1)
MATCHER = open_models().matcher
CENTRE = np.random.default_rng(0).normal(0, 1, 128)
CENTRE /= np.linalg.norm(CENTRE)


def embedding(person: int, shot: int = 0, spread: float = 0.21) -> np.ndarray:
    """Two people lie at a cosine of about 0.86, two shots of one at about 0.96: as with the open pack."""

    def step(seed: int, length: float) -> np.ndarray:
        vector = np.random.default_rng(seed).normal(0, 1, 128)
        return length * vector / np.linalg.norm(vector)

    sum_ = CENTRE + step(100 + person, 0.4) + step(1000 + 50 * person + shot, spread)
    return (sum_ / np.linalg.norm(sum_)).astype(np.float32)


def face(person: int, shot: int = 0, quality: Quality = GOOD, **more: float) -> Face:
    return Face((0.2, 0.2, 0.5, 0.5), 150.0, embedding(person, shot, **more), quality)


def photo(*faces: Face, content: str = "", main: int | None = 0) -> Photo:
    return Photo(content or str(np.random.default_rng().integers(1 << 60)), 400, 300, faces, main if faces else None)


def enrolled(*people: int) -> Gallery:
    entries = [(Person(f"{n:032x}", f"P{n}"), embedding(n, 99, 0.05), None) for n in people]
    return Gallery.build(entries, 128, "d", 1) if entries else Gallery.empty(128, "d")


def draft(review: Review = "standard") -> Draft:
    return Draft(MATCHER, None, review)


NOBODY = enrolled()
ADA, BOB = Target("Ada"), Target("Bob")


def test_good_photos_are_used_and_become_samples_with_all_that_is_known() -> None:
    import_ = draft()
    for shot in range(3):
        assert import_.add(f"{shot}.jpg", ADA, photo(face(1, shot), content=f"c{shot}"), None, NOBODY).verdict == "used"
    (person,) = import_.people()
    assert (person.name, person.id, len(person.samples)) == ("Ada", None, 3)
    sample = person.samples[0]
    assert (sample.source, sample.content, sample.size, sample.yaw, sample.pitch) == ("photo", "c0", 150.0, 0.1, -0.1)
    assert sample.crop is None


@pytest.mark.parametrize(
    ("given", "verdict", "words"),
    [
        (Photo("c", problem=Unreadable("too_large", "Too large.")), "too_large", "Too large."),
        (Photo("c", problem=Unreadable("not_a_picture", "Text.")), "not_a_picture", "Text."),
        (photo(), "no_face", "No face was found."),
        (photo(face(1), face(2), main=None), "several_faces", "There are 2 faces; choose one."),
        (photo(face(1, quality=replace(GOOD, size=0.1))), "poor_quality", "too small"),
        (photo(face(1, quality=replace(GOOD, light=0.1, brightness=20))), "poor_quality", "too dark"),
        (photo(face(1, quality=replace(GOOD, light=0.1, brightness=220))), "poor_quality", "too bright"),
        (photo(face(1, quality=replace(GOOD, pose=0.1))), "poor_quality", "turned away"),
        (photo(face(1, quality=replace(GOOD, sharpness=0.1))), "poor_quality", "blurred"),
    ],
)
def test_what_cannot_be_used_says_why(given: Photo, verdict: str, words: str) -> None:
    import_ = draft()
    entry = import_.add("x.jpg", ADA, given, None, NOBODY)
    assert entry.verdict == verdict
    assert words in entry.judgement.words
    assert import_.people() == []


def test_the_same_photo_twice_is_used_once() -> None:
    import_ = draft("off")
    first = import_.add("a.jpg", ADA, photo(face(1), content="same"), None, NOBODY)
    second = import_.add("b.jpg", BOB, photo(face(1), content="same"), None, NOBODY)
    assert (second.verdict, second.judgement.words) == ("duplicate", "The same photo is here already, as a.jpg.")
    import_.drop(first.id, NOBODY)
    assert import_.entries[second.id].verdict == "used"


def test_a_photo_that_is_kept_already_is_a_duplicate() -> None:
    entry = draft().add("a.jpg", ADA, Photo("known"), "Bob", NOBODY)
    assert (entry.verdict, entry.judgement.words) == ("duplicate", "This photo is one of Bob's already.")


def test_a_copy_saved_anew_is_a_duplicate_unless_a_person_says_otherwise() -> None:
    import_ = draft()
    import_.add("a.jpg", ADA, photo(face(1)), None, NOBODY)
    copy = import_.add("b.jpg", ADA, photo(face(1, 0, spread=0.2)), None, NOBODY)
    assert copy.verdict == "duplicate"
    assert import_.accept(copy.id, NOBODY).verdict == "used"
    kept = Target("Cleo", None, (embedding(3),))
    assert import_.add("c.jpg", kept, photo(face(3)), None, NOBODY).verdict == "duplicate"


def test_who_looks_like_somebody_enrolled_is_named() -> None:
    import_, gallery = draft(), enrolled(1, 2)
    entry = import_.add("a.jpg", BOB, photo(face(1)), None, gallery)
    like = entry.judgement.like
    assert entry.verdict == "looks_like"
    assert like is not None
    assert (like.person, like.name) == (f"{1:032x}", "P1")
    assert 0.5 < like.probability <= 1
    assert "P1" in entry.judgement.words
    assert import_.accept(entry.id, gallery).verdict == "used"


def test_who_looks_like_another_of_the_import_is_named() -> None:
    import_ = draft()
    for shot in range(3):
        import_.add(f"{shot}.jpg", ADA, photo(face(1, shot)), None, NOBODY)
    entry = import_.add("x.jpg", BOB, photo(face(1, 7)), None, NOBODY)
    assert (entry.verdict, entry.judgement.like and entry.judgement.like.name) == ("looks_like", "Ada")
    assert import_.rename(entry.id, ADA, NOBODY).verdict == "used"
    assert import_.entries[entry.id].name == "Ada"
    assert len(import_.people()[0].samples) == 4


def test_faces_join_somebody_enrolled_only_if_they_resemble_them() -> None:
    gallery = enrolled(1)
    target = Target("P1", gallery.person(f"{1:032x}"))
    import_ = draft()
    assert import_.add("a.jpg", target, photo(face(1)), None, gallery).verdict == "used"
    stranger = import_.add("b.jpg", target, photo(face(2)), None, gallery)
    assert (stranger.verdict, stranger.judgement.like) == ("looks_like", None)
    assert "does not look like" in stranger.judgement.words
    (person,) = import_.people()
    assert (person.id, len(person.samples)) == (f"{1:032x}", 1)


def test_the_review_is_off_standard_or_strict() -> None:
    gallery = enrolled(1)
    off, strict = draft("off"), draft("strict")
    assert off.add("a.jpg", BOB, photo(face(1)), None, gallery).verdict == "used"
    entry = strict.add("a.jpg", BOB, photo(face(1)), None, gallery)
    assert entry.verdict == "looks_like"
    assert strict.accept(entry.id, gallery).verdict == "looks_like"  # nobody overrides the strict review
    strict.add("b.jpg", ADA, photo(face(4)), None, NOBODY)
    assert strict.add("c.jpg", ADA, photo(face(5)), None, NOBODY).verdict == "looks_like"
    standard = draft("standard")
    standard.add("b.jpg", ADA, photo(face(4)), None, NOBODY)
    assert standard.add("c.jpg", ADA, photo(face(5)), None, NOBODY).verdict == "used"


def test_a_face_is_chosen_by_a_person() -> None:
    import_ = draft()
    both = photo(face(1), face(2), main=None)
    entry = import_.add("a.jpg", ADA, both, None, NOBODY)
    assert import_.choose(entry.id, 1, NOBODY).verdict == "used"
    assert import_.people()[0].samples[0].embedding is both.faces[1].embedding
    other = import_.add("a.jpg", BOB, both, None, NOBODY)  # the same photo for the other person in it
    assert import_.choose(other.id, 0, NOBODY).verdict == "used"
    with pytest.raises(IndexError):
        import_.choose(entry.id, 2, NOBODY)


def test_what_changed_meanwhile_is_noticed_before_saving() -> None:
    import_ = draft()
    entry = import_.add("a.jpg", BOB, photo(face(1), content="c"), None, NOBODY)
    assert import_.refresh({"bob": BOB}, {}, NOBODY)
    assert not import_.refresh({"bob": BOB}, {}, enrolled(1))
    assert import_.entries[entry.id].verdict == "looks_like"
    import_.refresh({"bob": BOB}, {"c": "Bob"}, NOBODY)
    assert import_.entries[entry.id].verdict == "duplicate"


def test_spellings_of_one_name_are_one_person() -> None:
    import_ = draft()
    import_.add("a.jpg", Target("Ada"), photo(face(1, 0)), None, NOBODY)
    import_.add("b.jpg", Target("ADA"), photo(face(1, 1)), None, NOBODY)
    assert [(p.name, len(p.samples)) for p in import_.people()] == [("Ada", 2)]
