"""How samples are fused, chosen and reviewed."""

import dataclasses

import numpy as np
import pytest

from models import load_manifest
from pipeline.face_models import read_photo
from pipeline.gallery import Gallery, Person
from pipeline.matcher import Matcher
from pipeline.templates import choose_samples, fuse_template, review
from tests.packs import open_models
from tests.pictures import group_photo


def units(vectors):
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def near(centre, similarity, seed):
    """A unit vector with this cosine to ``centre``."""
    aside = np.random.default_rng(seed).normal(size=len(centre))
    aside -= (aside @ centre) * centre
    return (similarity * centre + np.sqrt(1 - similarity**2) * aside / np.linalg.norm(aside)).astype(np.float32)


ADA, BOB = np.eye(64, dtype=np.float32)[0], units(np.eye(64)[0] * 0.8 + np.eye(64)[1] * 0.6)
ada, bob = Person("a", "Ada"), Person("b", "Bob")


@pytest.fixture
def matcher():
    return Matcher(dataclasses.replace(load_manifest("open").matching, population=None))


def known(*entries):
    return Gallery.build([(person, template, None) for person, template in entries], 64, "d")


def test_fusing_is_weighted_and_of_unit_length():
    fused = fuse_template(list(units([[1, 0, 0], [0, 1, 0]])), [3, 1])
    assert np.linalg.norm(fused) == pytest.approx(1)
    assert fused[0] > 2.9 * fused[1]


def test_fusing_nothing_is_refused():
    with pytest.raises(ValueError, match="one sample"):
        fuse_template([])


def test_all_are_chosen_while_there_is_room():
    assert choose_samples(units(np.eye(4)), np.ones(4), 4).tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="limit"):
        choose_samples(units(np.eye(4)), np.ones(4), 0)


def test_different_views_are_chosen_before_repeated_ones():
    views = [near(ADA, 0.999, s) for s in range(5)] + [near(BOB, 0.999, 9)]
    assert 5 in choose_samples(np.stack(views), np.full(6, 0.8), 2)


def test_a_bad_picture_is_not_chosen_for_being_different():
    views = [near(ADA, 0.95, s) for s in range(5)] + [near(BOB, 0.9, 9)]
    assert 5 not in choose_samples(np.stack(views), np.array([0.8] * 5 + [0.0]), 3)


def test_the_order_of_samples_changes_nothing():
    rng = np.random.default_rng(0)
    views, quality = units(rng.normal(size=(12, 64)) * 0.1 + ADA), rng.random(12)
    chosen = choose_samples(views, quality, 5)
    order = rng.permutation(12)
    again = choose_samples(views[order], quality[order], 5)
    assert sorted(order[again]) == chosen.tolist()
    one = fuse_template(list(views[chosen]), quality[chosen].tolist())
    other = fuse_template(list(views[order][again]), quality[order][again].tolist())
    assert one == pytest.approx(other, abs=1e-6)


def test_samples_that_belong_together_fit(matcher):
    samples = np.stack([near(ADA, 0.985, s) for s in range(4)])
    for level in ("off", "standard", "strict"):
        found = review(samples, None, known((bob, BOB)), matcher, level)
        assert all(sample.fits for sample in found)
        assert {sample.rival for sample in found} == {bob}


def test_a_sample_of_somebody_else_is_doubtful(matcher):
    samples = np.stack([*(near(ADA, 0.985, s) for s in range(3)), near(BOB, 0.99, 9)])
    for level, fits in (("off", True), ("standard", False), ("strict", False)):
        found = review(samples, None, known((bob, BOB)), matcher, level)
        assert [sample.fits for sample in found] == [True, True, True, fits]
        assert found[3].rival == bob
        assert found[3].rival_similarity > found[3].own


def test_a_close_call_is_for_the_strict_review_only(matcher):
    near_bob = near(BOB, 0.981, 3)
    own = near(near_bob, 0.979, 4)
    samples = np.stack([near_bob, own])
    people = known((bob, BOB))
    assert review(samples, None, people, matcher, "standard")[0].fits
    assert not review(samples, None, people, matcher, "strict")[0].fits


def test_ones_own_template_is_no_rival(matcher):
    samples = np.stack([near(ADA, 0.985, s) for s in range(2)])
    found = review(samples, ada, known((ada, ADA), (bob, BOB)), matcher, "strict")
    assert all(sample.fits and sample.rival == bob for sample in found)


def test_a_stranger_does_not_fit_a_person_who_is_known(matcher):
    stranger = np.eye(64, dtype=np.float32)[5][None]
    assert not review(stranger, ada, known((ada, ADA)), matcher, "standard")[0].fits


def test_a_first_sample_alone_fits_unless_it_is_somebody(matcher):
    assert review(ADA[None], None, known(), matcher, "strict")[0].fits
    assert review(ADA[None], None, known((bob, BOB)), matcher, "strict")[0].fits
    assert not review(near(BOB, 0.99, 1)[None], None, known((bob, BOB)), matcher, "standard")[0].fits


def test_an_unknown_level_is_refused(matcher):
    with pytest.raises(ValueError, match="standard"):
        review(ADA[None], None, known(), matcher, "lax")


def test_real_faces_put_together_as_one_person_are_noticed():
    models = open_models()
    two = np.stack([face.embedding for face in read_photo(models, group_photo())[:2]])
    found = review(two, None, Gallery.empty(128, models.manifest.digest), models.matcher, "standard")
    assert not any(sample.fits for sample in found)
